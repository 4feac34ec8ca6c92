"""Passports below figures: what they say, where they lead, and a build that a figure without one stops."""

from __future__ import annotations

import hashlib
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from tiny_book import MEASURED, Book, cell, chapter, claim

from dropout_lab.passports.records import MIME_TYPE, Passport, cell_digest

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0L9 9"/></svg>'
TRAINED, DRAWN = "nets = replicas.run(digits, arms, seeds, error)", "plt.plot(nets['none']['error'])\nplt.show()"
RUN = {
    "data": "digits: 9 examples",
    "seeds": "seeds 0 to 2",
    "shared": [["steps", "800"], ["optimizer", "sgd"]],
    "arms": [["none", []], ["<b>", [["noise", "hidden: Bernoulli(0.5)"]]]],
    "measures": ["error"],
    "quantities": ["error", "nll"],
    "digest": "ab" * 32,
}
CSV = "panel,mark,x,y\n1,line,0,2.5\n1,line,1,3.5\n"


def figure(name: str, passport: object = None, source: str = DRAWN) -> nbformat.NotebookNode:
    """A cell that drew a figure, with a passport in its output."""
    data: dict[str, Any] = {"image/svg+xml": SVG, "text/plain": "<Figure>"}
    if passport is not None:
        data[MIME_TYPE] = passport
    options = {"figure": {"name": name, "caption": "A caption."}, "image": {"alt": "A line."}}
    output = nbformat.v4.new_output("display_data", data=data)
    return nbformat.v4.new_code_cell(source, outputs=[output], metadata={"mystnb": options}, execution_count=2)


def passport(*runs: object, rules: tuple[str, ...] = (), sources: tuple[str, ...] = (TRAINED, DRAWN)) -> dict[str, Any]:
    """A passport as it travels."""
    cells, panels = tuple(map(cell_digest, sources)), ({"x": "step", "y": "loss"},)
    return Passport(cells, runs, rules, panels, CSV).to_json()  # type: ignore[arg-type]


def build(book: Book, *cells: nbformat.NotebookNode) -> Any:
    """A book with one notebook, and the claims that it settles."""
    book.notebook("a-first", "# First\n", nbformat.v4.new_code_cell(TRAINED), *cells)
    return book.build()


def test_it_stands_below_its_figure_with_all_that_it_knows(book: Book) -> None:
    book.claims(claim("1.1", "supported", kind="E"))
    rule, unit = MEASURED["rule"], MEASURED["unit"]
    recipe = hashlib.sha256(repr(([RUN["digest"]], rule, unit)).encode()).hexdigest()
    content = passport(RUN, rules=(rule, "another rule"))
    built = build(book, figure("fig-one", content), cell("1.1", {**MEASURED, "recipe": recipe}))
    assert built.status == 0, (built.error, built.warnings)
    page = BeautifulSoup(built.page("a-first"), "html.parser")
    (shown,) = page.select("details.passport")
    assert shown.find_previous_sibling("figure")["id"] == "fig-one" and not shown.has_attr("open")
    assert shown.find_parent("figure") is None and len(page.select("figure")) == 1
    rows = [(row.text, row.find_next_sibling("dd")) for row in shown.select("dt")]
    assert [name for name, _ in rows] == ["cells", "trained", "rule", "rule", "numbers", "digest"]
    said = dict(rows)
    anchors = [link["href"][1:] for link in said["cells"].select("a")]
    assert [page.find(id=anchor).select_one("pre").text.strip() for anchor in anchors] == [DRAWN, TRAINED]
    assert "all arms: steps 800, optimizer sgd" in said["trained"].text and RUN["digest"] in said["trained"].text
    assert "<b>: noise hidden: Bernoulli(0.5)" in said["trained"].text
    ruled, other = (row for name, row in rows if name == "rule")
    assert ruled.text == f"claim 1.1: {rule}" and page.find(id=ruled.a["href"][1:]) and other.text == "another rule"
    numbers = built.site / said["numbers"].a["href"]
    assert numbers.read_bytes().decode() == CSV and "2 rows; panel 1: x is step, y is loss" in said["numbers"].text
    cells = [cell_digest(source) for source in (TRAINED, DRAWN)]
    digest = hashlib.sha256("\n".join([*cells, RUN["digest"], CSV]).encode()).hexdigest()
    assert digest in said["digest"].text


def test_a_rule_of_other_experiments_is_not_the_figures(book: Book) -> None:
    book.claims(claim("1.1", "supported", kind="E"))
    built = build(book, figure("fig-one", passport(RUN)), cell("1.1", MEASURED))
    rows = BeautifulSoup(built.page("a-first"), "html.parser").select("details.passport dt")
    assert [row.text for row in rows] == ["cells", "trained", "numbers", "digest"]


def test_a_rule_about_what_the_figure_does_not_show_is_not_the_figures(book: Book) -> None:
    """Two claims are measured on one experiment; the figure draws the quantity of one of them."""
    book.claims(claim("1.1", "supported", kind="E"), claim("1.2", "supported", kind="E"))
    recipe = hashlib.sha256(repr(([RUN["digest"]], MEASURED["rule"], MEASURED["unit"])).encode()).hexdigest()
    settled = []
    for name, quantity in (("1.1", "error"), ("1.2", "nll")):
        measuring = cell(name, {**MEASURED, "recipe": recipe})
        measuring.source = f"claims.measure({name!r}, of('{quantity}'), runs=nets, says='Less.')"
        settled.append(measuring)
    built = build(book, *settled, figure("fig-one", passport(RUN)))
    assert built.status == 0, (built.error, built.warnings)
    rules = [row.text for row in BeautifulSoup(built.page("a-first"), "html.parser").select("details.passport dd")]
    assert [row for row in rules if "claim 1." in row] == [f"claim 1.1: {MEASURED['rule']}"]


def test_numbers_of_a_figure_that_is_gone_are_removed(book: Book) -> None:
    book.claims()
    kept, gone = figure("fig-kept", passport(RUN)), figure("fig-gone", passport(RUN))
    assert build(book, kept, gone).status == 0
    built = build(book, kept)
    assert built.status == 0 and [path.name for path in (built.site / "passports").iterdir()] == ["fig-kept.csv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a-first.ipynb, cell 2, fig-one: it has no passport"),
        ({"csv": ""}, "with the fields"),
        ({**passport(RUN), "cells": []}, "names the cell of its figure"),
        (passport(), "its passport has no recipe"),
    ],
    ids=["none", "other", "altered", "no recipe"],
)
def test_a_figure_without_a_sound_passport_stops_the_build(book: Book, content: object, message: str) -> None:
    book.claims()
    built = build(book, figure("fig-one", content))
    assert message in str(built.error), built.warnings
    assert len(str(built.error).splitlines()) == 2


def test_a_picture_that_rests_on_no_training_needs_no_recipe(book: Book) -> None:
    book.claims()
    built = build(book, figure("fig-one", passport(sources=("plt.show()",)), source="plt.show()"))
    assert built.status == 0 and "no stack of networks" in built.page("a-first")


def test_a_running_book_makes_them_by_itself(running: Book) -> None:
    """From the cell to the page: the style of figures is all that a chapter has to ask for, and all bytes are equal."""
    cells = ("import matplotlib.pyplot as plt\nfrom dropout_lab import figures\nfigures.style()", "y = [1, 3]")
    running.page("a", chapter("First", *cells, "plt.plot(y)\nplt.show()"))
    built = running.build()
    assert built.status == 0, (built.error, built.warnings)
    assert [path.name for path in (built.site / "passports").iterdir()] == ["a-3-1.csv"]
    text = (built.site / "passports" / "a-3-1.csv").read_text(encoding="utf-8")
    assert text.splitlines()[1:] == ["1,line,,#006eb3,0,,,1,,,", "1,line,,#006eb3,1,,,3,,,"]
    page = built.page("a")
    running.page("a", chapter("First", *cells, "plt.plot(y)\nplt.show()") + "\n")
    assert running.build().page("a") == page
