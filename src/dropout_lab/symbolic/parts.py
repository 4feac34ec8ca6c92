"""The parts of an expression with operators and letters: to go through them, and to put others in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy as sp

from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator, mentions


def everywhere(expression: sp.Basic) -> Iterable[sp.Basic]:
    """Yield all parts of an expression, and those of what its letters stand for."""
    stack, seen = [expression], set()
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, Named):
            if part in seen:
                continue
            seen.add(part)
            stack.append(part.meaning)
        stack.extend(argument for argument in part.args if isinstance(argument, sp.Basic))


def walk(expression: sp.Basic, change: Callable[[sp.Basic], sp.Basic]) -> sp.Basic:
    """Rebuild an expression from its leaves up, with ``change`` applied to each part.

    What a letter stands for is left alone.
    """
    if isinstance(expression, (sp.Lambda, sp.Indexed, sp.Tuple)) or not expression.args:
        return change(expression) if isinstance(expression, sp.Expr) else expression
    if isinstance(expression, Named):
        arguments = [walk(argument, change) for argument in expression.args[2:]]
        return change(Named(*expression.args[:2], *arguments))
    arguments = [walk(argument, change) for argument in expression.args]
    if any(new is not old for new, old in zip(arguments, expression.args, strict=True)):
        expression = rebuilt(expression, arguments)
    return change(expression)


def rebuilt(expression: sp.Basic, arguments: list[sp.Basic]) -> sp.Basic:
    """Return the same operation on other arguments, left unevaluated where SymPy would evaluate it."""
    if isinstance(expression, sp.Derivative):
        # SymPy makes 0 of the derivative of a mean by a letter that stands in the law of the masks alone.
        if arguments[0].has(Operator) and not all(mentions(arguments[0], one) for one, _ in arguments[1:]):
            return expression
        return sp.Derivative(*arguments, evaluate=False)
    if isinstance(expression, sp.Eq):
        return sp.Eq(*arguments, evaluate=False)
    return expression.func(*arguments)
