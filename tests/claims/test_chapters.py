"""What the cells of the chapters hand to ``claims``: the rules of grading that can be read off the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?:---\n.*?^---\n)?(.*?)^```", re.MULTILINE | re.DOTALL)


def refutations(code: str) -> Iterator[ast.Call]:
    """The calls of ``claims.refute`` in a cell."""
    # Magics and options are no Python.
    tree = ast.parse(re.sub(r"^[%!:].*$", "", code, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "claims.refute":
            yield node


def is_typed_in(value: ast.expr) -> bool:
    """Whether an expression holds no name beside those of the functions that it calls: a literal, wrapped or not."""
    called = {id(name) for node in ast.walk(value) if isinstance(node, ast.Call) for name in ast.walk(node.func)}
    names = [node for node in ast.walk(value) if isinstance(node, ast.Name) and id(node) not in called]
    methods = [
        node
        for node in ast.walk(value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "subs"
    ]
    return not names and not methods


@pytest.mark.parametrize(
    "value, typed",
    [
        ("0", True),
        ("[3, -2]", True),
        ("sp.Integer(40)", True),
        ("0 * logistic(1)", True),
        ("2**8", True),
        ("(2**n).subs(n, 8)", False),
        ("start.subs(start, 1)", False),
        ("variance.subs({one: 1})", False),
        ("half * W1", False),
    ],
)
def test_a_literal_is_one_however_it_is_wrapped(value, typed):
    assert is_typed_in(ast.parse(value, mode="eval").body) is typed


def test_what_a_counterexample_claims_is_not_typed_in():
    pages = sorted(CHAPTERS.rglob("*.md"))
    found = [
        (page.name, call)
        for page in pages
        for code in CELL.findall(page.read_text(encoding="utf-8"))
        for call in refutations(code)
    ]
    assert len(found) > 20
    for page, call in found:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        where = f"{page}: claims.refute({ast.unparse(call.args[0])}, claimed={ast.unparse(given['claimed'])})"
        assert not is_typed_in(given["claimed"]), f"{where} types in what the source would have to say"


def test_a_page_that_derives_says_what_breaks_it():
    pages = {page: page.read_text(encoding="utf-8") for page in CHAPTERS.rglob("*.md")}
    deriving = {page: text for page, text in pages.items() if "claims.derive(" in text}
    assert len(deriving) > 15
    for page, text in deriving.items():
        assert re.search(r"^## What breaks it$", text, re.MULTILINE), f"{page.name} drops no assumption"
