"""The search box finds claims by id and by words, and terms, on pages from the disk."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from browser import Browser
from tiny_book import DERIVED, MEASURED, Book, Built, cell, claim

GLOSSARY = (
    "# Words\n\n```{glossary}\nkeep probability\n  How likely a unit stays: $p < 1$.\n\nmask\n  Zeros & ones.\n```\n"
)


@pytest.fixture
def built(book: Book) -> Built:
    """Two claims whose ids begin alike, and a glossary."""
    book.claims(claim("3.1", statement="Enormously many subnetworks: $2^n$."), claim("3.10", "supported", kind="E"))
    book.notebook("a-first", "# First\n", cell("3.1", DERIVED), cell("3.10", MEASURED))
    book.page("b-words", GLOSSARY)
    book.settings["html_theme"] = "sphinx_book_theme"
    found = book.build()
    assert found.status == 0, (found.error, found.warnings)
    return found


def found(built: Built, browser: Browser, query: str) -> list[tuple[str, str]]:
    """The titles and addresses that the search lists above the pages."""
    opened = browser.open(Path(built.site, "search.html"), f"?q={quote(query)}")
    assert opened.console == []
    links = browser.page.locator(".found-objects li > a")
    return [(link.inner_text(), link.get_attribute("href")) for link in links.all()]


QUERIES = ["3.1", "claim 3.1", "Claim 3.1", " 3.1 ", "subnetworks", "enormous many", "title 3.1"]


@pytest.mark.parametrize("query", QUERIES)
def test_a_claim_is_found_by_its_id_and_by_words_of_its_statement(built: Built, browser: Browser, query: str) -> None:
    first, *others = found(built, browser, query)
    assert first == ("Claim 3.1: title of 3.1", "a-first.html#claim-3-1")
    assert not others or query == "title 3.1"


def test_a_term_is_found_first_by_its_name_and_by_words_of_its_text(built: Built, browser: Browser) -> None:
    assert found(built, browser, "keep probability")[0] == ("keep probability", "b-words.html#term-keep-probability")
    assert found(built, browser, "zeros")[0] == ("mask", "b-words.html#term-mask")


@pytest.mark.parametrize("query", ["", "no such word", "9.9", ".*", "<b>"])
def test_what_is_nowhere_is_not_found(built: Built, browser: Browser, query: str) -> None:
    assert found(built, browser, query) == []


def test_the_search_field_of_a_page_leads_there(built: Built, browser: Browser) -> None:
    browser.open(Path(built.site, "a-first.html"))
    browser.page.keyboard.press("Control+k")
    browser.page.keyboard.type("3.1")
    with browser.page.expect_navigation():
        browser.page.keyboard.press("Enter")
    browser.page.locator(".found-objects li > a").first.click()
    browser.page.wait_for_url("**/a-first.html#claim-3-1")
