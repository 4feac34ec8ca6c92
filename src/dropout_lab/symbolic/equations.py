"""Lines that are equations: their value is their solution, so that numbers can check them as they check any other line.

A chain of equations asks for an unknown, ``Chain(sp.Eq(…, 0), solve_for=v)``; its lines are equivalent, ⇔, and at given
numbers each of them has to be linear in the unknown, with the same one solution.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from dropout_lab.symbolic.algebra import GENERATORS, equal_by_algebra, rational
from dropout_lab.symbolic.arithmetic import DIGITS, Arithmetic
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.values import Evaluator

#: Relative size of what counts as zero in a test for linearity, where numbers are not exact.
_NOTHING = {"precise": mpmath.mpf("1e-20"), "float": 1e-6}


def value_of(
    evaluator: Evaluator, formula: sp.Basic, draws: Draws, arithmetic: Arithmetic, unknown: sp.Symbol | None = None
) -> Any:
    """The value of a formula at the draws; that of an equation is its solution for ``unknown``.

    Raises ValueError for an equation that is not linear in the unknown there, or does not depend on it.
    """
    if not isinstance(formula, sp.Eq):
        return evaluator.value(formula, draws, arithmetic)
    at = []
    for place in range(3):
        moved = draws.with_values({unknown: place})
        at.append(evaluator.value(formula.lhs - formula.rhs, moved, arithmetic))
    with mpmath.workdps(DIGITS):
        slope, bend = at[1] - at[0], at[2] - 2 * at[1] + at[0]
        size = max(map(abs, at))
        nothing = 0 if isinstance(size, (int, Fraction)) else size * _NOTHING[arithmetic.name]
        if abs(bend) > nothing:
            raise ValueError(f"{formula} is not linear in {unknown}")
        if abs(slope) <= nothing:
            raise ValueError(f"{formula} does not depend on {unknown}")
        return -at[0] / slope


def equivalent(one: sp.Basic, other: sp.Basic, unknown: sp.Symbol | None) -> bool:
    """Whether two formulas are the same by algebra; for equations, also up to a factor without the unknown.

    >>> v, a = sp.symbols("v a", positive=True)
    >>> equivalent(sp.Eq(a * v, 1), sp.Eq(2 * a * v - 2, 0), v)
    True
    """
    if equal_by_algebra(one, other):
        return True
    if not (isinstance(one, sp.Eq) and isinstance(other, sp.Eq)):
        return False
    ratio = sp.cancel(rational(one.lhs - one.rhs) / rational(other.lhs - other.rhs))
    parts = GENERATORS.parts()
    symbols = set().union(*(parts.get(symbol, symbol).free_symbols for symbol in ratio.free_symbols), set())
    return ratio != 0 and unknown not in symbols
