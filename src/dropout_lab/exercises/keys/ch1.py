"""The answers of chapter 1: what dropout does to a unit, to its weights and to copies of it."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab.exercises.answers import Array, Choice, Formula
from dropout_lab.exercises.keys.base import Exercise, Quiz, h, i, k, over_units, p, r, vector, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation


def _gradient(keep_prob: float) -> torch.Tensor:
    """The gradient of half the squared error in each weight, for the mask (1, 0, 1)."""
    weights = vector(2, -1, 3).requires_grad_()
    masked = vector(1, 0, 1) * vector(1, 4, 2)
    ((weights @ masked - 6) ** 2 / 2).backward()
    assert weights.grad is not None
    return weights.grad


def _momentum(keep_prob: float) -> torch.Tensor:
    """A weight after each of four steps of torch's SGD; the gradient is 1 in the first, then 0."""
    weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.8)
    found = []
    for gradient in (1.0, 0.0, 0.0, 0.0):
        weight.grad = torch.full((), gradient, dtype=torch.float64)
        optimizer.step()
        found.append(weight.item())
    return vector(*found)


def _total_of_copies() -> sp.Expr:
    """The total weight on k copies of a feature that minimizes the averaged loss, for one common weight."""
    v = sp.Symbol("v", real=True)
    masks = Masks(k, p)
    loss = sp.expand((1 - sp.Sum(masks[i] / p * v, (i, 1, k))) ** 2)
    (common,) = sp.solve(sp.diff(expectation(loss, masks).doit(), v), v)
    return k * common


def _gradient_of_a_dropped_unit() -> str:
    return "zero" if _gradient(1.0)[1] == 0 else "not zero"


EXERCISES = {
    "ch1-ex-gradient": Exercise("a list of three numbers", Array(_gradient)),
    "ch1-ex-momentum": Exercise("a list of the four values of the weight", Array(_momentum)),
    "ch1-ex-copies": Exercise("the total weight as an expression in `k` and `p`", Formula(_total_of_copies)),
    "ch1-ex-chain": Exercise(
        "a `Chain`",
        Proof(r, Mean(over_units(r[i] / p * w[i] * h[i])), lambda: over_units(w[i] * h[i]), frozenset()),
    ),
}

QUIZZES = {"ch1-quiz-gradient": Quiz(Choice(_gradient_of_a_dropped_unit))}
