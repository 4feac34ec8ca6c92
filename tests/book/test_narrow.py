"""Phones, paper and the dark: tables become lists, letters stay legible, no box is empty, and nothing stays white."""

from __future__ import annotations

import pytest
from browser import PHONE, Browser
from site_files import SITE

pytestmark = pytest.mark.usefixtures("site")

CHAPTERS = SITE / "chapters"
#: Pages with a table of four columns or more: one that code made, written ones, one of claims, one of an audit.
TABLES = ("07-variants/one-operation-many-masks", "beyond/transformer", "for-teachers", "02-the-dropout-operation")
_STACKED = """() => [...document.querySelectorAll("table.stacks")].map(table => ({
  wider: table.scrollWidth - table.parentElement.clientWidth,
  labels: [...table.querySelector("tbody tr").cells].map(cell => cell.dataset.label),
  beside: [...table.rows].some(row => row.cells.length > 1
    && row.cells[1].getBoundingClientRect().top < row.cells[0].getBoundingClientRect().bottom - 1
    && getComputedStyle(row).display === "block"),
  columns: [...table.tHead.rows[0].cells].map(cell => cell.textContent.trim()),
}))"""
_CUT_NAMES = """() => [...document.querySelectorAll("td code")].filter(
  code => /^\\w+$/.test(code.textContent) && code.getClientRects().length > 1).map(code => code.textContent)"""
_SLIDERS = """() => [...document.querySelectorAll(".explorable-controls label:has(input[type=range])")].map(label => {
  const value = label.querySelector(".explorable-value").getBoundingClientRect();
  const slider = label.querySelector("input").getBoundingClientRect();
  return [value.bottom <= slider.top + 1, value.right <= innerWidth, slider.width > innerWidth / 2];
})"""
#: Pages with drawings and figures that move, of several widths.
DRAWN = ("index", "03-the-ensemble-interpretation", "07-variants/variational-dropout", "07-variants/dropconnect")
_LETTERS = """() => [...document.querySelectorAll("svg.drawing")].map(svg => Math.min(
  ...[...svg.querySelectorAll("text, tspan")].map(
    part => parseFloat(getComputedStyle(part).fontSize) * svg.getScreenCTM().a)))"""
_PRINTED = """() => {
  const shown = element => element.getClientRects().length > 0;
  const inside = (box, part) => box.getBoundingClientRect().right >= part.getBoundingClientRect().right - 1;
  return {
    folds: [...document.querySelectorAll("details:is(.hide, .folded, .passport):not([open])")].filter(shown).length,
    sliders: [...document.querySelectorAll(".explorable input[type=range]")].filter(shown).length,
    values: [...document.querySelectorAll(".explorable-value")].filter(shown).length,
    outside: [...document.querySelectorAll("aside.margin")].filter(note => !inside(document.body, note)).length,
    breaks: [...document.querySelectorAll(".cell_input, figure, .claim-statement")].filter(
      box => shown(box) && getComputedStyle(box).breakInside !== "avoid").length,
    scrolls: [...document.querySelectorAll("article pre")].filter(box => box.scrollWidth > box.clientWidth + 1).length,
  };
}"""
_FIGURES = """() => [...document.querySelectorAll(".figure-scroll")].map(box => ({
  scale: box.firstChild.getBoundingClientRect().width / box.firstChild.naturalWidth,
  wider: box.scrollWidth > box.clientWidth + 1, reached: box.tabIndex === 0, name: box.getAttribute("aria-label"),
}))"""
#: The width of what A4 leaves between the margins, in CSS pixels.
PAPER = {"width": 703, "height": 1000}
#: Pages whose derivations have long lines.
LONG = ("04-the-co-adaptation-interpretation", "06-why-dropout-regularizes", "07-variants/spatial-dropout")
_LINES = """() => {
  const right = part => part.getBoundingClientRect().right;
  const lines = [...document.querySelectorAll(".derivation-line")];
  const formula = line => line.querySelector(".derivation-formula mjx-container");
  const reason = line => line.querySelector(".derivation-reason");
  const covers = (one, two) => right(one) > two.left + 1
    && one.getBoundingClientRect().bottom > two.top + 1 && one.getBoundingClientRect().top < two.bottom - 1;
  return {
    lines: lines.length,
    past: lines.filter(line => right(formula(line)) > right(line) + 1).map(line => line.textContent),
    over: lines.filter(line => [...reason(line).getClientRects()].some(
      box => box.width && covers(formula(line), box))).length,
    cut: lines.filter(line => formula(line).scrollWidth > formula(line).clientWidth + 1
      && getComputedStyle(formula(line)).overflowX !== "visible").length,
  };
}"""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_many_columns_is_a_list_on_a_phone(name: str, browser: Browser) -> None:
    browser.open(CHAPTERS / f"{name}.html")
    assert browser.page.evaluate(_CUT_NAMES) == []
    browser.page.set_viewport_size(PHONE)
    tables = browser.page.evaluate(_STACKED)
    assert tables
    for table in tables:
        assert table["labels"] == table["columns"]
        assert table["wider"] <= 0 and not table["beside"], table
    assert browser.page.evaluate(_CUT_NAMES) == []


def test_a_slider_stands_below_its_name_and_value(browser: Browser) -> None:
    browser.open(CHAPTERS / "02-the-dropout-operation.html")
    browser.page.set_viewport_size(PHONE)
    found = browser.page.evaluate(_SLIDERS)
    assert found and all(all(one) for one in found)


@pytest.mark.parametrize("name", DRAWN)
def test_the_letters_of_a_drawing_can_be_read_on_a_phone(name: str, browser: Browser) -> None:
    browser.open(CHAPTERS / f"{name}.html")
    browser.page.set_viewport_size(PHONE)
    smallest = browser.page.evaluate(_LETTERS)
    assert smallest and min(smallest) >= 11, smallest


def test_paper_shows_what_can_be_read_there(browser: Browser) -> None:
    browser.open(CHAPTERS / "08-practical-guidance.html")
    browser.page.emulate_media(media="print")
    try:
        found = browser.page.evaluate(_PRINTED)
    finally:
        browser.page.emulate_media(media="screen")
    assert found.pop("values") > 0
    assert found == {"folds": 0, "sliders": 0, "outside": 0, "breaks": 0, "scrolls": 0}


def test_a_dark_page_is_printed_on_white(browser: Browser) -> None:
    browser.open(CHAPTERS / "02-the-dropout-operation.html")
    theme = "() => document.documentElement.dataset.theme"
    browser.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    browser.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.page.evaluate(theme) == "light"
    browser.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.page.evaluate(theme) == "dark"


def test_a_table_that_an_object_shows_has_the_colors_of_a_dark_page(browser: Browser) -> None:
    browser.open(CHAPTERS / "use-it-in-your-model.html")
    browser.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    boxes = "[...document.querySelectorAll('.text_html:has(table)')]"
    grounds = f"() => {boxes}.map(box => getComputedStyle(box).backgroundColor)"
    assert set(browser.page.evaluate(grounds)) == {"rgba(0, 0, 0, 0)"}


def test_the_letters_of_a_figure_can_be_read_on_a_phone(browser: Browser) -> None:
    browser.open(CHAPTERS / "02-the-dropout-operation.html")
    assert browser.page.evaluate(_FIGURES)
    browser.page.set_viewport_size(PHONE)
    browser.page.wait_for_selector(".figure-scroll.scrolls")
    found = browser.page.evaluate(_FIGURES)
    for figure in found:
        # The style draws letters of 16 pixels.
        assert 16 * figure["scale"] >= 11 - 0.01, figure
        assert figure["reached"] == figure["wider"] and figure["name"].startswith("Figure"), figure
    # At its end nothing more is announced.
    browser.page.evaluate("document.querySelector('.figure-scroll.scrolls').scrollLeft = 10000")
    browser.page.wait_for_timeout(100)
    assert not browser.page.evaluate("document.querySelector('.figure-scroll').matches('.scrolls')")


@pytest.mark.parametrize("name", LONG)
def test_no_line_of_a_derivation_is_cut_on_paper_or_printed_over_its_reason(name: str, browser: Browser) -> None:
    browser.open(CHAPTERS / f"{name}.html")
    browser.page.emulate_media(media="print")
    browser.page.set_viewport_size(PAPER)
    try:
        found = browser.page.evaluate(_LINES)
    finally:
        browser.page.emulate_media(media="screen")
    assert found.pop("lines") > 10
    assert found == {"past": [], "over": 0, "cut": 0}


def test_a_line_that_is_cut_on_the_screen_says_so(browser: Browser) -> None:
    browser.open(CHAPTERS / "04-the-co-adaptation-interpretation.html")
    browser.page.wait_for_selector(".derivation-formula.scrolls")
    shadows = browser.page.evaluate(
        "() => [...document.querySelectorAll('.derivation-formula')].map(box => "
        "[box.scrollWidth > box.clientWidth + 1, getComputedStyle(box).boxShadow !== 'none'])"
    )
    assert any(wide for wide, _ in shadows) and all(wide == shown for wide, shown in shadows)


def test_only_a_formula_that_is_wider_than_its_line_can_be_reached_with_the_keyboard(browser: Browser) -> None:
    browser.open(CHAPTERS / "02-the-dropout-operation.html")
    browser.page.wait_for_timeout(100)
    found = browser.page.evaluate(
        "() => [...document.querySelectorAll('article mjx-container:not([display])')].map(formula => "
        "[formula.matches('.wide'), formula.tabIndex === 0, formula.matches('.scrolls')])"
    )
    assert len(found) > 50
    assert [one for one in found if not one[0] and any(one)] == []
