"""The answers of chapter 6: the penalty of dropout, and where it leads."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch

from dropout_lab import ensemble
from dropout_lab.exercises.answers import Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, i, normal, over_units, p, r, vector, w, x
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var, expectation, variance

_one = Masks(1, p)
_target, _input, _weight = sp.symbols("y x v", real=True)


def _averaged(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """The averaged squared loss of a linear model, summed over examples: the mean over all masks of the inputs."""
    return ensemble.exact_mean(
        lambda masks: ((masks * weights / keep_prob) @ inputs.T - targets).square().sum(1), len(weights), keep_prob
    )


def _penalty() -> float:
    weights, inputs = vector(3, -1), vector(1, 2)[None]
    fit = inputs @ weights
    return float(_averaged(weights, inputs, fit, 0.8))


def _gradient(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    own = weights.clone().requires_grad_()
    loss = sum(
        chance * ((mask * own / keep_prob) @ inputs.T - targets).square().sum()
        for mask, chance in zip(*ensemble.masks(len(own), keep_prob), strict=True)
    )
    (found,) = torch.autograd.grad(torch.as_tensor(loss), own)
    return found


def _of_fit(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    return 2 * inputs.T @ (inputs @ weights - targets)


def _unscaled(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    fit = _of_fit(weights, inputs, targets, keep_prob)
    return fit + 2 * keep_prob * (1 - keep_prob) * inputs.square().sum(0) * weights


def _plain_ridge(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    return _of_fit(weights, inputs, targets, keep_prob) + 2 * (1 - keep_prob) / keep_prob * weights


def _data(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    keep_prob = 0.6 + 0.3 * float(torch.rand((), generator=generator, dtype=torch.float64))
    return normal(generator, 3), normal(generator, 5, 3), normal(generator, 5), keep_prob


@cache
def _best_weight() -> sp.Expr:
    loss = sp.expand((_target - _one[1] / p * _weight * _input) ** 2)
    (best,) = sp.solve(sp.diff(expectation(loss, _one), _weight), _weight)
    return best


@cache
def _own_rate() -> sp.Expr:
    """The keep probability at which the penalty on one weight is λ v²."""
    strength = sp.Symbol("lambda", positive=True)
    value = sp.Symbol("x", real=True)
    penalty = variance(_one[1] / p * value, _one)
    (found,) = sp.solve(sp.Eq(sp.simplify(penalty), strength), p)
    return found


EXERCISES = {
    "ch6-ex-penalty": Exercise(
        "a number",
        Number(
            _penalty,
            keep_prob=0.8,
            slips={
                "it squares the sum where the squares are to be summed": lambda: 0.25 * (3 * 1 - 1 * 2) ** 2,
                "this is the penalty of the original convention": lambda: 0.8 * 0.2 * (9 + 4),
                "the inputs are missing in it": lambda: 0.25 * (9 + 1),
            },
        ),
    ),
    "ch6-ex-noise": Exercise("the variance as an expression in `p`", Formula(lambda: variance(r[i] / p, r))),
    "ch6-ex-weight": Exercise("the best weight as an expression in `p`, `x` and `y`", Formula(_best_weight)),
    "ch6-ex-rates": Exercise("the keep probability as an expression in `x` and `lambda`", Formula(_own_rate)),
    "ch6-ex-gradient": Exercise(
        "a function of weights, inputs, targets and a keep probability",
        Function(
            _gradient,
            _data,
            {
                "the gradient of the penalty is missing": _of_fit,
                "its penalty has the factor of the original convention": _unscaled,
                "its penalty is that of plain ridge: the inputs are missing in it": _plain_ridge,
                "it is off by a factor of 2": lambda *data: _gradient(*data) / 2,
            },
        ),
    ),
    "ch6-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Var(over_units(r[i] / p * w[i] * x[i])),
            lambda: variance(over_units(r[i] / p * w[i] * x[i]), r),
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
}


def _two_opposite(masks: Masks) -> sp.Expr:
    """The penalty on the weights 1 and −1 of two inputs of 1, at p = 1/2."""
    indices = (1, 2) if masks.size == (2,) else (1, 1)
    return variance((masks[indices[0]] - masks[indices[1]]) * 2, masks)


QUIZZES = {
    "ch6-quiz-shared": Quiz(Choice(lambda: _two_opposite(Masks(1, sp.Rational(1, 2))))),
    "ch6-quiz-strength": Quiz(Choice(lambda: sp.simplify(variance(r[1] / p, r).subs(p, sp.Rational(1, 4))))),
}
