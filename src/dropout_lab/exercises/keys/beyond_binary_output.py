"""The answers of "The exact mean of a binary output": means over all masks, from characteristic functions."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch
from sympy.stats import Normal, characteristic_function

from dropout_lab import ensemble
from dropout_lab.exercises.answers import Formula, Function
from dropout_lab.exercises.keys.base import Exercise, k, n, normal, p, r
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation, variance

_a = sp.IndexedBase("a")
_b, _c, _t = sp.Symbol("b", real=True), sp.Symbol("c", real=True), sp.Symbol("t", positive=True)
_SIGNS = Masks(n, sp.Rational(1, 2))


def _members(parts: torch.Tensor, bias: float, keep_prob: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of all masks, and the probabilities of the masks."""
    table, chances = ensemble.masks(len(parts), keep_prob)
    return bias + table @ parts, chances


def _logistic_moment(parts: torch.Tensor, bias: float, keep_prob: float, power: int) -> torch.Tensor:
    logits, chances = _members(parts, bias, keep_prob)
    return chances @ logits.sigmoid() ** power


def _spread(parts: torch.Tensor, bias: float, keep_prob: float) -> torch.Tensor:
    """The variance of a logistic output over all masks."""
    mean, square = (_logistic_moment(parts, bias, keep_prob, power) for power in (1, 2))
    return square - mean**2


def _probit(parts: torch.Tensor, bias: float, keep_prob: float) -> torch.Tensor:
    """The mean of Φ over all masks."""
    logits, chances = _members(parts, bias, keep_prob)
    return chances @ torch.special.ndtr(logits)


def _scaled_probit(parts: torch.Tensor, bias: float, keep_prob: float) -> torch.Tensor:
    """Φ of the mean logit."""
    logits, chances = _members(parts, bias, keep_prob)
    return torch.special.ndtr(chances @ logits)


def _unit(generator: torch.Generator) -> tuple[torch.Tensor, float, float]:
    """Contributions of six units, a bias and a keep probability."""
    keep_prob = 0.6 + 0.3 * float(torch.rand((), generator=generator, dtype=torch.float64))
    return normal(generator, 6), float(normal(generator, 1)), keep_prob


@cache
def _gaussian_factor(odds: sp.Expr = (1 - p) / p) -> sp.Expr:
    """The characteristic function of c ε for a normal ε of mean 1, whose variance is the odds to be dropped."""
    return characteristic_function(Normal("epsilon", 1, sp.sqrt(odds)))(_c * _t)


def _at_origin() -> sp.Expr:
    """The integrand at t = 0: Im φ(t) begins with t times the mean logit, and sinh πt with πt."""
    return expectation(_b + sp.Sum(_a[k] * r[k], (k, 1, n)), r) / sp.pi


EXERCISES = {
    "b11-ex-origin": Exercise(
        "the limit as an expression in `p`, `b`, `n` and `a[k]`",
        Formula(
            _at_origin,
            {
                "sinh πt is not t near 0": lambda: sp.pi * _at_origin(),
                "the bias is missing": lambda: _at_origin() - _b / sp.pi,
                "the bias is never dropped": lambda: _at_origin() - (1 - p) * _b / sp.pi,
                "this is the integrand without masks": lambda: (_b + sp.Sum(_a[k], (k, 1, n))) / sp.pi,
            },
        ),
    ),
    "b11-ex-variance": Exercise(
        "a function of the contributions `a` (n), a bias and a keep probability",
        Function(
            _spread,
            _unit,
            {
                "this is the mean of the square: the square of the mean is to be subtracted": lambda a, b, q: (
                    _logistic_moment(a, b, q, 2)
                ),
                "this is the mean": lambda a, b, q: _logistic_moment(a, b, q, 1),
                "this is the standard deviation": lambda a, b, q: _spread(a, b, q).sqrt(),
                "this is the mean of the slope of σ": lambda a, b, q: (
                    _logistic_moment(a, b, q, 1) - _logistic_moment(a, b, q, 2)
                ),
            },
        ),
    ),
    "b11-ex-probit": Exercise(
        "a function of the contributions `a` (n), a bias and a keep probability",
        Function(
            _probit,
            _unit,
            {
                "this is the mean of a logistic output": lambda a, b, q: _logistic_moment(a, b, q, 1),
                "this is Φ of the mean logit": _scaled_probit,
                "the one half before the integral is missing": lambda a, b, q: _probit(a, b, q) - 0.5,
                "this is the opposite event": lambda a, b, q: 1 - _probit(a, b, q),
            },
        ),
    ),
    "b11-ex-gaussian": Exercise(
        "the factor of one unit as an expression in `c`, `p` and `t`",
        Formula(
            _gaussian_factor,
            {
                "this is the factor of a mask that is divided by p": lambda: 1 - p + p * sp.exp(sp.I * _c * _t / p),
                "the mean of the noise is 1, and 0 is put in": lambda: _gaussian_factor() * sp.exp(-sp.I * _c * _t),
                "the variance of the noise is that of a mask divided by p, and not 1": lambda: _gaussian_factor(
                    sp.Integer(1)
                ),
                "its variance is that of a mask that is not divided by p": lambda: _gaussian_factor(variance(r[1], r)),
                "its exponent has a standard deviation where a variance belongs": lambda: sp.exp(
                    sp.I * _c * _t - sp.sqrt((1 - p) / p) * _c**2 * _t**2 / 2
                ),
            },
        ),
    ),
    "b11-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            _SIGNS,
            Mean(sp.Product(sp.exp(sp.I * _t * _a[k] * (2 * _SIGNS[k] - 1)), (k, 1, n))),
            lambda: sp.Product(sp.cos(_t * _a[k]), (k, 1, n)),
            frozenset({"independent-masks"}),
        ),
    ),
}

QUIZZES: dict = {}
