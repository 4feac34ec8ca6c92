"""Tiny books: an empty one, one that executes, and one with every directive and every kind of evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_book import CITED, DERIVED, ENUMERATED, MEASURED, OPEN, REFUTED, Book, cell, claim, derived


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """An empty book with an empty bibliography; the package reads its claims file."""
    folder = tmp_path / "book"
    folder.mkdir()
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(folder / "claims.yaml"))
    monkeypatch.delenv("DROPOUT_LAB_DRAFT", raising=False)
    made = Book(folder, monkeypatch)
    made.bibliography("")
    return made


@pytest.fixture
def running(book: Book) -> Book:
    """A book that executes, with a package of its own."""
    package = book.folder / "package"
    (package / "book").mkdir(parents=True)
    (package / "numbers.py").write_text("ANSWER = 41\n", encoding="utf-8")
    (package / "book" / "side.py").write_text("", encoding="utf-8")
    (book.folder / "requirements.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    book.claims()
    book.settings |= {"nb_execution_mode": "cache"}
    return book


@pytest.fixture
def full_book(book: Book) -> Book:
    """A book that holds: two chapters, and the pages that are made from them."""
    book.bibliography()
    book.claims(
        claim("1.1", uses=["independent-masks"]),
        claim("1.2", "wrong", uses=["1.1"], note="Better: $p^k$."),
        claim("2.1", "true-under", uses=["linear", "1.1"], kind="Th"),
        claim("2.2", "supported", kind="E"),
        claim("2.3", kind="H"),
        claim("3.1", "open", kind="E"),
    )
    under = {**DERIVED, "verdict": "true-under", "assumes": ["linear"]}
    book.notebook(
        "a-first",
        "# First\n\n```{claims} statement 1.1\n```\n",
        cell("1.1", derived("independent-masks")),
        cell("1.1", ENUMERATED),
        "As {claim}`1.1` and {claim}`the measurement <2.2>` say.\n\n```{claims} statement 1.2\n```\n",
        cell("1.2", ENUMERATED, REFUTED),
        "```{claims} settled\n```\n\n```{claims} map\n:section: 1\n```\n",
    )
    book.notebook(
        "b-second",
        "# Second\n",
        cell("2.1", under),
        cell("2.2", MEASURED),
        cell("2.3", CITED),
        cell("3.1", OPEN),
        "```{claims} map\n:section: 2\n```\n",
    )
    book.page("c-ledger", "# Ledger\n\n```{claims} ledger\n```\n")
    book.page("d-errata", "# Errata\n\n```{claims} errata\n```\n")
    book.page("e-map", "# Map\n\n```{claims} map\n```\n")
    book.page("g-measured", "# Measured\n\n```{claims} empirical\n```\n")
    book.page("f-sources", "# Sources\n\n```{bibliography}\n```\n")
    return book
