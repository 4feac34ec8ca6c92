"""The answers of "The price of learned noise": what noise earns, and a gradient through a mask."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch

from dropout_lab import bayes
from dropout_lab.exercises import slips
from dropout_lab.exercises.answers import Formula, Number
from dropout_lab.exercises.keys.base import Exercise, p
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var

_ONE = Masks(1, p)
_tau, _alpha, _b = sp.symbols("tau alpha b", positive=True)


def _doubled() -> float:
    """What a weight earns when its noise variance is doubled, in nats, where the noise is small."""
    before, after = bayes.exact_kl(torch.tensor([1e-6, 2e-6], dtype=torch.float64).log()).tolist()
    return before - after


@cache
def _much_noise() -> sp.Expr:
    """The divergence for large α: the integral over t of its integrand to first order in 1/α."""
    u, t = sp.symbols("u t", positive=True)
    integrand = (1 - sp.exp(-u * (1 - t**2) / 2)) / (1 - t**2)
    return sp.integrate(sp.simplify(sp.diff(integrand, u).subs(u, 0)), (t, 0, 1)) / _alpha


@cache
def _shift_of_the_mean() -> sp.Expr:
    """Mean of the relaxed mask minus p, to second order: half the curvature of σ times a mean square."""
    x, t = sp.symbols("x t", positive=True)
    curvature = sp.diff(1 / (1 + sp.exp(-x)), x, 2).subs(x, sp.log(p / (1 - p)))
    characteristic = sp.pi * t / sp.sinh(sp.pi * t)
    mean_square = -sp.limit(sp.diff(characteristic, t, 2), t, 0)
    return sp.simplify(curvature) * mean_square * _tau**2 / 2


def _estimate(mask: sp.Expr) -> sp.Expr:
    """The score-function estimate from one mask, for the function f(r) = r with the baseline b."""
    return (mask - _b) * (mask - p) / (p * (1 - p))


@cache
def _variance_of_estimate() -> sp.Expr:
    mean, second = (
        sum(chance * _estimate(sp.Integer(bit)) ** power for bit, chance in ((1, p), (0, 1 - p))) for power in (1, 2)
    )
    return sp.factor(sp.simplify(second - mean**2))


@cache
def _best_baseline() -> sp.Expr:
    (found,) = set(sp.solve(_variance_of_estimate(), _b))
    return found


EXERCISES = {
    "b8-ex-little": Exercise(
        "a number, in nats",
        Number(
            _doubled,
            slips={
                "it is in bits, and nats are asked for": lambda: _doubled() / float(sp.log(2)),
                "this is what doubling the standard deviation earns": lambda: 2 * _doubled(),
            },
        ),
    ),
    "b8-ex-much": Exercise(
        "the divergence for large noise as an expression in `alpha`",
        Formula(
            _much_noise,
            {
                "this is the divergence for little noise, up to a constant": lambda: -sp.log(_alpha) / 2,
                "this is its slope by α": lambda: sp.diff(_much_noise(), _alpha),
                "this is twice the divergence": lambda: 2 * _much_noise(),
            },
        ),
    ),
    "b8-ex-bias": Exercise(
        "the leading term of the shift as an expression in `p` and `tau`",
        Formula(
            _shift_of_the_mean,
            {
                # The shift changes its sign with p for 1 - p, and the sign is the simpler thing to say.
                slips.SIGN: lambda: -_shift_of_the_mean(),
                "it has the mean square of a standard normal number, and the noise is logistic": lambda: (
                    _shift_of_the_mean() * 3 / sp.pi**2
                ),
                "a shift of first order in the temperature vanishes, since the noise is symmetric": lambda: (
                    _shift_of_the_mean() / _tau
                ),
                "the curvature of σ is not its slope": lambda: sp.pi**2 / 6 * _tau**2 * p * (1 - p),
            },
        ),
    ),
    "b8-ex-chain": Exercise("a `Chain`", Proof(_ONE, Var(_estimate(_ONE[1])), _variance_of_estimate, frozenset())),
    "b8-ex-baseline": Exercise(
        "the baseline as an expression in `p`",
        Formula(
            _best_baseline,
            {
                "this is the mean of f, the usual baseline, and the variance does not vanish there": lambda: p,
                "without a baseline the estimate varies": lambda: sp.Integer(0),
            },
        ),
    ),
}

QUIZZES: dict = {}
