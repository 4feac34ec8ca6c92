"""Citations: where two works would be cited alike, both have a letter, and it is the same wherever they are named."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from tiny_book import Book

from dropout_lab.book.latex import pdf

#: Two works by the same two authors, two whose first authors have the same name, and one that stands alone.
WORKS = """
@article{second, author = {Gal, Y. and Ghahramani, Z.}, title = {Masks}, journal = {Noise}, year = {2016}}
@article{first, author = {Gal, Yarin and Ghahramani, Zoubin}, title = {{A mask}}, journal = {Noise}, year = {2016}}
@article{wide, author = {Li, A. and Ho, B. and Hu, C.}, title = {Wide}, journal = {Noise}, year = {2018}}
@article{deep, author = {Li, X. and Yo, Y. and Yu, Z.}, title = {Deep}, journal = {Noise}, year = {2018}}
@article{alone, author = {van der Gal, Y.}, title = {Alone}, journal = {Noise}, year = {2016}}
"""
PAGE = """# Prose

One {cite:p}`first`, two {cite:p}`first,wide`, with a place {cite:p}`second{section 3}`.
Then {cite:t}`second` and {cite:t}`deep` and {cite:t}`alone` as subjects.
"""


@pytest.fixture
def citing(book: Book) -> Book:
    """A book with a page that cites all works, and a bibliography."""
    book.claims()
    book.bibliography(WORKS)
    book.page("a", PAGE)
    book.page("b", "# Sources\n\n```{bibliography}\n```\n")
    return book


def pages(book: Book) -> tuple[BeautifulSoup, BeautifulSoup]:
    """The page that cites and the bibliography, built without a warning."""
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    cites, lists = (BeautifulSoup(built.page(name), "html.parser") for name in "ab")
    return cites, lists


def test_citations_in_the_text_have_letters(citing: Book) -> None:
    cites, _ = pages(citing)
    assert [cite.text.replace("\xa0", " ") for cite in cites.select(".bibtex-citation")] == [
        "[Gal and Ghahramani, 2016a]",
        "[Gal and Ghahramani, 2016a; Li et al., 2018b]",
        "[Gal and Ghahramani, 2016b, section 3]",
        "Gal and Ghahramani [2016b]",
        "Li et al. [2018a]",
        "van der Gal [2016]",
    ]


def test_the_bibliography_has_the_same_labels_and_years_in_their_order(citing: Book) -> None:
    _, lists = pages(citing)
    found = [
        (entry.select_one(".label").text.strip("[]"), re.search(r"(\w+), (\d+\w?)\.", entry.p.text)[2])
        for entry in lists.select(".citation")
    ]
    assert found == [
        ("Gal and Ghahramani, 2016a", "2016a"),
        ("Gal and Ghahramani, 2016b", "2016b"),
        ("Li et al., 2018a", "2018a"),
        ("Li et al., 2018b", "2018b"),
        ("van der Gal, 2016", "2016"),
    ]


def test_hover_cards_have_the_label_that_they_are_shown_beside(citing: Book) -> None:
    cites, _ = pages(citing)
    (store,) = cites.select("template#hover-cards")
    cards = {
        href: card
        for card in BeautifulSoup(store.decode_contents(), "html.parser").find_all("div", recursive=False)
        for href in card["data-for"].split()
    }
    links = cites.select(".bibtex-citation a")
    assert len(links) == 7
    for link in links:
        year = re.search(r"\d+[ab]?", link.text)[0]
        card = cards[link["href"]]
        assert card.strong.text.endswith(f", {year}")
        assert f" {year}." in card.text


def test_a_page_follows_when_another_work_no_longer_needs_a_letter(citing: Book) -> None:
    """Also though its own source is as before."""
    cites, _ = pages(citing)
    assert "Li et al. [2018a]" in cites.text.replace("\xa0", " ")
    citing.bibliography(
        WORKS.replace("{Wide}, journal = {Noise}, year = {2018}", "{Wide}, journal = {Noise}, year = {2019}")
    )
    cites, _ = pages(citing)
    assert "Li et al. [2018]" in cites.text.replace("\xa0", " ")


def test_on_paper_the_letters_are_the_same(citing: Book) -> None:
    citing.builder = "latex"
    citing.settings |= pdf.settings("index", "A tiny book", citing.folder / "_build" / ".cache")
    built = citing.build()
    assert built.status == 0, (built.error, built.warnings)
    found = (built.site / f"{pdf.NAME}.tex").read_text(encoding="utf-8")
    assert re.findall(r"\\bibitem\[(.*?)\]", found) == [
        "Gal and Ghahramani, 2016a",
        "Gal and Ghahramani, 2016b",
        "Li et al., 2018a",
        "Li et al., 2018b",
        "van der Gal, 2016",
    ]
    assert "2016b" in found.split(r"\bibitem")[0], "the text has the letters, too"
