"""The icons: every one that a page or a style sheet names is in the small font, and no other."""

from __future__ import annotations

import base64
import io
import re

from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from tiny_book import Book, Built

from dropout_lab.book import icons
from dropout_lab.book.problems import BookError


def themed(book: Book, text: str = "Text.") -> Built:
    """A book of one page with the theme of the book."""
    book.claims()
    book.page("a", f"# A page\n\n{text}\n")
    book.settings["html_theme"] = "sphinx_book_theme"
    return book.build()


def drawn(sheet: str) -> set[str]:
    """The letters of the font inside a style sheet."""
    (data,) = re.findall(r"base64,([^\"]+)", sheet)
    return {f"{letter:x}" for letter in TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()}


def test_what_a_page_names_is_drawn(book: Book) -> None:
    built = themed(book, '<i class="fa-solid fa-anchor"></i>\n\n```{note}\nA note has an icon from a style sheet.\n```')
    assert built.status == 0, (built.error, built.warnings)
    sheet = (built.site / "_static" / icons.SHEET).read_text(encoding="utf-8")
    ruled = dict(re.findall(r'\.fa-([a-z-]+)::before \{ content: "\\([0-9a-f]+)"', sheet))
    pages = [built.page(name) for name in ("index", "a", "search", "genindex")]
    tags = [tag for page in pages for tag in BeautifulSoup(page, "html.parser").select("[class*=fa-]")]
    shown = {name for tag in tags for name in tag["class"] if name.startswith("fa-")} - {"fa-solid", "fa-lg"}
    assert shown <= {f"fa-{name}" for name in ruled}
    assert all(f"fa-{name}" in "".join(pages) for name in ruled)
    assert {"anchor", "bars", "moon"} <= set(ruled)
    # f0f3 is the bell of the theme's admonitions.
    assert {*ruled.values(), "f0f3"} <= drawn(sheet)
    assert len(sheet) < 20_000


def test_nothing_loads_font_awesome(book: Book) -> None:
    built = themed(book)
    assert "fontawesome" not in built.page("a")
    left = {path.name for path in (built.site / "_static" / icons.VENDOR).rglob("*") if path.is_file()}
    assert left == {"LICENSE.txt"}


def test_an_icon_that_does_not_exist_fails_the_build(book: Book) -> None:
    built = themed(book, '<i class="fa-solid fa-no-such-thing"></i>')
    assert isinstance(built.error, BookError)
    assert "icons that Font Awesome lacks" in str(built.error) and "no-such-thing" in str(built.error)


def test_the_font_has_the_same_bytes_each_time(book: Book) -> None:
    first = (themed(book).site / "_static" / icons.SHEET).read_bytes()
    assert (themed(book, "Other text.").site / "_static" / icons.SHEET).read_bytes() == first


def test_a_build_in_which_nothing_changed_leaves_every_file_as_it_was(book: Book) -> None:
    def files() -> dict[str, bytes]:
        built = themed(book, "```python\nname = 1\n```\n\n```{note}\nA note.\n```")
        assert built.status == 0, (built.error, built.warnings)
        return {
            str(path.relative_to(built.site)): path.read_bytes() for path in built.site.rglob("*") if path.is_file()
        }

    first, again = files(), files()
    assert again.keys() == first.keys()
    assert [name for name in first if again[name] != first[name]] == []
