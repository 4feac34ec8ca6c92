"""What is surely real, positive or not negative, whatever its letters stand for.

All letters and indexed values of the book stand for real numbers. Everything else has to be shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import sympy as sp

from dropout_lab.symbolic.binding import is_not_empty
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Cov, Mean, ProductOverMasks, SumOverMasks, Var, Weight

_REAL_OF_REAL = (
    sp.exp,
    sp.sin,
    sp.cos,
    sp.sinh,
    sp.cosh,
    sp.tanh,
    sp.atan,
    sp.Abs,
    sp.sign,
    sp.Heaviside,
    sp.Max,
    sp.Min,
    sp.erf,
    sp.re,
    sp.im,
)


@lru_cache(maxsize=1 << 13)
def is_real(expression: sp.Basic) -> bool:
    """Whether an expression surely is a real number."""
    if isinstance(expression, sp.Tuple):
        return all(map(is_real, expression.args))
    if isinstance(expression, (sp.Symbol, sp.Indexed)):
        return expression.is_extended_real is not False
    if expression.is_extended_real:
        return True
    if isinstance(expression, Named):
        return is_real(expression.meaning)
    if isinstance(expression, (sp.Add, sp.Mul, Mean, Var, Cov, SumOverMasks, ProductOverMasks, *_REAL_OF_REAL)):
        return all(map(is_real, expression.args))
    if isinstance(expression, (sp.Sum, sp.Product, sp.Integral)):
        return is_real(expression.function)
    if isinstance(expression, sp.Derivative):
        return is_real(expression.expr)
    if isinstance(expression, sp.log):
        return is_positive(expression.args[0])
    if isinstance(expression, sp.Pow):
        if expression.exp.is_Integer:
            return is_real(expression.base)
        return is_positive(expression.base) and is_real(expression.exp)
    return False


@lru_cache(maxsize=1 << 13)
def is_positive(expression: sp.Basic) -> bool:
    """Whether an expression surely is greater than 0."""
    if isinstance(expression, sp.exp):
        return is_real(expression.args[0])
    if isinstance(expression, Weight) or expression.is_positive:
        return True
    if isinstance(expression, Named):
        return is_positive(expression.meaning)
    if isinstance(expression, sp.Indexed):
        return bool(expression.base.label.is_positive)
    if isinstance(expression, sp.Sum):
        return all(is_not_empty(low, high) for _, low, high in expression.limits) and is_positive(expression.function)
    if isinstance(expression, sp.Product):
        return is_positive(expression.function)
    if isinstance(expression, (Mean, ProductOverMasks, SumOverMasks)):
        return is_positive(expression.args[0])
    if isinstance(expression, sp.cosh):
        return is_real(expression.args[0])
    if isinstance(expression, sp.Add):
        return any(map(is_positive, expression.args)) and all(map(is_nonnegative, expression.args))
    if isinstance(expression, sp.Mul):
        return all(map(is_positive, expression.args))
    return isinstance(expression, sp.Pow) and is_positive(expression.base) and is_real(expression.exp)


@lru_cache(maxsize=1 << 13)
def is_nonnegative(expression: sp.Basic) -> bool:
    """Whether an expression surely is at least 0."""
    if expression.is_nonnegative or is_positive(expression):
        return True
    if isinstance(expression, Var):
        return is_real(expression.args[0])
    if isinstance(expression, Cov):
        return expression.args[0] == expression.args[1] and is_real(expression.args[0])
    if isinstance(expression, Named):
        return is_nonnegative(expression.meaning)
    if isinstance(expression, sp.Indexed):
        return bool(expression.base.label.is_nonnegative)
    if isinstance(expression, sp.Pow) and expression.exp.is_even:
        return is_real(expression.base)
    if isinstance(expression, sp.Pow):
        # Where it has a value: 1/x has none at 0.
        return is_nonnegative(expression.base) and is_real(expression.exp)
    if isinstance(expression, sp.Abs):
        return True
    if isinstance(expression, (sp.Sum, sp.Product)):
        return is_nonnegative(expression.function)
    if isinstance(expression, (Mean, SumOverMasks, ProductOverMasks)):
        return is_nonnegative(expression.args[0])
    if isinstance(expression, sp.Add):
        # cosh t is at least 1.
        least = (1 if isinstance(part, sp.cosh) and is_real(part.args[0]) else part for part in expression.args)
        return all(map(is_nonnegative, expression.args)) or bool(sp.Add(*least).is_nonnegative)
    return isinstance(expression, sp.Mul) and all(map(is_nonnegative, expression.args))


def raised(expression: sp.Expr, change: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """Put something larger in place of parts of an expression, but only where that makes the whole larger.

    ``change`` gives something that is at least its argument, or the argument itself. It is asked from the outside
    inwards, and what it changed is left alone: summands, factors beside others that are not negative, what stands
    under a mean, a sum over indices or masks, an integral from a lower to a higher end, an exponential, the logarithm
    of a positive number.
    """
    new = change(expression)
    if new != expression:
        return new
    if isinstance(expression, sp.Add):
        return sp.Add(*(raised(part, change) for part in expression.args))
    if isinstance(expression, sp.Mul):
        return sp.Mul(
            *(
                raised(part, change)
                if all(map(is_nonnegative, expression.args[:place] + expression.args[place + 1 :]))
                else part
                for place, part in enumerate(expression.args)
            )
        )
    if isinstance(expression, (Mean, SumOverMasks, sp.exp)):
        return expression.func(raised(expression.args[0], change))
    if isinstance(expression, sp.Sum):
        return sp.Sum(raised(expression.function, change), *expression.limits)
    if isinstance(expression, sp.Integral) and _runs_upwards(expression.limits):
        return sp.Integral(raised(expression.function, change), *expression.limits)
    if isinstance(expression, sp.log) and is_positive(expression.args[0]):
        return sp.log(raised(expression.args[0], change))
    return expression


def _runs_upwards(limits: tuple[sp.Tuple, ...]) -> bool:
    """Whether an integral over one variable surely goes from a lower end to a higher one."""
    if len(limits) != 1 or len(limits[0]) != 3:
        return False
    _, low, high = limits[0]
    return is_nonnegative(sp.expand(high - low))
