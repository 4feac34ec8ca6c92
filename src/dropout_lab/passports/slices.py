"""Which cells a cell rests on: a slice of the notebook, read from the code of the cells alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass

_BUILTINS = frozenset(dir(builtins))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Names:
    """What a cell does with names."""

    #: The names that the cell takes from cells before it.
    needs: frozenset[str]
    #: The names that it binds.
    binds: frozenset[str]
    #: The names that it imports.
    imports: frozenset[str]
    #: The names that others have bound and that it changes.
    changes: frozenset[str]


def names(cell: str) -> Names:
    r"""Return the names of one cell; what is no Python has none.

    >>> found = names("import numpy as np\nmean = np.mean(values)")
    >>> sorted(found.needs), sorted(found.binds), sorted(found.imports)
    (['values'], ['mean'], ['np'])
    """
    try:
        statements = ast.parse(cell).body
    except SyntaxError:
        statements = []
    needs: set[str] = set()
    binds: set[str] = set()
    imports: set[str] = set()
    changes: set[str] = set()
    for statement in statements:
        own = _bound(statement)
        simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))
        # A loop or a function binds what its body reads.
        local = _inner(statement) if simple else _inner(statement) | own
        needs |= _loaded(statement) - local - binds - imports - _BUILTINS
        changes |= _changed(statement) - binds
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports |= own
        else:
            binds |= own
    return Names(*map(frozenset, (needs, binds, imports, changes)))


def sources(cells: Sequence[str]) -> list[int]:
    """Return the places of the cells that the last of ``cells`` rests on, itself included, in their order.

    A cell counts if it binds or changes a name that is needed; one that only imports it does not. Raises ValueError for
    no cell.

    >>> sources(["import numpy as np", "a = np.ones(2)", "b = 3", "c = a + 1", "print(c)"])
    [1, 3, 4]
    """
    if not cells:
        raise ValueError("sources needs one cell or more, got none")
    last = len(cells) - 1
    found, wanted = [last], set(names(cells[last]).needs)
    for place in range(last - 1, -1, -1):
        own = names(cells[place])
        wanted -= own.imports
        if (own.binds | own.changes) & wanted:
            found.append(place)
            wanted = (wanted - own.binds) | own.needs
    return found[::-1]


def runs_in(cells: Sequence[str]) -> bool:
    """Tell whether one of the cells trains networks with :func:`dropout_lab.experiments.replicas.run`.

    >>> runs_in(["nets = replicas.run(digits, arms, seeds, error)"]), runs_in(["asyncio.run(main())"])
    (True, False)
    """
    return any(_asked_of_replicas(cell, "run") for cell in cells)


def seeds_in(cells: Sequence[str]) -> list[str]:
    """Return the calls for the seeds that the book reports, each once.

    >>> seeds_in(["found = linear.run(patients, arms, replicas.reported(50))", "a = replicas.tuning(4)"])
    ['replicas.reported(50)']
    """
    return list(dict.fromkeys(ast.unparse(call) for cell in cells for call in _asked_of_replicas(cell, "reported")))


def draws_in(cells: Sequence[str]) -> bool:
    """Tell whether one of the cells draws random numbers, as far as its own code says so.

    >>> draws_in(["random = np.random.default_rng(0)"]), draws_in(["dropout(x, 0.5, generator=g)"]), draws_in(["x + 1"])
    (True, True, False)
    """
    found = (node for cell in cells for node in _nodes(cell))
    return any(getattr(node, name, None) in _DRAWING for node in found for name in ("id", "attr", "arg"))


#: Names, attributes and keywords of what draws random numbers.
_DRAWING = frozenset(
    """Generator RandomState bernoulli default_rng generator manual_seed monte_carlo rand randint randn random
    random_state randperm reported""".split()  # noqa: SIM905
)


def _asked_of_replicas(cell: str, what: str) -> list[ast.Call]:
    """The calls ``replicas.what(…)`` of a cell."""
    return [
        node
        for node in _nodes(cell)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == what
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "replicas"
    ]


def _nodes(cell: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(cell)))
    except SyntaxError:
        return []


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


def _loaded(statement: ast.stmt) -> set[str]:
    """The names that a statement reads, also those that it adds to."""
    read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        read.add(statement.target.id)
    return read


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
