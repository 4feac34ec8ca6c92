"""Rules about the mean over masks."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from dropout_lab.symbolic.binding import fresh, put
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Mean, Operator, SumOverMasks, Weight
from dropout_lab.symbolic.parts import rebuilt, walk
from dropout_lab.symbolic.printing import printed
from dropout_lab.symbolic.rules.base import Context, Rule, rule, walk_within
from dropout_lab.symbolic.rules.disjoint import disjoint


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
    """Take the mean of a sum term by term; constants come out."""

    def change(part: sp.Basic) -> sp.Basic:
        return _linear(part.args[0], context) if isinstance(part, Mean) else part

    return walk(expression, change)


def _linear(inside: sp.Expr, context: Context) -> sp.Expr:
    if not context.is_random(inside):
        return inside
    if isinstance(inside, sp.Add):
        return sp.Add(*(_linear(part, context) for part in inside.args))
    if isinstance(inside, sp.Sum) and not any(map(context.is_random, inside.limits)):
        return sp.Sum(_linear(inside.function, context), *inside.limits)
    if isinstance(inside, sp.Mul):
        constant = [part for part in inside.args if not context.is_random(part)]
        if constant:
            rest = sp.Mul(*(part for part in inside.args if context.is_random(part)))
            return sp.Mul(*constant) * _linear(rest, context)
    return Mean(inside)


def _under_integral_example() -> tuple[sp.Expr, Context]:
    r, context = _example_masks()
    x = sp.Symbol("x", real=True)
    return Mean(sp.Integral(sp.exp(-x * (1 + r[1])), (x, 0, sp.oo))), context


@rule(
    "mean of an integral",
    r"$\mathbb{E} \int f(x, r)\,dx = \int \mathbb{E} f(x, r)\,dx$: the mean over finitely many masks is a finite sum, "
    "and the integral of a sum is the sum of the integrals.",
    example=_under_integral_example,
)
def mean_of_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take a mean inside an integral, whose ends are not random."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, Mean) or not isinstance(part.args[0], sp.Integral):
            return part
        inside = part.args[0]
        if not context.is_random(inside.function) or any(map(context.is_random, inside.limits)):
            return part
        return sp.Integral(Mean(inside.function), *inside.limits)

    return walk(expression, change)


@rule(
    r"$\mathbb{E}\,r = p$",
    r"A mask is 1 with its keep probability: $\mathbb{E}[r_i] = p$.",
    example=lambda: (Mean(_example_masks()[0][_i]), _example_masks()[1]),
)
def mean_of_mask(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the mean of a single mask as its keep probability."""

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        if isinstance(part, Mean) and here.family(part.args[0]) is not None:
            return here.keep_prob(part.args[0])
        return part

    return walk_within(expression, context, change)


@rule(
    "$r^2 = r$",
    r"A mask is 0 or 1, so every power of it is itself: $r_i^k = r_i$ for $k \ge 1$. The same holds for $1 - r_i$ and "
    "for products of these.",
    example=lambda: (Mean(_example_masks()[0][_i] ** 2), _example_masks()[1]),
)
def idempotence(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a positive power of what is 0 or 1 as the thing itself."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Pow) and part.exp.is_positive and _is_zero_or_one(part.base, context):
            return part.base
        return part

    return walk(expression, change)


def _is_zero_or_one(part: sp.Basic, context: Context) -> bool:
    """Whether an expression is a mask, one minus a mask, or a product of these."""
    if isinstance(part, sp.Product):
        return _is_zero_or_one(part.function, context)
    if isinstance(part, sp.Mul):
        return all(_is_zero_or_one(factor, context) for factor in part.args)
    return context.family(part) is not None or (part.is_Add and context.family(1 - part) is not None)


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
    """Write the mean of a product of expressions in different masks as the product of their means."""

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        if isinstance(part, Mean):
            inside = part.args[0]
            return _of_product(inside, here) if isinstance(inside, sp.Product) else _factored(inside, here)
        return _guarded(part, here) if isinstance(part, sp.Sum) else part

    return walk_within(expression, context, change)


def _of_product(inside: sp.Product, context: Context) -> sp.Expr:
    """E of a product over an index, if no two of its factors have a mask in common; one index after the other."""
    (limit, rest) = inside.limits[-1], inside.limits[:-1]
    factor = sp.Product(inside.function, *rest) if rest else inside.function
    if not context.is_random(factor) or any(map(context.is_random, limit[1:])):
        return Mean(inside)
    here = context.under([limit])
    other = fresh(limit[0], factor.atoms(sp.Symbol) | sp.Tuple(*limit).atoms(sp.Symbol))
    apart = replace(here, distinct=here.distinct | {frozenset((limit[0], other))})
    if not disjoint(factor, put(factor, {limit[0]: other}), apart):
        return Mean(inside)
    return sp.Product(_of_product(factor, here) if rest else Mean(factor), limit)


def _guarded(part: sp.Sum, context: Context) -> sp.Expr:
    """Under a sum over i ≠ j, written with the factor 1 − δ_ij, the two masks differ: their mean factorizes there."""
    factors = sp.Mul.make_args(part.function)
    guards = [
        frozenset(one.args[:2]) for factor in factors if _is_guard(factor) for one in factor.atoms(sp.KroneckerDelta)
    ]
    if not guards:
        return part
    here = context.under(part.limits)
    here = replace(here, distinct=here.distinct | frozenset(guards))
    done = (_factored(factor.args[0], here) if isinstance(factor, Mean) else factor for factor in factors)
    return sp.Sum(sp.Mul(*done), *part.limits)


def _is_guard(factor: sp.Expr) -> bool:
    """Whether a factor is 1 − δ."""
    deltas = factor.atoms(sp.KroneckerDelta)
    return len(deltas) == 1 and factor == 1 - next(iter(deltas))


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
    return constant * sp.Mul(
        *(_of_product(one, context) if isinstance(one, sp.Product) else Mean(one) for one in random)
    )


@rule(
    "a mean is a sum over masks",
    r"$\mathbb{E}[X] = \sum_r \pi_r X(r)$: there are finitely many masks, and $\pi_r$ is the probability of the mask "
    r"$r$.",
    example=lambda: (Mean(2 ** _example_masks()[0][1]), _example_masks()[1]),
)
def mean_as_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a mean out as the sum over all masks, each with its probability."""

    def change(part: sp.Basic) -> sp.Basic:
        return SumOverMasks(Weight() * part.args[0]) if isinstance(part, Mean) else part

    return walk(expression, change)


def _weight_example() -> tuple[sp.Expr, Context]:
    r, context = _example_masks()
    return SumOverMasks(Weight() * 2 ** r[1]), context


@rule(
    "probability of a mask",
    r"$\pi_r = \prod_i \big(p\,r_i + (1 - p)(1 - r_i)\big)$: a factor $p$ for each unit that is kept, $1 - p$ for "
    r"each that is dropped, as the probabilities of independent events are multiplied.",
    assumes=("independent-masks",),
    example=_weight_example,
)
def weight_of_mask(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the probability of a whole mask as the product of those of its zeros and ones."""

    def of(family: Masks) -> sp.Expr:
        index: list[sp.Symbol] = []
        for _ in family.size:
            index.append(fresh(_i, {*expression.atoms(sp.Symbol), *index}))
        mask, keep = family[tuple(index)], family.keep_prob(*index)
        limits = ((one, 1, extent) for one, extent in zip(index, family.size, strict=True))
        return sp.Product(keep * mask + (1 - keep) * (1 - mask), *limits)

    def change(part: sp.Basic) -> sp.Basic:
        return sp.Mul(*map(of, context.families)) if isinstance(part, Weight) and context.families else part

    return walk(expression, change)


def _fair_example() -> tuple[sp.Expr, Context]:
    masks = Masks(2, sp.Rational(1, 2))
    return Mean(2 ** masks[1]), Context((masks,))


@rule(
    "$r$ and $1 - r$ have the same law",
    r"At $p = \tfrac12$ independent masks and their complements have the same law, so "
    r"$\mathbb{E}[f(r)] = \tfrac12\,\mathbb{E}[f(r) + f(1 - r)]$.",
    assumes=("fair-masks", "independent-masks"),
    both=False,
    example=_fair_example,
)
def symmetry(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a mean over fair masks as the mean over the masks and their complements."""
    half = sp.Rational(1, 2)

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        if not isinstance(part, Mean) or any(map(here.is_random, part.args[0].atoms(Named))):
            return part
        masks = [one for one in part.args[0].atoms(sp.Indexed) if here.family(one) is not None]
        if not masks or any(here.family(one).keep_prob(*one.indices) != half for one in masks):  # type: ignore[union-attr]
            return part
        turned = _complemented(part.args[0], here)
        return part if turned is None else Mean(half * (part.args[0] + turned))

    return walk_within(expression, context, change)


def _complemented(part: sp.Basic, context: Context) -> sp.Expr | None:
    """1 − r for every mask r, outside inner means; None if something else is random."""
    if context.family(part) is not None:
        return 1 - part
    if not context.is_random(part):
        return part
    if isinstance(part, sp.Symbol):
        return None
    arguments = [_complemented(argument, context) for argument in part.args]
    return None if None in arguments else rebuilt(part, arguments)


def two_outcomes(mask: sp.Indexed, *, alone: bool = False) -> Rule:
    r"""Make the rule that averages over one mask by its two outcomes.

    The rule is :math:`\mathbb{E}[X] = p\,\mathbb{E}[X \mid r = 1] + (1 - p)\,\mathbb{E}[X \mid r = 0]`. It needs that
    the mask is independent of everything else in X. With ``alone`` there is nothing else random in X, and nothing is
    assumed. A letter that stands for something with the mask in it has to be written out before.

    >>> r = Masks(2, sp.Symbol("p", positive=True))
    >>> two_outcomes(r[1], alone=True).rewrite(Mean(2 ** r[1]), Context((r,)))
    p + 1
    """

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        if not isinstance(part, Mean):
            return part
        values = [_with_outcome(part.args[0], mask, sp.Integer(bit), here) for bit in (1, 0)]
        if values[0] == part.args[0] or not all(disjoint(mask, value, here) for value in values):
            return part
        if alone and any(map(here.is_random, values)):
            return part
        one, zero = (Mean(value) if here.is_random(value) else value for value in values)
        keep = here.keep_prob(mask)
        return keep * one + (1 - keep) * zero

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        if context.family(mask) is None:
            raise ValueError(f"{mask} is no mask of this chain")
        return walk_within(expression, context, change)

    return Rule(
        f"the mask ${printed(mask)}$ is 1 or 0",
        r"$\mathbb{E}[X] = p\,\mathbb{E}[X \text{ at } r = 1] + (1 - p)\,\mathbb{E}[X \text{ at } r = 0]$ for a mask "
        "$r$ that is independent of everything else in $X$, if anything else in it is random.",
        rewrite,
        assumes=() if alone else ("independent-masks",),
        key="a mask is 1 or 0",
    )


def _with_outcome(inside: sp.Expr, mask: sp.Indexed, bit: sp.Integer, context: Context) -> sp.Expr:
    """The expression at one value of a mask; what stands in inner means and in letters is left."""
    hidden = {part: sp.Dummy() for part in inside.atoms(Operator, Named)}
    shown = put(inside.xreplace(hidden), {mask: bit})
    return shown.xreplace({letter: part for part, letter in hidden.items()})
