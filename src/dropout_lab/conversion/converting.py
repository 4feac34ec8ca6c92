"""Replacing the dropout layers of a model: the plan, what it says, and its execution."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from dropout_lab import pinned, schedules
from dropout_lab.arguments import flag
from dropout_lab.conversion.counterparts import Found, of_torch, to_torch
from dropout_lab.conversion.probing import is_named_so, probed
from dropout_lab.conversion.unseen import read_from, unseen
from dropout_lab.drawing import Drawing
from dropout_lab.membership import OF_TORCH
from dropout_lab.noise import Stream

#: Whose layers a model gets.
Target = Literal["dropout_lab", "torch"]


@dataclass(frozen=True)
class Replaced:
    """A layer that is replaced by another, as a conversion reports it.

    Attributes:
        name: the layer's name in the model.
        old: the layer that was there, as text.
        new: the layer that takes its place, as text.
        note: what differs by that; empty if nothing does.

    >>> print(Replaced("drop", "Dropout(p=0.1)", "Dropout(keep_prob=0.9)"))
    drop: Dropout(p=0.1) -> Dropout(keep_prob=0.9)
    """

    name: str
    old: str
    new: str
    note: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.name or 'the model itself'}: {self.old} -> {self.new}{note}"


@dataclass(frozen=True)
class Left:
    """Dropout that stays as it is, as a conversion reports it.

    Attributes:
        name: the module's name in the model.
        kind: the module's class.
        reason: why it stays.
        idle: whether it drops nothing as it stands, at a rate of 0; then :func:`convert` does not warn of it.

    >>> print(Left("drop", "AlphaDropout", "it drops to another value than 0"))
    drop: AlphaDropout stays: it drops to another value than 0
    """

    name: str
    kind: str
    reason: str
    idle: bool = False

    def __str__(self) -> str:
        return f"{self.name or 'the model itself'}: {self.kind} stays: {self.reason}"


@dataclass(frozen=True)
class Report:
    """What a conversion replaces, and what it leaves; printed, it has a line for each.

    Attributes:
        replaced: the layers that are replaced.
        left: the dropout that stays as it is.

    >>> print(Report((Replaced("0", "Dropout(p=0.1)", "Dropout(keep_prob=0.9)"),), ()))
    0: Dropout(p=0.1) -> Dropout(keep_prob=0.9)
    """

    replaced: tuple[Replaced, ...]
    left: tuple[Left, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, (*self.replaced, *self.left))) or "nothing to convert"


class NotConverted(UserWarning):
    """A warning that :func:`convert` left dropout in the model as it was; the message names it."""


def plan(model: torch.nn.Module, to: Target = "dropout_lab") -> Report:
    """Report what :func:`convert` would replace in ``model``, and what it would leave and why, and change nothing.

    A layer that stands in several places is listed once.

    Args:
        model: the model, or a dropout layer.
        to: the library whose layers are put in, "dropout_lab" or "torch".

    >>> lstm = torch.nn.LSTM(2, 2, 2, dropout=0.2)
    >>> report = plan(torch.nn.Sequential(torch.nn.Dropout(0.1), lstm))
    >>> print(report.replaced[0])
    0: Dropout(p=0.1, inplace=False) -> Dropout(keep_prob=0.9, rescale=True)
    """
    return _survey(model, to)[1]


def convert(
    model: torch.nn.Module,
    to: Target = "dropout_lab",
    *,
    seed: int | None = None,
    stream: Stream | None = None,
    strict: bool = False,
) -> torch.nn.Module:
    """Replace the dropout layers of ``model`` by this package's or by torch's, in place, and return the model.

    Optimizers and references to the model stay good; take a ``copy.deepcopy`` first to keep the old one. A model that
    is a dropout layer itself is not changed, and the new layer is returned. A layer that stands in several places is
    replaced by one that does. Modes (``training``), schedules and ``inplace`` are kept. A keep probability is 1 − rate.
    Dropout layers have no weights: state dicts pass in both directions.

    torch's ``Dropout`` and ``Dropout1d`` to ``Dropout3d`` are replaced by class, and others by name and attributes:
    timm's ``DropPath``, torchvision's ``StochasticDepth`` and ``DropBlock2d``, home-made ``DropPath``,
    ``LockedDropout``, ``SpatialDropout``, ``GaussianDropout`` and the like. A copy of such a layer is run first. If it
    does not do in training and in ``eval()`` what a layer of this package does, it stays. So does a layer with hooks.

    What stays is named in a warning :class:`NotConverted`. That includes dropout that is no layer: the ``dropout=`` of
    attention and of recurrent layers, and numbers and functions that a module's own methods use. :func:`plan` gives the
    whole account. :mod:`dropout_lab.inference` finds by running what no reading of methods shows.

    Args:
        model: the model, or a dropout layer.
        to: the library whose layers are put in, "dropout_lab" or "torch".
        seed: a seed with which each new layer gets a stream by its name, as :func:`~dropout_lab.drawing.add_streams`
            gives it. The state of a stream is a part of the state dict, and need not be in one that is loaded.
        stream: a stream of which each new layer gets the next layer.
        strict: whether to raise ValueError for what stays, before anything is changed, instead of warning.

    Raises TypeError for what is no module, ValueError for another ``to``, for ``seed`` and ``stream`` together, for
    either with ``to="torch"``, and for a ``stream`` that names a layer already.

    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.1))
    >>> model = convert(model, seed=0)
    >>> model[1]
    Dropout(
      keep_prob=0.9, rescale=True
      (stream): Stream(seed=0, layer='1', step=0)
    )
    >>> convert(model, to="torch")[1]
    Dropout(p=0.1, inplace=False)
    """
    flag("strict", strict)
    _check_source(to, seed, stream)
    places, report = _survey(model, to)
    staying = "\n".join(str(one) for one in report.left if not one.idle)
    if staying and strict:
        raise ValueError(f"not all dropout can be converted:\n{staying}")
    device = next((parameter.device for parameter in model.parameters()), None)
    for old, new, paths in places:
        new.train(old.training)
        schedules.hand_over(old, new)
        if isinstance(new, Drawing) and (seed is not None or stream is not None):
            own = Stream(seed, paths[0]) if seed is not None else stream.next_layer()  # type: ignore[union-attr]
            new.own_source(None, own.to(device))
        for path in paths:
            around, _, name = path.rpartition(".")
            if path:
                setattr(model.get_submodule(around), name, new)
            else:
                model = new
    if staying:
        warnings.warn(f"this dropout stays as it is:\n{staying}", NotConverted, stacklevel=2)
    return model


def _check_source(to: str, seed: int | None, stream: Stream | None) -> None:
    if seed is None and stream is None:
        return
    if to == "torch":
        raise ValueError("torch's layers have no source of their own: leave out seed and stream")
    if seed is not None and stream is not None:
        raise ValueError("give seed or stream, not both")
    if seed is not None:
        Stream(seed)
    elif not isinstance(stream, Stream):
        raise TypeError(f"stream must be a noise.Stream, such as Stream(0); got {type(stream).__name__}")
    elif stream.layer is not None:
        raise ValueError(
            f"stream names the layer {stream.layer!r}, and several layers would draw the same masks from it"
        )


_Place = tuple[torch.nn.Module, torch.nn.Module, list[str]]


def _survey(model: torch.nn.Module, to: str) -> tuple[list[_Place], Report]:
    """Which layers are replaced by which and where, and the account of it."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"a conversion takes a torch.nn.Module, got {type(model).__name__}")
    if to not in ("dropout_lab", "torch"):
        raise ValueError(f"to must be 'dropout_lab' or 'torch', got {to!r}")
    places: dict[torch.nn.Module, _Place] = {}
    replaced, left = [], []
    # Whoever reads a layer's rate would not find it in another one, and may not call the layer at all.
    read = {
        part: _described(path, owner)
        for path, owner in model.named_modules()
        if (names := read_from(owner))
        for name, part in owner.named_modules(remove_duplicate=False)
        if name in names
    }
    for name, module in _reachable(model, to):
        kind = type(module).__name__
        found = _found(module, to)
        if found is None:
            if to == "dropout_lab":
                left += [Left(name, kind, reason) for reason in unseen(module)]
            continue
        idle = getattr(found.layer, "keep_prob", 1 - getattr(found.layer, "p", 1)) == 1
        if found.layer is not None and module in read:
            found = Found(None, f"methods of {read[module]} read its rate")
        if found.layer is None:
            left.append(Left(name, kind, found.note, idle))
            continue
        places[module] = (module, found.layer, [])
        replaced.append(Replaced(name, _line(module), _line(found.layer), found.note))
    for path, module in model.named_modules(remove_duplicate=False):
        if module in places:
            places[module][2].append(path)
    return list(places.values()), Report(tuple(replaced), tuple(left))


def _reachable(model: torch.nn.Module, to: str) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules that a conversion looks at, each once: not the parts of what is made of layers of this package."""
    closed: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(around) for around in closed):
            continue
        if to == "torch" and _is_composed(module):
            closed.append(f"{name}." if name else "")
        yield name, module


def _is_composed(module: torch.nn.Module) -> bool:
    """Whether a module of this package is made of its layers, and calls them as no layer of torch can be called."""
    return type(module).__module__.startswith("dropout_lab.") and not isinstance(module, (Drawing, Stream))


def _found(module: torch.nn.Module, to: str) -> Found | None:
    """What takes the place of a module, or why nothing does; None for what is no dropout or is converted already."""
    if isinstance(module, torch.jit.ScriptModule):
        drops = "drop" in str(module.original_name).lower()
        return Found(None, "it is compiled by torch.jit.script, and takes no other layers") if drops else None
    if to == "torch":
        composed = any(isinstance(part, Drawing) for part in module.modules()) and _is_composed(module)
        found = Found(None, "torch has no such module") if composed else to_torch(module)
    elif isinstance(module, Drawing):
        return None
    else:
        found = of_torch(module)
        if found is None and (is_named_so(module) or isinstance(module, OF_TORCH)):
            found = probed(module)
    if found is None or found.layer is None:
        return found
    if hooks := pinned.hooks_of_any_kind(module):
        return Found(None, f"it has hooks ({', '.join(hooks)}), which the new layer would not have")
    if "forward" in vars(module):
        return Found(None, "it was given a forward of its own")
    return found


def _described(name: str, module: torch.nn.Module) -> str:
    return f"{type(module).__name__} {name!r}" if name else type(module).__name__


def _line(module: torch.nn.Module) -> str:
    """A module as it shows itself, in one line."""
    shown = repr(module)
    return f"{type(module).__name__}({module.extra_repr()})" if "\n" in shown else shown
