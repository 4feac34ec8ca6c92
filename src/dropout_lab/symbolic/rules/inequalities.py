"""Rules that lead to ≤ and ≥."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Mean, Var
from dropout_lab.symbolic.rules.base import Context, rule
from dropout_lab.symbolic.rules.signs import is_nonnegative, is_positive, is_real, raised

_i = sp.Symbol("i", integer=True, positive=True)
_n, _p = sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True)
_a, _b = sp.IndexedBase("a"), sp.IndexedBase("b")
_r = Masks(_n, _p)
_context = Context((_r,))


def _is_convex(function: sp.Expr, variable: sp.Symbol, context: Context) -> bool:
    """Whether a function of one variable is surely convex everywhere where it has a value."""
    if not function.has(variable) or _is_affine(function, variable):
        return True
    unknown = context.unknown(function)
    if unknown is not None:
        return "convex" in unknown.properties and len(function.args) == 1 and _is_affine(function.args[0], variable)
    if isinstance(function, sp.Add):
        return all(_is_convex(part, variable, context) for part in function.args)
    if isinstance(function, sp.Sum):
        return not any(limit.has(variable) for limit in function.limits) and _is_convex(
            function.function, variable, context
        )
    if isinstance(function, sp.Pow) and function.exp.is_Integer and function.exp > 0 and function.exp % 2 == 0:
        return _is_affine(function.base, variable)
    if isinstance(function, (sp.exp, sp.Abs)):
        return _is_affine(function.args[0], variable)
    if isinstance(function, sp.Mul):
        constant, rest = function.as_independent(variable, as_Add=False)
        if isinstance(rest, sp.log):
            return is_positive(-constant) and _is_affine(rest.args[0], variable)
        return is_nonnegative(constant) and _is_convex(rest, variable, context)
    return False


def _is_affine(function: sp.Expr, variable: sp.Symbol) -> bool:
    """Whether a variable enters as a constant times itself, plus a constant."""
    if not function.has(variable) or function == variable:
        return is_real(function)
    if isinstance(function, sp.Add):
        return all(_is_affine(part, variable) for part in function.args)
    if isinstance(function, sp.Sum):
        return not any(limit.has(variable) for limit in function.limits) and _is_affine(function.function, variable)
    if isinstance(function, sp.Mul):
        constant, rest = function.as_independent(variable, as_Add=False)
        return constant != 1 and is_real(constant) and _is_affine(rest, variable)
    return False


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
    """Bound a convex function of a mean by the mean of the function."""
    whole = _raised_by_jensen(expression, context)
    return whole if whole != expression else raised(expression, lambda part: _raised_by_jensen(part, context))


def _raised_by_jensen(expression: sp.Expr, context: Context) -> sp.Expr:
    for mean in sorted(expression.atoms(Mean), key=sp.default_sort_key):
        variable = sp.Dummy("x", real=True)
        function = expression.xreplace({mean: variable})
        if function == variable or context.is_random(function) or function.has(Mean, Named):
            continue
        inside = mean.args[0]
        if not is_real(inside) or not all(
            is_positive(one.args[0].xreplace({variable: inside})) for one in function.atoms(sp.log)
        ):
            continue
        if _is_convex(function, variable, context):
            # In place, as it was taken out: under a sum, its index is that sum's again.
            return Mean(function.xreplace({variable: inside}))
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
    """Bound the square of a sum of products of two factors by the product of the sums of squares."""

    def change(part: sp.Expr) -> sp.Expr:
        if not (isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.Sum)):
            return part
        total = part.base
        factors = sp.Mul.make_args(total.function)
        if len(factors) != 2 or not all(map(is_real, factors)):
            return part
        one, other = factors
        return sp.Sum(one**2, *total.limits) * sp.Sum(other**2, *total.limits)

    return raised(expression, change)


def _bernoulli_example() -> tuple[sp.Expr, Context]:
    return 1 - _p * _n, _context


@rule(
    "Bernoulli's inequality",
    r"$1 - m x \le (1 - x)^m$ for a probability $x$ and a whole number $m \ge 0$.",
    relation="<=",
    both=False,
    example=_bernoulli_example,
)
def bernoulli(expression: sp.Expr, context: Context) -> sp.Expr:
    """Bound one minus m times a probability by the m-th power of its complement."""
    laws = context.laws()

    def change(part: sp.Expr) -> sp.Expr:
        if not isinstance(part, sp.Add):
            return part
        factors = sp.Mul.make_args(1 - part)
        chances = [one for one in factors if one in laws or 1 - one in laws]
        if not chances:
            return part
        times = sp.Mul(*factors) / chances[0]
        return (1 - chances[0]) ** times if _is_whole(times) and is_nonnegative(times) else part

    return raised(expression, change)


def _is_whole(part: sp.Expr) -> bool:
    """Whether an expression surely is a whole number."""
    if part.is_integer:
        return True
    if isinstance(part, Named):
        return _is_whole(part.meaning)
    if isinstance(part, (sp.Add, sp.Mul)):
        return all(map(_is_whole, part.args))
    return isinstance(part, (sp.Sum, sp.Product)) and _is_whole(part.function)


@rule(
    "a ReLU makes nothing larger",
    r"$\max(0, z)^2 \le z^2$: a ReLU answers to $z$ with $z$ or with 0.",
    relation="<=",
    both=False,
    example=lambda: (sp.Max(0, sp.Symbol("z", real=True)) ** 2, Context()),
)
def relu_shrinks(expression: sp.Expr, context: Context) -> sp.Expr:
    """Bound the square of a ReLU's output by the square of its input."""

    def change(part: sp.Expr) -> sp.Expr:
        if isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.Max):
            inside = [argument for argument in part.base.args if argument != 0]
            if len(inside) == 1 and len(part.base.args) == 2 and is_real(inside[0]):
                return inside[0] ** 2
        return part

    return raised(expression, change)


@rule(
    "an exponential below 1",
    r"$e^{-x} \le 1$ for $x \ge 0$.",
    relation="<=",
    both=False,
    example=lambda: (3 * sp.exp(-sp.Symbol("x", positive=True)), Context()),
)
def exponential_below_one(expression: sp.Expr, context: Context) -> sp.Expr:
    """Bound an exponential of something that is surely at most 0 by 1."""

    def change(part: sp.Expr) -> sp.Expr:
        if isinstance(part, sp.exp) and is_real(part.args[0]) and is_nonnegative(-part.args[0]):
            return sp.Integer(1)
        return part

    return raised(expression, change)


def _nonnegative_example() -> tuple[sp.Expr, Context]:
    return Mean(_r[_i]) ** 2 - Var(_r[_i]), _context


@rule(
    "a term is not negative",
    r"Squares, variances, $\cosh t - 1$ and what positive factors and sums make of them are at least 0: leaving out "
    "one that is subtracted makes an expression larger.",
    relation="<=",
    both=False,
    example=_nonnegative_example,
)
def nonnegative(expression: sp.Expr, context: Context) -> sp.Expr:
    """Leave out what is subtracted and surely not negative."""
    terms = sp.Add.make_args(expression)
    kept = [term for term in terms if not is_nonnegative(-term)]
    return sp.Add(*kept) if len(kept) < len(terms) else expression
