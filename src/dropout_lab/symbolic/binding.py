"""Bound indices: replacing what is free in an expression so that no sum catches what is put in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

#: What binds a letter: the index of a sum or a product, the variable of an integral.
BINDERS = (sp.Sum, sp.Product, sp.Integral)
#: What is done with a letter at a point: nothing can be put for it inside.
_AT_A_POINT = (sp.Limit, sp.Subs)
#: Letters for indices that have to be renamed, in the order of use.
_LETTERS = "ijklmstuvabcdefgh"

Limit = tuple[sp.Symbol, sp.Expr, sp.Expr]


def bound_symbols(expression: sp.Basic) -> set[sp.Symbol]:
    """The letters that a sum, a product or an integral anywhere in an expression binds."""
    return {limit[0] for part in expression.atoms(*BINDERS) for limit in part.limits}


def held(part: sp.Basic) -> set[sp.Basic]:
    """The letters that a part itself binds or differentiates by; of an indexed value w[k], the letter w."""
    if isinstance(part, BINDERS):
        return {limit[0] for limit in part.limits}
    if isinstance(part, sp.Limit):
        return {part.args[1]}
    if isinstance(part, (sp.Derivative, sp.Subs)):
        return {one.base.label if isinstance(one, sp.Indexed) else one for one in part.variables}
    return set()


def fresh(index: sp.Symbol, taken: Iterable[sp.Basic]) -> sp.Symbol:
    """A letter like ``index`` that is not taken: its own, if it is free."""
    names = {symbol.name for symbol in taken if isinstance(symbol, sp.Symbol)}
    candidates = [index.name, *_LETTERS, *(f"{index.name}{number}" for number in range(1, len(names) + 2))]
    name = next(name for name in candidates if name not in names)
    return index if name == index.name else sp.Symbol(name, **index.assumptions0)


def put(expression: sp.Basic, values: Mapping[sp.Basic, sp.Basic]) -> sp.Basic:
    """Replace what is free in an expression; indices of sums that would catch something get other letters.

    The keys are letters, masks such as ``r[k]``, or whole parts. Of ``Sum(a[i]*r[k], (k, 1, n))`` nothing is replaced
    by a value for ``r[k]`` or ``k``: that k is another one. The letter of indexed values, the w of ``w[i]``, is a key
    only for a :class:`sympy.Lambda` of its indices.

    >>> i, k, n = sp.symbols("i k n", integer=True, positive=True)
    >>> A = sp.IndexedBase("A")
    >>> put(sp.Sum(A[k, i], (i, 1, n)), {k: i})
    Sum(A[i, j], (j, 1, n))
    """
    if not values or not isinstance(expression, sp.Basic):
        return expression
    if isinstance(expression, sp.Indexed) and expression.base in values:
        law = values[expression.base]
        indices = (put(index, values) for index in expression.indices)
        return put(law.expr, dict(zip(law.signature, indices, strict=True)))
    if expression in values:
        return values[expression]
    if isinstance(expression, sp.IndexedBase) or not expression.args:
        return expression
    if isinstance(expression, BINDERS):
        return _put_under(expression, values)
    if isinstance(expression, _AT_A_POINT):
        own = held(expression)
        values = {key: value for key, value in values.items() if not own & key.free_symbols}
        if own & set().union(*(value.free_symbols for value in values.values())):
            raise ValueError(f"{', '.join(map(str, own))} is taken in {expression}: use another letter")
    arguments = [put(argument, values) for argument in expression.args]
    if all(new is old for new, old in zip(arguments, expression.args, strict=True)):
        return expression
    if isinstance(expression, sp.Derivative):
        return sp.Derivative(*arguments, evaluate=False)
    if isinstance(expression, sp.Lambda):
        return sp.Lambda(expression.args[0], arguments[1])
    return expression.func(*arguments)


def _put_under(expression: sp.Expr, values: Mapping[sp.Basic, sp.Basic]) -> sp.Expr:
    """From the outermost limit inwards: each hides its letter from what stands inside it."""
    inside = dict(values)
    limits: list[tuple[sp.Basic, ...]] = []
    for index, *ends in reversed(expression.limits):
        limits.insert(0, (index, *(put(end, inside) for end in ends)))
        free = expression.function.free_symbols.union(
            *(part.free_symbols for limit in expression.limits for part in limit)
        )
        inside = {
            key: value
            for key, value in inside.items()
            if index not in key.free_symbols and (not key.free_symbols or key.free_symbols & free)
        }
        coming = set().union(*(value.free_symbols for value in inside.values()))
        if index in coming:
            other = fresh(
                index, coming | expression.atoms(sp.Symbol) | set().union(*(key.free_symbols for key in inside))
            )
            limits[0] = (other, *limits[0][1:])
            inside[index] = other
    return expression.func(put(expression.function, inside), *limits)


def apart(expression: sp.Expr, taken: set[sp.Basic]) -> sp.Expr:
    """The same expression, with bound letters that are neither in ``taken`` nor bound twice; adds them to ``taken``."""
    if isinstance(expression, sp.Indexed) or not expression.args:
        return expression
    if isinstance(expression, BINDERS):
        names: dict[sp.Basic, sp.Basic] = {}
        limits: list[tuple[sp.Basic, ...]] = []
        for index, *ends in reversed(expression.limits):
            limits.insert(0, (fresh(index, taken), *(put(end, names) for end in ends)))
            names[index] = limits[0][0]
            taken.add(limits[0][0])
        return expression.func(apart(put(expression.function, names), taken), *limits)
    if isinstance(expression, (sp.Add, sp.Mul, sp.Pow)):
        return expression.func(*(apart(argument, taken) for argument in expression.args))
    return expression


def is_not_empty(low: sp.Expr, high: sp.Expr) -> bool:
    """Whether a range surely has a term, whatever its letters are."""
    return bool((high - low).is_nonnegative)


def counts(low: sp.Expr, high: sp.Expr) -> bool:
    """Whether ``high − low + 1`` surely is the number of terms of a range: it may be none, but is not negative."""
    length = high - low + 1
    return bool(length.is_nonnegative) or (low == 1 and high.is_Symbol and not high.is_negative)


def lettered(expression: sp.Basic) -> sp.Basic:
    """The same expression with letters for the bound indices that algebra has numbered, to be read.

    >>> made, n = sp.Symbol("#0", integer=True), sp.Symbol("n")
    >>> lettered(sp.Sum(sp.IndexedBase("a")[made], (made, 1, n)))
    Sum(a[i], (i, 1, n))
    """
    numbered = sorted((one for one in bound_symbols(expression) if one.name.startswith("#")), key=lambda one: one.name)
    names: dict[sp.Basic, sp.Basic] = {}
    for one in numbered:
        letter = sp.Symbol("i", **one.assumptions0)
        names[one] = fresh(letter, {*expression.atoms(sp.Symbol), *names.values()})
    return expression.xreplace(names)
