"""Every number that an explorable shows, in many states, against what the package computes."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, Browser
from bs4 import BeautifulSoup
from site_files import SITE, explorable_bytes, pages

from dropout_lab.book.explorables import EXPLORABLES, MEASURED
from dropout_lab.book.explorables.parts import Explorable, Slider, Switches
from dropout_lab.passports.drawn import COLUMNS

#: All of them, those among them that are made of what a chapter measured.
NAMES = [*EXPLORABLES, *MEASURED]
#: How many states are compared at least; all values of each control by itself are among them.
STATES = 60

_SET = """([id, state]) => {
  const form = document.querySelector(`#explorable-${id} form`);
  for (const [name, value] of Object.entries(state)) {
    const control = form.elements[name];
    if (control) control.value = value;
    else [...value].forEach((bit, unit) => { form.elements[`${name}-${unit + 1}`].checked = bit === "1"; });
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
}"""
_SHOWN = """id => Object.fromEntries(
  [...document.querySelectorAll(`#explorable-${id} output`)].map(one => [one.name, one.value]))"""
#: The drawing as text, with the classes of each mark in one order.
_DRAWN = """(() => {
  const copy = document.querySelector("#explorable-NAME .drawing").cloneNode(true);
  copy.querySelectorAll("[class]").forEach(mark => mark.setAttribute("class", [...mark.classList].sort().join(" ")));
  return copy.innerHTML;
})()"""


def place(name: str) -> Path:
    """The page that has the explorable."""
    found = [page for page in pages() if f'data-explorable="{name}"' in page.read_text(encoding="utf-8")]
    assert len(found) == 1, f"{name} stands on {len(found)} pages"
    return found[0]


def explorable(name: str) -> Explorable:
    """The explorable; one of measured numbers is made of those that the page holds."""
    if name in EXPLORABLES:
        return EXPLORABLES[name]
    page = BeautifulSoup(place(name).read_text(encoding="utf-8"), "html.parser")
    return MEASURED[name](json.loads(page.select_one(f"#explorable-{name} script").string))


def states(found: Explorable) -> list[dict[str, Any]]:
    """Every value of each control, and some of them together, up to :data:`STATES`."""
    draw, chosen = random.Random(0), list(found.states())
    while len(chosen) < STATES:
        chosen.append({control.name: draw.choice(control.values()) for control in found.controls})
    return chosen


def compare(found: Explorable, shown: dict[str, str], state: dict[str, Any]) -> None:
    """Each number is the package's, rounded to the digits that it is shown with."""
    numbers = found.numbers(state)
    assert set(shown) == {one.name for one in found.shown}
    for one in found.shown:
        assert abs(float(shown[one.name]) - numbers[one.name]) <= 0.5000001 * 10**-one.digits, (state, one.name)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_in_every_state_is_the_packages(name: str, browser: Browser) -> None:
    found = explorable(name)
    assert browser.open(place(name)).console == []
    compare(found, browser.page.evaluate(_SHOWN, name), found.start())
    for state in states(found):
        browser.page.evaluate(_SET, [name, state])
        compare(found, browser.page.evaluate(_SHOWN, name), state)
    browser.page.click(f"#explorable-{name} button[type=reset]")
    browser.page.wait_for_timeout(50)
    compare(found, browser.page.evaluate(_SHOWN, name), found.start())


@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_moves_each_control(name: str, browser: Browser) -> None:
    found = explorable(name)
    browser.open(place(name))
    for control in found.controls:
        if isinstance(control, Switches):
            browser.page.focus(f"#explorable-{name} [name={control.name}-1]")
            browser.page.keyboard.press("Space")
            value: Any = ("0" if control.start[0] == "1" else "1") + control.start[1:]
        else:
            browser.page.focus(f"#explorable-{name} [name={control.name}]")
            last = control.start == control.values()[-1]
            key = (
                {True: "ArrowLeft", False: "ArrowRight"}
                if isinstance(control, Slider)
                else {True: "ArrowUp", False: "ArrowDown"}
            )
            browser.page.keyboard.press(key[last])
            value = control.values()[control.values().index(control.start) + (-1 if last else 1)]  # type: ignore[arg-type]
        browser.page.wait_for_timeout(20)
        compare(found, browser.page.evaluate(_SHOWN, name), {**found.start(), control.name: value})
        browser.page.click(f"#explorable-{name} button[type=reset]")
        browser.page.wait_for_timeout(50)


def test_a_unit_is_dropped_by_a_click_on_it(browser: Browser) -> None:
    found = EXPLORABLES["thinned-network"]
    browser.open(place(found.id))
    for width in (None, PHONE):
        if width:
            browser.page.set_viewport_size(width)
        browser.page.click(f"#explorable-{found.id} button[type=reset]")
        browser.page.wait_for_timeout(50)
        browser.page.click(f"#explorable-{found.id} [data-switch=second-4] circle")
        shown = browser.page.evaluate(_SHOWN, found.id)
        compare(found, shown, {**found.start(), "second": "1100"})
        gone = browser.page.locator(f"#explorable-{found.id} .unit.gone").count()
        assert gone == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_script_moves_what_is_drawn(name: str, browser: Browser) -> None:
    """The marks differ from state to state, and are again those of the page where all is as at the start."""
    found = explorable(name)
    browser.open(place(name))
    drawn = _DRAWN.replace("NAME", name)
    before = browser.page.evaluate(drawn)
    looks = set()
    for state in list(found.states())[:12]:
        browser.page.evaluate(_SET, [name, state])
        looks.add(browser.page.evaluate(drawn))
    assert len(looks) > 1
    browser.page.evaluate(_SET, [name, found.start()])
    assert browser.page.evaluate(drawn) == before


def test_all_of_them_are_small() -> None:
    scripts = sum(path.stat().st_size for path in (SITE / "_static").glob("explorable*/*.js"))
    figures = sum(map(explorable_bytes, pages()))
    assert len(NAMES) >= 10 and scripts + figures < 500_000


def test_measured_errors_on_the_page_are_those_of_the_figure_above() -> None:
    """The page's numbers are the chapter's own: the figure's passport has the same means and intervals."""
    found = explorable("error-against-p")
    table = (SITE / "passports" / "fig-ch8-keep.csv").read_text(encoding="utf-8")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(table.splitlines()[1:])]
    bands = [row for row in rows if row["mark"] == "band"]
    for sweep, panel in (("hidden units", "1"), ("inputs, hidden units kept with 0.5", "2")):
        for keep in ("1", "0.9", "0.8", "0.7", "0.5", "0.3"):
            numbers = found.numbers({**found.start(), "sweep": sweep, "p": keep})
            band = next(row for row in bands if row["panel"] == panel and row["x"] == keep)
            assert float(band["y"]) == pytest.approx(numbers["low"], rel=1e-5)
            assert float(band["y2"]) == pytest.approx(numbers["high"], rel=1e-5)
