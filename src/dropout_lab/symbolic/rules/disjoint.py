"""Whether two expressions have a mask in common: what independence, covariances and sums over different indices ask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import sympy as sp

from dropout_lab.symbolic.binding import BINDERS, put
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator
from dropout_lab.symbolic.rules.base import Context

#: A mask, with the ranges of the indices that are bound where it stands.
_Occurrence = tuple[sp.Indexed, dict[sp.Basic, tuple[sp.Expr, sp.Expr]]]


def disjoint(one: sp.Expr, other: sp.Expr, context: Context) -> bool:
    """Tell whether two expressions surely have no mask in common, nor any other random thing."""
    if not context.is_random(one) or not context.is_random(other):
        return True
    numbers = count()
    first: list[_Occurrence] = []
    second: list[_Occurrence] = []
    if not _masks_in(one, {}, context, first, numbers) or not _masks_in(other, {}, context, second, numbers):
        return False
    return all(_differ(a, b, context) for a in first for b in second)


def _masks_in(part: sp.Basic, ranges: dict, context: Context, found: list[_Occurrence], numbers: Iterator[int]) -> bool:
    """Collect all masks, their bound indices renamed apart; False if something else is random."""
    if context.family(part) is not None:
        found.append((part, ranges))
        return True
    if isinstance(part, Operator) or not context.is_random(part):
        return True
    if isinstance(part, sp.Symbol):
        return False
    if isinstance(part, Named):
        return _masks_in(part.meaning, ranges, context, found, numbers)
    if isinstance(part, BINDERS):
        names: dict[sp.Basic, sp.Basic] = {}
        own = dict(ranges)
        for index, *ends in reversed(part.limits):
            low, high = (put(end, names) for end in ends) if len(ends) == 2 else (-sp.oo, sp.oo)
            names[index] = sp.Dummy(f"b{next(numbers)}", **index.assumptions0)
            own[names[index]] = (low, high)
        return _masks_in(put(part.function, names), own, context, found, numbers)
    return all(_masks_in(argument, ranges, context, found, numbers) for argument in part.args)


def _differ(one: _Occurrence, other: _Occurrence, context: Context) -> bool:
    first, second = one[0], other[0]
    if first.base != second.base:
        return True
    for a, b in zip(first.indices, second.indices, strict=True):
        if frozenset((a, b)) in context.distinct:
            return True
        low_a, high_a = _ends(a, one[1])
        low_b, high_b = _ends(b, other[1])
        if (low_a - high_b).is_positive or (low_b - high_a).is_positive:
            return True
    return False


def _ends(index: sp.Expr, ranges: dict) -> tuple[sp.Expr, sp.Expr]:
    """The least and the largest value of an index such as i + 1, for a bound i; the ends hold no bound index."""
    bound = index.free_symbols & set(ranges)
    if not bound:
        return index, index
    shift = index - next(iter(bound))
    if len(bound) > 1 or shift.free_symbols & bound:
        return -sp.oo, sp.oo
    low, high = ranges[next(iter(bound))]
    if (low.free_symbols | high.free_symbols) & set(ranges):
        return -sp.oo, sp.oo
    return low + shift, high + shift
