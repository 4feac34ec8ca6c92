"""SymPy expressions compared by their values: two that agree at several random points are one answer.

Letters are compared by their names, so that an answer may declare them with other assumptions than the key does. The
points are drawn from a fixed seed among fractions; two rational expressions of the degrees that occur here (below 20)
that differ for some p agree at all of them by accident with a probability below 10^-7.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import sympy as sp

#: At how many points expressions are compared, and from which seed these are drawn.
POINTS, SEED = 5, 14
_DIGITS = 40
_TOLERANCE = sp.Rational(1, 10**18)


class NoValue(ValueError):
    """An expression has no finite value at a point; the message says why."""


def letters(expression: sp.Basic) -> frozenset[str]:
    """The names of the free letters in an expression, those of indexed ones included.

    >>> i, n, w = sp.Symbol("i"), sp.Symbol("n"), sp.IndexedBase("w")
    >>> sorted(letters(sp.Sum(w[i], (i, 1, n))))
    ['n', 'w']
    """
    return frozenset(str(symbol) for symbol in expression.free_symbols if not isinstance(symbol, sp.Indexed))


def values(expression: sp.Basic, like: sp.Basic) -> list[sp.Expr]:
    """The values of ``expression`` at the points that belong to ``like``, whose letters say what is an integer.

    A letter of ``like`` that is an integer becomes one of 2 to 8, the size of its sums; any other a fraction between 0
    and 1, as a probability is, and so does each entry of an indexed letter. Raises :class:`NoValue` if an expression
    has no finite value.
    """
    whole = {symbol.name for symbol in like.free_symbols if isinstance(symbol, sp.Symbol) and symbol.is_integer}
    return [_value(expression, _Point(number, whole)) for number in range(POINTS)]


def agree(one: Sequence[sp.Expr], other: Sequence[sp.Expr]) -> bool:
    """Whether two lists of values are the same, up to rounding.

    >>> agree([sp.Rational(1, 3)], [sp.Float("0.33333333333333333333333333", 30)])
    True
    """
    return all(abs(left - right) <= _TOLERANCE * max(1, abs(right)) for left, right in zip(one, other, strict=True))


class _Point:
    """A number for every letter, the same each time it is asked for."""

    def __init__(self, number: int, whole: set[str]) -> None:
        self._number, self._whole = number, whole

    def of(self, name: str) -> sp.Rational:
        source = random.Random(f"{SEED} {self._number} {name}")
        if name in self._whole:
            return sp.Integer(2 + self._number + source.randrange(3))
        return sp.Rational(source.randrange(100, 900), 1000 + self._number)


def _value(expression: sp.Basic, point: _Point) -> sp.Expr:
    plain = [symbol for symbol in expression.free_symbols if isinstance(symbol, sp.Symbol)]
    bases = {str(entry.base.label) for entry in expression.atoms(sp.Indexed)}
    given: Mapping[sp.Basic, sp.Basic] = {symbol: point.of(symbol.name) for symbol in plain if symbol.name not in bases}
    found = expression.subs(given).doit()
    found = found.subs({entry: point.of(str(entry)) for entry in found.atoms(sp.Indexed)}).doit()
    number = sp.N(found, _DIGITS)
    if not number.is_number or number.is_finite is False or number.has(sp.nan, sp.zoo, sp.oo):
        raise NoValue(f"it has no value where {', '.join(f'{key} = {value}' for key, value in given.items())}")
    return number
