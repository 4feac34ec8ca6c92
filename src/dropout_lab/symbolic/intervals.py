"""Bounds that an author gives for a parameter, and numbers between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp


def bounds(within: Mapping[Any, Any], parameters: Iterable[sp.Basic]) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
    """The pairs of ``within`` as SymPy numbers.

    Raises :class:`ValueError` for what is no parameter of the expression (a variable of integration, or a letter with
    other assumptions), for bounds that are no interval, and for an interval against what the symbol assumes.
    """
    found = {}
    known = set(parameters)
    for symbol, pair in within.items():
        if symbol not in known:
            raise ValueError(f"within gives bounds for {symbol} with its assumptions, which is no parameter here")
        ends = tuple(map(sp.sympify, pair))
        if len(ends) != 2 or not all(end.is_finite and end.is_extended_real for end in ends) or not ends[0] < ends[1]:
            raise ValueError(f"within gives a pair of finite bounds for each parameter, got {pair} for {symbol}")
        low, high = ends
        wrong = (symbol.is_nonnegative and low < 0) or (symbol.is_nonpositive and high > 0)
        if wrong or (symbol.is_integer and sp.ceiling(low) > sp.floor(high)):
            raise ValueError(f"within gives {pair} for {symbol}, against what the symbol assumes (positive, integer)")
        found[symbol] = ends
    return found


def between(symbol: sp.Symbol, low: sp.Expr, high: sp.Expr, share: sp.Rational) -> sp.Expr:
    """A number between two bounds, at a ``share`` of the way; a whole one for an integer.

    >>> between(sp.Symbol("p"), sp.Integer(0), sp.Integer(1), sp.Rational(1, 3))
    1/3
    >>> between(sp.Symbol("n", integer=True), sp.Integer(2), sp.Integer(5), sp.Rational(1, 3))
    3
    """
    if symbol.is_integer:
        first, last = sp.ceiling(low), sp.floor(high)
        return first + sp.floor((last - first + 1) * share)
    return low + (high - low) * share
