"""The answers of chapter 7, first part: the family, masks on weights, Gaussian noise, whole residual branches."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch

from dropout_lab import functional
from dropout_lab.exercises.answers import Array, Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import (
    B,
    Exercise,
    L,
    Quiz,
    i,
    m,
    n,
    normal,
    over_units,
    p,
    r,
    some_masks,
    vector,
    w,
    x,
)
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation, variance

_SIZES = (32, 64, 14, 14)
_MASKS = Masks((m, n), p, name="R")


def _draws(keep_prob: float) -> torch.Tensor:
    """How many numbers dropout, DropBlock, spatial dropout and DropPath draw for the sizes of the question."""
    variants = (functional.VARIANTS[name] for name in ("dropout", "drop_block", "spatial_dropout", "drop_path"))
    return vector(*(float(torch.Size(variant.mask_shape(_SIZES)).numel()) for variant in variants))


def _rows_kept(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """Whole rows dropped from (N, C, H, W), by a mask (N, C, H)."""
    return x * mask[..., None] / keep_prob


def _maps(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 2, 3, 4, 4), some_masks(generator, 2, 3, 4), 0.75


def _connected(x: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """DropConnect of (N, n) by weights (m, n), with masks (N, m, n)."""
    return torch.stack([(own * weight / keep_prob) @ one for one, own in zip(x, mask, strict=True)])


def _layer(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    return normal(generator, 4, 3), normal(generator, 2, 3), some_masks(generator, 4, 2, 3), 0.75


@cache
def _batch_variance() -> sp.Expr:
    """The variance of the mean of B outputs Σ r with masks of their own, for two weights of 1 at p = 1/2."""
    masks = Masks((B, 2), sp.Rational(1, 2))
    return variance(sp.Sum(masks[i, 1] + masks[i, 2], (i, 1, B)) / B, masks)


def _masks_drawn(keep_prob: float) -> torch.Tensor:
    """How many masks columns, rows and single weights of a layer with 4 inputs and 3 outputs take."""
    weight = torch.ones(3, 4)
    return vector(weight.shape[1], weight.shape[0], weight.numel())


def _signs() -> float:
    """The keep probability at which a factor of N(1, (1 − p)/p) is negative once in a hundred."""
    quantile = float(torch.special.ndtri(torch.tensor(0.99, dtype=torch.float64)))
    return 1 / (1 + quantile**-2)


@cache
def _uniform() -> sp.Expr:
    """The least keep probability at which a uniform factor of mean 1 with dropout's variance is never negative."""
    width, value = sp.symbols("a u", positive=True)
    spread = sp.integrate((value - 1) ** 2 / (2 * width), (value, 1 - width, 1 + width))
    (widest,) = sp.solve(sp.Eq(sp.simplify(spread), variance(r[1] / p, r)), width)
    return sp.solve(sp.Eq(widest, 1), p)[0]


@cache
def _keep_prob_of_noise() -> sp.Expr:
    """The keep probability whose noise has the variance α."""
    alpha = sp.Symbol("alpha", positive=True)
    return sp.solve(sp.Eq(sp.simplify(variance(r[1] / p, r)), alpha), p)[0]


def _noisy(x: torch.Tensor, noise: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """Gaussian dropout with standard normal noise that is given."""
    return x * (1 + ((1 - keep_prob) / keep_prob) ** 0.5 * noise)


def _with_noise(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 3, 4), normal(generator, 3, 4), 0.7


@cache
def _mean_of_batch() -> sp.Expr:
    """The variance of the mean of n factors r/p with masks of their own."""
    return variance(over_units(r[i] / p) / n, r)


def _all_active() -> float:
    return float(torch.tensor(functional.linear_decay(50, 0.5), dtype=torch.float64).prod())


@cache
def _active_blocks() -> sp.Expr:
    """How many of L blocks are active on average if keep probabilities fall linearly to p."""
    return sp.simplify(sp.summation(1 - i * (1 - p) / L, (i, 1, L)))


def _residual(x: torch.Tensor, branch: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """A residual block under DropPath: x and branch (N, C), a mask (N,)."""
    return x + branch * mask[:, None] / keep_prob


def _blocks(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    return normal(generator, 4, 3), normal(generator, 4, 3), some_masks(generator, 4), 0.75


def _least_draws() -> str:
    names = ("dropout", "drop_block", "spatial_dropout", "drop_path")
    return names[int(_draws(1.0).argmin())]


EXERCISES = {
    "ch7-ex-draws": Exercise("a list of four whole numbers", Array(_draws)),
    "ch7-ex-rows": Exercise(
        "a function of `x` (N, C, H, W), a mask (N, C, H) and a keep probability",
        Function(
            _rows_kept,
            _maps,
            {
                "it drops columns": lambda x, mask, q: x * mask[:, :, None, :] / q,
                "survivors are not divided": lambda x, mask, q: x * mask[..., None],
            },
        ),
    ),
    "ch7-ex-share": Exercise(
        "the variance as an expression in `n` and `p`", Formula(lambda: variance(n * r[1] / p, r))
    ),
    "ch7-ex-own": Exercise(
        "the variance as an expression in `n` and `p`", Formula(lambda: variance(over_units(r[i] / p), r))
    ),
    "ch7-ex-batch": Exercise("the variance as an expression in `B`", Formula(_batch_variance)),
    "ch7-ex-shares": Exercise("a list of three whole numbers: columns, rows, single weights", Array(_masks_drawn)),
    "ch7-ex-connect": Exercise(
        "a function of `x` (N, n), `weight` (m, n), masks (N, m, n) and a keep probability",
        Function(
            _connected,
            _layer,
            {
                "every example has the first mask": lambda x, weight, mask, q: x @ (mask[0] * weight / q).T,
                "survivors are not divided": lambda x, weight, mask, q: _connected(x, weight, mask, 1.0),
                "it masks the outputs": lambda x, weight, mask, q: x @ weight.T * mask[:, :, 0] / q,
            },
        ),
    ),
    "ch7-ex-row": Exercise(
        "a `Chain`",
        Proof(
            _MASKS,
            Mean(over_units(_MASKS[1, i] / p * w[i] * x[i])),
            lambda: expectation(over_units(_MASKS[1, i] / p * w[i] * x[i]), _MASKS),
            frozenset(),
        ),
    ),
    "ch7-ex-signs": Exercise("a number", Number(_signs)),
    "ch7-ex-uniform": Exercise("a number", Number(_uniform)),
    "ch7-ex-alpha": Exercise("the keep probability as an expression in `alpha`", Formula(_keep_prob_of_noise)),
    "ch7-ex-noise": Exercise(
        "a function of `x`, standard normal noise of the same shape and a keep probability",
        Function(
            _noisy,
            _with_noise,
            {
                "the noise has the variance where it needs the standard deviation": lambda x, noise, q: (
                    x * (1 + (1 - q) / q * noise)
                ),
                "the noise is added, and it is to be a factor": lambda x, noise, q: x + ((1 - q) / q) ** 0.5 * noise,
                "the variance of its factor is p(1 - p), and survivors are divided by p": lambda x, noise, q: (
                    x * (1 + (q * (1 - q)) ** 0.5 * noise)
                ),
                "p stands where 1 - p belongs": lambda x, noise, q: x * (1 + (q / (1 - q)) ** 0.5 * noise),
            },
        ),
    ),
    "ch7-ex-path-batch": Exercise("the variance as an expression in `n` and `p`", Formula(_mean_of_batch)),
    "ch7-ex-deepest": Exercise("a number", Number(_all_active)),
    "ch7-ex-depth": Exercise("the mean number as an expression in `L` and `p`", Formula(_active_blocks)),
    "ch7-ex-residual": Exercise(
        "a function of `x` (N, C), `branch` (N, C), a mask (N,) and a keep probability",
        Function(
            _residual,
            _blocks,
            {
                "the branch is not divided by p": lambda x, branch, mask, q: _residual(x, branch, mask, 1.0),
                "the shortcut is masked as well": lambda x, branch, mask, q: (x + branch) * mask[:, None] / q,
                "the shortcut is divided as well": lambda x, branch, mask, q: (x + branch * mask[:, None]) / q,
            },
        ),
    ),
}

QUIZZES = {
    "ch7-quiz-draws": Quiz(Choice(_least_draws)),
    "ch7-quiz-rows": Quiz(Choice(lambda: sp.Integer(int(_masks_drawn(1.0)[2])))),
    "ch7-quiz-path": Quiz(Choice(lambda: expectation(x[1] + r[1] / p * w[1], r).subs({x[1]: 1, w[1]: 1}))),
    "ch7-quiz-gauss": Quiz(Choice(lambda: sp.simplify(variance(r[1] / p, r).subs(p, sp.Rational(4, 5))))),
}
