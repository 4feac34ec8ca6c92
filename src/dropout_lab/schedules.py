"""Keep probabilities that change while a network is trained: what holds at which step, and who is told.

A :class:`Schedule` is a function from the step to the keep probability, and remembers nothing else. So a training that
is taken up again at any step goes on as it would have. :func:`attach` gives a schedule to layers of a model,
:func:`apply` sets the keep probabilities of a step. A schedule goes with its layer through ``copy.deepcopy`` and
``pickle``, and leaves the model's ``state_dict`` as it is.

A compiled model sees each new value. ``torch.compile`` takes keep probabilities for constants, so a new value costs a
compilation, and after eight of them (``torch._dynamo.config.recompile_limit``) the function runs as it is written,
with a warning. Let a compiled model change seldom: :func:`early` and :func:`late` change once, and :func:`stairs` makes
any schedule hold for many steps.

>>> from dropout_lab import nn
>>> model = attach(torch.nn.Sequential(torch.nn.Linear(4, 4), nn.Dropout(0.9)), curriculum(0.5, 0.01))
>>> [round(apply(model, step)["1"], 3) for step in (0, 100, 1000)]
[1.0, 0.684, 0.5]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dropout_lab import noise
from dropout_lab.arguments import complement, flag, integer, positive
from dropout_lab.drawing import Drawing
from dropout_lab.membership import OF_TORCH

#: What gives the keep probability of a step: a :class:`Schedule`, or a function of the user's own.
Rule = Callable[[int], float]
#: Which layers are meant: a class or several, or a function of a layer's name and the layer.
Where = type[torch.nn.Module] | tuple[type[torch.nn.Module], ...] | Callable[[str, torch.nn.Module], bool]

#: Under this name a layer holds its schedules, by the keep probability that each of them sets.
_HELD = "_schedules"
#: The keep probabilities that layers have without having been asked for them.
_USUAL = ("keep_prob", "recurrent_keep_prob")


@dataclass(frozen=True)
class Schedule:
    """A function from the step, counted from 0, to the keep probability: a kind of schedule and its arguments.

    The functions of this module make them and check the arguments. Two of one kind with equal arguments are equal.
    Raises TypeError for a step that is no integer and ValueError for one below 0.

    >>> linear(1.0, 0.5, steps=10)
    schedules.linear(start=1.0, end=0.5, steps=10)
    >>> linear(1.0, 0.5, steps=10)(4)
    0.8
    """

    kind: str
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, step: int) -> float:
        """The keep probability at ``step``."""
        return _RULES[self.kind](integer("step", step, least=0), **dict(self.arguments))

    def __repr__(self) -> str:
        return f"schedules.{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def _made(kind: str, **arguments: Any) -> Schedule:
    return Schedule(kind, tuple(arguments.items()))


def constant(keep_prob: float) -> Schedule:
    """The same ``keep_prob`` at every step.

    >>> constant(0.9)(123)
    0.9
    """
    return _made("constant", keep_prob=noise.check_keep_prob(keep_prob))


def linear(start: float, end: float, steps: int) -> Schedule:
    """From the keep probability ``start`` at step 0 on a straight line to ``end`` at step ``steps``, and then ``end``.

    p(t) = start + (end − start) · min(t/steps, 1). Raises ValueError for keep probabilities outside [0, 1] and
    ``steps`` below 1.

    >>> [linear(1.0, 0.5, steps=4)(step) for step in (0, 1, 4, 9)]
    [1.0, 0.875, 0.5, 0.5]
    """
    return _made("linear", **_ends(start, end), steps=integer("steps", steps, least=1))


def cosine(start: float, end: float, steps: int) -> Schedule:
    """From ``start`` at step 0 along half a wave of the cosine to ``end`` at step ``steps``, and then ``end``.

    p(t) = end + (start − end) · (1 + cos(π · min(t/steps, 1)))/2: slow at both ends. Raises as :func:`linear` does.

    >>> [round(cosine(1.0, 0.5, steps=4)(step), 3) for step in (0, 1, 2, 4, 9)]
    [1.0, 0.927, 0.75, 0.5, 0.5]
    """
    return _made("cosine", **_ends(start, end), steps=integer("steps", steps, least=1))


def early(keep_prob: float, steps: int, *, linear: bool = False) -> Schedule:
    """Early dropout: ``keep_prob`` in the first ``steps`` steps, 1 from then on.

    With ``linear`` the rate 1 − p falls on a straight line, from 1 − ``keep_prob`` at step 0 to 0 at step ``steps``.
    Raises ValueError for a keep probability outside [0, 1] and ``steps`` below 0. Source: Liu et al. 2023 (whose
    recipes take the falling line).

    >>> [early(0.9, 100)(step) for step in (0, 99, 100)]
    [0.9, 0.9, 1.0]
    >>> [early(0.9, 100, linear=True)(step) for step in (0, 50, 100)]
    [0.9, 0.95, 1.0]
    """
    keep_prob, steps = noise.check_keep_prob(keep_prob), integer("steps", steps, least=0)
    return _made("early", keep_prob=keep_prob, steps=steps, linear=flag("linear", linear))


def late(keep_prob: float, start: int) -> Schedule:
    """Late dropout: 1 before step ``start``, ``keep_prob`` from it on.

    Raises ValueError for a keep probability outside [0, 1] and a ``start`` below 0. Source: Liu et al. 2023.

    >>> [late(0.9, 100)(step) for step in (0, 99, 100)]
    [1.0, 1.0, 0.9]
    """
    return _made("late", keep_prob=noise.check_keep_prob(keep_prob), start=integer("start", start, least=0))


def curriculum(keep_prob: float, gamma: float) -> Schedule:
    """Curriculum dropout: from 1 at step 0 down towards ``keep_prob``, p(t) = (1 − p) · exp(−γ t) + p.

    ``gamma`` is per step. The source advises 10/T for a training of T steps, at whose end p(T) is ``keep_prob`` up to
    (1 − p)/22 000. Raises ValueError for a keep probability outside [0, 1] and a ``gamma`` that is not positive and
    finite. Source: Morerio et al. 2017.

    >>> [round(curriculum(0.5, 10 / 1000)(step), 3) for step in (0, 100, 1000)]
    [1.0, 0.684, 0.5]
    """
    return _made("curriculum", keep_prob=noise.check_keep_prob(keep_prob), gamma=positive("gamma", gamma))


def stairs(schedule: Schedule, every: int) -> Schedule:
    """``schedule`` with a value that holds for ``every`` steps: what it gives at the last multiple of ``every``.

    A compiled model is compiled again for each new value, and so seldom.

    >>> [stairs(linear(1.0, 0.5, steps=100), 50)(step) for step in (0, 49, 50, 100)]
    [1.0, 1.0, 0.75, 0.5]
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a Schedule, such as schedules.linear(…); got {type(schedule).__name__}")
    return _made("stairs", schedule=schedule, every=integer("every", every, least=1))


def _ends(start: float, end: float) -> dict[str, float]:
    ends = {}
    for name, value in (("start", start), ("end", end)):
        try:
            ends[name] = noise.check_keep_prob(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    return ends


def _linear(step: int, start: float, end: float, steps: int) -> float:
    return end if step >= steps else start + (end - start) * step / steps


def _cosine(step: int, start: float, end: float, steps: int) -> float:
    if step >= steps:
        return end
    # Beside the ends rounding could leave the range.
    return min(max(end + (start - end) * (1 + math.cos(math.pi * step / steps)) / 2, min(start, end)), max(start, end))


def _early(step: int, keep_prob: float, steps: int, linear: bool) -> float:
    if step >= steps:
        return 1.0
    return _linear(step, keep_prob, 1.0, steps) if linear else keep_prob


def _curriculum(step: int, keep_prob: float, gamma: float) -> float:
    # (1 − p) exp(−γ t) + p, written so that it is 1 at step 0 and never more.
    return 1 + (1 - keep_prob) * math.expm1(-gamma * step)


_RULES: Mapping[str, Callable[..., float]] = {
    "constant": lambda step, keep_prob: keep_prob,
    "linear": _linear,
    "cosine": _cosine,
    "early": _early,
    "late": lambda step, keep_prob, start: 1.0 if step < start else keep_prob,
    "curriculum": _curriculum,
    "stairs": lambda step, schedule, every: schedule(step - step % every),
}


def attach(
    model: torch.nn.Module,
    schedule: Rule | Mapping[str, Rule],
    *,
    where: Where | None = None,
    which: str | None = None,
) -> torch.nn.Module:
    """Give ``schedule`` to the dropout layers of ``model``; in place. What a layer had before is replaced.

    ``schedule`` is one for all, or a mapping from the names of layers to theirs. ``where`` says which layers of all
    are meant: those of a class, or those for which a function of name and layer is true. Layers are those of this
    package, torch's dropout layers, and torch's recurrent layers and attention if they have dropout. ``which`` names
    the keep probability of a layer that has several, as "recurrent_keep_prob"; without it one schedule sets them all.
    Nothing is set before :func:`apply`.

    Raises ValueError where no layer is meant, for a name that is none of a dropout layer, for a ``which`` that a layer
    has not, and without ``which`` for one whose keep probabilities differ; TypeError for a ``schedule`` that is
    no function, and for layers that learn their keep probability.

    >>> from dropout_lab import functional, nn
    >>> model = torch.nn.Sequential(*(nn.DropPath() for _ in range(4)))
    >>> depth = zip("0123", functional.linear_decay(4, 0.5), strict=True)
    >>> apply(attach(model, {name: late(keep_prob, start=100) for name, keep_prob in depth}), 100)
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
    """Take the schedules of all layers of ``model`` away; in place. Keep probabilities stay what they are.

    >>> attached(detach(attach(torch.nn.Dropout(), early(0.9, 10))))
    {}
    """
    for layer in _modules(model).values():
        vars(layer).pop(_HELD, None)
    return model


def attached(model: torch.nn.Module) -> dict[str, Rule]:
    """The schedules of ``model`` by the name of the layer; by name and keep probability, where that is another one.

    >>> attached(attach(torch.nn.Sequential(torch.nn.Dropout()), constant(0.9)))
    {'0': schedules.constant(keep_prob=0.9)}
    """
    return {_label(name, key): rule for name, _, key, rule in _all(model)}


def apply(model: torch.nn.Module, step: int) -> dict[str, float]:
    """Set the keep probability of each layer of ``model`` that has a schedule to that of ``step``, and say which.

    The result has the names of :func:`attached`. Call it before each step of the training, with a step counted from 0;
    it depends on nothing but the step. torch's layers get p = 1 − keep_prob.

    Raises ValueError for a model without schedules, for a step below 0, for a schedule that gives no probability, and
    for a keep probability of 0 in a layer of Gaussian noise; TypeError for a step that is no integer. Nothing was set
    then.

    >>> model = attach(torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(2, 2)), early(0.9, 100))
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
