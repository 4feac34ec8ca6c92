"""Schedules on the dropout layers of a model: given, taken away, and applied at a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from dropout_lab import noise
from dropout_lab.arguments import complement, integer
from dropout_lab.drawing import Drawing
from dropout_lab.membership import OF_TORCH

#: What gives the keep probability of a step: a schedule, or a function of the user's own.
Rule = Callable[[int], float]
#: Which layers are meant: a class or several, or a function of a layer's name and the layer.
Where = type[torch.nn.Module] | tuple[type[torch.nn.Module], ...] | Callable[[str, torch.nn.Module], bool]

#: Under this name a layer holds its schedules, by the keep probability that each of them sets.
_HELD = "_schedules"
#: The keep probabilities that layers have without having been asked for them.
_USUAL = ("keep_prob", "recurrent_keep_prob")


def attach(
    model: torch.nn.Module,
    schedule: Rule | Mapping[str, Rule],
    *,
    where: Where | None = None,
    which: str | None = None,
) -> torch.nn.Module:
    """Give a schedule to the dropout layers of ``model``, in place, and return the model.

    What a layer had before is replaced. Dropout layers are those of this package, torch's, and torch's recurrent layers
    and attention if they have dropout. Nothing is set before :func:`apply`.

    Args:
        schedule: one schedule for all layers, or a mapping from the names of layers to theirs.
        where: which of the layers are meant: those of a class, or those for which a function of name and layer is true.
        which: the keep probability of a layer that has several, such as "recurrent_keep_prob"; None sets them all.

    Raises ValueError where no layer is meant, for a name that is none of a dropout layer, for a ``which`` that a layer
    does not have, and without ``which`` for a layer whose keep probabilities differ; TypeError for a ``schedule`` that
    is no function, and for layers that learn their keep probability.

    >>> from dropout_lab import functional, nn
    >>> from dropout_lab.schedules import late
    >>> model = torch.nn.Sequential(*(nn.DropPath() for _ in range(4)))
    >>> depth = zip("0123", functional.linear_decay(4, 0.5), strict=True)
    >>> rules = {name: late(keep_prob, start=100) for name, keep_prob in depth}
    >>> apply(attach(model, rules), 100)
    {'0': 0.875, '1': 0.75, '2': 0.625, '3': 0.5}
    """
    layers = _modules(model, remove_duplicate=not isinstance(schedule, Mapping))
    if isinstance(schedule, Mapping):
        if where is not None:
            raise ValueError("schedule is a mapping by name, which says already what where would say")
        for name in schedule:
            if name not in layers or not _is_layer(layers[name]):
                raise ValueError(f"{type(model).__name__} has no dropout layer called {name!r}")
        chosen = {name: (layers[name], rule) for name, rule in schedule.items()}
    else:
        chosen = {
            name: (layer, schedule)
            for name, layer in layers.items()
            if _is_layer(layer) and (where is None or _is_meant(where, name, layer))
        }
    if not chosen:
        raise ValueError(f"{type(model).__name__} has no dropout layer that is meant, so nothing takes the schedule")
    names = {name: _checked(name, layer, rule, which) for name, (layer, rule) in chosen.items()}
    for name, (layer, rule) in chosen.items():
        held = dict(getattr(layer, _HELD, {})) if which else {}
        setattr(layer, _HELD, held | dict.fromkeys(names[name], rule))
    return model


def detach(model: torch.nn.Module) -> torch.nn.Module:
    """Take the schedules of all layers of ``model`` away, in place, and return the model.

    Keep probabilities stay what they are.

    >>> from dropout_lab.schedules import early
    >>> attached(detach(attach(torch.nn.Dropout(), early(0.9, 10))))
    {}
    """
    for layer in _modules(model).values():
        vars(layer).pop(_HELD, None)
    return model


def attached(model: torch.nn.Module) -> dict[str, Rule]:
    """Return the schedules of ``model`` by the names of their layers.

    A schedule of another keep probability than ``keep_prob`` has the layer's name and that of the keep probability.

    >>> from dropout_lab.schedules import constant
    >>> attached(attach(torch.nn.Sequential(torch.nn.Dropout()), constant(0.9)))
    {'0': schedules.constant(keep_prob=0.9)}
    """
    return {_label(name, key): rule for name, _, key, rule in _all(model)}


def apply(model: torch.nn.Module, step: int) -> dict[str, float]:
    """Set the keep probability of each layer of ``model`` that has a schedule to that of ``step``.

    Call it before each step of the training. It depends on nothing but the step. torch's layers get p = 1 − keep_prob.

    Returns:
        The keep probabilities that were set, by the names of :func:`attached`.

    Raises ValueError for a model without schedules, for a step below 0, for a schedule that gives no probability, and
    for a keep probability of 0 in a layer of Gaussian noise; TypeError for a step that is no integer. Nothing was set
    then.

    >>> from dropout_lab.schedules import early
    >>> model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(2, 2))
    >>> model = attach(model, early(0.9, 100))
    >>> apply(model, 0), model[0].p
    ({'0': 0.9}, 0.1)
    >>> apply(model, 100), model[0].p
    ({'0': 1.0}, 0.0)
    """
    step = integer("step", step, least=0)
    found = list(_all(model))
    if not found:
        raise ValueError(f"{type(model).__name__} has no schedules: schedules.attach gives its layers some")
    values = [_value(name, layer, rule, step) for name, layer, _, rule in found]
    for (_, layer, key, _), value in zip(found, values, strict=True):
        attribute, is_rate = _settable(layer)[key]
        setattr(layer, attribute, complement(value) if is_rate else value)
    return {_label(name, key): value for (name, _, key, _), value in zip(found, values, strict=True)}


def hand_over(old: torch.nn.Module, new: torch.nn.Module) -> None:
    """Give the schedules of one layer to another that takes its place.

    Args:
        old: the layer that has the schedules.
        new: the layer that gets them.

    >>> from dropout_lab.schedules import constant
    >>> new = torch.nn.Dropout()
    >>> hand_over(attach(torch.nn.Dropout(), constant(0.9)), new)
    >>> attached(new)
    {'': schedules.constant(keep_prob=0.9)}
    """
    if held := getattr(old, _HELD, None):
        setattr(new, _HELD, dict(held))


def _modules(model: torch.nn.Module, remove_duplicate: bool = True) -> dict[str, torch.nn.Module]:
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"schedules belong to the layers of a torch.nn.Module, got {type(model).__name__}")
    return dict(model.named_modules(remove_duplicate=remove_duplicate))


def _all(model: torch.nn.Module) -> list[tuple[str, torch.nn.Module, str, Rule]]:
    """Each schedule in ``model``: the layer's name, the layer, the keep probability that is set, and the schedule."""
    return [
        (name, layer, key, rule)
        for name, layer in _modules(model).items()
        for key, rule in getattr(layer, _HELD, {}).items()
    ]


def _label(name: str, key: str) -> str:
    return name if key == "keep_prob" else f"{name}.{key}".lstrip(".")


def _is_meant(where: Where, name: str, layer: torch.nn.Module) -> bool:
    if isinstance(where, (type, tuple)):
        return isinstance(layer, where)
    if not callable(where):
        raise TypeError(f"where is a class of layers or a function of name and layer, got {type(where).__name__}")
    return bool(where(name, layer))


def _is_layer(layer: torch.nn.Module) -> bool:
    """Whether a module has a keep probability at all, fixed or learned."""
    return bool(_settable(layer)) or (isinstance(layer, Drawing) and hasattr(layer, "keep_prob"))


def _settable(layer: torch.nn.Module) -> dict[str, tuple[str, bool]]:
    """The keep probabilities that can be set: name → the attribute that holds it, and whether that is 1 − keep_prob."""
    if isinstance(layer, OF_TORCH):
        return {"keep_prob": ("p", True)}
    if isinstance(layer, torch.nn.MultiheadAttention) or (isinstance(layer, torch.nn.RNNBase) and layer.num_layers > 1):
        # Without dropout they are no dropout layers; one that a schedule has switched off still holds the schedule.
        return {"keep_prob": ("dropout", True)} if layer.dropout or hasattr(layer, _HELD) else {}
    if not isinstance(layer, Drawing):
        return {}
    names = [name for name in vars(layer) if name == "keep_prob" or name.endswith("_keep_prob")]
    if getattr(layer, "masks", None) == "input":
        names.remove("recurrent_keep_prob")
    return {name: (name, False) for name in names if isinstance(getattr(layer, name), (int, float))}


def _checked(name: str, layer: torch.nn.Module, rule: Rule, which: str | None) -> list[str]:
    """The keep probabilities of ``layer`` that ``rule`` sets. Raises as :func:`attach` does."""
    said = f"{type(layer).__name__} {name!r}"
    if not callable(rule):
        raise TypeError(f"a schedule is a function of the step, got {type(rule).__name__} for {said}")
    found = _settable(layer)
    if not found:
        raise TypeError(f"{said} learns its keep probability, so no schedule can set it: leave it out with where=")
    if which is not None:
        if which not in found:
            raise ValueError(f"{said} has no {which!r} that could be set; it has {', '.join(found)}")
        return [which]
    # A recurrent layer's further kinds of noise are off unless they were asked for.
    usual = [key for key, (attribute, _) in found.items() if key in _USUAL or getattr(layer, attribute) != 1]
    if len({getattr(layer, found[key][0]) for key in usual}) > 1:
        raise ValueError(
            f"{said} has keep probabilities that differ: say with which= whether {' or '.join(usual)} is meant"
        )
    return usual


def _value(name: str, layer: torch.nn.Module, rule: Rule, step: int) -> float:
    try:
        value = noise.check_keep_prob(rule(step))
    except (TypeError, ValueError) as error:
        raise type(error)(f"the schedule of {name!r} at step {step}: {error}") from None
    if value == 0 and getattr(getattr(layer, "variant", None), "noise", None) == "Gaussian":
        raise ValueError(f"the schedule of {name!r} gives 0 at step {step}, where the variance would be infinite")
    return value
