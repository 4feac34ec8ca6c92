"""What a page says of itself where its address is shared."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from tiny_book import Book, Built

from dropout_lab.book import preview

QUESTION = 'What *happens* to $x$ when "dropout" is\nswitched on?'


def built(book: Book, base: str = "") -> Built:
    """A book whose page opens with a box and its question."""
    book.claims()
    (book.folder / "part").mkdir()
    book.page("part/deeper", f"# Deeper & wider\n\n```{{note}}\nA box.\n```\n\n{QUESTION}\n\nMore.\n")
    book.page("a", "# A page\n\n```{toctree}\npart/deeper\n```\n")
    book.settings |= {"html_theme": "sphinx_book_theme", "html_baseurl": base, "project": "The book"}
    found = book.build()
    assert found.status == 0, (found.error, found.warnings)
    return found


def tags(found: Built, page: str) -> dict[str, str]:
    """The tags of a page by their names, each of which stands once."""
    metas = BeautifulSoup(found.page(page), "html.parser").head.find_all("meta", content=True)
    names = [meta.get("property") or meta.get("name") for meta in metas]
    shown = [name for name in names if name and (name == "description" or name.startswith(("og:", "twitter:")))]
    assert len(shown) == len(set(shown))
    return {name: meta["content"] for name, meta in zip(names, metas, strict=True) if name in shown}


def test_without_an_address_what_needs_one_is_left_out(book: Book) -> None:
    found = built(book)
    said = "What happens to when “dropout” is switched on?"
    assert tags(found, "part/deeper") == {
        "description": said,
        "og:description": said,
        "og:type": "article",
        "og:title": "Deeper & wider",
        "og:site_name": "The book",
        "twitter:card": "summary",
    }
    assert tags(found, "index")["og:type"] == "website"
    assert not (found.site / preview.FOLDER).exists()
    assert tags(found, "search") == {}


@pytest.mark.parametrize("base", ["https://example.org/book", "https://example.org/book/"])
def test_with_an_address_there_are_the_page_and_its_picture(book: Book, base: str) -> None:
    found = built(book, base)
    said = tags(found, "part/deeper")
    assert said["og:url"] == "https://example.org/book/part/deeper.html"
    assert said["og:image"] == said["twitter:image"]
    assert said["twitter:card"] == "summary_large_image"
    picture = found.site / said["og:image"].removeprefix("https://example.org/book/")
    with Image.open(picture) as image:
        assert image.format == "PNG" and image.size == preview.SIZE
        assert said["og:image:width"], said["og:image:height"] == tuple(map(str, image.size))
    pages = {tags(found, page)["og:image"] for page in ("index", "a", "part/deeper")}
    assert len(pages) == 3, "each page has a picture of its own"


def test_a_picture_has_the_same_pixels_each_time_and_shows_its_title() -> None:
    one, again, other = (preview.picture(title, "The book") for title in ("Ridge", "Ridge", "Bridge"))
    assert one.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("title", ["Ridge", "A " + "very long " * 12 + "title", "Antidisestablishmentarianism"])
def test_a_title_stays_on_its_side_of_the_picture(title: str) -> None:
    """Whatever its length: the logo is the same beside every title."""
    plain, image = preview.picture("x", "The book"), preview.picture(title, "The book")
    logo = (int(preview.SIZE[0] * 0.68), 0, *preview.SIZE)
    assert image.crop(logo).tobytes() == plain.crop(logo).tobytes()
