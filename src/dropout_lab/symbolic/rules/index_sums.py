"""Rules about sums over indices: algebra, the diagonal, Kronecker deltas, the last term, closed forms."""

from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from dropout_lab.symbolic.algebra import multiplied_out
from dropout_lab.symbolic.binding import is_not_empty, put
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.rules.base import Context, rule, walk_within

_i, _j = sp.symbols("i j", integer=True, positive=True)
_n = sp.Symbol("n", integer=True, positive=True)
_a, _b = sp.IndexedBase("a"), sp.IndexedBase("b")
_plain = Context()


@rule(
    "algebra",
    r"Sums, products and quotients of numbers, and finite sums $\sum_i$ of them, by the laws of arithmetic; "
    r"$e^{a + b} = e^a e^b$, $x^{a + b} = x^a x^b$ for $x > 0$. Means, variances and functions are left whole.",
    is_algebra=True,
    example=lambda: ((sp.Sum(_a[_i], (_i, 1, _n)) - 1) ** 2, _plain),
)
def algebra(expression: sp.Expr, context: Context) -> sp.Expr:
    """Multiply everything out."""
    return multiplied_out(expression)


def _diagonal_example() -> tuple[sp.Expr, Context]:
    return sp.Sum(_a[_i] * _b[_j], (_i, 1, _n), (_j, 1, _n)), _plain


@rule(
    "split off the diagonal",
    r"$\sum_{i,j} f(i, j) = \sum_{i \ne j} f(i, j) + \sum_i f(i, i)$.",
    example=_diagonal_example,
)
def split_diagonal(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a double sum over one range as the sum over different indices and the sum over equal ones."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Sum) or len(part.limits) != 2:
            return part
        (i, *first), (j, *second) = part.limits
        if first != second or not {i, j} <= part.function.free_symbols:
            return part
        delta = sp.KroneckerDelta(i, j)
        if part.function.has(delta):
            return part
        return sp.Sum(part.function * (1 - delta), *part.limits) + sp.Sum(put(part.function, {j: i}), part.limits[0])

    return walk(expression, change)


def _delta_example() -> tuple[sp.Expr, Context]:
    k = sp.Symbol("k", integer=True, positive=True)
    return sp.Sum(_a[_i] * sp.KroneckerDelta(_i, k), (_i, 1, _n)), _plain


@rule(
    "a delta picks one term",
    r"$\sum_i f(i)\,\delta_{ik} = f(k)$ for $k$ in the range of the sum; it is 0 for a $k$ outside.",
    example=_delta_example,
)
def delta_picks(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a sum with a Kronecker delta as a factor as its one term."""

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        return used_up(part, here) if isinstance(part, sp.Sum) else part

    return walk_within(expression, context, change)


def used_up(total: sp.Sum, context: Context, only: Collection[sp.Expr] | None = None) -> sp.Expr:
    """A sum whose Kronecker deltas over its own indices are used up; ``only`` names those that may be.

    A free index is taken to lie in the range of the sum, unless it is a number or bound by a sum further out: then it
    is looked at. Of two ranges of the sum that overlap, the index that stays has what they have in common. A delta that
    is no factor, or whose index may leave the range, is left alone.
    """
    if isinstance(total.function, sp.Add):
        return sp.Add(*(used_up(sp.Sum(part, *total.limits), context, only) for part in total.function.args))
    limits = list(total.limits)
    for delta in [factor for factor in sp.Mul.make_args(total.function) if isinstance(factor, sp.KroneckerDelta)]:
        if only is not None and delta not in only:
            continue
        for gone, kept in (delta.args[:2], delta.args[1::-1]):
            own = next((limit for limit in limits if limit[0] == gone), None)
            if own is None or any(gone in end.free_symbols for limit in limits for end in limit[1:]):
                continue
            inside = _inside(kept, own, context.under(limits))
            common = _common(kept, own, limits) if inside is None else None
            if inside is None and common is None:
                continue
            if inside is False:
                return sp.Integer(0)
            rest = [common if common and limit[0] == kept else limit for limit in limits if limit is not own]
            function = sp.Mul(*(factor for factor in sp.Mul.make_args(total.function) if factor != delta))
            function = put(function, {gone: kept})
            return used_up(sp.Sum(function, *rest), context, only) if rest else function
    return total


def _inside(kept: sp.Expr, own: tuple, context: Context) -> bool | None:
    """Whether an index lies in a range: True, False, or None where that is open."""
    _, low, high = own
    if context.range(kept) == (low, high):
        return True
    if kept.is_Symbol and context.range(kept) is None:
        return True
    least, largest = context.range(kept) or (kept, kept)
    if (largest - low).is_negative or (high - least).is_negative:
        return False
    return True if (least - low).is_nonnegative and (high - largest).is_nonnegative else None


def _common(kept: sp.Expr, own: tuple, limits: Collection[tuple]) -> sp.Tuple | None:
    """The range that two indices of one sum have in common, for the one that stays; None where that is open."""
    other = next((limit for limit in limits if limit[0] == kept), None)
    if other is None or {own[0], kept} & sp.Tuple(*own[1:], *other[1:]).free_symbols:
        return None
    (_, first, last), (_, second, final) = own, other
    low = first if (first - second).is_nonnegative else second if (second - first).is_nonnegative else None
    high = last if (final - last).is_nonnegative else final if (last - final).is_nonnegative else None
    # An empty range that ends before it begins by more than 1 is no sum of SymPy's.
    if low is None or high is None or not (high - low + 1).is_nonnegative:
        return None
    return sp.Tuple(kept, low, high)


def _last_example() -> tuple[sp.Expr, Context]:
    return sp.Sum(_a[_i], (_i, 1, _n + 1)), _plain


@rule(
    "the last term",
    r"$\sum_{i=1}^{n+1} f(i) = \sum_{i=1}^{n} f(i) + f(n + 1)$, and the same for products.",
    example=_last_example,
)
def last_term(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write sums and products up to n + 1 as those up to n and the last term."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, (sp.Sum, sp.Product)) or len(part.limits) != 1:
            return part
        ((index, low, high),) = part.limits
        number, symbols = high.as_coeff_Add()
        if number != 1 or not symbols.is_Symbol or not (low == 1 or is_not_empty(low, high)):
            return part
        rest, last = part.func(part.function, (index, low, high - 1)), put(part.function, {index: high})
        return rest + last if isinstance(part, sp.Sum) else rest * last

    return walk(expression, change)


def _shift_example() -> tuple[sp.Expr, Context]:
    return sp.Sum(_a[_i - 1] * _b[_i], (_i, 2, _n + 1)), _plain


@rule(
    "shift of an index",
    r"$\sum_{i=c+1}^{n+c} f(i) = \sum_{i=1}^{n} f(i + c)$: the terms are numbered from 1, and the same for products.",
    example=_shift_example,
)
def shifted(expression: sp.Expr, context: Context) -> sp.Expr:
    """Number the terms of sums and products over one index from 1, where they begin elsewhere."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, (sp.Sum, sp.Product)) or len(part.limits) != 1:
            return part
        ((index, low, high),) = part.limits
        if low == 1 or low.is_infinite or high.is_infinite:
            return part
        return part.func(put(part.function, {index: index + low - 1}), (index, 1, high - low + 1))

    return walk(expression, change)


@rule(
    "no terms",
    r"A sum over no index is 0, a product over none is 1: $\sum_{i=1}^{0} f(i) = 0$, $\prod_{i=1}^{0} f(i) = 1$.",
    example=lambda: (sp.Sum(_a[_i], (_i, 1, 0)) + 3, _plain),
)
def no_terms(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write sums and products over an empty range as 0 and 1."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, (sp.Sum, sp.Product)) and any(high == low - 1 for _, low, high in part.limits):
            return sp.Integer(0 if isinstance(part, sp.Sum) else 1)
        return part

    return walk(expression, change)


@rule(
    "closed form of a sum",
    r"A known sum that has its closed form without a condition, such as $\sum_{i=1}^{n} i = n(n + 1)/2$.",
    example=lambda: (sp.Sum(_i, (_i, 1, _n)), _plain),
)
def closed_form(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a sum in the closed form that SymPy knows."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, (sp.Sum, sp.Product)) and not part.has(sp.Indexed, sp.KroneckerDelta, Operator, Named):
            found = part.doit()
            return part if found.has(sp.Piecewise, sp.Sum, sp.Product) else found
        return part

    return walk(expression, change)


@rule(
    "sums of minima",
    r"$\min(a, b) + \min(c, d) = \min(a + c, a + d, b + c, b + d)$: the smaller of each makes the smallest sum. And "
    r"$-\max(a, b) = \min(-a, -b)$.",
    example=lambda: (sp.Min(_a[1], _a[2]) - sp.Max(_b[1], 3), _plain),
)
def sums_of_minima(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a sum with minima, and with maxima that are subtracted, as one minimum."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Add):
            return part
        rest, least = sp.Integer(0), [sp.Integer(0)]
        for term in part.args:
            if isinstance(term, sp.Min):
                least = [one + other for one in least for other in term.args]
            elif isinstance(-term, sp.Max):
                least = [one - other for one in least for other in (-term).args]
            else:
                rest += term
        return sp.Min(*(rest + one for one in least)) if len(least) > 1 else part

    return walk(expression, change)


def _band_example() -> tuple[sp.Expr, Context]:
    inner = (_j, sp.Max(1, _i - 2), sp.Min(_i, _n))
    return sp.Sum(_a[_i] * _b[_j], inner, (_i, 1, _n + 2)), _plain


@rule(
    "order of summation",
    r"The pairs with $1 \le j \le n$ and $j \le i \le j + m$ may be counted by $i$ or by $j$: "
    r"$\sum_{i=1}^{n+m} \sum_{j=\max(1, i-m)}^{\min(i, n)} f(i, j) = \sum_{j=1}^{n} \sum_{i=j}^{j+m} f(i, j)$.",
    example=_band_example,
)
def order_of_summation(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a double sum over a band with the sum first over the index that runs along it."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Sum) or len(part.limits) != 2:
            return part
        (inner, low, high), (outer, first, last) = part.limits
        if not isinstance(low, sp.Max) or not isinstance(high, sp.Min) or first != 1:
            return part
        if len(low.args) != 2 or len(high.args) != 2 or 1 not in low.args or outer not in high.args:
            return part
        (back,), (number,) = set(low.args) - {1}, set(high.args) - {outer}
        width = outer - back
        free = {inner, outer}.isdisjoint(number.free_symbols | width.free_symbols)
        if not free or not width.is_nonnegative or sp.expand(last - number - width) != 0:
            return part
        return sp.Sum(part.function, (outer, inner, inner + width), (inner, 1, number))

    return walk(expression, change)


@rule(
    "write the terms out",
    r"A sum over a range that is a number is the sum of its terms: $\sum_{i=1}^{2} f(i) = f(1) + f(2)$.",
    example=lambda: (sp.Sum(_a[_i], (_i, 1, 2)), _plain),
)
def written_out(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write sums and products over ranges of numbers out, term by term."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, (sp.Sum, sp.Product)) or len(part.limits) != 1:
            return part
        ((index, low, high),) = part.limits
        if not (low.is_Integer and high.is_Integer):
            return part
        terms = [put(part.function, {index: sp.Integer(k)}) for k in range(int(low), int(high) + 1)]
        return sp.Add(*terms) if isinstance(part, sp.Sum) else sp.Mul(*terms)

    return walk(expression, change)
