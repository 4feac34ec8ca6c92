"""The answers of the pages on penalties: ridge regression, generalized linear models, two linear layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count, product

import sympy as sp

from dropout_lab.exercises.answers import Formula, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, h, i, k, m, n, over_units, p, r, w, x
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Cov, Masks, Mean, Var, covariance, expectation, variance

_rho, _c, _mean = sp.symbols("rho c mean", positive=True)
_u = sp.Symbol("u", real=True)
_z, _out = sp.IndexedBase("z"), sp.IndexedBase("u")
#: Hidden units with a keep probability of their own each.
_keep = sp.IndexedBase("p")
_own = Masks(n, _keep)


@cache
def _equal_weight() -> sp.Expr:
    """The weight of each of n features of length 1, all correlated by ρ and with the product c with the targets."""
    weight = sp.Symbol("weight")
    overlap = _rho + (1 - _rho) * sp.KroneckerDelta(k, i)
    pull = expectation(r[k] / p * _c - over_units(r[k] / p * r[i] / p * overlap * weight), r)
    (found,) = sp.solve(pull, weight)
    return sp.factor(found)


def _bias() -> sp.Expr:
    """What a masked column of ones predicts at test time, for targets with a mean."""
    bias = sp.Symbol("b")
    loss = expectation(sp.expand((_mean - r[1] / p * bias) ** 2), r)
    (found,) = sp.solve(sp.diff(loss, bias), bias)
    return sp.factor(found)


@cache
def _copies(keep_prob: sp.Rational) -> int:
    """How many copies of a feature keep nine tenths of its least-squares weight together."""
    share = n * (_equal_weight() / _c).subs({_rho: 1, p: keep_prob})
    return next(copies for copies in count(1) if share.subs(n, copies) >= sp.Rational(9, 10))


def _logistic(value: sp.Expr) -> sp.Expr:
    """The log-partition of logistic regression."""
    return sp.log(1 + sp.exp(value))


def _outcomes(function: Callable[..., sp.Expr], units: int) -> sp.Expr:
    """The mean of a function of masks over all their outcomes."""
    return sp.Add(
        *(p ** sum(mask) * (1 - p) ** (units - sum(mask)) * function(*mask) for mask in product((0, 1), repeat=units))
    )


def _poisson() -> sp.Expr:
    """The penalty of a Poisson model with n contributions u, each with a mask of its own."""
    return _outcomes(lambda kept: sp.exp(kept * _u / p), 1) ** n - sp.exp(n * _u)


def _rare() -> sp.Expr:
    """The penalty of one contribution 2 to a logistic model, divided by 1 - p, where p goes to 1."""
    averaged = _outcomes(lambda kept: _logistic(kept * sp.Integer(2) / p), 1)
    return sp.N(-sp.diff(averaged, p).subs(p, 1))


def _by_curvature() -> sp.Expr:
    eta = sp.Symbol("eta")
    return sp.diff(_logistic(eta), eta, 2).subs(eta, 2) / 2 * 2**2


def _agreeing() -> sp.Expr:
    """What n agreeing contributions pay to a logistic model as they grow: they pay where the mask drops them all."""
    return expectation(1 - r[1], r) ** n * _logistic(sp.Integer(0))


def _strength() -> sp.Expr:
    """The keep probability at which n units pay λ times the squared length of the map."""
    strength = sp.Symbol("lambda", positive=True)
    (found,) = sp.solve(sp.Eq(sp.simplify(variance(r[1] / p, r)) / n, strength), p)
    return found


@cache
def _vanishing(kept: sp.Expr, units: sp.Expr) -> sp.Expr:
    """The keep probability at which the smallest singular value s of those kept, with their total, becomes zero."""
    smallest, total = sp.symbols("s total", positive=True)
    lowered = (1 - p) / (units * p + kept * (1 - p)) * total
    (found,) = sp.solve(sp.Eq(smallest, lowered), p)
    return sp.factor(found)


def _lowered(kept: int) -> sp.Rational:
    """By how much dropout lowers the singular values 4, 2, 1, if ``kept`` of them stay: p = 1/3, four units."""
    price = sp.Rational(2, 3) / (4 * sp.Rational(1, 3))
    return price / (1 + kept * price) * sum((4, 2, 1)[:kept])


def _largest() -> sp.Rational:
    kept = next(count for count in (3, 2, 1) if (4, 2, 1)[count - 1] > _lowered(count))
    return 4 - _lowered(kept)


_first, _second = over_units(r[i] / p * w[i] * x[i]), over_units(r[i] / p * w[i] * _z[i])
_written = over_units(_out[i] * _own[i] / _keep[i] * h[i])
_uncorrelated = frozenset({"uncorrelated-masks", "independent-masks"})

EXERCISES = {
    "b1-ex-equal": Exercise(
        "the weight as an expression in `n`, `p`, `rho` and `c`",
        Formula(
            _equal_weight,
            {
                "this is the weight of least squares": lambda: _c / (1 + (n - 1) * _rho),
                "features that overlap are shrunk less than p": lambda: p * _c / (1 + (n - 1) * _rho),
                "a feature overlaps with all others, and how many are these?": lambda: p * _c / (1 + n * p * _rho),
            },
        ),
    ),
    "b1-ex-intercept": Exercise(
        "the mean of the predictions as an expression in `p` and `mean`",
        Formula(_bias, {"this is by how much the predictions are off": lambda: _mean - _bias()}),
    ),
    "b1-ex-copies": Exercise(
        "a whole number",
        Number(
            lambda: _copies(sp.Rational(1, 5)),
            keep_prob=0.2,
            slips={
                "p stands where 1 - p belongs, or the other way round": lambda: _copies(sp.Rational(4, 5)),
                "what two copies keep is not twice what one keeps": lambda: sp.ceiling(sp.Rational(9, 10) * 5),
            },
        ),
    ),
    "b1-ex-chain": Exercise(
        "a `Chain`", Proof(r, Cov(_first, _second), lambda: covariance(_first, _second, r), _uncorrelated)
    ),
    "b2-ex-poisson": Exercise(
        "the penalty as an expression in `n`, `u` and `p`",
        Formula(
            _poisson,
            {
                "the loss without a mask is to be subtracted": lambda: _poisson() + sp.exp(n * _u),
                "this is the penalty by curvature": lambda: variance(r[1] / p, r) * n * _u**2 / 2 * sp.exp(n * _u),
                "survivors are divided by p": lambda: (1 - p + p * sp.exp(_u)) ** n - sp.exp(n * _u),
                "this is one mask for all inputs": lambda: (
                    _outcomes(lambda kept: sp.exp(kept * n * _u / p), 1) - sp.exp(n * _u)
                ),
            },
        ),
    ),
    "b2-ex-third": Exercise(
        "a `Chain`", Proof(r, Mean((r[i] / p - 1) ** 3), lambda: expectation((r[i] / p - 1) ** 3, r), frozenset())
    ),
    "b2-ex-rare": Exercise(
        "a number",
        Number(
            _rare,
            slips={
                "this is by curvature: rare drops are as large as ever": _by_curvature,
                "the contribution of the slope is missing": lambda: _logistic(0) - _logistic(2),
            },
        ),
    ),
    "b2-ex-agree": Exercise(
        "the limit as an expression in `n` and `p`",
        Formula(
            _agreeing,
            {
                "one input that is left makes the model sure": lambda: (1 - p**n) * sp.log(2),
                "this is for a single input": lambda: (1 - p) * sp.log(2),
                "what does the model predict when all inputs are gone?": lambda: (1 - p) ** n,
            },
        ),
    ),
    "b4-ex-output": Exercise(
        "the keep probability as an expression in `n` and `lambda`",
        Formula(
            _strength,
            {
                "the number of units is missing in it": lambda: _strength().subs(n, 1),
                "more units weaken the penalty": lambda: _strength().subs(n, 1 / n),
            },
        ),
    ),
    "b4-ex-rank": Exercise(
        "the keep probability as an expression in `n`, `m`, `s` and `total`",
        Formula(
            lambda: _vanishing(m, n),
            {
                "the units of the network and the values that stay are exchanged": lambda: _vanishing(n, m),
                "the lowered values share the penalty, and m is missing in that": lambda: _vanishing(sp.Integer(0), n),
            },
        ),
    ),
    "b4-ex-spectrum": Exercise(
        "the largest singular value, a number",
        Number(
            _largest,
            keep_prob=1 / 3,
            slips={
                "the amount depends on how many values stay, and one of these became negative": lambda: 4 - _lowered(3),
                "the amount is made from all values that stay": lambda: 4 - _lowered(1),
                "this is the amount that it is lowered by": lambda: 4 - _largest(),
            },
        ),
    ),
    "b4-ex-chain": Exercise("a `Chain`", Proof(_own, Var(_written), lambda: variance(_written, _own), _uncorrelated)),
}

QUIZZES: dict[str, Quiz] = {}
