"""The map in a browser: each claim and each assumption is chosen, and what is shown is compared with the graph."""

from __future__ import annotations

import json

import pytest
from browser import PHONE, STICKING_OUT, Browser
from site_files import SITE

from dropout_lab import claims
from dropout_lab.book.ledger import assumption_of, row_on_map

MAP = SITE / "chapters" / "back" / "claim-map.html"
_ROLES = """() => Object.fromEntries([...document.querySelectorAll("#claim-map .claim-map-all [data-node]")]
  .map(chip => [chip.dataset.node, chip.dataset.role ?? ""]))"""
_ROWS = """() => [...document.querySelectorAll(".claim-map-chosen ul")].map(
  row => [...row.querySelectorAll("[data-node]")].map(chip => chip.dataset.node))"""
_ARROWS = "() => document.querySelectorAll('.claim-map-chosen .claim-map-rows > svg path').length"
_VISIBLE = """() => [...document.querySelectorAll(".claim-map-all [data-node]")]
  .filter(chip => chip.checkVisibility({ contentVisibilityAuto: true })).map(chip => chip.dataset.node)"""
_CHOOSE = """([list, name]) => {
  const field = document.querySelector(`#claim-map select[name=${list}]`);
  field.value = name;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}"""

REGISTRY = claims.load()
LEDGER = {row["id"]: row for row in json.loads((SITE / "ledger.json").read_text())} if SITE.is_dir() else {}


def needed(name: str) -> set[str]:
    """The assumptions of a claim: of each part of its derivation the fewest, or those of what it rests on."""
    chains = [piece for piece in LEDGER[name]["evidence"] if piece["kind"] == "derive"]
    if not chains:
        used = [needed(other) for other in REGISTRY[name].uses if other in REGISTRY]
        return set(REGISTRY.assumptions_of(name)).union(*used)
    parts = {chain["part"] for chain in chains}
    fewest = [min((one["assumes"] for one in chains if one["part"] == part), key=len) for part in parts]
    return {assumption for assumes in fewest for assumption in assumes}


def above(name: str) -> set[str]:
    """All claims that a claim rests on."""
    return set(REGISTRY.rests_on(name)) & set(REGISTRY)


def expected(name: str) -> dict[str, str]:
    """The part that each claim and each assumption has once one is chosen."""
    if name in REGISTRY:
        rests, falls = above(name) | needed(name), {other for other in REGISTRY if name in above(other)}
    else:
        rests, falls = set(), {other for other in REGISTRY if name in needed(other)}
    return {name: "chosen"} | dict.fromkeys(rests, "rests") | dict.fromkeys(falls, "falls")


def check(browser: Browser, name: str) -> None:
    """What the page shows for a choice is what the graph says."""
    wanted = expected(name)
    roles = browser.page.evaluate(_ROLES)
    assert set(roles) == set(REGISTRY) | {one for other in REGISTRY for one in needed(other)}
    assert {node: role for node, role in roles.items() if role} == wanted
    rows = browser.page.evaluate(_ROWS)
    place = {node: number for number, row in enumerate(rows) for node in row}
    assert set(place) == set(wanted)
    arrows = 0
    for node in (node for node in wanted if node in REGISTRY):
        used = [other for other in REGISTRY[node].uses if other in place and other in REGISTRY]
        said = {assumption for other in used for assumption in needed(other)}
        own = [assumption for assumption in needed(node) - said if assumption in place]
        assert all(place[other] < place[node] for other in (*used, *own))
        arrows += len(used) + len(own)
    assert browser.page.evaluate(_ARROWS) == arrows
    falls = sum(role == "falls" for role in wanted.values())
    counted = f"{falls or 'no'} claim{'' if falls == 1 else 's'}."
    assert browser.page.locator(".claim-map-said").inner_text().endswith(f"crossed out below: {counted}")


def test_every_claim_and_every_assumption_shows_its_part_of_the_graph(browser: Browser) -> None:
    assert browser.open(MAP).console == []
    # The page begins with an example that has claims on both sides.
    start = browser.page.get_attribute("#claim-map", "data-start")
    check(browser, start)
    assert above(start) and "falls" in expected(start).values()
    assert browser.page.locator(".claim-map-said").inner_text().startswith(f"For example, claim {start}, ")
    for name in REGISTRY:
        browser.page.evaluate(_CHOOSE, ["claim", name])
        check(browser, name)
    for name in sorted({one for other in REGISTRY for one in needed(other)}):
        browser.page.evaluate(_CHOOSE, ["assumption", name])
        check(browser, name)
        # What shows that it is needed lies open, as many as stand in its row.
        row = browser.page.locator(f"#{assumption_of(name)} details").count()
        assert row == browser.page.locator(".claim-map-falsifiers details[open]").count() > 0, name
    browser.page.click("#claim-map button[type=reset]")
    browser.page.wait_for_timeout(50)
    assert set(browser.page.evaluate(_ROLES).values()) == {""}
    assert not browser.page.is_visible(".claim-map-chosen")


def test_a_chip_is_chosen_by_pointer_by_keyboard_and_by_address(browser: Browser) -> None:
    browser.open(MAP)
    browser.page.click(".claim-map-all [data-node='6.4']")
    check(browser, "6.4")
    browser.page.click(".claim-map-all summary")
    browser.page.focus(".claim-map-all [data-node='uncorrelated-masks']")
    browser.page.keyboard.press("Enter")
    check(browser, "uncorrelated-masks")
    # Inside the picture one goes on from chip to chip.
    browser.page.click(".claim-map-chosen [data-node='6.4']")
    check(browser, "6.4")
    assert browser.page.evaluate("document.activeElement.dataset.node") == "6.4"
    browser.page.goto(f"{MAP.as_uri()}#{assumption_of('linear-model')}")
    browser.page.wait_for_timeout(100)
    check(browser, "linear-model")
    assert browser.page.url.endswith("#assumption-linear-model")
    browser.page.goto(f"{MAP.as_uri()}#{row_on_map('2.2')}")
    browser.page.wait_for_timeout(100)
    check(browser, "2.2")


def test_words_narrow_the_chips(browser: Browser) -> None:
    browser.open(MAP)
    assert not browser.page.is_visible(".claim-map-all [data-node='linear-model']")
    browser.page.fill("#claim-map input[type=search]", "linear MODEL")
    found = browser.page.evaluate(_VISIBLE)
    assert "linear-model" in found and all(
        word in (REGISTRY[name].title if name in REGISTRY else f"{name} {REGISTRY.assumptions[name].statement}").lower()
        for name in found
        for word in ("linear", "model")
    )
    browser.page.fill("#claim-map input[type=search]", "no such words")
    assert browser.page.evaluate(_VISIBLE) == [] and browser.page.is_visible(".claim-map-none")
    browser.page.click("#claim-map button[type=reset]")
    browser.page.wait_for_timeout(50)
    assert set(browser.page.evaluate(_VISIBLE)) == set(REGISTRY)


@pytest.mark.parametrize("name", ["2.2", "inverted-scaling"])
def test_the_picture_fits_the_page(browser: Browser, name: str) -> None:
    browser.open(MAP)
    for size in (None, PHONE):
        if size:
            browser.page.set_viewport_size(size)
        browser.page.evaluate(_CHOOSE, ["claim" if name in REGISTRY else "assumption", name])
        browser.page.wait_for_timeout(100)
        assert browser.page.evaluate(STICKING_OUT) == []
        box = browser.page.evaluate(
            "(() => { const rows = document.querySelector('.claim-map-chosen .claim-map-rows');"
            " return [rows.scrollWidth, rows.clientWidth]; })()"
        )
        assert box[0] <= box[1]
