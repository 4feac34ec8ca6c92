"""The answers of the dictionary between the conventions, and of the page on derivations of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import sympy as sp
import torch

from dropout_lab.exercises.answers import Array, Formula
from dropout_lab.exercises.keys.base import Exercise, Quiz, h, i, k, over_units, p, r, vector, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Cov, Mean, Var, expectation

_weights = sp.IndexedBase("V")
_target = sp.Symbol("y", real=True)


def _rmsprop(weight: float, gradient: float, average: float, buffer: float, rate: float, small: float) -> list[float]:
    """New weight, average and buffer after a step, with the decay 0.9 and the momentum 0.8."""
    average = 0.9 * average + 0.1 * gradient**2
    buffer = 0.8 * buffer + gradient / (math.sqrt(average) + small)
    return [weight - rate * buffer, average, buffer]


def _powers(keep_prob: float) -> torch.Tensor:
    """The powers of p for weight, average, buffer, rate and ε with which a step is one in the other convention."""
    weight, gradient, average, buffer, rate, small = 0.7, -1.3, 0.5, 0.4, 0.1, 0.2
    found = [
        (1, *powers)
        for powers in product(range(-2, 3), repeat=4)
        if _is_translated(powers, keep_prob, (weight, gradient, average, buffer, rate, small))
    ]
    (row,) = found
    return vector(*row)


def _is_translated(powers: Sequence[int], keep_prob: float, state: tuple[float, ...]) -> bool:
    weight, gradient, average, buffer, rate, small = state
    for_average, for_buffer, for_rate, for_small = (keep_prob**power for power in powers)
    wanted = [
        factor * value for factor, value in zip((keep_prob, for_average, for_buffer), _rmsprop(*state), strict=True)
    ]
    reached = _rmsprop(
        keep_prob * weight,
        gradient / keep_prob,
        for_average * average,
        for_buffer * buffer,
        for_rate * rate,
        for_small * small,
    )
    return all(math.isclose(one, other, rel_tol=1e-9) for one, other in zip(reached, wanted, strict=True))


def _newton() -> sp.Expr:
    """The factor on λ in Newton's method: the second derivatives of loss and penalty have to stay in proportion."""
    factor, curvature, strength = sp.symbols("f H lambda", positive=True)
    (found,) = sp.solve(sp.Eq(curvature / p**2 + factor * strength, (curvature + strength) / p**2), factor)
    return found


def _convention() -> sp.Expr:
    """The factor on the learning rate if survivors are divided by the power a of p."""
    power, degree = sp.symbols("a d", positive=True)
    return sp.powsimp(p**power / (p**-power) ** degree)


_power, _degree = sp.symbols("a d", positive=True)
_gradient = (over_units(_weights[i] * r[i] / p * h[i]) - _target) * r[k] * h[k] / p
_dropped = over_units(w[i] * (1 - r[i]) / (1 - p))
_kept, _constant = over_units(w[i] * r[i]), sp.Symbol("T", real=True)

EXERCISES = {
    "dictionary-ex-rmsprop": Exercise(
        "a list of five whole numbers: the powers of `p` for `w`, `v`, `b`, the learning rate and the small number",
        Array(_powers, keep_prob=0.7),
    ),
    "dictionary-ex-newton": Exercise("the factor on `lambda` as an expression in `p`", Formula(_newton)),
    "dictionary-ex-convention": Exercise(
        "the factor on the learning rate as an expression in `p`, `a` and `d`",
        Formula(
            _convention,
            {
                "this is for survivors that are divided by p": lambda: p ** (1 + _degree),
                "the step has to be in proportion to the weight, too": lambda: p ** (_power * _degree),
                "gradients grow where weights shrink": lambda: p ** (_power * (1 - _degree)),
            },
        ),
    ),
    "dictionary-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Mean(_gradient),
            lambda: expectation(_gradient, r),
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
    "derive-ex-shorter": Exercise(
        "a `Chain`", Proof(r, Cov(_kept, _constant - _kept), lambda: -Var(_kept), frozenset())
    ),
    "derive-ex-inverted": Exercise(
        "a `Chain`", Proof(r, Mean(_dropped), lambda: expectation(_dropped, r), frozenset())
    ),
}

QUIZZES: dict[str, Quiz] = {}
