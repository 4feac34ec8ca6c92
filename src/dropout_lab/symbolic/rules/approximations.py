"""Rules that lead to ≈: what is small is left out, and the line says how small it is."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.operators import Named, Operator
from dropout_lab.symbolic.rules.base import Context, Rule


def expansion(small: sp.Symbol, order: int) -> Rule:
    """The Taylor expansion in ``small`` around 0, up to and without the terms of this order.

    What is expanded holds ``small`` in elementary functions only: not in a mean, nor in a letter. Raises ValueError
    for an order below 1.

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
