"""A formula and its signs are one element, which the style sheet keeps in one line; a number stays whole."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag
from tiny_book import Book

from dropout_lab.book.unbroken import CLASS


def paragraph(book: Book, text: str) -> Tag:
    """The first paragraph of a page with this text."""
    book.claims()
    book.page("a", f"# A page\n\n{text}\n")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page("a"), "html.parser").select_one("h1 ~ p")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Let $p$ be known.", []),
        ("It is $p$.", [r"\(p\)."]),
        ("Is it one half ($p$), or $q$?", [r"(\(p\)),", r"\(q\)?"]),
        ("*It is $p$*.", []),
        ("$p$", []),
    ],
)
def test_signs_stay_with_their_formula(book: Book, text: str, kept: list[str]) -> None:
    found = paragraph(book, text)
    assert [part.text for part in found.select(f".{CLASS}")] == kept
    assert found.text == text.replace("$p$", r"\(p\)").replace("$q$", r"\(q\)").replace("*", "")


def test_no_line_ends_inside_a_number_or_before_its_percent_sign(book: Book) -> None:
    found = paragraph(book, "All 60 000 and a band of 95 %, **9.5 %** of all; `95 %` and 100 men % stay.")
    said = "All 60~000 and a band of 95~%, 9.5~% of all; 95 % and 100 men % stay."
    assert found.text == said.replace("~", "\N{NO-BREAK SPACE}")
    assert found.select_one("code").text == "95 %"
