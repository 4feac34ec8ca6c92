"""The answers of "Enumeration at the speed of matrix products"."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab.exercises.answers import Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, i, k, m, n, normal, r, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Mean, expectation

_K = sp.Symbol("K", integer=True, positive=True)
_c = sp.IndexedBase("c")
_NORMALIZER = sp.Sum(sp.exp(_c[k]) * sp.Product(sp.exp(r[i] * w[k, i]), (i, 1, n)), (k, 1, _K))


def _moment(
    power: int, A: torch.Tensor, B: torch.Tensor, pi: torch.Tensor, omega: torch.Tensor, chosen: int
) -> torch.Tensor:
    """The mean of a power of the probability of a class, member by member."""
    exponentials = A[:, None, :] * B[None, :, :]
    members = exponentials[..., chosen] / exponentials.sum(-1)
    return pi @ members**power @ omega


def _spread(A: torch.Tensor, B: torch.Tensor, pi: torch.Tensor, omega: torch.Tensor, chosen: int) -> torch.Tensor:
    """The variance between members of the probability of a class."""
    return _moment(2, A, B, pi, omega, chosen) - _moment(1, A, B, pi, omega, chosen) ** 2


def _all_alike(A: torch.Tensor, B: torch.Tensor, pi: torch.Tensor, omega: torch.Tensor, chosen: int) -> torch.Tensor:
    """The variance if all masks had the same probability."""
    return _spread(A, B, torch.full_like(pi, 1 / len(pi)), torch.full_like(omega, 1 / len(omega)), chosen)


def _tables(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Tables for halves of two and three units and three classes, the probabilities of the half masks, and a class."""
    of_rows, of_columns = (normal(generator, size).softmax(0) for size in (4, 8))
    return normal(generator, 4, 3).exp(), normal(generator, 8, 3).exp(), of_rows, of_columns, 1


def _exponentials() -> sp.Expr:
    """How many exponentials stand in the two tables, for m units in the first."""
    return sum((_K * 2**units for units in (m, n - m)), start=sp.Integer(0))


def _seconds(products: int = 2) -> float:
    """Seconds for 40 units and ten classes at 10^11 multiplications a second."""
    return products * 10 * 2**40 / 1e11


EXERCISES = {
    "b12-ex-parts": Exercise(
        "the number of exponentials as an expression in `m`, `n` and `K`",
        Formula(
            _exponentials,
            {
                "this is plain enumeration, with a softmax for each mask": lambda: _K * 2**n,
                "one of the two tables is missing": lambda: _K * 2**m,
                "a table has a column for each class": lambda: _exponentials() / _K,
                "a table has a row for each half mask, not for each unit": lambda: _K * n,
            },
        ),
    ),
    "b12-ex-forty": Exercise(
        "a number, in seconds",
        Number(
            _seconds,
            slips={
                "two of the three products are large, and one is counted": lambda: _seconds(1),
                "three products are counted, and one of them is small": lambda: _seconds(3),
                "each mask takes a multiplication for each class": lambda: _seconds() / 20,
            },
        ),
    ),
    "b12-ex-variance": Exercise(
        "a function of the tables A and B, the probabilities π and ω of their rows, and the number of a class",
        Function(
            _spread,
            _tables,
            {
                "this is the mean of the square: the square of the mean is to be subtracted": lambda *call: _moment(
                    2, *call
                ),
                "this is the mean": lambda *call: _moment(1, *call),
                "it counts all masks alike, and they have different probabilities": _all_alike,
                "this is the standard deviation": lambda *call: _spread(*call).sqrt(),
            },
        ),
    ),
    "b12-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Mean(_NORMALIZER),
            lambda: sp.Sum(
                sp.exp(_c[k]) * sp.Product(1 + expectation(r[i], r) * (sp.exp(w[k, i]) - 1), (i, 1, n)), (k, 1, _K)
            ),
            frozenset({"independent-masks"}),
        ),
    ),
}

QUIZZES: dict = {}
