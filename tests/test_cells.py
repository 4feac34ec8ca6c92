"""The code cells of the chapters: one cell measures a claim, what keeps the books is folded, what teaches is open."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

import jupytext
import pytest
from chapter_pages import pages, read

from dropout_lab.book.folding import kind_of

PAGES = [page for page in pages() if "{code-cell}" in read(page)]


def cells(page: str) -> Iterator[tuple[str, dict, ast.Module]]:
    """Code, metadata and syntax tree of each code cell."""
    for cell in jupytext.reads(read(page), fmt="md:myst").cells:
        if cell.cell_type == "code":
            yield cell.source, cell.metadata, ast.parse(cell.source)


def measured(tree: ast.Module) -> set[str]:
    """The claims that a cell measures."""
    calls = [part for part in ast.walk(tree) if isinstance(part, ast.Call)]
    return {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "claims.measure"}


@pytest.mark.parametrize("page", PAGES)
def test_the_measurements_of_a_claim_share_a_card(page: str) -> None:
    count = Counter(claim for _, _, tree in cells(page) for claim in measured(tree))
    assert [claim for claim, number in count.items() if number > 1] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_keeps_the_books_is_folded_and_what_teaches_is_open(page: str) -> None:
    for source, metadata, tree in cells(page):
        kind = kind_of(source, metadata)
        only = tree.body[0] if len(tree.body) == 1 else None
        if isinstance(only, ast.Expr) and ast.unparse(only).startswith(("claims.measure(", "claims.together(")):
            assert kind == "record", source
        if metadata.get("mystnb", {}).get("figure"):
            assert kind == "figure", source
        if not metadata.get("mystnb") and any(word in source for word in ("Chain(", "replicas.run(", "print(")):
            assert kind == "", source


@pytest.mark.parametrize("page", PAGES)
def test_no_cell_is_longer_than_what_can_be_read_at_once(page: str) -> None:
    """Longer code belongs to the package, or is two thoughts with a sentence between them."""
    assert [source for source, _, _ in cells(page) if source.count("\n") >= 25] == []


def test_the_books_are_a_part_and_the_lessons_are_more() -> None:
    kinds = Counter(kind_of(source, metadata) for page in PAGES for source, metadata, _ in cells(page))
    assert min(kinds[kind] for kind in ("record", "figure", "setup")) > 20
    assert kinds[""] > 2 * (kinds.total() - kinds[""])
