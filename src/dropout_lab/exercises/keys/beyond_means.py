"""The answers of the pages on means and passes: ambiguity, the error of weight scaling, how normal a sum is."""

from __future__ import annotations

import math
from itertools import product

import sympy as sp
import torch

from dropout_lab import ensemble
from dropout_lab.exercises import slips
from dropout_lab.exercises.answers import Array, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, i, n, normal, over_units, p, r, vector, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation, variance

_eps, _target = sp.symbols("epsilon y", real=True)
_a = sp.IndexedBase("a")


def _ambiguity(outputs: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """The variance of the members of an ensemble."""
    return probability @ (outputs - probability @ outputs).square()


def _members(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return 1 + normal(generator, 8), ensemble.masks(3, 0.7)[1]


def _plain_variance(outputs: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    return outputs.var(correction=0)


def _root_sum(*members: tuple) -> sp.Expr:
    """The normalizer of the geometric mean of members with equal weights."""
    return sp.Add(*(sp.prod(chances) ** sp.Rational(1, len(members)) for chances in zip(*members, strict=True)))


_TENTHS = ((sp.Rational(9, 10), sp.Rational(1, 10)), (sp.Rational(1, 2), sp.Rational(1, 2)))


def _to_arithmetic() -> float:
    """The mean divergence of the two members from their arithmetic mean, which is in the other direction."""
    mean = [sum(chances) / 2 for chances in zip(*_TENTHS, strict=True)]
    return float(
        sum(one * sp.log(one / all_) for member in _TENTHS for one, all_ in zip(member, mean, strict=True)) / 2
    )


def _sure() -> sp.Expr:
    """The ambiguity of two members that are sure of different classes, but for a chance of ε."""
    return -sp.log(_root_sum((1 - _eps, _eps), (_eps, 1 - _eps)))


_sum = over_units(r[i] / p * w[i])


def _third_coefficient() -> sp.Expr:
    """A sixth of the third derivative of log E exp(ε r) at 0, where the corrected pass has none."""
    exact = sp.log(1 - p + p * sp.exp(_eps))
    corrected = p * _eps + sp.log(1 + variance(r[1], r) * _eps**2 / 2)
    return sp.factor(sp.diff(exact - corrected, _eps, 3).subs(_eps, 0) / 6)


def _most_corrected() -> sp.Expr:
    """The prediction above 1/2 at which the second derivative of a logistic function is largest in size."""
    share = sp.Symbol("s", positive=True)
    return max(sp.solve(sp.diff(share * (1 - share) * (1 - 2 * share), share), share))


def _kink() -> sp.Expr:
    """What one pass misses at the kink of a ReLU that reads the difference of two masks."""
    pairs = product((0, 1), repeat=2)
    mean = sum(max(0, one - other) * p ** (one + other) * (1 - p) ** (2 - one - other) for one, other in pairs)
    return sp.factor(mean)


def _needed() -> torch.Tensor:
    """How many equal weights bring the bound to 1/20, at three keep probabilities."""
    constant, rows = sp.Rational(14, 25), []
    for keep in (sp.Rational(1, 2), sp.Rational(4, 5), sp.Rational(19, 20)):
        kappa = (keep**2 + (1 - keep) ** 2) / sp.sqrt(keep * (1 - keep))
        rows.append(float(sp.ceiling((constant * kappa * 20) ** 2)))
    return vector(*rows)


def _half_step() -> float:
    """Half of the middle step times the root of n, for many fair masks: half of their density in units of a step."""
    fair = Masks(1, sp.Rational(1, 2))
    return float(1 / sp.sqrt(2 * sp.pi * variance(fair[1], fair)) / 2)


def _gaps(keep_prob: float) -> list[tuple[float, float]]:
    """At each of the two steps of a single mask: how far its distribution is from the normal one, before and after."""
    spread = math.sqrt(keep_prob * (1 - keep_prob))
    below = [0.5 * (1 + math.erf((value - keep_prob) / spread / math.sqrt(2))) for value in (0, 1)]
    heights = [1 - keep_prob, 1.0]
    before = [0.0, *heights[:-1]]
    return [(abs(one - at), abs(other - at)) for one, other, at in zip(before, heights, below, strict=True)]


_fourth = over_units(Mean((_a[i] * (r[i] - p)) ** 4))

EXERCISES = {
    "b3-ex-squared": Exercise(
        "the ambiguity as a function of the members' outputs and their weights, two arrays of one length",
        Function(
            _ambiguity,
            _members,
            {
                "it counts all members alike, and they have different weights": _plain_variance,
                "the mean of the members has their weights, too": lambda outputs, probability: (
                    probability @ (outputs - outputs.mean()).square()
                ),
                "it gives the standard deviation": lambda outputs, probability: _ambiguity(outputs, probability).sqrt(),
                "it does not compare the members with their mean": lambda outputs, probability: (
                    probability @ outputs.square()
                ),
                "the differences from the mean add up to 0: they are to be squared": lambda outputs, probability: (
                    probability @ (outputs - probability @ outputs)
                ),
            },
        ),
    ),
    "b3-ex-closest": Exercise(
        "the smallest average divergence, a number",
        Number(
            lambda: float(-sp.log(_root_sum(*_TENTHS))),
            slips={
                "this is the average divergence from the members to a mean": _to_arithmetic,
                "the logarithm is the natural one": lambda: float(-sp.log(_root_sum(*_TENTHS), 2)),
            },
        ),
    ),
    "b3-ex-sure": Exercise(
        "the ambiguity as an expression in `epsilon`",
        Formula(
            _sure,
            {
                "the normalizer sums over both classes": lambda: -sp.log(sp.sqrt(_eps * (1 - _eps))),
                "a geometric mean of two is the root of their product": lambda: -sp.log(2 * _eps * (1 - _eps)),
                "this is the divergence of the one member from the other": lambda: (
                    (1 - 2 * _eps) * sp.log((1 - _eps) / _eps)
                ),
            },
        ),
    ),
    "b3-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Mean((_target - _sum) ** 2) - (_target - Mean(_sum)) ** 2,
            lambda: variance(_sum, r),
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
    "b5-ex-exp": Exercise(
        "the coefficient as an expression in `p`",
        Formula(
            _third_coefficient,
            {
                slips.SIGN: lambda: -_third_coefficient(),
                "the 6 of Taylor's formula is missing": lambda: 6 * _third_coefficient(),
                "this is the coefficient of the second power, which agrees": lambda: variance(r[1], r) / 2,
            },
        ),
    ),
    "b5-ex-confidence": Exercise(
        "the prediction above one half, a number",
        Number(_most_corrected, slips={"this is the one below one half": lambda: 1 - _most_corrected()}),
    ),
    "b5-ex-kink": Exercise(
        "the error as an expression in `p`",
        Formula(
            _kink,
            {
                "this is the variance of what the ReLU reads": lambda: variance(r[1] - r[2], r),
                "only one of the two masks is looked at": lambda: p,
            },
        ),
    ),
    "b5-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Mean(sp.exp(over_units(_a[i] * r[i]))),
            lambda: sp.Product((1 - p) * sp.exp(0) + p * sp.exp(_a[i]), (i, 1, n)),
            frozenset({"independent-masks"}),
        ),
    ),
    "b6-ex-count": Exercise("a list of three whole numbers", Array(lambda keep_prob: _needed())),
    "b6-ex-lower": Exercise(
        "the limit, a number",
        Number(
            _half_step,
            slips={
                "the masks have the variance 1/4 and not 1": lambda: _half_step() / 2,
                "the distance is half of the step": lambda: _half_step() * 2,
            },
        ),
    ),
    "b6-ex-mask": Exercise(
        "a number",
        Number(
            lambda: max(map(max, _gaps(0.8))),
            keep_prob=0.8,
            slips={
                "look at both sides of each step": lambda: max(after for _, after in _gaps(0.8)),
                "look at both steps": lambda: max(_gaps(0.8)[0]),
            },
        ),
    ),
    "b6-ex-chain": Exercise("a `Chain`", Proof(r, _fourth, lambda: over_units(_a[i] ** 4) * _kurtosis(), frozenset())),
}


def _kurtosis() -> sp.Expr:
    """The fourth moment of a mask around its mean."""
    return expectation(sp.expand((r[1] - p) ** 4), r)


QUIZZES: dict[str, Quiz] = {}
