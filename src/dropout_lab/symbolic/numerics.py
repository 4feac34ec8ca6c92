"""Numerical values of unevaluated integrals, derivatives, limits and infinite sums, by methods that know no
calculus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mpmath
import sympy as sp

from dropout_lab.symbolic.kinks import quadrature

#: The operators that are evaluated numerically, with the name of the method in print.
METHODS = {
    sp.Integral: "quadrature",
    sp.Derivative: "difference quotients",
    sp.Limit: "extrapolation",
    sp.Subs: "substitution",
}
_OPERATORS = (*METHODS, sp.Sum)

_Function = Callable[[Mapping[sp.Symbol, mpmath.mpf]], mpmath.mpf]


def numeric(expression: sp.Expr) -> sp.Expr:
    """The value of an expression without free symbols, at mpmath's working precision."""
    value = _compiled(sp.sympify(expression))({})
    return sp.sympify(value)


def _compiled(expression: sp.Expr) -> _Function:
    """A function of the values of the free symbols."""
    if isinstance(expression, sp.Integral):
        return _integral(expression)
    if isinstance(expression, sp.Subs):
        return _substituted(expression)
    if isinstance(expression, sp.Derivative):
        return _derivative(expression)
    if isinstance(expression, sp.Limit):
        return _limit(expression)
    if isinstance(expression, sp.Sum):
        return _sum(expression)
    operators = {part: sp.Dummy() for part in sorted(_topmost(expression), key=sp.default_sort_key)}
    shell = expression.xreplace(operators)
    symbols = sorted(shell.free_symbols - set(operators.values()), key=str)
    parts = [_compiled(part) for part in operators]
    function = sp.lambdify([*symbols, *operators.values()], shell, "mpmath")
    return lambda at: function(*[at[symbol] for symbol in symbols], *[part(at) for part in parts])


def _topmost(expression: sp.Expr) -> set[sp.Expr]:
    if isinstance(expression, _OPERATORS):
        return {expression}
    return set().union(*[_topmost(part) for part in expression.args])


def _integral(expression: sp.Integral) -> _Function:
    (variable, low, high), rest = expression.limits[-1], expression.limits[:-1]
    inner = _compiled(sp.Integral(expression.function, *rest) if rest else expression.function)
    ends = [_compiled(low), _compiled(high)]

    def value(at: Mapping[sp.Symbol, mpmath.mpf]) -> mpmath.mpf:
        lower, upper = (end(at) for end in ends)
        return quadrature(lambda x: inner({**at, variable: x}), lower, upper)

    return value


def _substituted(expression: sp.Subs) -> _Function:
    inner, points = _compiled(expression.expr), [_compiled(point) for point in expression.point]
    return lambda at: inner({**at, **{v: point(at) for v, point in zip(expression.variables, points, strict=True)}})


def _derivative(expression: sp.Derivative) -> _Function:
    inner, variables = _compiled(expression.expr), [variable for variable, _ in expression.variable_count]
    orders = tuple(int(count) for _, count in expression.variable_count)

    def value(at: Mapping[sp.Symbol, mpmath.mpf]) -> mpmath.mpf:
        point = tuple(at[variable] for variable in variables)
        return mpmath.diff(lambda *x: inner({**at, **dict(zip(variables, x, strict=True))}), point, orders)

    return value


def _limit(expression: sp.Limit) -> _Function:
    function, variable, point, side = expression.args
    inner, at_point = _compiled(function), _compiled(point)
    direction = -1 if str(side) == "-" else 1
    return lambda at: mpmath.limit(lambda x: inner({**at, variable: x}), at_point(at), direction=direction)


def _sum(expression: sp.Sum) -> _Function:
    (variable, low, high), rest = expression.limits[-1], expression.limits[:-1]
    inner = _compiled(sp.Sum(expression.function, *rest) if rest else expression.function)
    ends = [_compiled(low), _compiled(high)]
    return lambda at: mpmath.nsum(lambda k: inner({**at, variable: k}), [end(at) for end in ends])
