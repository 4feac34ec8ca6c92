"""Rules about integrals: the Gaussian integral, a derivative under the integral sign, ends that are exchanged, the
sign."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.operators import Named, mentions, walk
from dropout_lab.symbolic.rules.base import Context, rule
from dropout_lab.symbolic.rules.signs import is_positive

_a, _b = sp.symbols("a b", positive=True)
_x = sp.Symbol("x", real=True)
_plain = Context()


@rule(
    "Gaussian integral",
    r"$\int_{-\infty}^{\infty} e^{-ax^2 + bx + c}\,dx = \sqrt{\pi/a}\;e^{b^2/(4a) + c}$ for $a > 0$.",
    example=lambda: (sp.Integral(sp.exp(-_a * _x**2 + _b * _x), (_x, -sp.oo, sp.oo)), _plain),
)
def gaussian_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Integrals over the whole line of an exponential of a quadratic function that falls to both sides."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or len(part.limits) != 1:
            return part
        variable, *ends = part.limits[0]
        constant, bell = part.function.as_independent(variable, as_Add=False)
        factors = sp.Mul.make_args(bell)
        if ends != [-sp.oo, sp.oo] or bell.has(Named) or not all(isinstance(one, sp.exp) for one in factors):
            return part
        exponent = sp.expand(sp.Add(*(one.args[0] for one in factors)))
        if not exponent.is_polynomial(variable) or sp.degree(exponent, variable) != 2:
            return part
        a, b, c = (sp.together(sign * exponent.coeff(variable, power)) for power, sign in ((2, -1), (1, 1), (0, 1)))
        return constant * sp.sqrt(sp.pi / a) * sp.exp(b**2 / (4 * a) + c) if is_positive(a) else part

    return walk(expression, change)


@rule(
    "Frullani's integral",
    r"$\int_0^{\infty} \frac{e^{-bx} - e^{-ax}}{x}\,dx = \log\frac{a}{b}$ for positive $a$ and $b$.",
    example=lambda: (sp.Integral((sp.exp(-2 * _x) - sp.exp(-_a * _x)) / _x, (_x, 0, sp.oo)), _plain),
)
def frullani(expression: sp.Expr, context: Context) -> sp.Expr:
    """The integral of a difference of two falling exponentials, divided by its variable."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or len(part.limits) != 1:
            return part
        variable, *ends = part.limits[0]
        terms = sp.Add.make_args(sp.expand(part.function * variable))
        if ends != [0, sp.oo] or len(terms) != 2 or not all(isinstance(term, (sp.exp, sp.Mul)) for term in terms):
            return part
        plus, minus = sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))
        rates = [-one.args[0] / variable for one in (plus, -minus) if isinstance(one, sp.exp)]
        if len(rates) < 2 or any(variable in rate.free_symbols or not is_positive(rate) for rate in rates):
            return part
        return sp.log(rates[1] / rates[0])

    return walk(expression, change)


@rule(
    "derivative under the integral sign",
    r"$\frac{d}{du} \int f(x, u)\,dx = \int \frac{\partial f}{\partial u}(x, u)\,dx$ between fixed ends, if one "
    r"function of $x$ with a finite integral bounds $|\partial f/\partial u|$ for all $u$.",
    example=lambda: (
        sp.Derivative(sp.Integral(sp.exp(-_a * _x**2), (_x, 0, 1)), _a, evaluate=False),
        _plain,
    ),
)
def under_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """The derivative of an integral as the integral of the derivative; constant factors stay outside."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative) or len(part.variables) != 1:
            return part
        (variable,) = part.variables
        factors = sp.Mul.make_args(part.expr)
        moving = [factor for factor in factors if context.varies(factor, variable)]
        if len(moving) != 1 or not isinstance(moving[0], sp.Integral):
            return part
        total = moving[0]
        if any(mentions(end, variable) for _, *ends in total.limits for end in ends):
            return part
        rest = sp.Mul(*(factor for factor in factors if factor is not total))
        return rest * sp.Integral(sp.Derivative(total.function, variable, evaluate=False), *total.limits)

    return walk(expression, change)


@rule(
    "exchanged ends",
    r"$\int_b^a f(x)\,dx = -\int_a^b f(x)\,dx$.",
    example=lambda: (sp.Integral(sp.exp(_x), (_x, 1, 0)), _plain),
)
def exchanged_ends(expression: sp.Expr, context: Context) -> sp.Expr:
    """An integral from a larger number to a smaller one, the other way round with a minus sign."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or len(part.limits) != 1 or len(part.limits[0]) != 3:
            return part
        variable, low, high = part.limits[0]
        return -sp.Integral(part.function, (variable, high, low)) if is_positive(low - high) else part

    return walk(expression, change)


@rule(
    "integral of a positive function",
    r"$\int_a^b f(x)\,dx > 0$ for $a < b$ and a continuous $f$ that is positive, but for single points: a factor may "
    r"be $\tanh^2(cx)$, which vanishes at 0 only.",
    relation=">",
    both=False,
    example=lambda: (sp.Integral(_a * sp.exp(_x), (_x, 0, 1)), _plain),
)
def positive_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """An integral of what is surely positive is above 0; so is a positive multiple of it."""
    factors = sp.Mul.make_args(expression)
    integrals = [factor for factor in factors if isinstance(factor, sp.Integral)]
    if len(integrals) != 1 or not all(is_positive(factor) for factor in factors if factor is not integrals[0]):
        return expression
    (total,) = integrals
    if len(total.limits) != 1 or len(total.limits[0]) != 3:
        return expression
    variable, low, high = total.limits[0]
    if not (is_positive(high - low) or (high - low).is_extended_positive):
        return expression
    inside = sp.Mul.make_args(total.function)
    return sp.Integer(0) if all(_positive_but_for_points(factor, variable) for factor in inside) else expression


def _positive_but_for_points(factor: sp.Expr, variable: sp.Symbol) -> bool:
    if is_positive(factor):
        return True
    if not (isinstance(factor, sp.Pow) and factor.exp.is_even and factor.exp.is_positive):
        return False
    inner = factor.base
    return isinstance(inner, (sp.tanh, sp.sinh)) and is_positive(inner.args[0] / variable)
