"""Logarithms of products of exponentials, as in the log-probabilities of a softmax. All symbols stand for real
numbers."""

from __future__ import annotations

import sympy as sp


def expand_logs(expression: sp.Expr) -> sp.Expr:
    """Write log(a·b) as log a + log b for positive factors, and log exp z as z.

    The log-probability of a softmax, log(exp(z_k) / Σ_m exp(z_m)), becomes z_k − log Σ_m exp(z_m): in a difference of
    two log-probabilities the normalizer cancels.
    """
    expression = sp.sympify(expression)
    return expression.replace(sp.log, _logarithm) if expression.has(sp.log) else expression


def _logarithm(argument: sp.Expr) -> sp.Expr:
    if not _is_positive(argument):
        argument = sp.together(argument)
    if isinstance(argument, sp.exp):
        return argument.exp
    if isinstance(argument, sp.Mul) and all(_is_positive(factor) for factor in argument.args):
        return sp.Add(*[_logarithm(factor) for factor in argument.args])
    if isinstance(argument, sp.Pow) and _is_positive(argument.base):
        return argument.exp * _logarithm(argument.base)
    return sp.log(argument)


def _is_positive(expression: sp.Expr) -> bool:
    if isinstance(expression, sp.exp) or expression.is_positive:
        return True
    if isinstance(expression, (sp.Sum, sp.Product)):
        return _is_positive(expression.function)
    if isinstance(expression, (sp.Add, sp.Mul)):
        return all(_is_positive(part) for part in expression.args)
    return isinstance(expression, sp.Pow) and _is_positive(expression.base)
