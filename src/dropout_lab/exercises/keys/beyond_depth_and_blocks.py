"""The answers of "Expected depth, and what DropBlock keeps"."""

from __future__ import annotations

from functools import cache

import sympy as sp

from dropout_lab import functional
from dropout_lab.exercises.answers import Formula, Number
from dropout_lab.exercises.keys.base import Exercise, L, p
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, expectation

_BLOCKS = Masks(L, p)
_l = sp.Symbol("l", integer=True, positive=True)


@cache
def _last_block() -> sp.Expr:
    """The keep probability of the last of 24 blocks that leaves 80 % of the computation."""
    depth = sum(1 - sp.Rational(block, 24) * (1 - p) for block in range(1, 25))
    return sp.solve(sp.Eq(depth, sp.Rational(80, 100) * 24), p)[0]


@cache
def _spread_of_many() -> sp.Expr:
    """Variance of the depth per block for many blocks, as an integral along the linear schedule down to p."""
    place = sp.Symbol("s", positive=True)
    drop = place * (1 - p)
    return sp.factor(sp.integrate(sp.expand(drop * (1 - drop)), (place, 0, 1)))


def _at_mean() -> sp.Expr:
    """The variance of a mask whose keep probability is the mean of the schedule."""
    middle = Masks(1, (1 + p) / 2, name="q")
    return sp.factor(expectation(middle[1], middle) * (1 - expectation(middle[1], middle)))


EXERCISES = {
    "b10-ex-budget": Exercise(
        "the keep probability of the last block, a number",
        Number(
            _last_block,
            slips={
                "the share (1 + p_L)/2 of the blocks is a limit for many blocks": lambda: 0.6,
                "this is right if all blocks have the same keep probability": lambda: 0.8,
                "this is the share of the blocks that are dropped at the end": lambda: 1 - _last_block(),
            },
        ),
    ),
    "b10-ex-limit": Exercise(
        "the limit as an expression in `p`, the keep probability of the last block",
        Formula(
            _spread_of_many,
            {
                "this is the variance of a mask at the end of the schedule": lambda: p * (1 - p),
                "the mean of p(1 - p) along the schedule is not p(1 - p) at its mean": _at_mean,
            },
        ),
    ),
    "b10-ex-gamma": Exercise(
        "the seed probability, a number",
        Number(
            lambda: functional.block_gamma((14, 14), 0.5, 7),
            slips={
                "this is the published seed probability, which keeps more": lambda: functional.block_gamma(
                    (14, 14), 0.5, 7, rule="published"
                ),
                "with this one the center is kept half of the time": lambda: 1 - 0.5 ** (1 / 49),
            },
        ),
    ),
    "b10-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            _BLOCKS,
            Mean(sp.Product(1 + _BLOCKS[_l] / p**2, (_l, 1, L))),
            lambda: expectation(1 + _BLOCKS[_l] / p**2, _BLOCKS) ** L,
            frozenset({"independent-masks"}),
        ),
    ),
}

QUIZZES: dict = {}
