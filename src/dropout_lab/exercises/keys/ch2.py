"""The answers of chapter 2: moments of masked activations."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab import ensemble
from dropout_lab.exercises.answers import Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, h, i, n, normal, over_units, p, r, vector, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var, expectation, variance


def _relative_spread() -> sp.Expr:
    total = over_units(r[i])
    return sp.sqrt(variance(total, r)) / expectation(total, r)


def _twice() -> sp.Expr:
    second = Masks(n, sp.Symbol("s", positive=True), name="s")
    return expectation(r[i] * second[i], (r, second))


def _amplitude() -> float:
    activations = vector(1, 2, 2)
    return float(ensemble.exact_mean(lambda masks: (masks * activations).square().sum(1), 3, 0.75).sqrt())


def _variance_of_sum(activations: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """The variance of the masked sum, over all masks."""
    count = len(activations)
    mean = ensemble.exact_mean(lambda masks: masks @ activations, count, keep_prob)
    return ensemble.exact_mean(lambda masks: (masks @ activations - mean) ** 2, count, keep_prob)


def _activations(generator: torch.Generator) -> tuple[torch.Tensor, float]:
    return normal(generator, 5), float(torch.rand((), generator=generator, dtype=torch.float64)) * 0.3 + 0.6


def _energy_divided() -> sp.Expr:
    """By what the mean energy of a unit is multiplied when survivors are divided by p."""
    return sp.simplify(expectation((r[i] / p * h[i]) ** 2, r) / h[i] ** 2)


EXERCISES = {
    "ch2-ex-amplitude": Exercise("a number", Number(_amplitude, keep_prob=0.75)),
    "ch2-ex-equal": Exercise("the ratio as an expression in `n` and `p`", Formula(_relative_spread)),
    "ch2-ex-twice": Exercise("the keep probability of that mask as an expression in `p` and `s`", Formula(_twice)),
    "ch2-ex-variance": Exercise(
        "a function of a vector of activations and a keep probability",
        Function(
            _variance_of_sum,
            _activations,
            {
                "it gives the mean square and not the variance": lambda a, q: (
                    _variance_of_sum(a, q) + (q * a.sum()) ** 2
                ),
                "it gives the standard deviation": lambda a, q: _variance_of_sum(a, q).sqrt(),
                "it squares the sum where the squares are to be summed": lambda a, q: q * (1 - q) * a.sum() ** 2,
                "it has p where p(1 - p) belongs": lambda a, q: q * a.square().sum(),
                "it leaves out the factor that comes from the mask": lambda a, q: a.square().sum(),
                "survivors are divided by p in it, and the question leaves them as they are": lambda a, q: (
                    _variance_of_sum(a, q) / q**2
                ),
            },
        ),
    ),
    "ch2-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Var(over_units(w[i] * r[i] * h[i])),
            lambda: variance(over_units(w[i] * r[i] * h[i]), r),
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
}

QUIZZES = {
    "ch2-quiz-energy": Quiz(Choice(_energy_divided)),
    "ch2-quiz-variance": Quiz(Choice(lambda: sp.solve(sp.diff(variance(r[1], r), p), p)[0])),
}
