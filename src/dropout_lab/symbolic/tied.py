"""Values for letters that an assumption ties to each other, so that lines which use the assumption have numbers.

A chain draws its letters freely. Where a line rests on an equation between letters (the columns of a design are
orthogonal, weights solve a system of equations), free letters would contradict it: ``Chain(…, tied={letter: make})``
gives the letter the values that ``make`` computes from the other draws.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp

from dropout_lab.symbolic.arithmetic import EXACT
from dropout_lab.symbolic.binding import put
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.values import Evaluator

Values = dict[tuple[int, ...], Fraction]


def orthogonal_columns(letter: sp.IndexedBase, size: sp.Symbol) -> Callable[[Draws], Values]:
    """Return a function that draws a square matrix of orthogonal columns, none of them zero.

    It applies the method of Gram and Schmidt to random fractions. ``letter`` is the matrix, ``size`` the symbol for its
    number of rows.

    >>> n = sp.Symbol("n")
    >>> columns = orthogonal_columns(sp.IndexedBase("X"), n)(Draws(1, 3, given={n: 2}))
    >>> sum(columns[m, 1] * columns[m, 2] for m in (1, 2))
    Fraction(0, 1)
    """

    def make(draws: Draws) -> Values:
        number = int(draws.symbol(size, "size"))
        columns: list[list[Fraction]] = []
        for k in range(1, number + 1):
            # A multiple of the unit vector keeps the columns independent.
            column = [draws.entry(f"{letter.label} free", (m, k)) + 9 * (m == k) for m in range(1, number + 1)]
            for other in columns:
                share = Fraction(sum(a * b for a, b in zip(column, other, strict=True))) / sum(b * b for b in other)
                column = [a - share * b for a, b in zip(column, other, strict=True)]
            columns.append(column)
        return {(m + 1, k + 1): value for k, column in enumerate(columns) for m, value in enumerate(column)}

    return make


def orthonormal_columns(letter: sp.IndexedBase, size: sp.Symbol) -> Callable[[Draws], Values]:
    """Return a function that draws a square matrix of orthogonal columns of length 1 with rational entries.

    The matrix is the reflection at a random plane. ``letter`` is the matrix, ``size`` the symbol for its number of
    rows.

    >>> n = sp.Symbol("n")
    >>> columns = orthonormal_columns(sp.IndexedBase("Z"), n)(Draws(1, 2, given={n: 2}))
    >>> [sum(columns[m, 1] * columns[m, k] for m in (1, 2)) for k in (1, 2)]
    [Fraction(1, 1), Fraction(0, 1)]
    """

    def make(draws: Draws) -> Values:
        places = range(1, int(draws.symbol(size, "size")) + 1)
        # A large first entry keeps the normal of the plane from being 0, or a unit vector.
        normal = {place: draws.entry(f"{letter.label} normal", (place,), True) + 9 * (place == 1) for place in places}
        squares = sum(part * part for part in normal.values())
        return {(m, k): (m == k) - 2 * normal[m] * normal[k] / squares for m in places for k in places}

    return make


def unit_vector(letter: sp.IndexedBase, size: sp.Symbol) -> Callable[[Draws], Values]:
    """Return a function that draws a vector of length 1 with rational entries.

    ``letter`` is the vector, ``size`` the symbol for its number of entries.

    >>> n = sp.Symbol("n")
    >>> vector = unit_vector(sp.IndexedBase("z"), n)(Draws(1, 3, given={n: 3}))
    >>> sum(part**2 for part in vector.values())
    Fraction(1, 1)
    """
    columns = orthonormal_columns(letter, size)
    return lambda draws: {(m,): value for (m, k), value in columns(draws).items() if k == 1}


def solution(
    matrix: sp.Expr, right: sp.Expr, row: sp.Symbol, column: sp.Symbol, size: sp.Symbol
) -> Callable[[Draws], Values]:
    """Return a function that solves a system of linear equations for the values of a letter.

    The solution u satisfies Σ ``matrix`` · u[``column``] = ``right`` in every ``row``, for an invertible matrix; both
    sides are expressions in the indices.

    >>> n, k, i = sp.symbols("n k i", integer=True)
    >>> a = sp.IndexedBase("a")
    >>> make = solution(2 * sp.KroneckerDelta(k, i), sp.S(6), k, i, n)
    >>> make(Draws(1, 1, given={n: 1}))
    {(1,): Fraction(3, 1)}
    """

    def make(draws: Draws) -> Values:
        number = int(draws.symbol(size, "size"))
        places = range(1, number + 1)

        def value(expression: sp.Expr, at: dict[sp.Symbol, Any]) -> sp.Rational:
            found = Evaluator(()).value(put(expression, at), draws, EXACT)
            return sp.Rational(found.numerator, found.denominator)

        system = sp.Matrix(
            number, number, lambda a, b: value(matrix, {row: sp.Integer(a + 1), column: sp.Integer(b + 1)})
        )
        found = system.LUsolve(sp.Matrix([value(right, {row: sp.Integer(a)}) for a in places]))
        return {(place,): Fraction(int(part.p), int(part.q)) for place, part in zip(places, found, strict=True)}

    return make
