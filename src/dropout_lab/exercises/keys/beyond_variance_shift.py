"""The answers of "The variance shift, diluted": what batch normalization remembers of masked units."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch

from dropout_lab.exercises.answers import Array, Formula, Function
from dropout_lab.exercises.keys.base import Exercise, h, i, m, n, normal, p, r, vector, w
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var, expectation, variance

_N = sp.Symbol("N", integer=True, positive=True)
_OWN = Masks((_N, n), p)
_mu, _rho = sp.symbols("mu rho", real=True)
_sigma = sp.Symbol("sigma", positive=True)
_BATCH_MEAN = sp.Sum(w[i] * _OWN[m, i] / p * h[m, i], (m, 1, _N), (i, 1, n)) / _N


def _behind_filters(keep_prob: float) -> torch.Tensor:
    """The shift behind a box filter and an edge filter of nine pixels with the correlation 0.8."""
    filters = torch.ones(3, 3).double(), vector(-1, 0, 1).expand(3, 3)
    covariance = 0.8 + 0.2 * torch.eye(9, dtype=torch.float64)
    found = []
    for weights in (kernel.reshape(-1) for kernel in filters):
        test = float(weights @ covariance @ weights)
        found.append(test / (test + (1 - keep_prob) / keep_prob * float(weights.square().sum())))
    return vector(*found)


@cache
def _masked_correlation(shared: bool = False) -> sp.Expr:
    """The correlation in training of two units that are alike, over examples and masks."""
    squares = sp.expand(_sigma**2 + _mu**2)
    product = _rho * _sigma**2 + _mu**2
    both = expectation((r[1] * r[1] if shared else r[1] * r[2]) / p**2, r) * product - _mu**2
    alone = expectation(r[1] ** 2 / p**2, r) * squares - _mu**2
    return sp.simplify(both / alone)


def _repaired(trained: torch.Tensor, weights: torch.Tensor, squares: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """The test variances of outputs (m) from their training variances, weights (m, n) and mean squares (n)."""
    return trained - (1 - keep_prob) / keep_prob * weights.square() @ squares


def _statistics(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    weights, squares = normal(generator, 3, 4), normal(generator, 4).square()
    keep_prob = 0.6 + 0.3 * float(torch.rand((), generator=generator, dtype=torch.float64))
    return 20 + normal(generator, 3), weights, squares, keep_prob


EXERCISES = {
    "b9-ex-box": Exercise("a list of two numbers, for the box and for the edge", Array(_behind_filters, keep_prob=0.9)),
    "b9-ex-repair": Exercise(
        "a function of training variances (m), weights (m, n), mean squares of the units (n) and a keep probability",
        Function(
            _repaired,
            _statistics,
            {
                "it leaves the training variance as it is": lambda trained, weights, squares, q: trained,
                "the noise is added, and the training variance holds it already": lambda trained, weights, squares, q: (
                    2 * trained - _repaired(trained, weights, squares, q)
                ),
                "p stands where 1 - p belongs": lambda trained, weights, squares, q: _repaired(
                    trained, weights, squares, 1 - q
                ),
                "its noise is that of masks that are not divided by p": lambda trained, weights, squares, q: _repaired(
                    trained, q * weights, squares, q
                ),
                "it takes all units for one: the squares are summed before the weights are put in": (
                    lambda trained, weights, squares, q: trained - (1 - q) / q * weights.square().sum(1) * squares.sum()
                ),
            },
        ),
    ),
    "b9-ex-correlation": Exercise(
        "the correlation as an expression in `p`, `rho`, `mu` and `sigma`",
        Formula(
            _masked_correlation,
            {
                "this is right for units of mean 0": lambda: p * _rho,
                "this is right if the two units share their mask": lambda: _masked_correlation(shared=True),
                "the masks leave the covariance as it is, and not the variance": lambda: _rho,
                "the mean of a product is no covariance: the product of the means is to be subtracted": lambda: (
                    p * (_rho * _sigma**2 + _mu**2) / (_sigma**2 + _mu**2)
                ),
            },
        ),
    ),
    "b9-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            _OWN,
            Var(_BATCH_MEAN),
            lambda: variance(r[1] / p, r) * sp.Sum(w[i] ** 2 * h[m, i] ** 2, (m, 1, _N), (i, 1, n)) / _N**2,
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
}

QUIZZES: dict = {}
