"""The answers of "Is Monte Carlo dropout Bayesian?", for a linear model."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab.exercises.answers import Array, Formula, Function
from dropout_lab.exercises.keys.base import Exercise, i, normal, over_units, p, r, vector, w, x
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Cov, covariance, variance

_v = sp.IndexedBase("v")
_ONE, _OTHER = (over_units(r[i] / p * w[i] * of[i]) for of in (x, _v))
_LINEAR = ("linear-model", "inverted-scaling", "positive-keep-probability", "mask-independent-of-input")


def _variances(examples: int, keep_prob: float) -> torch.Tensor:
    """Variance by dropout and by the posterior of the prediction at 1, for that many examples with input and target 1.

    The noise has the variance 1, and the prior is flat.
    """
    second = product = float(examples)
    weight = keep_prob * product / second
    return vector((1 - keep_prob) / keep_prob * weight**2, 1 / second)


def _with_more(keep_prob: float) -> torch.Tensor:
    """What becomes of a variance of 0.04 by dropout, and of 1 by the posterior, with 100 times the examples."""
    return vector(0.04, 1) * _variances(100_000, keep_prob) / _variances(1000, keep_prob)


def _ratio(weight: sp.Expr) -> sp.Expr:
    """Mean variance over mean square error, of one weight of dropout where the true one is 1."""
    return sp.simplify(variance(r[1] / p * weight, r) / (1 - p) ** 2)


def _fit(rows: torch.Tensor, targets: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
    return torch.linalg.solve(rows.T @ rows + penalty.diag(), rows.T @ targets)


def _strength(rows: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """The penalty of dropout on the square of each weight, for the loss summed over these examples."""
    return (1 - keep_prob) / keep_prob * rows.square().sum(0)


def _left_out(rows: torch.Tensor, targets: torch.Tensor, keep_prob: float, *, fixed: bool = False) -> torch.Tensor:
    """The mean square error of each example under the weights that the others give.

    With ``fixed`` the penalty stays that of all examples.
    """
    errors = []
    for out in range(len(rows)):
        rest = torch.arange(len(rows)) != out
        penalty = _strength(rows if fixed else rows[rest], keep_prob)
        errors.append(targets[out] - rows[out] @ _fit(rows[rest], targets[rest], penalty))
    return torch.stack(errors).square().mean()


def _ridge_left_out(rows: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """The same with plain ridge of the strength (1 − p)/p."""
    plain = torch.full((rows.shape[1],), (1 - keep_prob) / keep_prob, dtype=rows.dtype)
    keep = [torch.arange(len(rows)) != out for out in range(len(rows))]
    errors = [targets[~rest] - rows[~rest] @ _fit(rows[rest], targets[rest], plain) for rest in keep]
    return torch.cat(errors).square().mean()


def _in_sample(rows: torch.Tensor, targets: torch.Tensor, keep_prob: float) -> torch.Tensor:
    return (targets - rows @ _fit(rows, targets, _strength(rows, keep_prob))).square().mean()


def _patients(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    keep_prob = 0.6 + 0.3 * float(torch.rand((), generator=generator, dtype=torch.float64))
    return normal(generator, 8, 3), normal(generator, 8), keep_prob


EXERCISES = {
    "b13-ex-predict": Exercise(
        "a list of two numbers: the new variance, and the factor for the posterior", Array(_with_more, keep_prob=0.9)
    ),
    "b13-ex-half": Exercise(
        "mean variance divided by mean square error, an expression in `p`",
        Formula(
            lambda: _ratio(p),
            {
                "the weights under the masks are those of training, not the true ones": lambda: _ratio(sp.Integer(1)),
                "this is the mean variance for true weights with the mean square 1": lambda: variance(r[1], r),
            },
        ),
    ),
    "b13-ex-two": Exercise(
        "a `Chain`",
        Proof(
            r,
            Cov(_ONE, _OTHER),
            lambda: covariance(_ONE, _OTHER, r),
            frozenset({"uncorrelated-masks", "independent-masks", *_LINEAR}),
        ),
    ),
    "b13-ex-choose": Exercise(
        "a function of inputs (N, n), targets (N) and a keep probability",
        Function(
            _left_out,
            _patients,
            {
                "this is the error on the examples that were fitted": _in_sample,
                "the penalty is made of the moments of the examples that are fitted, and one of them is left out": (
                    lambda rows, targets, q: _left_out(rows, targets, q, fixed=True)
                ),
                "its penalty is that of plain ridge: the inputs are missing in it": _ridge_left_out,
                "a mean over the examples is asked for, and this is the sum": lambda rows, targets, q: (
                    len(rows) * _left_out(rows, targets, q)
                ),
                "it divides by p where 1 - p belongs, or the other way round": lambda rows, targets, q: _left_out(
                    rows, targets, 1 - q
                ),
            },
        ),
    ),
}

QUIZZES: dict = {}
