"""Rules that lead to ≤ and ≥."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Cov, Mean, Var
from dropout_lab.symbolic.rules.base import Context, rule
from dropout_lab.symbolic.rules.functions import is_positive

_i = sp.Symbol("i", integer=True, positive=True)
_n, _p = sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True)
_a, _b = sp.IndexedBase("a"), sp.IndexedBase("b")
_r = Masks(_n, _p)
_context = Context((_r,))


def _is_convex(function: sp.Expr, variable: sp.Symbol, context: Context) -> bool:
    """Whether a function of one variable is surely convex everywhere."""
    if not function.has(variable):
        return True
    unknown = context.unknown(function)
    if unknown is not None:
        return "convex" in unknown.properties and _is_affine(function.args[0], variable)
    if isinstance(function, sp.Add):
        return all(_is_convex(part, variable, context) for part in function.args)
    if isinstance(function, sp.Pow) and function.exp.is_Integer and function.exp > 0 and function.exp % 2 == 0:
        return _is_affine(function.base, variable)
    if isinstance(function, (sp.exp, sp.Abs)):
        return _is_affine(function.args[0], variable)
    if isinstance(function, sp.Mul):
        constant, rest = function.as_independent(variable, as_Add=False)
        if isinstance(rest, sp.log):
            return is_positive(-constant) and _is_affine(rest.args[0], variable)
        return is_positive(constant) and _is_convex(rest, variable, context)
    return _is_affine(function, variable)


def upwards(expression: sp.Expr, change: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """``change``, which makes a part larger, done only where the whole grows with the part.

    Those places are summands, terms of sums, insides of means, and a factor beside others that are not negative.
    """
    changed = change(expression)
    if changed != expression:
        return changed
    if isinstance(expression, sp.Add):
        return sp.Add(*(upwards(part, change) for part in expression.args))
    if isinstance(expression, sp.Sum):
        return sp.Sum(upwards(expression.function, change), *expression.limits)
    if isinstance(expression, Mean):
        return Mean(upwards(expression.args[0], change))
    if isinstance(expression, sp.Mul):
        for place, factor in enumerate(expression.args):
            rest = sp.Mul(*(other for k, other in enumerate(expression.args) if k != place))
            larger = upwards(factor, change)
            if larger != factor and is_nonnegative(rest):
                return rest * larger
    return expression


def _is_affine(function: sp.Expr, variable: sp.Symbol) -> bool:
    slope = sp.diff(function, variable)
    return not slope.has(variable)


def _jensen_example() -> tuple[sp.Expr, Context]:
    return Mean(_r[_i]) ** 2, _context


@rule(
    "Jensen's inequality",
    r"$f(\mathbb{E}X) \le \mathbb{E}\,f(X)$ for a convex $f$.",
    relation="<=",
    both=False,
    example=_jensen_example,
)
def jensen(expression: sp.Expr, context: Context) -> sp.Expr:
    """A convex function of a mean is at most the mean of the function."""
    means = sorted(expression.atoms(Mean), key=sp.default_sort_key)
    for mean in means:
        variable = sp.Dummy("x", real=True)
        function = expression.xreplace({mean: variable})
        if not context.is_random(function) and not function.has(Mean) and _is_convex(function, variable, context):
            return Mean(function.xreplace({variable: mean.args[0]}))
    return expression


def _cauchy_example() -> tuple[sp.Expr, Context]:
    return sp.Sum(_a[_i] * _b[_i], (_i, 1, _n)) ** 2, Context()


@rule(
    "Cauchy–Schwarz",
    r"$\big(\sum_i a_i b_i\big)^2 \le \sum_i a_i^2 \sum_i b_i^2$.",
    relation="<=",
    both=False,
    example=_cauchy_example,
)
def cauchy_schwarz(expression: sp.Expr, context: Context) -> sp.Expr:
    """The square of a sum of products of two factors is at most the product of the sums of squares."""

    def change(part: sp.Expr) -> sp.Expr:
        if not (isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.Sum)):
            return part
        total = part.base
        factors = sp.Mul.make_args(total.function)
        if len(factors) != 2:
            return part
        one, other = factors
        return sp.Sum(one**2, *total.limits) * sp.Sum(other**2, *total.limits)

    return upwards(expression, change)


@rule(
    "a ReLU makes nothing larger",
    r"$\max(0, z)^2 \le z^2$: a ReLU answers to $z$ with $z$ or with 0.",
    relation="<=",
    both=False,
    example=lambda: (sp.Max(0, sp.Symbol("z", real=True)) ** 2, Context()),
)
def relu_shrinks(expression: sp.Expr, context: Context) -> sp.Expr:
    """The square of a ReLU's answer is at most the square of what it reads."""

    def change(part: sp.Expr) -> sp.Expr:
        if isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.Max):
            inside = [argument for argument in part.base.args if argument != 0]
            if len(inside) == 1 and len(part.base.args) == 2:
                return inside[0] ** 2
        return part

    return upwards(expression, change)


def _nonnegative_example() -> tuple[sp.Expr, Context]:
    return Mean(_r[_i]) ** 2 - Var(_r[_i]), _context


@rule(
    "a square is not negative",
    r"Squares, variances and sums of them are at least 0: leaving out one that is subtracted makes an expression larger.",
    relation="<=",
    both=False,
    example=_nonnegative_example,
)
def nonnegative(expression: sp.Expr, context: Context) -> sp.Expr:
    """What is subtracted and surely not negative is left out."""
    terms = sp.Add.make_args(expression)
    kept = [term for term in terms if not is_nonnegative(-term)]
    return sp.Add(*kept) if len(kept) < len(terms) else expression


def is_nonnegative(expression: sp.Expr) -> bool:
    """Whether an expression is surely at least 0."""
    if is_positive(expression) or expression.is_nonnegative or isinstance(expression, Var):
        return True
    if isinstance(expression, sp.Pow) and expression.exp.is_even:
        return True
    if isinstance(expression, Cov):
        return expression.args[0] == expression.args[1]
    if isinstance(expression, (sp.Sum, sp.Product)):
        return is_nonnegative(expression.function)
    if isinstance(expression, Mean):
        return is_nonnegative(expression.args[0])
    if isinstance(expression, (sp.Add, sp.Mul)):
        return all(map(is_nonnegative, expression.args))
    return False
