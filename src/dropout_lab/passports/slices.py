"""Which code a cell rests on: a slice of the notebook, read from the code of the cells alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dropout_lab.passports.statements import BUILTINS, entry, names, statements, uses

#: Entries of what a name stands for; with None among them, all of it.
_Keys = frozenset[str | None]
_ALL: _Keys = frozenset({None})
_NONE: _Keys = frozenset()


@dataclass(frozen=True)
class Piece:
    """A statement that a cell rests on: the ``place`` of its cell, the ``parts`` of it that count, and what it
    ``gives``: the names that are needed, each with the entries that are.
    """

    place: int
    parts: tuple[ast.AST, ...]
    gives: Mapping[str, _Keys]


def slice_of(cells: Sequence[str]) -> list[Piece]:
    """The statements that the last of ``cells`` rests on, its own included, in their order.

    A statement counts if it binds or changes a name that is needed; one that only imports it does not. Where one entry
    of a dictionary is needed, the others do not count. Raises ValueError for no cell.

    >>> cells = ["low, high = 1, 2", "found = {'a': low, 'b': high}", "print(found['a'])"]
    >>> [(piece.place, [ast.unparse(part) for part in piece.parts]) for piece in slice_of(cells)]
    [(0, ['low, high = (1, 2)']), (1, ['low']), (2, ["print(found['a'])"])]
    """
    if not cells:
        raise ValueError("a slice needs one cell or more, got none")
    last = len(cells) - 1
    found: list[Piece] = []
    wanted: dict[str, set[str | None]] = {}
    lines = [(place, statement) for place, cell in enumerate(cells) for statement in statements(cell)]
    for place, statement in reversed(lines):
        here = names(statement)
        touched = here.binds | here.changes
        parts: tuple[ast.AST, ...]
        for name in here.imports:
            wanted.pop(name, None)
        if place == last:
            parts, gives = (statement,), dict.fromkeys(touched, _ALL)
        else:
            gives = {name: frozenset(wanted[name]) for name in touched & wanted.keys()}
            parts = _that_count(statement, gives) if gives else ()
        if not parts:
            continue
        found.append(Piece(place, parts, gives))
        passed_on = _passed_on(statement, gives)
        for name in here.binds:
            wanted.pop(name, None)
        for name, key in (*passed_on, *(use for part in parts for use in uses(part))):
            if name not in here.own | BUILTINS:
                wanted.setdefault(name, set()).add(key)
    return found[::-1]


def sources(cells: Sequence[str]) -> list[int]:
    """The places of the cells that the last of ``cells`` rests on, itself included, in their order.

    >>> sources(["import numpy as np", "a = np.ones(2)", "b = 3", "c = a + 1", "print(c)"])
    [1, 3, 4]
    """
    return sorted({len(cells) - 1, *(piece.place for piece in slice_of(cells))})


def _that_count(statement: ast.stmt, gives: Mapping[str, _Keys]) -> tuple[ast.AST, ...]:
    """The parts of a statement that the entries which are needed come from; none if it sets other entries."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return (statement,)
    target, value = statement.targets[0], statement.value
    if (one := entry(target)) is not None:
        return (value,) if gives.get(one[0], _NONE) & {one[1], None} else ()
    if not isinstance(target, ast.Name) or None in gives[target.id]:
        return (statement,)
    around: tuple[ast.AST, ...] = ()
    if (inner := _passing(value)) is not None:
        around, value = (value.func,), inner  # type: ignore[attr-defined]
    if isinstance(value, ast.Name) and around:
        return around
    if isinstance(value, ast.Dict):
        entries = {key.value: own for key, own in zip(value.keys, value.values, strict=True) if _is_text(key)}  # type: ignore[union-attr]
        if len(entries) == len(value.keys) and gives[target.id] <= entries.keys():
            return (*around, *(entries[key] for key in entries if key in gives[target.id]))
    return (statement,)


def _passed_on(statement: ast.stmt, gives: Mapping[str, _Keys]) -> list[tuple[str, str | None]]:
    """The entries that a statement such as ``b = holm(a)`` takes from the ones of another name."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return []
    keys, inner = gives.get(statement.targets[0].id, _NONE), _passing(statement.value)
    if None in keys or not isinstance(inner, ast.Name):
        return []
    return [(inner.id, key) for key in sorted(map(str, keys))]


def _passing(value: ast.expr) -> ast.expr | None:
    """The argument of a call such as ``statistics.holm(found)``, whose result has the entries of its argument."""
    if isinstance(value, ast.Call) and len(value.args) == 1 and not value.keywords:
        return value.args[0]
    return None


def _is_text(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str)
