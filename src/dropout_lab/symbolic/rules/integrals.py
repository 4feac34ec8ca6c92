"""Rules about integrals: carried out, taken apart, in another variable, with a sign, and known ones."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.binding import put
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator, mentions
from dropout_lab.symbolic.parts import everywhere, walk
from dropout_lab.symbolic.printing import printed
from dropout_lab.symbolic.rules.base import Context, Rule, rule
from dropout_lab.symbolic.rules.signs import is_positive

_a, _b = sp.symbols("a b", positive=True)
_x, _t = sp.symbols("x t", real=True)
_plain = Context()
_NOT_SMOOTH = (sp.Abs, sp.Max, sp.Min, sp.Piecewise, sp.Heaviside, sp.sign, sp.floor, sp.ceiling)


def _integral_example() -> tuple[sp.Expr, Context]:
    return sp.Integral(_x * sp.exp(-_t), (_t, 0, sp.oo)), _plain


@rule(
    "integral",
    r"An integral carried out: by an antiderivative, or a known definite integral.",
    example=_integral_example,
)
def integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Carry out the integrals that SymPy can evaluate without a condition."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or context.is_inert(part.function, part.variables):
            return part
        done = part.doit()
        return part if done.has(sp.Integral, sp.Piecewise) else done

    return walk(expression, change)


@rule(
    "linearity of the integral",
    r"$\int (a f + b g) = a \int f + b \int g$.",
    example=lambda: (sp.Integral(_x * sp.exp(-_t) + _t, (_t, 0, 1)), _plain),
)
def linearity_of_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take the integral of a sum term by term; constants come out."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or len(part.limits) != 1:
            return part
        return _split_integral(part.function, part.limits[0])

    return walk(expression, change)


def _split_integral(function: sp.Expr, limit: sp.Tuple) -> sp.Expr:
    if isinstance(function, sp.Add):
        return sp.Add(*(_split_integral(part, limit) for part in function.args))
    constant, rest = function.as_independent(limit[0], as_Add=False)
    return constant * sp.Integral(rest, limit)


def by_substitution(old: sp.Symbol, image: sp.Expr, new: sp.Symbol, low: sp.Expr, high: sp.Expr) -> Rule:
    r"""Make the rule of integration by substitution of g(u) for the variable x of an integral.

    The rule is :math:`\int f(x)\,dx = \int f(g(u))\,g'(u)\,du`, where g(low) and g(high) are the ends of the integral
    over x. ``image`` is g(u), which surely grows or surely falls: its slope is of one sign for all u of its kind,
    positive ones say. Raises ValueError where it may turn, and where it has other limits at ``low`` and ``high`` than
    the integral.

    >>> x, u = sp.symbols("x u", positive=True)
    >>> by_substitution(x, u**2, u, 0, 3).rewrite(sp.Integral(sp.cos(x), (x, 0, 9)), Context())
    Integral(2*u*cos(u**2), (u, 0, 3))
    """

    low, high = sp.sympify(low), sp.sympify(high)
    slope = sp.diff(image, new)
    outside = new.is_nonnegative and not (low.is_extended_nonnegative and high.is_extended_nonnegative)
    if outside or not (is_positive(slope) or is_positive(-slope)):
        raise ValueError(f"nothing says that {image} grows, or falls, from {new} = {low} to {high}")

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if not isinstance(part, sp.Integral) or len(part.limits) != 1 or part.limits[0][0] != old:
                return part
            if new in part.free_symbols or not _moves_in_sight(part.function, old, context):
                return part
            ends = (sp.limit(image, new, low, "+"), sp.limit(image, new, high, "-"))
            if ends != part.limits[0][1:]:
                raise ValueError(f"{old} = {image} runs from {ends[0]} to {ends[1]}, not from end to end of {part}")
            return sp.Integral(put(part.function, {old: image}) * slope, (new, low, high))

        return walk(expression, change)

    return Rule(
        f"substitution ${printed(old)} = {printed(image)}$",
        r"$\int f(x)\,dx = \int f(g(u))\,g'(u)\,du$ for $x = g(u)$, from end to end.",
        rewrite,
        both=False,
        key="substitution",
    )


def _moves_in_sight(function: sp.Expr, variable: sp.Symbol, context: Context) -> bool:
    """Whether a variable stands in no mean, and in letters only as their argument."""
    hidden = [one for one in function.atoms(Operator) if context.varies(one, variable)]
    return not hidden and not any(variable in one.args[1].free_symbols for one in function.atoms(Named))


def below(threshold: sp.Expr) -> Rule:
    r"""Make the rule that an integral from 0 to 1 of what is 0 from a threshold on ends at the threshold.

    The rule is :math:`\int_0^1 f(u)\,[u < p]\,du = \int_0^p f(u)\,du` for a ``threshold`` p that is a probability.

    >>> u, p = sp.symbols("u p", positive=True)
    >>> kept = sp.Integral(sp.Piecewise((1 / p, u < p), (0, True)), (u, 0, 1))
    >>> below(p).rewrite(kept, Context())
    Integral(1/p, (u, 0, p))
    """

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if not isinstance(part, sp.Integral) or len(part.limits) != 1 or part.limits[0][1:] != (0, 1):
                return part
            variable = part.limits[0][0]
            if not isinstance(part.function, sp.Piecewise) or len(part.function.args) != 2:
                return part
            (value, condition), (elsewhere, _) = part.function.args
            if condition not in (variable < threshold, threshold > variable) or elsewhere != 0:
                return part
            return sp.Integral(value, (variable, 0, threshold))

        return walk(expression, change)

    return Rule(
        "a uniform number below $p$",
        r"$\int_0^1 f(u)\,[u < p]\,du = \int_0^p f(u)\,du$ for a probability $p$, where $[u < p]$ is 1 if $u < p$ and "
        "0 otherwise.",
        rewrite,
    )


@rule(
    "Gaussian integral",
    r"$\int_{-\infty}^{\infty} e^{-ax^2 + bx + c}\,dx = \sqrt{\pi/a}\;e^{b^2/(4a) + c}$ for $a > 0$.",
    example=lambda: (sp.Integral(sp.exp(-_a * _x**2 + _b * _x), (_x, -sp.oo, sp.oo)), _plain),
)
def gaussian_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Carry out integrals over the whole line of an exponential of a quadratic function that falls to both sides."""

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
    """Carry out the integral of a difference of two falling exponentials, divided by its variable."""

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
    r"$\frac{d}{du} \int_a^b f(x, u)\,dx = \int_a^b \frac{\partial f}{\partial u}(x, u)\,dx$ between fixed, finite "
    r"ends, for an $f$ with a continuous derivative: without absolute values, maxima, minima and cases.",
    example=lambda: (
        sp.Derivative(sp.Integral(sp.exp(-_a * _x**2), (_x, 0, 1)), _a, evaluate=False),
        _plain,
    ),
)
def under_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take the derivative of an integral inside it; constant factors stay outside."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative) or len(part.variables) != 1:
            return part
        (variable,) = part.variables
        factors = sp.Mul.make_args(part.expr)
        moving = [factor for factor in factors if context.varies(factor, variable)]
        if len(moving) != 1 or not isinstance(moving[0], sp.Integral):
            return part
        total = moving[0]
        ends = [end for _, *own in total.limits for end in own]
        if len(ends) < 2 * len(total.limits) or any(mentions(end, variable) or end.is_infinite for end in ends):
            return part
        if any(isinstance(one, _NOT_SMOOTH) for one in everywhere(total.function)):
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
    """Write an integral from a larger number to a smaller one the other way round, with a minus sign."""

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
    """Bound an integral of what is surely positive, or a positive multiple of it, from below by 0."""
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
