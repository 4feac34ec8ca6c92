"""Hover cards: which links have one, what it says, and how it comes and goes with pointer, keyboard and finger."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import AXE_SCRIPT, Browser
from bs4 import BeautifulSoup, Tag
from docutils import nodes
from tiny_book import CITED, DERIVED, Book, Built, cell, claim, derived

from dropout_lab.book.cards import displayed, prose
from dropout_lab.book.hover import place_of

PROSE = r"""# Prose

The {term}`mask` of {claim}`1.1` under {claim:assumption}`linear`, in {eq}`the-mean`, found by {cite:p}`hinton2012`.
Again the {term}`mask`, [a page](a-first), and [elsewhere](https://example.org/#claim-1-1).

```{glossary}
mask
  Zeros & ones $r$, *drawn* by `noise`.
```

$$
\bar h < p h
$$ (the-mean)

```{claims} statement 1.1
```

```{bibliography}
```
"""


@pytest.fixture
def built(book: Book) -> Built:
    """A book whose second page links to one thing of each kind."""
    book.claims(claim("1.1", uses=["linear"]), claim("2.1", kind="H"))
    book.bibliography()
    book.notebook("a-first", "# First\n", cell("1.1", derived("linear")), cell("2.1", CITED))
    book.page("b-prose", PROSE)
    book.page("c-ledger", "# Ledger\n\n```{claims} ledger\n```\n")
    book.page("e-map", "# Map\n\n```{claims} map\n```\n")
    found = book.build()
    assert found.status == 0, (found.error, found.warnings)
    return found


def cards(built: Built, page: str) -> dict[str, Tag]:
    """The cards of a page by the links that they belong to."""
    (store,) = BeautifulSoup(built.page(page), "html.parser").select("template#hover-cards")
    inside = BeautifulSoup(store.decode_contents(), "html.parser")
    return {card["data-for"]: card for card in inside.find_all("div", recursive=False)}


def test_each_link_with_a_card_has_one_and_no_other(built: Built) -> None:
    found = cards(built, "b-prose")
    assert set(found) == {
        "#term-mask",
        "a-first.html#claim-1-1",
        "e-map.html#assumption-linear",
        "#equation-the-mean",
        "#id3",
    }
    term = found["#term-mask"]
    assert term.strong.text == "mask"
    assert term.find_all("p")[1].decode_contents() == r"Zeros &amp; ones \(r\), <em>drawn</em> by <code>noise</code>."
    stated = found["a-first.html#claim-1-1"]
    assert stated.strong.text == "Claim 1.1: title of 1.1"
    assert stated.select_one(".claim-badge").text == "true"
    assert r"Statement 1.1: \(a < b\)." in stated.text
    assert "What follows is linear." in found["e-map.html#assumption-linear"].text
    assert r"\bar h < p h" in found["#equation-the-mean"].text
    assert "Improving" in found["#id3"].text


def test_a_page_without_such_links_has_neither_cards_nor_the_script(book: Book) -> None:
    book.claims()
    book.page("a", "# A page\n\nText, and [a link](b).\n")
    book.page("b", "# Another\n\nText.\n")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    assert "hover-cards" not in built.page("a")


def test_a_place_is_where_a_link_leads() -> None:
    assert place_of("../b/c.html#d", "a/e") == ("b/c", "d")
    assert place_of("#d%20e", "a/e") == ("a/e", "d e")
    assert place_of("c.html", "a/e") is None
    assert place_of("data.json#d", "a/e") is None
    assert place_of("mailto:a@b#d", "a/e") is None


def test_a_formula_is_set_as_on_its_page_and_has_no_number() -> None:
    def shown(tex: str, **given: bool) -> str:
        return displayed(nodes.math_block(tex, tex, **given))

    assert shown("a") == r"\[a\]"
    assert shown(r"a \\ b") == r"\[\begin{split}a \\ b\end{split}\]"
    assert shown(r"\begin{align}a\end{align}", nowrap=True) == r"\begin{align*}a\end{align*}"


def test_prose_of_a_node_without_text_is_empty() -> None:
    assert prose(nodes.paragraph()) == ""


# ---- In a browser

LINK = 'article a[href$="#term-mask"], div.body a[href$="#term-mask"]'
SHOWN = "() => { const box = document.getElementById('hover-card'); return box.hidden ? '' : box.innerText; }"


@pytest.fixture
def opened(built: Built, browser: Browser) -> Browser:
    """The page with the links, open."""
    assert browser.open(Path(built.site, "b-prose.html")).console == []
    browser.page.mouse.move(0, 0)
    return browser


def comes(browser: Browser, text: str) -> None:
    """Wait until the card shows a text; with an empty one, until it is gone."""
    browser.page.wait_for_function(f"text => text ? ({SHOWN})().includes(text) : ({SHOWN})() === ''", arg=text)


def test_a_card_comes_by_pointer_can_be_pointed_at_and_goes(opened: Browser) -> None:
    page = opened.page
    page.locator(LINK).first.hover()
    comes(opened, "drawn by noise")
    assert page.locator("#hover-card mjx-container").count() == 1
    assert page.locator(LINK).first.get_attribute("aria-describedby") == "hover-card"
    page.locator("#hover-card").hover()
    page.wait_for_timeout(500)
    comes(opened, "drawn by noise")
    page.mouse.move(0, 0)
    comes(opened, "")
    assert page.locator(LINK).first.get_attribute("aria-describedby") is None


def test_a_card_comes_by_keyboard_and_escape_takes_it_away(opened: Browser) -> None:
    page = opened.page
    focused = "document.activeElement.getAttribute('href')"
    for _ in range(30):
        page.keyboard.press("Tab")
        if (page.evaluate(focused) or "").endswith("#claim-1-1"):
            break
    comes(opened, "Statement 1.1")
    page.keyboard.press("Escape")
    comes(opened, "")
    assert page.evaluate(focused).endswith("#claim-1-1"), "Escape leaves the focus where it is"
    page.keyboard.press("Tab")
    comes(opened, "Assumption")


def test_the_first_tap_shows_the_card_and_the_second_follows(opened: Browser) -> None:
    page = opened.page
    tap = """kind => { const link = document.querySelector('a[href$="e-map.html#assumption-linear"]');
      link.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, pointerType: kind }));
      return link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })); }"""
    assert page.evaluate(tap, "touch") is False, "the first tap must not follow the link"
    comes(opened, "What follows is linear.")
    assert page.locator("#hover-card a").get_attribute("href") == "e-map.html#assumption-linear"
    with page.expect_navigation():
        page.evaluate(tap, "touch")
    assert page.url.endswith("e-map.html#assumption-linear")


def test_a_shown_card_has_no_barriers(opened: Browser) -> None:
    opened.page.locator(LINK).first.hover()
    comes(opened, "drawn by noise")
    opened.page.evaluate(AXE_SCRIPT)
    found = opened.page.evaluate("axe.run('#hover-card', { preload: false })")
    assert [violation["id"] for violation in found["violations"]] == []


# ---- After the book changed


def test_the_cards_follow_a_claim_that_is_stated_anew(book: Book) -> None:
    """Also on a page that was not read again, since its source is as before."""

    def stated(says: str) -> str:
        book.claims(claim("1.1", statement=says))
        book.notebook("a-first", "# First\n", cell("1.1", DERIVED))
        book.page("b-prose", "# Prose\n\nSee {claim}`1.1`.\n")
        built = book.build()
        assert built.status == 0, (built.error, built.warnings)
        return cards(built, "b-prose")["a-first.html#claim-1-1"].text

    assert "Once so." in stated("Once so.")
    assert "Now otherwise." in stated("Now otherwise.")
