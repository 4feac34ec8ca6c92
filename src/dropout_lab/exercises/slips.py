"""The slips that answers about dropout are made of: what a wrong answer would be right for.

Each is named without its direction, so that the name says where to look and not what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

#: The letter of the keep probability.
KEEP_PROB = "p"

SIGN = "the sign is wrong"
OPPOSITE = "p stands where 1 - p belongs, or the other way round"
FACTOR_P = "it is off by a factor p or 1/p: are survivors divided by p, and how often?"
FACTOR_Q = "it is off by a factor 1 - p or 1/(1 - p)"
FACTOR_ODDS = "it is off by a factor (1 - p)/p or its inverse"
SQUARE = "it is the square or the square root of what is asked for: a variance is not a standard deviation"
INVERSE = "it is the reciprocal of what is asked for"
COMPLEMENT = "it is 1 minus what is asked for: the opposite event"
TWO = "it is off by a factor of 2"
HUNDRED = "it is off by a factor of 100: a fraction is asked for, or a percentage"
SIZE = "it is off by a factor that is the number of units"
ONE = "it is off by one"


def of_expression(right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """The slips of an expression in p, if it has that letter: each with what the wrong answer would be.

    >>> p = sp.Symbol("p")
    >>> next(wrong for slip, wrong in of_expression(p**2) if slip == OPPOSITE)
    (1 - p)**2
    """
    for symbol in sorted(right.free_symbols, key=str):
        if str(symbol) == KEEP_PROB:
            yield OPPOSITE, right.subs(symbol, 1 - symbol)
            yield from ((slip, right * factor) for slip, factor in _factors(symbol))
        elif isinstance(symbol, sp.Symbol) and str(symbol) in ("n", "m", "B", "k"):
            yield from ((SIZE, right * symbol), (SIZE, right / symbol))
    yield from _of_any(right)


def of_number(right: float, keep_prob: float | None) -> Iterator[tuple[str, float]]:
    """The slips of a number, given the keep probability that it belongs to.

    >>> [slip for slip, wrong in of_number(0.25, 0.5) if wrong == -0.25]
    ['the sign is wrong']
    """
    if keep_prob is not None and 0 < keep_prob < 1:
        yield from ((slip, right * factor) for slip, factor in _factors(keep_prob))
    for slip, wrong in _of_any(sp.Float(right)):
        if wrong.is_finite and wrong.is_real:
            yield slip, float(wrong)
    yield from ((HUNDRED, right * 100), (HUNDRED, right / 100))
    if right == int(right):
        yield from ((ONE, right + 1), (ONE, right - 1))


def of_array(right: Callable[[float], Any], keep_prob: float | None) -> Iterator[tuple[str, Any]]:
    """The slips of an array that is a function of the keep probability."""
    at = keep_prob if keep_prob is not None else 1.0
    found = right(at)
    yield SIGN, -found
    if keep_prob is not None and 0 < keep_prob < 1:
        yield OPPOSITE, right(1 - keep_prob)
        yield from ((slip, found * factor) for slip, factor in _factors(keep_prob))
    yield from ((TWO, found * 2), (TWO, found / 2))


def _factors(p: Any) -> Iterator[tuple[str, Any]]:
    for slip, factor in ((FACTOR_P, p), (FACTOR_Q, 1 - p), (FACTOR_ODDS, (1 - p) / p)):
        yield from ((slip, factor), (slip, 1 / factor))
    yield from ((FACTOR_P, p**2), (FACTOR_P, 1 / p**2))


def _of_any(right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    yield SIGN, -right
    yield from ((SQUARE, right**2), (SQUARE, sp.sqrt(right)))
    if right != 0:
        yield INVERSE, 1 / right
    yield COMPLEMENT, 1 - right
    yield from ((TWO, right * 2), (TWO, right / 2))
