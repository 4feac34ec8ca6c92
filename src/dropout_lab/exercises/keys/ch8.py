"""The answers of chapter 8: how much to drop, and what normalization makes of it."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab.exercises.answers import Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, i, n, normal, over_units, p, r
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Mean, expectation, variance


def _spread_of_active() -> float:
    """The standard deviation of the number of active units among 100/p, at p = 1/2."""
    found = variance(over_units(r[i]), r).subs({n: 100 / p}).subs(p, sp.Rational(1, 2))
    return float(sp.sqrt(found))


def _second_moment() -> sp.Expr:
    """By what the variance of a unit with mean 0 grows when it is masked and divided by p."""
    return sp.simplify(expectation((r[1] / p) ** 2, r))


def _statistics(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """Mean and variance over the batch of (N, C), without dropout, as batch normalization is to use them."""
    return torch.stack([x.mean(0), x.var(0)])


def _batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 50, 3), (torch.rand(50, 3, generator=generator) < 0.5).double(), 0.5


def _with_dropout(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    return _statistics(x * mask / keep_prob, mask, keep_prob)


EXERCISES = {
    "ch8-ex-wider": Exercise(
        "the standard deviation, a number",
        Number(_spread_of_active, keep_prob=0.5, slips={"this is the mean": lambda: 100.0}),
    ),
    "ch8-ex-shift": Exercise("the factor as an expression in `p`", Formula(_second_moment)),
    "ch8-ex-recalibrate": Exercise(
        "a function of activations (N, C), the mask of training (N, C) and a keep probability, that returns (2, C)",
        Function(
            _statistics,
            _batch,
            {
                "these are the statistics of training, with dropout on": _with_dropout,
                "its variance divides by N, and an unbiased one by N - 1": lambda x, mask, q: torch.stack(
                    [x.mean(0), x.var(0, correction=0)]
                ),
                "it gives the standard deviation": lambda x, mask, q: torch.stack([x.mean(0), x.std(0)]),
            },
        ),
    ),
    "ch8-ex-active": Exercise(
        "a `Chain`", Proof(r, Mean(over_units(r[i])), lambda: expectation(over_units(r[i]), r).doit(), frozenset())
    ),
}

QUIZZES = {"ch8-quiz-shift": Quiz(Choice(lambda: _second_moment().subs(p, sp.Rational(1, 2))))}
