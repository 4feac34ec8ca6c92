"""A table that a cell shows leads to the claims that it names, on the book's pages and nowhere else."""

from __future__ import annotations

import nbformat
from bs4 import BeautifulSoup
from tiny_book import DERIVED, Book, Built, cell, claim

from dropout_lab.inference import Finding, Report

FOUND = Report(
    [Finding("drop", "rate-one", "It drops <everything>."), Finding("norm", "before-batch-norm", "Move it.")]
)


def build(book: Book, html: str) -> Built:
    """A book with the claim 2.2, and a page whose cell shows a table."""
    book.claims(claim("2.2"), claim("8.5", "open", kind="E"))
    output = nbformat.v4.new_output("execute_result", data={"text/html": html}, execution_count=1)
    table = nbformat.v4.new_code_cell("audit(model)", outputs=[output], execution_count=1)
    book.notebook("a-table", "# Table\n", table)
    book.notebook(
        "b-claims", "# Claims\n", cell("2.2", DERIVED), cell("8.5", {"kind": "none", "verdict": "open", "says": "?"})
    )
    return book.build()


def test_the_claims_of_an_audit_are_links_on_a_page_of_the_book(book: Book) -> None:
    built = build(book, FOUND._repr_html_())
    assert built.status == 0, (built.error, built.warnings)
    table = BeautifulSoup(built.page("a-table"), "html.parser").table
    cells = table.select("td[data-claim]")
    assert [(found.text, found.a["href"]) for found in cells] == [
        ("2.2", "b-claims.html#claim-2-2"),
        ("8.5", "b-claims.html#claim-8-5"),
    ]
    assert cells[0].a["title"] == "Claim 2.2: title of 2.2" and "It drops <everything>." in table.text


def test_elsewhere_they_are_plain() -> None:
    assert "<a" not in FOUND._repr_html_() and "href" not in FOUND._repr_html_()


def test_a_claim_that_does_not_exist_stops_the_build(book: Book) -> None:
    built = build(book, '<table><tbody><tr><td data-claim="9.9">9.9</td></tr></tbody></table>')
    assert "a-table.ipynb: the prose names claim '9.9', which the claims file lacks" in str(built.error)


def test_tables_without_claims_stay_as_they_are(book: Book) -> None:
    table = "<table><tbody><tr><td>2.2</td></tr></tbody></table>"
    assert table in build(book, table).page("a-table")
