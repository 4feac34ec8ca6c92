"""Rules about the derivative of a function of which only a property is known, and about a uniform number."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.operators import Unknown, walk
from dropout_lab.symbolic.rules.base import Context, Rule, rule

_x = sp.Symbol("x", positive=True)


def _chain_example() -> tuple[sp.Expr, Context]:
    loss = Unknown("L", lambda x: x**3, properties=("differentiable",))
    return sp.Derivative(loss(_x**2), _x, evaluate=False), Context(unknowns=(loss,))


@rule(
    "chain rule",
    r"$\partial f(u)/\partial x = f'(u)\,\partial u/\partial x$ for a function $f$ that has a derivative; a constant "
    r"factor stays.",
    example=_chain_example,
)
def chain_rule(expression: sp.Expr, context: Context) -> sp.Expr:
    """The derivative of an unknown function as its slope, times the derivative of what stands in it."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative):
            return part
        (variable, order), *more = part.variable_count
        if more or order != 1:
            return part
        factors = sp.Mul.make_args(part.expr)
        moving = [factor for factor in factors if context.varies(factor, variable)]
        outer = context.unknown(moving[0]) if len(moving) == 1 else None
        if outer is None or "differentiable" not in outer.properties or len(moving[0].args) != 1:
            return part
        constant, inside = sp.Mul(*(factor for factor in factors if factor is not moving[0])), moving[0].args[0]
        # As far as it goes, through functions of functions, so that both sides of a line are treated alike.
        return constant * outer.slope(inside) * change(sp.Derivative(inside, variable, evaluate=False))

    return walk(expression, change)


def below(threshold: sp.Expr) -> Rule:
    """∫₀¹ of f(u) where u < p, and 0 elsewhere, is ∫₀ᵖ f(u) du, for a ``threshold`` p that is a probability.

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
        "a uniform number below p",
        r"$\int_0^1 f(u)\,[u < p]\,du = \int_0^p f(u)\,du$ for a probability $p$, where $[u < p]$ is 1 if $u < p$ and "
        "0 otherwise.",
        rewrite,
        key="a uniform number below p",
    )
