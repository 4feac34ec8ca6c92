"""The page for teachers says how long notebooks take, from a cost file and never by hand."""

from __future__ import annotations

import re
from pathlib import Path

from tiny_book import Book

from dropout_lab.book.costs import Cost, costs_text
from dropout_lab.book.lectures import MEASURED

ROOT = Path(__file__).resolve().parents[3]


def test_times_come_from_the_cost_file(book: Book) -> None:
    book.claims()
    path = book.folder / MEASURED
    path.parent.mkdir(parents=True)
    path.write_text(costs_text({"a": Cost(100.4, 300), "b": Cost(20.0, 512)}), encoding="utf-8")
    for name in ("a", "b", "c"):
        book.page(name, f"# {name}\n")
    book.page("d", "# D\n\nOne {takes}`a`, two {takes}`a, b`, new {takes}`b, c`.\n")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    page = built.page("d").replace("\N{NO-BREAK SPACE}", " ").replace("&#160;", " ")
    assert "One 1 min 40 s, 300 MiB, two 2 min 0 s, 512 MiB, new not measured yet." in page
    # A new measurement has the page read again.
    path.write_text(costs_text({"a": Cost(1.0, 300)}), encoding="utf-8")
    assert "One 1 s, 300 MiB" in book.build().page("d").replace("\N{NO-BREAK SPACE}", " ").replace("&#160;", " ")


def test_a_page_that_is_not_there_fails_the_build(book: Book) -> None:
    book.claims()
    book.page("a", "# A\n\n{takes}`nowhere`\n")
    built = book.build()
    assert built.status == 1
    assert "takes expects pages of the book, such as chapters/index, got 'nowhere'" in built.warnings


def test_no_time_is_typed_into_the_page_for_teachers() -> None:
    text = (ROOT / "chapters" / "for-teachers.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "{doc}`" in line]
    assert len(rows) == text.count("{takes}`") == 20 and all(row.endswith("` |") and "{takes}`" in row for row in rows)
    assert not re.search(r"\d+(?:\.\d+)? ?(?:s|seconds?|min|minutes|MiB|GB)\b", text.replace("ninety minutes", ""))
