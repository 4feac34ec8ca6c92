"""Schedules: functions from the step of a training to a keep probability, each a kind and its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dropout_lab import noise
from dropout_lab.arguments import flag, integer, positive


@dataclass(frozen=True)
class Schedule:
    """A function from the step, counted from 0, to the keep probability.

    The functions of this module make schedules and check their arguments. Two schedules of one kind with equal
    arguments are equal.

    Args:
        kind: the name of the function of this module that made the schedule.
        arguments: the names and the values of its arguments.

    Raises TypeError for a step that is no integer and ValueError for one below 0.

    >>> linear(1.0, 0.5, steps=10)
    schedules.linear(start=1.0, end=0.5, steps=10)
    >>> linear(1.0, 0.5, steps=10)(4)
    0.8
    """

    kind: str
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, step: int) -> float:
        """Return the keep probability at ``step``."""
        return _RULES[self.kind](integer("step", step, least=0), **dict(self.arguments))

    def __repr__(self) -> str:
        return f"schedules.{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def _made(kind: str, **arguments: Any) -> Schedule:
    return Schedule(kind, tuple(arguments.items()))


def constant(keep_prob: float) -> Schedule:
    """Make a schedule with the same keep probability at every step.

    Args:
        keep_prob: the keep probability.

    Raises ValueError for a keep probability outside [0, 1].

    >>> constant(0.9)(123)
    0.9
    """
    return _made("constant", keep_prob=noise.check_keep_prob(keep_prob))


def linear(start: float, end: float, steps: int) -> Schedule:
    """Make a schedule that goes on a straight line from one keep probability to another, and stays there.

    p(t) = start + (end − start) · min(t/steps, 1) at step t.

    Args:
        start: the keep probability at step 0.
        end: the keep probability from step ``steps`` on.
        steps: the number of steps of the line, at least 1.

    Raises ValueError for keep probabilities outside [0, 1] and ``steps`` below 1.

    >>> [linear(1.0, 0.5, steps=4)(step) for step in (0, 1, 4, 9)]
    [1.0, 0.875, 0.5, 0.5]
    """
    return _made("linear", **_ends(start, end), steps=integer("steps", steps, least=1))


def cosine(start: float, end: float, steps: int) -> Schedule:
    """Make a schedule that goes along half a wave of the cosine from one keep probability to another, and stays there.

    p(t) = end + (start − end) · (1 + cos(π · min(t/steps, 1)))/2 at step t: it is slow at both ends.

    Args:
        start: the keep probability at step 0.
        end: the keep probability from step ``steps`` on.
        steps: the number of steps of the half wave, at least 1.

    Raises what :func:`linear` raises.

    >>> [round(cosine(1.0, 0.5, steps=4)(step), 3) for step in (0, 1, 2, 4, 9)]
    [1.0, 0.927, 0.75, 0.5, 0.5]
    """
    return _made("cosine", **_ends(start, end), steps=integer("steps", steps, least=1))


def early(keep_prob: float, steps: int, *, linear: bool = False) -> Schedule:
    """Make the schedule of early dropout, which drops in the first steps alone.

    Args:
        keep_prob: the keep probability in the first steps; from step ``steps`` on it is 1.
        steps: the number of steps with dropout.
        linear: whether the rate 1 − p falls on a straight line, from 1 − ``keep_prob`` at step 0 to 0 at step
            ``steps``; the recipes of the source take this line.

    Raises ValueError for a keep probability outside [0, 1] and ``steps`` below 0. Source: Liu et al. 2023.

    >>> [early(0.9, 100)(step) for step in (0, 99, 100)]
    [0.9, 0.9, 1.0]
    >>> [early(0.9, 100, linear=True)(step) for step in (0, 50, 100)]
    [0.9, 0.95, 1.0]
    """
    keep_prob, steps = noise.check_keep_prob(keep_prob), integer("steps", steps, least=0)
    return _made("early", keep_prob=keep_prob, steps=steps, linear=flag("linear", linear))


def late(keep_prob: float, start: int) -> Schedule:
    """Make the schedule of late dropout, which drops from a step on.

    Args:
        keep_prob: the keep probability from step ``start`` on; before it is 1.
        start: the first step with dropout.

    Raises ValueError for a keep probability outside [0, 1] and a ``start`` below 0. Source: Liu et al. 2023.

    >>> [late(0.9, 100)(step) for step in (0, 99, 100)]
    [1.0, 1.0, 0.9]
    """
    return _made("late", keep_prob=noise.check_keep_prob(keep_prob), start=integer("start", start, least=0))


def curriculum(keep_prob: float, gamma: float) -> Schedule:
    """Make the schedule of curriculum dropout, whose keep probability falls from 1 towards ``keep_prob``.

    q(t) = (1 − p) · exp(−γt) + p at step t, with p = ``keep_prob``.

    Args:
        keep_prob: the keep probability p in the end.
        gamma: the rate γ of the fall, in units of 1/step. The source advises 10/T for a training of T steps, at whose
            end the keep probability is p up to (1 − p)/22 000.

    Raises ValueError for a keep probability outside [0, 1] and a ``gamma`` that is not positive and finite. Source:
    Morerio et al. 2017.

    >>> [round(curriculum(0.5, 10 / 1000)(step), 3) for step in (0, 100, 1000)]
    [1.0, 0.684, 0.5]
    """
    return _made("curriculum", keep_prob=noise.check_keep_prob(keep_prob), gamma=positive("gamma", gamma))


def stairs(schedule: Schedule, every: int) -> Schedule:
    """Make a schedule whose values hold for ``every`` steps, so that a compiled model is compiled again seldom.

    Args:
        schedule: the schedule, read at the multiples of ``every``.
        every: the number of steps for which a value holds.

    Raises ValueError for ``every`` below 1.

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
