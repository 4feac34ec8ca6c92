"""Rules about logarithms, exponentials, powers, imaginary parts, and functions of which only a property is known."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.letters import Unknown
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import ImaginaryPart, Mean, ProductOverMasks, SumOverMasks
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.printing import printed
from dropout_lab.symbolic.rules.base import Context, Rule, rule
from dropout_lab.symbolic.rules.signs import is_nonnegative, is_positive, is_real

_x, _y = sp.symbols("x y", positive=True)
_t = sp.Symbol("t", real=True)
_i, _k = sp.symbols("i k", integer=True, positive=True)
_n = sp.Symbol("n", integer=True, positive=True)
_a = sp.IndexedBase("a")
_plain = Context()


@rule(
    "logarithm of a product",
    r"$\log(ab) = \log a + \log b$, $\log a^c = c \log a$ and $\log e^x = x$ for positive $a$, $b$ and real $c$, $x$; "
    r"so the logarithm of a weighted product is a weighted sum: $\log \prod_r P_r^{\pi_r} = \sum_r \pi_r \log P_r$.",
    example=lambda: (sp.log(_x**3 / _y), _plain),
)
def logarithm(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take the logarithms of positive products, quotients and powers apart."""

    def change(part: sp.Basic) -> sp.Basic:
        return _logarithm(part.args[0]) if isinstance(part, sp.log) else part

    return walk(expression, change)


def _logarithm(inside: sp.Expr) -> sp.Expr:
    if isinstance(inside, sp.exp):
        return inside.args[0] if is_real(inside.args[0]) else sp.log(inside)
    if isinstance(inside, sp.Mul) and all(map(is_positive, inside.args)):
        return sp.Add(*map(_logarithm, inside.args))
    if isinstance(inside, sp.Pow) and is_positive(inside.base) and is_real(inside.exp):
        return inside.exp * _logarithm(inside.base)
    if isinstance(inside, ProductOverMasks) and is_positive(inside.args[0]):
        return SumOverMasks(_logarithm(inside.args[0]))
    if isinstance(inside, sp.Product) and is_positive(inside.function):
        return sp.Sum(_logarithm(inside.function), *inside.limits)
    return sp.log(inside)


@rule(
    "exponential of a logarithm",
    r"$e^{\log a} = a$ for positive $a$, and $e^{c \log a} = a^c$.",
    example=lambda: (sp.exp(_t + 2 * sp.log(1 + _x), evaluate=False), _plain),
)
def exponential_of_logarithm(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write exponentials of logarithms of something positive without either."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.exp):
            return part
        terms = sp.Add.make_args(sp.expand(part.args[0], log=False, power_base=False, power_exp=False))
        found, rest = sp.Integer(1), []
        for term in terms:
            logs = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, sp.log)]
            if len(logs) == 1 and is_positive(logs[0].args[0]):
                found *= logs[0].args[0] ** (term / logs[0])
            else:
                rest.append(term)
        return found * sp.exp(sp.Add(*rest)) if len(rest) < len(terms) else part

    return walk(expression, change)


@rule(
    "in exponentials",
    r"$\sigma(z) = 1/(1 + e^{-z})$, $\cosh$, $\sinh$ and $\tanh$ written by their definitions with $e^z$.",
    example=lambda: (sp.tanh(_t), _plain),
)
def in_exponentials(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write hyperbolic functions by their definition, and exponentials of sums as products."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)):
            return part.rewrite(sp.exp)
        return part

    return walk(expression, change)


def _mask_example() -> tuple[Masks, Context]:
    masks = Masks(_n, sp.Symbol("p", positive=True))
    return masks, Context((masks,))


def _power_example() -> tuple[sp.Expr, Context]:
    masks, context = _mask_example()
    keep = masks.keep_prob(_i)
    return (keep * (1 - keep) * sp.Sum(_a[_i] ** 2, (_i, 1, _n))) ** sp.Rational(3, 2), context


@rule(
    "power of a product",
    r"$(xy)^c = x^c y^c$ for $x$ and $y$ that are not negative; a keep probability $p$ and $1 - p$ are not.",
    example=_power_example,
)
def power_of_product(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take a power of a product factor by factor.

    Factors of which no sign is known stay together.
    """

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Pow) or not isinstance(part.base, sp.Mul) or not is_real(part.exp):
            return part
        factors = [factor for factor in part.base.args if _is_not_negative(factor, context)]
        rest = part.base / sp.Mul(*factors)
        return sp.Mul(*(factor**part.exp for factor in factors)) * rest**part.exp

    return walk(expression, change)


def _absolute_example() -> tuple[sp.Expr, Context]:
    masks, context = _mask_example()
    return _t * sp.Abs(1 - masks.keep_prob(_i)), context


@rule(
    "absolute value",
    r"$|xy| = |x|\,|y|$, and $|x| = x$ for an $x$ that is not negative; a keep probability $p$ and $1 - p$ are not.",
    example=_absolute_example,
)
def absolute_value(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take the absolute value of a product factor by factor.

    It is left out where something is surely not negative.
    """

    def size(part: sp.Expr) -> sp.Expr:
        return next((one for one in (part, -part) if _is_not_negative(one, context)), sp.Abs(part))

    def change(part: sp.Basic) -> sp.Basic:
        return sp.Mul(*map(size, sp.Mul.make_args(part.args[0]))) if isinstance(part, sp.Abs) else part

    return walk(expression, change)


def _is_not_negative(part: sp.Expr, context: Context) -> bool:
    """Whether an expression surely is at least 0, as the probability of a mask and of its complement are."""
    if is_nonnegative(part):
        return True
    return any(part in (law, 1 - law) for law in context.laws())


def _exponential_example() -> tuple[sp.Expr, Context]:
    return sp.exp(_t + sp.Sum(_a[_i] * _t, (_i, 1, _n))), _plain


@rule(
    "exponential of a sum",
    r"$e^{a + b} = e^a e^b$, so $\exp \sum_i a_i = \prod_i e^{a_i}$ for a finite sum.",
    example=_exponential_example,
)
def exponential_of_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the exponential of a finite sum as the product of the exponentials."""

    def change(part: sp.Basic) -> sp.Basic:
        return _exponential(part.args[0]) if isinstance(part, sp.exp) else part

    return walk(expression, change)


def _exponential(exponent: sp.Expr) -> sp.Expr:
    if isinstance(exponent, sp.Add):
        return sp.Mul(*map(_exponential, exponent.args))
    sums = [part for part in sp.Mul.make_args(exponent) if isinstance(part, (sp.Add, sp.Sum))]
    if len(sums) != 1:
        return sp.exp(exponent)
    (total,) = sums
    rest = sp.Mul(*(part for part in sp.Mul.make_args(exponent) if part is not total))
    if isinstance(total, sp.Add):
        return sp.Mul(*(_exponential(rest * part) for part in total.args))
    ends = [end for _, *own in total.limits for end in own]
    if len(ends) < 2 * len(total.limits) or any(end.is_infinite for end in ends):
        return sp.exp(exponent)
    if rest.free_symbols & {limit[0] for limit in total.limits}:
        return sp.exp(exponent)
    return sp.Product(sp.exp(rest * total.function), *total.limits)


@rule(
    "Euler's formula",
    r"$\operatorname{Im} e^{ix} = \sin x$ for real $x$.",
    example=lambda: (ImaginaryPart(sp.exp(sp.I * _x * _t)), _plain),
)
def euler(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the imaginary part of an exponential of something imaginary as a sine."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, ImaginaryPart) or not isinstance(part.args[0], sp.exp):
            return part
        angle = part.args[0].args[0] / sp.I
        return sp.sin(angle) if is_real(angle) else part

    return walk(expression, change)


@rule(
    "linearity of the imaginary part",
    r"$\operatorname{Im}(a z + b w) = a \operatorname{Im} z + b \operatorname{Im} w$ for real $a$, $b$; and "
    r"$\operatorname{Im} \mathbb{E}Z = \mathbb{E} \operatorname{Im} Z$: a mean over masks is a sum with real weights.",
    example=lambda: (ImaginaryPart(_x * sp.exp(sp.I * _t) + 2 * sp.exp(-sp.I * _t)), _plain),
)
def linearity_of_imaginary_part(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take the imaginary part of a sum or a mean term by term; real factors come out."""

    def change(part: sp.Basic) -> sp.Basic:
        return _imaginary(part.args[0]) if isinstance(part, ImaginaryPart) else part

    return walk(expression, change)


def _imaginary(inside: sp.Expr) -> sp.Expr:
    if is_real(inside):
        return sp.Integer(0)
    if isinstance(inside, sp.Add):
        return sp.Add(*map(_imaginary, inside.args))
    if isinstance(inside, sp.Sum) and is_real(sp.Tuple(*(end for _, *ends in inside.limits for end in ends))):
        return sp.Sum(_imaginary(inside.function), *inside.limits)
    if isinstance(inside, Mean):
        return Mean(_imaginary(inside.args[0]))
    if isinstance(inside, sp.Mul):
        real = [factor for factor in inside.args if is_real(factor)]
        if real:
            return sp.Mul(*real) * _imaginary(sp.Mul(*(factor for factor in inside.args if not is_real(factor))))
    return ImaginaryPart(inside)


@rule(
    r"$\cos^2 + \sin^2 = 1$",
    r"$\cos^2 t + \sin^2 t = 1$, the theorem of Pythagoras in a circle of radius 1.",
    example=lambda: (sp.cos(_t) ** 2 * _x + _x * sp.sin(_t) ** 2, _plain),
)
def pythagoras(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the square of a sine as 1 minus the square of the cosine."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.sin):
            return 1 - sp.cos(part.base.args[0]) ** 2
        return part

    return walk(expression, change)


def homogeneity(function: Unknown) -> Rule:
    """Make the rule a(c z) = c a(z) for positive c, for a function that has the property ``homogeneous``.

    Raises ValueError for a function without that property.

    >>> a, z, p = Unknown("a", lambda u: u, properties=("homogeneous",)), sp.Symbol("z"), sp.Symbol("p", positive=True)
    >>> homogeneity(a).rewrite(a(p * z), Context(unknowns=(a,)))
    p*a(z)
    """
    if "homogeneous" not in function.properties:
        raise ValueError(
            f"{function.function} is not said to be homogeneous; its properties: {sorted(function.properties)}"
        )

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if not isinstance(part, sp.Function) or part.func != function.function or len(part.args) != 1:
                return part
            inside = sp.factor_terms(part.args[0])
            factors = [factor for factor in sp.Mul.make_args(inside) if is_positive(factor)]
            factors = [factor for factor in factors if not context.is_random(factor)]
            if not factors:
                return part
            return sp.Mul(*factors) * function(inside / sp.Mul(*factors))

        return walk(expression, change)

    return Rule(
        f"homogeneity of ${printed(sp.Symbol(str(function.function)))}$",
        r"$a(cz) = c\,a(z)$ for $c > 0$ and a function that is positively homogeneous of degree one: ReLU, leaky "
        r"ReLU, the identity.",
        rewrite,
        assumes=("homogeneous-activation",),
        key="homogeneity",
    )
