"""What the site offers for download: the notebook of each page with code, and the wheel of the package."""

from __future__ import annotations

import nbformat
import pytest
from bs4 import BeautifulSoup
from tiny_book import Book, chapter

from dropout_lab.book.anywhere import site


@pytest.fixture
def offering(book: Book, monkeypatch: pytest.MonkeyPatch) -> Book:
    """A tiny book with downloads; the wheel, which has tests of its own, is a stand-in."""

    def stand_in(target, root=None):
        path = target / "dropout_lab-0.1.0-py3-none-any.whl"
        path.write_bytes(b"wheel")
        return path

    monkeypatch.setattr(site, "build_wheel", stand_in)
    book.settings |= {"dropout_lab_downloads": True, "html_theme": "sphinx_book_theme"}
    book.claims()
    book.page("a", chapter("A", "1 + 1") + "\nSee {doc}`b` and {term}`mask`.\n")
    book.page("b", "# B\n\n```{glossary}\nmask\n  Zeros and ones.\n```\n")
    return book


def buttons(page: str) -> list[tuple[str, str]]:
    """The words and the links of a page's download buttons."""
    found = BeautifulSoup(page, "html.parser").select(".dropdown-download-buttons .dropdown-item")
    return [(button.get_text(strip=True), button.get("href", "")) for button in found]


def test_a_page_offers_its_notebook_and_the_site_holds_the_wheel(offering: Book) -> None:
    built = offering.build()
    assert built.status == 0, (built.error, built.warnings)
    assert buttons(built.page("a")) == [(".ipynb", "a.ipynb"), (".pdf", "")]
    # A page without code is no notebook.
    assert buttons(built.page("b")) == [(".pdf", "")]
    assert not (built.site / "b.ipynb").exists()
    assert (built.site / "dropout_lab-0.1.0-py3-none-any.whl").is_file()
    cells = nbformat.read(built.site / "a.ipynb", as_version=4).cells
    assert [cell.source for cell in cells[1:]] == ["# A", "1 + 1", "See *B* and mask."]
    assert "http" not in cells[0].source
    first = (built.site / "a.ipynb").read_bytes()
    assert (offering.build().site / "a.ipynb").read_bytes() == first


def test_with_an_address_notebooks_link_to_the_site_and_fetch_the_wheel(offering: Book) -> None:
    offering.settings["html_baseurl"] = "https://book.example/dropout"
    built = offering.build()
    assert built.status == 0, (built.error, built.warnings)
    cells = nbformat.read(built.site / "a.ipynb", as_version=4).cells
    assert "[*B*](https://book.example/dropout/b.html)" in cells[-1].source
    assert '"dropout_lab[claims,experiments] @ https://book.example/dropout/dropout_lab-0.1.0-' in cells[0].source


def test_an_address_that_is_none_stops_the_build(offering: Book) -> None:
    offering.settings["html_baseurl"] = "book.example"
    built = offering.build()
    assert "html_baseurl is an http or https address, or empty, got 'book.example'" in str(built.error)
