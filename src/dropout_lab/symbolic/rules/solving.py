"""Rules about equations and signs: the zero of a linear expression, a product of positive factors."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from dropout_lab.symbolic.algebra import canonical, equal_by_algebra
from dropout_lab.symbolic.rules.base import Context, Rule
from dropout_lab.symbolic.rules.signs import is_positive

#: What is said to be positive or not zero, and the assumption that says so.
Given = Mapping[sp.Expr, str]


def linear_equation(unknown: sp.Symbol, *, slope: sp.Expr | None = None, nonzero: Given | None = None) -> Rule:
    """Make the rule that solves an equation which is linear in ``unknown``.

    The equation av + b = 0 with a ≠ 0 has one solution, v = −b/a. The slope a must be seen not to vanish. ``slope``
    writes it as a product whose factors are surely positive or negative (algebra has to make it equal to the slope of
    the equation); ``nonzero`` gives factors that are not 0 by an assumption, with the id of that assumption. Raises
    ValueError for a slope that is another one, or may vanish.

    >>> v, n, p = sp.symbols("v n p", positive=True)
    >>> linear_equation(v).rewrite(sp.Eq(n * v - p, 0), Context())
    Eq(v, p/n)
    """
    nonzero = dict(nonzero or {})

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        if not isinstance(expression, sp.Eq):
            return expression
        difference = canonical(expression.lhs - expression.rhs)
        found = canonical(sp.diff(difference, unknown))
        if unknown in found.free_symbols or found == 0:
            return expression
        if slope is not None and not equal_by_algebra(slope, found):
            raise ValueError(f"the slope in {unknown} is {found}, not {slope}")
        seen = found if slope is None else slope
        for factor in sp.Mul.make_args(seen):
            base = factor.base if isinstance(factor, sp.Pow) else factor
            if base not in nonzero and not is_positive(base) and not is_positive(-base):
                raise ValueError(
                    f"the slope in {unknown} has the factor {base}, of which nothing says that it is not 0"
                )
        return sp.Eq(unknown, -difference.subs(unknown, 0) / found, evaluate=False)

    return Rule(
        "zero of a linear expression",
        r"$a v + b = 0$ with $a \ne 0$ has the one solution $v = -b/a$. The slope $a$ is seen not to vanish: it is a "
        "product of factors that are positive, negative, or not 0 by an assumption.",
        rewrite,
        assumes=tuple(dict.fromkeys(nonzero.values())),
        relation="<=>",
        both=False,
        key="zero of a linear expression",
    )


def positive(given: Given) -> Rule:
    """Make the rule that a product of positive factors is above 0.

    ``given`` are factors that are positive by an assumption, each with the id of that assumption.

    >>> p, q = sp.symbols("p q", real=True)
    >>> positive({p: "some-assumption", q**2: "some-assumption"}).rewrite(p * q**2, Context())
    0
    """
    given = dict(given)

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        factors = sp.Mul.make_args(expression)
        return sp.Integer(0) if all(one in given or is_positive(one) for one in factors) else expression

    return Rule(
        "a product of positive factors",
        "A product of positive factors is positive. Which factors are positive by an assumption is said there.",
        rewrite,
        assumes=tuple(dict.fromkeys(given.values())),
        relation=">",
        both=False,
        key="a product of positive factors",
    )
