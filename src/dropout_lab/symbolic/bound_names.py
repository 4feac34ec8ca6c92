"""Equality of expressions up to the names of their bound indices."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count

import sympy as sp

from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.parts import rebuilt


@lru_cache(maxsize=1 << 15)
def standard_names(expression: sp.Basic) -> sp.Basic:
    """The same expression with bound indices named by their depth, so that only their names can make no difference."""
    if not expression.has(sp.Sum, sp.Product, sp.Integral):
        return expression
    # First every bound index becomes a symbol that stands nowhere else, so that no later name can be caught by a sum.
    numbers = count()
    apart = _with_bound(expression, lambda symbol, _: _numbered("@", next(numbers), symbol), 0)
    return _with_bound(apart, lambda symbol, place: _numbered("#", place, symbol), 0)


def _numbered(mark: str, number: int, symbol: sp.Symbol) -> sp.Symbol:
    return sp.Symbol(f"{mark}{number}", integer=True) if symbol.is_integer else sp.Symbol(f"{mark}{number}", real=True)


def _with_bound(expression: sp.Basic, name: Callable[[sp.Symbol, int], sp.Symbol], depth: int) -> sp.Basic:
    if isinstance(expression, (sp.Lambda, sp.Indexed)) or not expression.args:
        return expression
    if isinstance(expression, Named):
        return Named(*expression.args[:2], *(_with_bound(part, name, depth) for part in expression.args[2:]))
    if isinstance(expression, (sp.Sum, sp.Product, sp.Integral)):
        limits, inner = list(expression.limits), expression.function
        while type(inner) is type(expression):
            limits, inner = [*inner.limits, *limits], inner.function
        names = {limit[0]: name(limit[0], depth + place) for place, limit in enumerate(limits)}
        below = depth + len(limits)
        named = [
            (names[limit[0]], *(_with_bound(part.xreplace(names), name, below) for part in limit[1:]))
            for limit in limits
        ]
        return expression.func(_with_bound(inner.xreplace(names), name, below), *named)
    arguments = [_with_bound(argument, name, depth) for argument in expression.args]
    if all(new is old for new, old in zip(arguments, expression.args, strict=True)):
        return expression
    return rebuilt(expression, arguments)


def same(one: sp.Basic, other: sp.Basic) -> bool:
    """Whether two expressions are one, whatever their bound indices are called."""
    if one == other:
        return True
    if type(one) is not type(other) or len(one.args) != len(other.args):
        return False
    return standard_names(one) == standard_names(other)
