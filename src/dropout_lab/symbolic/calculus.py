"""How integrals, derivatives, limits and cases get numbers: by quadrature, differences and extrapolation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import sympy as sp

from dropout_lab.symbolic.arithmetic import DIGITS, PRECISE, NotExact, as_python
from dropout_lab.symbolic.compiler import Compiled, Compiler, Point, compiles
from dropout_lab.symbolic.kinks import quadrature
from dropout_lab.symbolic.letters import SlopeAt
from dropout_lab.symbolic.operators import ImaginaryPart

_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    sp.StrictLessThan: lambda one, other: one < other,
    sp.LessThan: lambda one, other: one <= other,
    sp.StrictGreaterThan: lambda one, other: one > other,
    sp.GreaterThan: lambda one, other: one >= other,
    sp.Eq: lambda one, other: one == other,
    sp.Ne: lambda one, other: one != other,
}


@compiles(sp.Derivative)
def _derivative(compiler: Compiler, expression: sp.Derivative) -> Compiled:
    inner = compiler.compile(expression.expr)
    if compiler.arithmetic.name == "exact":
        raise NotExact("derivatives are taken by differences of 50 digits")
    variables = [(variable, int(count)) for variable, count in expression.variable_count]
    orders = tuple(count for _, count in variables)
    places = [_place(compiler, variable) for variable, _ in variables]

    def value(at: Point) -> Any:
        where = [place(at) for place in places]
        start = [compiler.compile(variable)(at) for variable, _ in variables]
        return _differences(compiler, inner, where, start, orders, at)

    return value


@compiles(SlopeAt)
def _slope(compiler: Compiler, expression: SlopeAt) -> Compiled:
    if compiler.arithmetic.name == "exact":
        raise NotExact("derivatives are taken by differences of 50 digits")
    function, inner = compiler.unknowns[str(expression.args[0])], compiler.compile(expression.args[1])
    order, quick = int(expression.args[2]), compiler.arithmetic.name == "float"
    if quick and order == 1:
        step = 1e-5
        return lambda at: (function(inner(at) + step) - function(inner(at) - step)) / (2 * step)

    def derivative(at: Point) -> Any:
        # Differences of a high order lose too many of the digits of a floating point number.
        with mpmath.workdps(DIGITS):
            value = mpmath.diff(function, mpmath.mpmathify(inner(at)), order)
        return float(value) if quick else value

    return derivative


@compiles(ImaginaryPart)
def _imaginary_part(compiler: Compiler, expression: ImaginaryPart) -> Compiled:
    inner, part = compiler.compile(expression.args[0]), compiler.arithmetic.function("im")
    return lambda at: part(inner(at))


def _place(compiler: Compiler, variable: sp.Expr) -> Callable[[Point], Any]:
    if isinstance(variable, sp.Indexed):
        base, indices = str(variable.base.label), [compiler.compile(index) for index in variable.indices]
        return lambda at: (base, tuple(int(index(at)) for index in indices))
    return lambda at: variable


def _differences(
    compiler: Compiler, inner: Compiled, where: list[Any], start: list[Any], orders: tuple[int, ...], at: Point
) -> Any:
    def moved(*values: Any) -> Any:
        saved = dict(at.symbols), dict(at.entries)
        at.moved += 1
        try:
            for place, value in zip(where, values, strict=True):
                (at.entries if isinstance(place, tuple) else at.symbols)[place] = value
            return inner(at)
        finally:
            at.moved -= 1
            at.symbols, at.entries = saved

    if compiler.arithmetic.name == "float" and sum(orders) == 1:
        step = 1e-5
        return (moved(start[0] + step) - moved(start[0] - step)) / (2 * step)
    with mpmath.workdps(DIGITS):
        return mpmath.diff(moved, tuple(map(mpmath.mpmathify, start)), orders)


@compiles(sp.Integral)
def _integral(compiler: Compiler, expression: sp.Integral) -> Compiled:
    (variable, low, high), rest = expression.limits[-1], expression.limits[:-1]
    inner = compiler.compile(sp.Integral(expression.function, *rest) if rest else expression.function)
    if compiler.arithmetic.name == "exact":
        raise NotExact("an integral is taken by quadrature")
    ends = [compiler.compile(low), compiler.compile(high)]
    # An integral inside another one is asked for many times, mostly with its kinks at the same places.
    kinks: list[Any] = []

    def value(at: Point) -> Any:
        del kinks[:-4]
        lower, upper = (mpmath.mpmathify(end(at)) for end in ends)

        def integrand(x: Any) -> Any:
            return _at_value(inner, variable, x, at)

        return quadrature(integrand, lower, upper, precise=compiler.arithmetic.name == "precise", known=kinks)

    return value


def _at_value(inner: Compiled, variable: sp.Symbol, x: Any, at: Point) -> Any:
    """The inner formula with the variable at ``x``; the variable has its own value again afterwards."""
    saved = at.symbols.get(variable)
    at.symbols[variable] = x
    at.moved += 1
    try:
        return inner(at)
    finally:
        at.moved -= 1
        if saved is None:
            at.symbols.pop(variable, None)
        else:
            at.symbols[variable] = saved


@compiles(sp.Limit)
def _limit(compiler: Compiler, expression: sp.Limit) -> Compiled:
    function, variable, point, side = expression.args
    if compiler.arithmetic.name == "exact":
        raise NotExact("a limit is taken by extrapolation")
    quick = compiler.arithmetic.name == "float"
    # Extrapolation takes the digits that a floating point number does not have.
    own = compiler.with_arithmetic(PRECISE) if quick else compiler
    inner, target = own.compile(function), own.compile(point)
    direction = -1 if str(side) == "-" else 1

    def value(at: Point) -> Any:
        there = at.with_arithmetic(PRECISE) if quick else at

        def near(x: Any) -> Any:
            return _at_value(inner, variable, x, there)

        found = mpmath.limit(near, target(there), direction=direction)
        return as_python(found) if quick else found

    return value


@compiles(sp.Subs)
def _subs(compiler: Compiler, expression: sp.Subs) -> Compiled:
    inner = compiler.compile(expression.expr)
    points = [
        (variable, compiler.compile(point))
        for variable, point in zip(expression.variables, expression.point, strict=True)
    ]

    def value(at: Point) -> Any:
        saved = dict(at.symbols)
        values = {variable: point(at) for variable, point in points}
        at.moved += 1
        try:
            at.symbols.update(values)
            return inner(at)
        finally:
            at.moved -= 1
            at.symbols = saved

    return value


@compiles(sp.Piecewise)
def _piecewise(compiler: Compiler, expression: sp.Piecewise) -> Compiled:
    pieces = [(compiler.compile(value), _condition(compiler, condition)) for value, condition in expression.args]

    def value(at: Point) -> Any:
        for piece, holds in pieces:
            if holds(at):
                return piece(at)
        raise ValueError(f"no case of {expression} holds")

    return value


def _condition(compiler: Compiler, condition: sp.Basic) -> Callable[[Point], bool]:
    if condition in (sp.true, sp.false):
        return lambda at: bool(condition)
    compare = _COMPARISONS[type(condition)]
    one, other = (compiler.compile(side) for side in condition.args)
    return lambda at: compare(one(at), other(at))
