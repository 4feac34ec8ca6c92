"""What a statement of a notebook does with names, read from its code alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

BUILTINS = frozenset(dir(builtins))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Names:
    """What a statement does with names: it ``binds`` some, ``imports`` some, ``changes`` what others have bound, and
    has ``own`` ones, which only its functions, comprehensions and loops know.
    """

    binds: frozenset[str]
    imports: frozenset[str]
    changes: frozenset[str]
    own: frozenset[str]


@lru_cache(maxsize=1 << 12)
def statements(cell: str) -> tuple[ast.stmt, ...]:
    """The statements of a cell; none for what is no Python.

    >>> len(statements("a = 1; b = 2")), statements("%matplotlib inline")
    (2, ())
    """
    try:
        return tuple(ast.parse(cell).body)
    except SyntaxError:
        return ()


@lru_cache(maxsize=1 << 12)
def names(statement: ast.stmt) -> Names:
    """The names of one statement.

    >>> found = names(statements("means[arm] = [np.mean(value) for value in values]")[0])
    >>> sorted(found.binds), sorted(found.changes), sorted(found.own)
    ([], ['means'], ['value'])
    """
    bound, inner = _bound(statement), _inner(statement)
    simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))
    imports = bound if isinstance(statement, (ast.Import, ast.ImportFrom)) else set()
    # A loop or a function binds what its body reads.
    own = inner if simple else inner | bound
    return Names(*map(frozenset, (bound - imports, imports, _changed(statement), own)))


def uses(part: ast.AST) -> Iterator[tuple[str, str | None]]:
    """The names that a piece of code reads or adds to, each with the entry that is read, or None for all of it.

    >>> list(uses(ast.parse("nets['none'] + total").body[0]))
    [('nets', 'none'), ('total', None)]
    """
    if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Load) and (key := entry(part)) is not None:
        yield key
        return
    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
        yield part.id, None
    elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
        yield part.target.id, None
    for child in ast.iter_child_nodes(part):
        yield from uses(child)


def entry(node: ast.AST) -> tuple[str, str] | None:
    """The name and the key, if a piece of code is one entry of what a name stands for, under a key that is a text."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        key = node.slice.value
        return (node.value.id, key) if isinstance(key, str) else None
    return None


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds in the notebook: not those inside of its functions and comprehensions."""
    found: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, _SCOPES):
            if not isinstance(node, ast.Lambda):
                found.add(node.name)
            continue
        elif isinstance(node, ast.comprehension):
            waiting.extend([node.iter, *node.ifs])
            continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _inner(statement: ast.stmt) -> set[str]:
    """The names that only functions and comprehensions inside of a statement bind."""
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, _SCOPES):
            if not isinstance(node, ast.ClassDef):
                given = node.args
                found.update(one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))
                found.update(one.arg for one in (given.vararg, given.kwarg) if one is not None)
            found.update(
                one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            )
        elif isinstance(node, ast.comprehension):
            found.update(one.id for one in ast.walk(node.target) if isinstance(one, ast.Name))
    return found


def _changed(statement: ast.stmt) -> set[str]:
    """The names whose parts or attributes a statement sets, or adds to by a method that says so."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            found |= _root(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ADDING:
            found |= _root(node.func)
    return found


_ADDING = ("append", "extend", "update", "add", "insert", "setdefault")


def _root(node: ast.expr) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
