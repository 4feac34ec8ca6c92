"""Which measured quantities a piece of a notebook reads, known by the texts in its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from dropout_lab.passports.slices import Piece, slice_of
from dropout_lab.passports.statements import statements


def quantities(pieces: Iterable[Piece], known: Collection[str]) -> frozenset[str]:
    """Those of the ``known`` quantities of an experiment whose names stand in the code.

    A name may lack the number at its end, which code often appends, and f-strings count with all that they can give.

    >>> cells = ["zeros = lambda arm: nets[arm][f'zeros{layer}']", "plt.plot(zeros('none'))"]
    >>> sorted(quantities(slice_of(cells), ["zeros1", "zeros2", "error"]))
    ['zeros1', 'zeros2']
    """
    nodes = (node for piece in pieces for part in piece.parts for node in ast.walk(part))
    texts = [pattern for node in nodes if (pattern := _pattern(node))]
    return frozenset(name for name in known if any(re.fullmatch(text, name) for text in texts))


def measured(cells: Sequence[str], known: Collection[str]) -> dict[str, list[frozenset[str]]]:
    """For each claim that cells measure: the quantities that its measurements rest on, in their order.

    Measurements made in a loop stand there once.

    >>> cells = ["gap = nets['none']['error'] - 3", "claims.measure('1.1', compare(gap), runs=nets, says='More.')"]
    >>> measured(cells, ["error", "nll"])
    {'1.1': [frozenset({'error'})]}
    """
    found: dict[str, list[frozenset[str]]] = {}
    for place, cell in enumerate(cells):
        before: list[str] = []
        for statement in statements(cell):
            for claim, compared in _measurements(statement):
                rest = slice_of([*cells[:place], "\n".join(before), ast.unparse(compared)])
                found.setdefault(claim, []).append(quantities(rest, known))
            before.append(ast.unparse(statement))
    return found


def _measurements(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The claims that a statement measures, each with the comparison, or with the loop that makes several."""
    loops = isinstance(node, (ast.GeneratorExp, ast.ListComp))
    for child in ast.iter_child_nodes(node):
        for claim, compared in _measurements(child):
            yield claim, node if loops else compared  # type: ignore[misc]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "claims.measure" and len(node.args) == 2:
        named, given = node.args
        if isinstance(named, ast.Constant):
            yield str(named.value), given


def _pattern(node: ast.AST) -> str:
    """What a text in the code can give, as a regular expression; empty for what is no text, or could be any."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return rf"{re.escape(node.value)}\d*" if node.value.strip() else ""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
        if any(part and str(part).strip() for part in parts):
            return "".join(".*" if part is None else re.escape(str(part)) for part in parts)
    return ""
