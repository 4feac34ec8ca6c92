"""What the book adds to the theme's pages, wherever they lie: an icon, and a landmark around its title."""

from __future__ import annotations

from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from tiny_book import Book


def test_icon_and_landmark(book: Book) -> None:
    book.claims()
    (book.folder / "part").mkdir()
    book.page("part/deeper", "# Deeper\n\nText.\n")
    book.page("a", "# A page\n\n```{toctree}\npart/deeper\n```\n")
    book.settings["html_theme"] = "sphinx_book_theme"
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    for name in ("index", "part/deeper", "search", "genindex"):
        page = BeautifulSoup(built.page(name), "html.parser")
        (icon,) = page.find_all("link", rel="icon")
        path = urlsplit(icon["href"]).path
        assert not path.startswith("/"), name
        found = (built.site / f"{name}.html").parent / path
        assert found.read_text(encoding="utf-8").startswith("<svg"), name
        (brand,) = page.select("a.navbar-brand")
        assert brand.find_parent("nav")["aria-label"] == "Start of the book", name
