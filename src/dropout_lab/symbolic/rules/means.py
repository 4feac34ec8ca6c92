"""Rules about the mean over masks."""

from __future__ import annotations


import sympy as sp

from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Mean, Named, SumOverMasks, Weight, walk
from dropout_lab.symbolic.rules.base import Context, Rule, rule


def _example_masks() -> tuple[Masks, Context]:
    n, p = sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True)
    masks = Masks(n, p)
    return masks, Context((masks,))


_i, _j = sp.symbols("i j", integer=True, positive=True)
_n, _p = sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True)
_a = sp.IndexedBase("a")


def _linear_example() -> tuple[sp.Expr, Context]:
    r, context = _example_masks()
    return Mean(3 + sp.Sum(_a[_i] * r[_i], (_i, 1, _n))), context


@rule(
    "linearity of the mean",
    r"$\mathbb{E}[aX + bY] = a\,\mathbb{E}[X] + b\,\mathbb{E}[Y]$ for constants $a$, $b$, for any random $X$, $Y$, "
    r"dependent or not; the same for sums of $n$ terms, and $\mathbb{E}[c] = c$.",
    example=_linear_example,
)
def linearity(expression: sp.Expr, context: Context) -> sp.Expr:
    """The mean of a sum is the sum of the means; constants come out."""

    def change(part: sp.Basic) -> sp.Basic:
        return _linear(part.args[0], context) if isinstance(part, Mean) else part

    return walk(expression, change)


def _linear(inside: sp.Expr, context: Context) -> sp.Expr:
    if not context.is_random(inside):
        return inside
    if isinstance(inside, sp.Add):
        return sp.Add(*(_linear(part, context) for part in inside.args))
    if isinstance(inside, sp.Sum):
        return sp.Sum(_linear(inside.function, context), *inside.limits)
    if isinstance(inside, sp.Mul):
        constant = [part for part in inside.args if not context.is_random(part)]
        if constant:
            rest = sp.Mul(*(part for part in inside.args if context.is_random(part)))
            return sp.Mul(*constant) * _linear(rest, context)
    return Mean(inside)


@rule(
    "E r = p",
    r"A mask is 1 with its keep probability: $\mathbb{E}[r_i] = p$.",
    example=lambda: (Mean(_example_masks()[0][_i]), _example_masks()[1]),
)
def mean_of_mask(expression: sp.Expr, context: Context) -> sp.Expr:
    """The mean of a single mask is its keep probability."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, Mean):
            family = context.family(part.args[0])
            if family is not None:
                return family.keep_prob(*part.args[0].indices)
        return part

    return walk(expression, change)


@rule(
    "r² = r",
    r"A mask is 0 or 1, so every power of it is itself: $r_i^k = r_i$ for $k \ge 1$.",
    example=lambda: (Mean(_example_masks()[0][_i] ** 2), _example_masks()[1]),
)
def idempotence(expression: sp.Expr, context: Context) -> sp.Expr:
    """A positive power of a mask is the mask."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Pow) and context.family(part.base) is not None:
            if part.exp.is_Integer and part.exp > 0 or part.exp.is_positive:
                return part.base
        return part

    return walk(expression, change)


def _independence_example() -> tuple[sp.Expr, Context]:
    r, context = _example_masks()
    return Mean(r[1] * (r[2] + 3) ** 2), context


@rule(
    "independence",
    r"For independent $X$ and $Y$: $\mathbb{E}[XY] = \mathbb{E}[X]\,\mathbb{E}[Y]$. Expressions in different masks are "
    r"independent, if the masks are.",
    assumes=("independent-masks",),
    example=_independence_example,
)
def independence(expression: sp.Expr, context: Context) -> sp.Expr:
    """The mean of a product of expressions in different masks is the product of their means."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, Mean):
            return part
        inside = part.args[0]
        if isinstance(inside, sp.Product) and context.is_random(inside):
            return sp.Product(Mean(inside.function), *inside.limits)
        return _factored(inside, context) if isinstance(inside, sp.Mul) else part

    return walk(_guarded(expression, context), change)


def _guarded(expression: sp.Expr, context: Context) -> sp.Expr:
    """Under a sum over i ≠ j, written with the factor 1 − δ_ij, the two masks differ: their mean factorizes there."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Sum):
            return part
        pairs = {
            frozenset(delta.args[:2])
            for factor in sp.Mul.make_args(part.function)
            for delta in factor.atoms(sp.KroneckerDelta)
            if factor == 1 - delta
        }
        if not pairs:
            return part
        inner = Context(context.families, context.unknowns, context.distinct | pairs)
        function = sp.Mul(
            *(
                _factored(factor.args[0], inner) if isinstance(factor, Mean) else factor
                for factor in sp.Mul.make_args(part.function)
            )
        )
        return sp.Sum(function, *part.limits)

    return walk(expression, change)


def _factored(inside: sp.Expr, context: Context) -> sp.Expr:
    if not isinstance(inside, sp.Mul):
        return Mean(inside)
    groups: list[list[sp.Expr]] = []
    for factor in inside.args:
        if not context.is_random(factor):
            groups.append([factor])
            continue
        joined = [factor]
        for group in [group for group in groups if any(not disjoint(factor, other, context) for other in group)]:
            groups.remove(group)
            joined += group
        groups.append(joined)
    constant = sp.Mul(*(group[0] for group in groups if not context.is_random(group[0])))
    random = [sp.Mul(*group) for group in groups if context.is_random(group[0])]
    if len(random) < 2:
        return Mean(inside)
    return constant * sp.Mul(*map(Mean, random))


def disjoint(one: sp.Expr, other: sp.Expr, context: Context) -> bool:
    """Whether two expressions surely have no mask in common, nor any other random thing."""
    if not context.is_random(one) or not context.is_random(other):
        return True
    first, second = _masks_in(one, context), _masks_in(other, context)
    if first is None or second is None:
        return False
    return all(_differ(a, b, context) for a in first for b in second)


_Occurrence = tuple[sp.Indexed, dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]]


def _masks_in(expression: sp.Basic, context: Context) -> list[_Occurrence] | None:
    """All masks with the ranges of their bound indices; None if something else is random."""
    found: list[_Occurrence] = []

    def look(part: sp.Basic, ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]) -> bool:
        if context.family(part) is not None:
            found.append((part, ranges))
            return True
        if isinstance(part, Mean):
            return True
        if isinstance(part, sp.Symbol) and context.is_random(part):
            return False
        if isinstance(part, Named):
            return look(part.meaning, ranges)
        if isinstance(part, (sp.Sum, sp.Product)):
            ranges = ranges | {index: (low, high) for index, low, high in part.limits}
            return look(part.function, ranges)
        return all(look(argument, ranges) for argument in part.args)

    return found if look(expression, {}) else None


def _differ(one: _Occurrence, other: _Occurrence, context: Context) -> bool:
    first, second = one[0], other[0]
    if first.base != second.base:
        return True
    for a, b in zip(first.indices, second.indices, strict=True):
        if frozenset((a, b)) in context.distinct:
            return True
        low_a, high_a = one[1].get(a, (a, a))
        low_b, high_b = other[1].get(b, (b, b))
        if (low_a - high_b).is_positive or (low_b - high_a).is_positive:
            return True
    return False


@rule(
    "a mean is a sum over masks",
    r"$\mathbb{E}[X] = \sum_r \pi_r X(r)$: there are finitely many masks, and $\pi_r$ is the probability of the mask $r$.",
    example=lambda: (Mean(2 ** _example_masks()[0][1]), _example_masks()[1]),
)
def mean_as_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """A mean written out as the sum over all masks, each with its probability."""

    def change(part: sp.Basic) -> sp.Basic:
        return SumOverMasks(Weight() * part.args[0]) if isinstance(part, Mean) else part

    return walk(expression, change)


def _weight_example() -> tuple[sp.Expr, Context]:
    r, context = _example_masks()
    return SumOverMasks(Weight() * 2 ** r[1]), context


@rule(
    "probability of a mask",
    r"$\pi_r = \prod_i \big(p\,r_i + (1 - p)(1 - r_i)\big)$: a factor $p$ for each unit that is kept, $1 - p$ for each that is "
    r"dropped, as the probabilities of independent events are multiplied.",
    assumes=("independent-masks",),
    example=_weight_example,
)
def weight_of_mask(expression: sp.Expr, context: Context) -> sp.Expr:
    """The probability of a whole mask as the product of those of its zeros and ones."""
    taken = {symbol.name for symbol in expression.atoms(sp.Symbol)}
    letters = [sp.Symbol(name, integer=True, positive=True) for name in "ijklmst" if name not in taken]

    def of(family: Masks) -> sp.Expr:
        index = tuple(letters[: len(family.size)])
        mask, keep = family[index], family.keep_prob(*index)
        limits = ((one, 1, extent) for one, extent in zip(index, family.size, strict=True))
        return sp.Product(keep * mask + (1 - keep) * (1 - mask), *limits)

    def change(part: sp.Basic) -> sp.Basic:
        return sp.Mul(*map(of, context.families)) if isinstance(part, Weight) and context.families else part

    return walk(expression, change)


def _fair_example() -> tuple[sp.Expr, Context]:
    masks = Masks(2, sp.Rational(1, 2))
    return Mean(2 ** masks[1]), Context((masks,))


@rule(
    "r and 1 − r have the same law",
    r"At $p = \tfrac12$ a mask and its complement have the same law, so "
    r"$\mathbb{E}[f(r)] = \tfrac12\,\mathbb{E}[f(r) + f(1 - r)]$.",
    assumes=("fair-coin",),
    both=False,
    example=_fair_example,
)
def symmetry(expression: sp.Expr, context: Context) -> sp.Expr:
    """A mean over fair masks is the mean over the masks and their complements."""
    half = sp.Rational(1, 2)

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, Mean):
            return part
        masks = [one for one in part.args[0].atoms(sp.Indexed) if context.family(one) is not None]
        if not masks or any(context.family(one).keep_prob(*one.indices) != half for one in masks):  # type: ignore[union-attr]
            return part
        inside = part.args[0]
        return Mean(half * (inside + inside.xreplace({one: 1 - one for one in masks})))

    return walk(expression, change)


def two_outcomes(mask: sp.Indexed) -> Rule:
    """Average over one mask by its two outcomes: E X = p E[X at r = 1] + (1 − p) E[X at r = 0].

    Needs that the mask is independent of everything else in X, if there is anything else.
    """

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        family = context.family(mask)
        if family is None:
            raise ValueError(f"{mask} is no mask of this chain")
        keep = family.keep_prob(*mask.indices)

        def change(part: sp.Basic) -> sp.Basic:
            if not isinstance(part, Mean) or not part.args[0].has(mask):
                return part
            one, zero = (part.args[0].xreplace({mask: sp.Integer(bit)}) for bit in (1, 0))
            for value in (one, zero):
                if not disjoint(mask, value, context):
                    return part
            averages = [Mean(value) if context.is_random(value) else value for value in (one, zero)]
            return keep * averages[0] + (1 - keep) * averages[1]

        return walk(expression, change)

    return Rule(
        f"the mask {sp.sstr(mask)} is 1 or 0",
        r"$\mathbb{E}[X] = p\,\mathbb{E}[X \text{ at } r = 1] + (1 - p)\,\mathbb{E}[X \text{ at } r = 0]$ for a mask $r$ "
        "that is independent of everything else in $X$.",
        rewrite,
        assumes=("independent-masks",),
        key="a mask is 1 or 0",
    )
