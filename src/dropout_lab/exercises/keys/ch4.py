"""The answers of chapter 4: copies of a feature, and what is left when one of them is gone."""

from __future__ import annotations

from functools import cache

import sympy as sp

from dropout_lab.exercises.answers import Choice, Formula, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, i, j, n, p, r
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation

_HALF = sp.Rational(1, 2)
_v = sp.Symbol("v", real=True)


@cache
def _averaged_loss(feature: sp.Expr, copies: sp.Expr = n) -> sp.Expr:
    """The averaged squared loss of copies that carry ``feature`` each, with one common weight v and the target 1."""
    masks = Masks(copies, p)
    prediction = sp.Sum(masks[i] / p * feature * _v, (i, 1, copies))
    return expectation(sp.expand((1 - prediction) ** 2), masks).doit()


@cache
def _best(loss: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The best common weight and the averaged loss that is left."""
    (weight,) = sp.solve(sp.diff(loss, _v), _v)
    return weight, sp.simplify(loss.subs(_v, weight))


def _pair() -> sp.Expr:
    return _best(_averaged_loss(_HALF, sp.Integer(2)))[1].subs(p, _HALF)


def _single() -> sp.Expr:
    return _best(_averaged_loss(sp.Integer(1), sp.Integer(1)))[1].subs(p, _HALF)


def _enough() -> int:
    """How many copies keep 95 % of the weight together at p = 1/2."""
    total = (n * _best(_averaged_loss(sp.Integer(1)))[0]).subs(p, _HALF)
    return next(copies for copies in range(1, 100) if total.subs(n, copies) >= sp.Rational(95, 100))


def _loss_left() -> sp.Expr:
    return _best(_averaged_loss(sp.Integer(1)))[1]


def _both_gone() -> sp.Expr:
    two = Masks(2, p)
    return expectation((1 - two[1]) * (1 - two[2]), two)


EXERCISES = {
    "ch4-ex-pair": Exercise(
        "the best averaged loss of the two halves, a number",
        Number(_pair, keep_prob=0.5, slips={"this is the loss of the single feature": _single}),
    ),
    "ch4-ex-enough": Exercise("a whole number", Number(_enough)),
    "ch4-ex-left": Exercise("the averaged loss as an expression in `n` and `p`", Formula(_loss_left)),
    "ch4-ex-chain": Exercise(
        "a `Chain`",
        Proof(r, Mean((1 - r[i]) * (1 - r[j])), _both_gone, frozenset({"independent-masks"})),
    ),
}


def _who_gets_more() -> str:
    single, pair = _single(), _pair()
    return "the pair" if pair < single else "the single feature" if single < pair else "neither"


QUIZZES = {"ch4-quiz-pair": Quiz(Choice(_who_gets_more))}
