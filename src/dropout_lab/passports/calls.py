"""What the cells of a notebook call: training, the seeds that are reported, random numbers."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from dropout_lab.passports.statements import statements


def runs_in(cells: Sequence[str]) -> bool:
    """Whether one of the cells trains networks with :func:`dropout_lab.experiments.replicas.run`.

    >>> runs_in(["nets = replicas.run(digits, arms, seeds, error)"]), runs_in(["asyncio.run(main())"])
    (True, False)
    """
    return any(_asked_of_replicas(cell, "run") for cell in cells)


def seeds_in(cells: Sequence[str]) -> list[str]:
    """The calls for the seeds that the book reports, each once.

    >>> seeds_in(["found = linear.run(patients, arms, replicas.reported(50))", "a = replicas.tuning(4)"])
    ['replicas.reported(50)']
    """
    return list(dict.fromkeys(ast.unparse(call) for cell in cells for call in _asked_of_replicas(cell, "reported")))


def draws_in(cells: Sequence[str]) -> bool:
    """Whether one of the cells draws random numbers, as far as its own code says so.

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
    return [node for statement in statements(cell) for node in ast.walk(statement)]
