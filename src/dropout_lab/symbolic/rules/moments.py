"""Rules about variances and covariances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from dropout_lab.symbolic.binding import apart, put
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Cov, Mean, Var
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.rules.base import Context, rule, walk_within
from dropout_lab.symbolic.rules.disjoint import disjoint
from dropout_lab.symbolic.rules.index_sums import used_up

_i = sp.Symbol("i", integer=True, positive=True)
_j = sp.Symbol("j", integer=True, positive=True)
_n, _p = sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True)
_a = sp.IndexedBase("a")
_r = Masks(_n, _p)
_context = Context((_r,))


@rule(
    "definition of the variance",
    r"$\operatorname{Var}(X) = \mathbb{E}[(X - \mathbb{E}X)^2]$.",
    example=lambda: (Var(3 * _r[_i]), _context),
)
def variance_definition(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a variance as the mean square of the deviation from the mean."""

    def change(part: sp.Basic) -> sp.Basic:
        return Mean((part.args[0] - Mean(part.args[0])) ** 2) if isinstance(part, Var) else part

    return walk(expression, change)


@rule(
    "definition of the covariance",
    r"$\operatorname{Cov}(X, Y) = \mathbb{E}[(X - \mathbb{E}X)(Y - \mathbb{E}Y)]$.",
    example=lambda: (Cov(_r[1], _r[1] + _r[2]), _context),
)
def covariance_definition(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a covariance as the mean product of the two deviations."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, Cov):
            return part
        one, other = part.args
        return Mean((one - Mean(one)) * (other - Mean(other)))

    return walk(expression, change)


@rule(
    "symmetry of the covariance",
    r"$\operatorname{Cov}(X, Y) = \operatorname{Cov}(Y, X)$.",
    example=lambda: (Cov(3 * _r[_i], _r[_i]), _context),
)
def symmetric_covariance(expression: sp.Expr, context: Context) -> sp.Expr:
    """Put the two sides of a covariance in a fixed order, so that it does not matter which comes first."""

    def change(part: sp.Basic) -> sp.Basic:
        return Cov(*sorted(part.args, key=sp.default_sort_key)) if isinstance(part, Cov) else part

    return walk(expression, change)


def _sum_example() -> tuple[sp.Expr, Context]:
    return Var(sp.Sum(_a[_i] * _r[_i], (_i, 1, _n))), _context


@rule(
    "variance of a sum",
    r"$\operatorname{Var}\big(\sum_i a_i X_i\big) = \sum_{i,j} a_i a_j \operatorname{Cov}(X_i, X_j)$, and likewise "
    r"$\operatorname{Cov}$ is linear in each argument; $\operatorname{Cov}(X, X) = \operatorname{Var}(X)$.",
    example=_sum_example,
)
def variance_of_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write a variance of a sum, or a covariance of sums, as the double sum of the covariances of their terms."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, Var) and isinstance(part.args[0], (sp.Add, sp.Sum, sp.Mul)):
            return _bilinear(part.args[0], part.args[0], context)
        if isinstance(part, Cov):
            one, other = part.args
            return _bilinear(one, other, context)
        return part

    return walk(expression, change)


def _bilinear(one: sp.Expr, other: sp.Expr, context: Context) -> sp.Expr:
    # Indices of the two sums get different letters, none of which stands free beside them.
    taken = one.free_symbols | other.free_symbols
    one, other = apart(one, taken), apart(other, taken)
    total = sp.Integer(0)
    for factor, variable, limits in _linear_terms(one, context):
        for others, second, more in _linear_terms(other, context):
            inside = Var(variable) if variable == second else Cov(variable, second)
            bounds = [*limits, *more]
            total += sp.Sum(factor * others * inside, *bounds) if bounds else factor * others * inside
    return total


def _linear_terms(expression: sp.Expr, context: Context) -> list[tuple[sp.Expr, sp.Expr, list]]:
    """An expression as constants times random variables, each with its limits; what is constant is left out."""
    if not context.is_random(expression):
        return []
    if isinstance(expression, sp.Add):
        return [term for part in expression.args for term in _linear_terms(part, context)]
    if isinstance(expression, sp.Sum) and not any(map(context.is_random, expression.limits)):
        return [
            (factor, variable, [*limits, *expression.limits])
            for factor, variable, limits in _linear_terms(expression.function, context)
        ]
    if isinstance(expression, sp.Mul):
        constant = sp.Mul(*(part for part in expression.args if not context.is_random(part)))
        rest = [part for part in expression.args if context.is_random(part)]
        if len(rest) == 1:
            return [(constant * factor, *term) for factor, *term in _linear_terms(rest[0], context)]
        return [(constant, sp.Mul(*rest), [])]
    return [(sp.Integer(1), expression, [])]


@rule(
    "constants and the variance",
    r"$\operatorname{Var}(c + X) = \operatorname{Var}(X)$ and $\operatorname{Var}(cX) = c^2 \operatorname{Var}(X)$ "
    r"for a constant $c$; a constant has no variance.",
    example=lambda: (Var(3 - 2 * _r[_i]), _context),
)
def constants_and_variance(expression: sp.Expr, context: Context) -> sp.Expr:
    """Leave constant summands of a variance out, and take constant factors out as squares."""

    def change(part: sp.Basic) -> sp.Basic:
        return _without_constants(part.args[0], context) if isinstance(part, Var) else part

    return walk(expression, change)


def _without_constants(inside: sp.Expr, context: Context) -> sp.Expr:
    if not context.is_random(inside):
        return sp.Integer(0)
    if isinstance(inside, sp.Add):
        random = [part for part in inside.args if context.is_random(part)]
        if len(random) < len(inside.args) or len(random) == 1:
            return _without_constants(sp.Add(*random), context)
    if isinstance(inside, sp.Mul):
        constant = [part for part in inside.args if not context.is_random(part)]
        if constant:
            rest = sp.Mul(*(part for part in inside.args if context.is_random(part)))
            return sp.Mul(*constant) ** 2 * _without_constants(rest, context)
    return Var(inside)


def _pairs_example() -> tuple[sp.Expr, Context]:
    return sp.Sum(_a[_i] * _a[_j] * Cov(_r[_i], _r[_j]), (_i, 1, _n), (_j, 1, _n)), _context


@rule(
    "zero covariance",
    r"Different masks are uncorrelated: $\operatorname{Cov}(r_i, r_j) = 0$ for $i \ne j$. Of a double sum over "
    r"covariances only the diagonal stays: $\sum_{i,j} c_{ij} \operatorname{Cov}(r_i, r_j) = \sum_i c_{ii} "
    r"\operatorname{Var}(r_i)$.",
    assumes=("uncorrelated-masks",),
    example=_pairs_example,
)
def zero_covariance(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write covariances of different masks as 0, so that only the diagonal of a double sum stays."""
    return _without_pairs(expression, context, _on_diagonal)


def _without_pairs(
    expression: sp.Expr,
    context: Context,
    covariance: Callable[[sp.Expr, sp.Expr, Context, set[sp.Expr]], sp.Expr],
) -> sp.Expr:
    """Covariances that are 0, or δ times a variance, put in their place; the deltas are used up by sums."""
    deltas: set[sp.Expr] = set()

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        if isinstance(part, Cov):
            one, other = part.args
            return covariance(one, other, here, deltas)
        if isinstance(part, sp.Sum) and part.function == 0 and expression.has(Cov):
            return sp.Integer(0)
        return used_up(part, here, only=deltas) if isinstance(part, sp.Sum) and deltas else part

    return walk_within(expression, context, change)


def _on_diagonal(one: sp.Expr, other: sp.Expr, context: Context, deltas: set[sp.Expr]) -> sp.Expr:
    """Cov of two masks as δ Var; the deltas made are added to ``deltas``."""
    family, second = context.family(one), context.family(other)
    if family is None or second is None:
        return Cov(one, other)
    pairs = list(zip(one.indices, other.indices, strict=True)) if family is second else []
    if family is not second or any(frozenset(pair) in context.distinct for pair in pairs):
        return sp.Integer(0)
    made = [sp.KroneckerDelta(a, b) for a, b in pairs]
    deltas.update(delta for delta in made if isinstance(delta, sp.KroneckerDelta))
    return sp.Mul(*made) * Var(one)


def _independent_example() -> tuple[sp.Expr, Context]:
    one, other = (2 ** _r[index] * _a[index] for index in (_i, _j))
    return sp.Sum(Cov(one, other), (_i, 1, _n), (_j, 1, _n)), _context


@rule(
    "covariance of independent variables",
    r"$\operatorname{Cov}(X, Y) = 0$ for independent $X$ and $Y$: expressions in different masks, if the masks are "
    r"independent. Of a double sum over $\operatorname{Cov}(X_i, X_j)$ with independent $X_1, \dots, X_n$ only the "
    r"diagonal stays: $\sum_{i,j} c_{ij} \operatorname{Cov}(X_i, X_j) = \sum_i c_{ii} \operatorname{Var}(X_i)$.",
    assumes=("independent-masks",),
    example=_independent_example,
)
def independent_covariance(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write covariances of expressions in different masks as 0, so that only the diagonal of a double sum stays."""
    return _without_pairs(expression, context, _of_independent)


def _of_independent(one: sp.Expr, other: sp.Expr, context: Context, deltas: set[sp.Expr]) -> sp.Expr:
    """Cov of one expression at two indices as δ Var, if its values at different indices have no mask in common."""
    if disjoint(one, other, context):
        return sp.Integer(0)
    for index in one.free_symbols - other.free_symbols:
        for second in other.free_symbols - one.free_symbols:
            if index.is_integer and second.is_integer and put(one, {index: second}) == other:
                apart_there = replace(context, distinct=context.distinct | {frozenset((index, second))})
                if disjoint(one, other, apart_there):
                    delta = sp.KroneckerDelta(index, second)
                    deltas.add(delta)
                    return delta * Var(one)
    return Cov(one, other)
