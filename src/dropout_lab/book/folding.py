"""Cells that only keep the books are folded, with one click to open them; code that teaches stays open.

What a cell does is read from its code, so no chapter has to say it. It keeps the books if it draws a figure, or if
each of its statements imports, sets something up, names symbols, or records evidence that was computed before.
A cell with the tag ``show-input`` stays open whatever it does, one with ``hide-input`` is folded, under the same words.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput, visit_HideCellInput
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

#: What a folded cell does, by its kind, as the line that opens and closes it says it.
KINDS = {
    "figure": "the code of the figure",
    "record": "the cell that records the evidence",
    "setup": "imports and symbols",
}
#: Functions that set something up, and those that name the symbols of a derivation.
_SETUPS = frozenset({"figures.style", "torch.set_num_threads", "torch.set_default_dtype", "torch.manual_seed"})
_SYMBOLS = frozenset({"symbols", "Symbol", "IndexedBase", "Masks", "Rational", "Sum"})


def kind_of(source: str, metadata: Mapping[str, Any]) -> str:
    """Which of :data:`KINDS` a cell is, by its code and its metadata; empty if its code teaches.

    Example
    -------
    >>> kind_of('claims.measure("1.1", judged, runs=runs, says="Better.")', {})
    'record'
    >>> kind_of("import sympy as sp\\nn = sp.Symbol('n')", {})
    'setup'
    >>> kind_of("from dropout_lab import nn\\nlayer = nn.Dropout(0.5)", {})
    ''
    """
    if "show-input" in metadata.get("tags", ()):
        return ""
    if metadata.get("mystnb", {}).get("figure"):
        return "figure"
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        # A cell with commands of IPython.
        return ""
    if not statements:
        return ""
    if any(map(_records, statements)) and all(map(_records_or_sets_up, statements)):
        return "record"
    imports = any(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in statements)
    return "setup" if imports and all(map(_sets_up, statements)) else ""


def _records_or_sets_up(statement: ast.stmt) -> bool:
    return _records(statement) or _sets_up(statement)


def _value(statement: ast.stmt) -> ast.expr | None:
    """What a statement computes, be it shown or given a name."""
    return statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None


def _sets_up(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, ast.FunctionDef):
        # A shorthand, such as the sum over all units.
        return len(statement.body) == 1 and isinstance(statement.body[0], ast.Return) and _names_symbols(statement)
    value = _value(statement)
    if isinstance(statement, ast.Assign):
        return _names_symbols(statement) or _calls(value) <= _SETUPS
    return isinstance(value, ast.Call) and ast.unparse(value.func) in _SETUPS


def _calls(node: ast.AST | None) -> set[str]:
    """The names of all functions that are called in a piece of code."""
    return {ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)} if node else set()


def _names_symbols(node: ast.AST) -> bool:
    return {name.rpartition(".")[2] for name in _calls(node)} <= _SYMBOLS


def _records(statement: ast.stmt) -> bool:
    """Whether a statement hands what was computed before to the claims, and computes nothing itself."""
    value = _value(statement)
    return value is not None and _is_record(value)


def _is_record(value: ast.expr) -> bool:
    if isinstance(value, ast.Starred) and isinstance(value.value, ast.GeneratorExp):
        # A record for each of what was computed before.
        return _is_record(value.value.elt)
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    if isinstance(function, ast.Attribute) and function.attr == "glue":
        # The formula of a settlement is given a name for the prose.
        return _is_record(function.value)
    name = ast.unparse(function)
    if name == "claims.measure":
        # The networks were trained before; their comparison by the rule, which the card shows, is part of the record.
        return True
    if not name.startswith("claims."):
        return False
    given = [*value.args, *(keyword.value for keyword in value.keywords)]
    return all(_is_record(part) or _computes_nothing(part) for part in given)


def _computes_nothing(value: ast.expr) -> bool:
    return not any(isinstance(part, (ast.Call, ast.BinOp, ast.comprehension)) for part in ast.walk(value))


def with_code(document: nodes.document) -> Iterator[tuple[nodes.container, nodes.Element]]:
    """The code cells of a page that show their code, each with the element that holds it."""
    for cell in list(document.findall(nodes.container)):
        if cell.get("nb_element") == "cell_code" and cell.children:
            source = cell.children[0]
            if isinstance(source, nodes.Element) and source.get("nb_element") == "cell_code_source":
                yield cell, source


class FoldCells(SphinxPostTransform):
    """Has myst-nb fold the cells that keep the books."""

    # Before myst-nb's own, which does the folding.
    default_priority = 190
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for cell, source in with_code(self.document):
            tagged = cell.get("hide_mode") or ""
            kind = kind_of(source.astext(), cell["cell_metadata"])
            if tagged in ("", "input") and (kind or tagged):
                said = KINDS.get(kind, "the code")
                cell["hide_mode"] = "input"
                cell["prompt_show"], cell["prompt_hide"] = f"Show {said}", f"Hide {said}"


def setup(app: Sphinx) -> None:
    """Register the transform, and have a fold say its own words to a screen reader, too."""
    app.add_post_transform(FoldCells)
    app.add_node(HideCodeCellNode, override=True, html=(_visit_fold, depart_HideCellInput))


def _visit_fold(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    # myst-nb's own calls every fold "Toggle hidden content", over the words that it shows.
    before = len(translator.body)
    visit_HideCellInput(translator, node)
    own = [part.replace(' aria-label="Toggle hidden content"', "") for part in translator.body[before:]]
    translator.body[before:] = own
