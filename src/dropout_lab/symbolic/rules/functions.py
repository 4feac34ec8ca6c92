"""Rules about logarithms, exponentials, derivatives, integrals, limits and functions of which only a property is
known."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from dropout_lab.symbolic.binding import bound_symbols, put
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import (
    ImaginaryPart,
    Mean,
    Named,
    Operator,
    ProductOverMasks,
    SumOverMasks,
    Unknown,
    Weight,
    mentions,
    walk,
)
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
    """Logarithms of positive products, quotients and powers, taken apart."""

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
    """Positive parts under a logarithm in an exponential."""

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
    """Hyperbolic functions by their definition, exponentials of sums as products."""

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
    """A power of a product, factor by factor; factors of which no sign is known stay together."""

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
    """The absolute value of a product, and of what is surely not negative."""

    def size(part: sp.Expr) -> sp.Expr:
        return next((one for one in (part, -part) if _is_not_negative(one, context)), sp.Abs(part))

    def change(part: sp.Basic) -> sp.Basic:
        return sp.Mul(*map(size, sp.Mul.make_args(part.args[0]))) if isinstance(part, sp.Abs) else part

    return walk(expression, change)


def _is_not_negative(part: sp.Expr, context: Context) -> bool:
    """Whether an expression surely is at least 0, as the probability of a mask and of its complement are."""
    if is_nonnegative(part):
        return True
    laws = (family.keep_prob(*(sp.Dummy(integer=True) for _ in family.size)) for family in context.families)
    return any(part in (law, 1 - law) for law in laws)


def _exponential_example() -> tuple[sp.Expr, Context]:
    return sp.exp(_t + sp.Sum(_a[_i] * _t, (_i, 1, _n))), _plain


@rule(
    "exponential of a sum",
    r"$e^{a + b} = e^a e^b$, so $\exp \sum_i a_i = \prod_i e^{a_i}$ for a finite sum.",
    example=_exponential_example,
)
def exponential_of_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """The exponential of a finite sum as the product of the exponentials."""

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
    """The imaginary part of an exponential of something imaginary is a sine."""

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
    """The imaginary part of a sum or a mean is the sum or the mean of the imaginary parts; real factors come out."""

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
    "cos² + sin² = 1",
    r"$\cos^2 t + \sin^2 t = 1$, the theorem of Pythagoras in a circle of radius 1.",
    example=lambda: (sp.cos(_t) ** 2 * _x + _x * sp.sin(_t) ** 2, _plain),
)
def pythagoras(expression: sp.Expr, context: Context) -> sp.Expr:
    """The square of a sine as 1 minus the square of the cosine."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Pow) and part.exp == 2 and isinstance(part.base, sp.sin):
            return 1 - sp.cos(part.base.args[0]) ** 2
        return part

    return walk(expression, change)


def _derivative_example() -> tuple[sp.Expr, Context]:
    return sp.Derivative(sp.Sum(_a[_i] ** 2, (_i, 1, _n)), _a[_k]), _plain


@rule(
    "derivative",
    r"The rules of differentiation: sum, product, chain rule and the derivatives of elementary functions; "
    r"$\partial a_i / \partial a_k = \delta_{ik}$.",
    example=_derivative_example,
)
def derivative(expression: sp.Expr, context: Context) -> sp.Expr:
    """Derivatives carried out, but not through a mean: that takes a rule of its own."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Subs):
            return _put_in(part, context)
        if not isinstance(part, sp.Derivative) or context.unknown(part.expr):
            return part
        if _is_inert(part.expr, part.variables, context):
            return part
        return _differentiated(part)

    return walk(expression, change)


def _put_in(part: sp.Subs, context: Context) -> sp.Expr:
    """The value of a derivative at a point, once it is carried out; what a letter means is left alone."""
    inert = part.expr.atoms(Operator, Named, sp.Derivative, sp.Integral, sp.Limit)
    if any(context.varies(one, variable) for one in inert for variable in part.variables):
        return part
    return put(part.expr, dict(zip(part.variables, part.point, strict=True)))


def _differentiated(part: sp.Derivative) -> sp.Expr:
    value = part.expr
    for variable, count in part.variable_count:
        _check_index(variable, value)
        if any(sp.oo in limit for total in value.atoms(sp.Sum, sp.Product) for limit in total.limits):
            return part
        value = sp.diff(value, variable, count)
    return value


def _check_index(variable: sp.Expr, value: sp.Expr) -> None:
    if bound_symbols(value) & variable.free_symbols:
        raise ValueError(f"{variable} has the index of a sum in {value}; take a letter that is not summed over")


def _exchange_example() -> tuple[sp.Expr, Context]:
    return sp.Derivative(SumOverMasks(Weight() * _x**2), _x, evaluate=False), _plain


@rule(
    "linearity of the derivative",
    r"$\nabla \sum_r \pi_r f_r = \sum_r \pi_r \nabla f_r$: the derivative of a finite sum is the sum of the "
    r"derivatives, as long as the weights $\pi_r$ do not depend on what is differentiated by.",
    assumes=("fixed-rates",),
    example=_exchange_example,
)
def derivative_of_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """A derivative taken inside sums over indices and over masks; constant factors come out."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative):
            return part
        for variable in part.variables:
            _check_index(variable, part.expr)
            # The keep probability itself: the weights of the masks would have to be differentiated, too.
            if part.expr.has(Operator) and context.varies(Weight(), variable):
                return part
        return _inside(part.expr, part.variable_count)

    return walk(expression, change)


def _inside(expression: sp.Expr, variables: sp.Tuple) -> sp.Expr:
    def moves(part: sp.Basic) -> bool:
        return any(mentions(part, variable) for variable, _ in variables)

    if not moves(expression):
        return sp.Integer(0)
    if isinstance(expression, sp.Add):
        return sp.Add(*(_inside(part, variables) for part in expression.args))
    if isinstance(expression, SumOverMasks):
        return SumOverMasks(_inside(expression.args[0], variables))
    if isinstance(expression, sp.Sum) and not any(moves(limit) or sp.oo in limit for limit in expression.limits):
        return sp.Sum(_inside(expression.function, variables), *expression.limits)
    if isinstance(expression, sp.Mul):
        constant = [part for part in expression.args if not moves(part)]
        if constant:
            rest = sp.Mul(*(part for part in expression.args if moves(part)))
            return sp.Mul(*constant) * _inside(rest, variables)
    return sp.Derivative(expression, *variables, evaluate=False)


def _integral_example() -> tuple[sp.Expr, Context]:
    return sp.Integral(_x * sp.exp(-_t), (_t, 0, sp.oo)), _plain


@rule(
    "integral",
    r"An integral carried out: by an antiderivative, or a known definite integral.",
    example=_integral_example,
)
def integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """Integrals that SymPy can evaluate without a condition."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Integral) or _is_inert(part.function, part.variables, context):
            return part
        done = part.doit()
        return part if done.has(sp.Integral, sp.Piecewise) else done

    return walk(expression, change)


def _is_inert(function: sp.Expr, variables: Iterable[sp.Expr], context: Context) -> bool:
    """Whether a letter stands in a mean or in another letter, about which SymPy knows nothing."""
    inert = function.atoms(Operator, Named)
    return any(context.varies(one, variable) for one in inert for variable in variables)


@rule(
    "linearity of the integral",
    r"$\int (a f + b g) = a \int f + b \int g$.",
    example=lambda: (sp.Integral(_x * sp.exp(-_t) + _t, (_t, 0, 1)), _plain),
)
def linearity_of_integral(expression: sp.Expr, context: Context) -> sp.Expr:
    """The integral of a sum is the sum of the integrals; constants come out."""

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
    """∫ f(x) dx with x = g(u): ∫ f(g(u)) g′(u) du, where g(low) and g(high) are the ends of the integral over x.

    ``image`` is g(u), which surely grows or surely falls: its slope is of one sign for all u of its kind, positive ones
    say. Raises ValueError where it may turn, and where it has other limits at ``low`` and ``high`` than the integral.

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
        f"substitution {sp.sstr(old)} = {sp.sstr(image)}",
        r"$\int f(x)\,dx = \int f(g(u))\,g'(u)\,du$ for $x = g(u)$, from end to end.",
        rewrite,
        both=False,
        key="substitution",
    )


def _moves_in_sight(function: sp.Expr, variable: sp.Symbol, context: Context) -> bool:
    """Whether a variable stands in no mean, and in letters only as their argument."""
    hidden = [one for one in function.atoms(Operator) if context.varies(one, variable)]
    return not hidden and not any(variable in one.args[1].free_symbols for one in function.atoms(Named))


@rule(
    "limit",
    r"A limit carried out: the number that an expression comes as near to as one likes.",
    example=lambda: (sp.Limit(sp.sin(_x * _t) / _t, _t, 0), _plain),
)
def limit(expression: sp.Expr, context: Context) -> sp.Expr:
    """Limits that SymPy can evaluate."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Limit) or _is_inert(part.args[0], part.args[1:2], context):
            return part
        done = part.doit()
        return part if done.has(sp.Limit) else done

    return walk(expression, change)


def homogeneity(function: Unknown) -> Rule:
    """a(c z) = c a(z) for positive c, where the function has the property ``homogeneous``."""
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
        f"homogeneity of {function.function}",
        r"$a(cz) = c\,a(z)$ for $c > 0$ and a function that is positively homogeneous of degree one: ReLU, leaky "
        r"ReLU, the identity.",
        rewrite,
        assumes=("homogeneous-activation",),
        key="homogeneity",
    )
