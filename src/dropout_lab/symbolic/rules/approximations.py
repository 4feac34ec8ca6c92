"""Rules that lead to ≈: what is small is left out, and the line says how small it is."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.letters import Named, Unknown
from dropout_lab.symbolic.operators import Operator
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.rules.base import Context, Rule


def expansion(small: sp.Symbol, order: int) -> Rule:
    """Make the rule of a Taylor expansion in ``small`` around 0, without the terms of the given order and above.

    What is expanded holds ``small`` in elementary functions only: not in a mean, nor in a letter. Raises ValueError for
    an order below 1.

    >>> t = sp.Symbol("t", real=True)
    >>> expansion(t, 3).rewrite(sp.exp(t), Context())
    t**2/2 + t + 1
    """
    if order < 1:
        raise ValueError(f"an expansion leaves out terms of an order of 1 or more, got {order}")

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        if any(context.varies(part, small) for part in expression.atoms(Operator, Named)):
            return expression
        return sp.series(expression, small, 0, order).removeO()

    return Rule(
        f"expansion to order {order}",
        r"$f(\varepsilon) = f(0) + \varepsilon f'(0) + \dots$: the terms of the Taylor expansion up to an order, for "
        r"small $\varepsilon$; what is left out is of that order.",
        rewrite,
        relation="~",
        both=False,
        key="expansion",
    )


def taylor(function: Unknown, around: sp.Expr, order: int) -> Rule:
    r"""Make the rule of Taylor's formula for a smooth function, without the terms of the given order and above.

    The formula is :math:`f(u) = f(c) + f'(c)(u - c) + \tfrac12 f''(c)(u - c)^2 + \dots`. ``function`` has the property
    ``smooth``, ``around`` is the point c, and the order counts powers of u − c. The rule works inside a mean, too,
    where it gives the mean of a polynomial. Raises ValueError for a function that is not said to be smooth, and for an
    order below 1.

    >>> f, c, d = Unknown("f", lambda u: u**3, properties=("smooth",)), *sp.symbols("c d", real=True)
    >>> taylor(f, c, 3).rewrite(f(c + d), Context(unknowns=(f,)))
    d**2*f''(c)/2 + d*f'(c) + f(c)
    """
    if "smooth" not in function.properties:
        raise ValueError(f"{function.function} is not said to be smooth; its properties: {sorted(function.properties)}")
    if order < 1:
        raise ValueError(f"an expansion leaves out terms of an order of 1 or more, got {order}")
    point = sp.sympify(around)

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if not isinstance(part, sp.Function) or part.func != function.function or len(part.args) != 1:
                return part
            step = part.args[0] - point
            # At the point itself, and where that is no summand, there is nothing to expand.
            if step == 0 or point not in sp.Add.make_args(part.args[0]):
                return part
            terms = (function.slope(point, k) * step**k / sp.factorial(k) for k in range(1, order))
            return sp.Add(function(point), *terms)

        return walk(expression, change)

    return Rule(
        f"Taylor's formula to order {order}",
        r"$f(c + h) = f(c) + f'(c)\,h + \tfrac12 f''(c)\,h^2 + \dots$ for a smooth $f$: the terms up to an order "
        "in $h$; what is left out is of that order.",
        rewrite,
        relation="~",
        both=False,
        key="Taylor's formula",
    )
