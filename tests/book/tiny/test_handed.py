"""Numbers that a cell measured and hands over to a figure that the reader moves."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from tiny_book import Book

from dropout_lab.book.explorables import MEASURED
from dropout_lab.experiments.statistics import Rule, compare
from dropout_lab.figures import HANDED, Handed

ERRORS = {
    name: {keep: (shift + np.arange(5) ** 2 % 7 * scale).tolist() for keep, shift, scale in keeps}
    for name, keeps in {
        "hidden": [("1", 7.0, 0.5), ("0.5", 5.0, 0.25), ("0.3", 6.0, 1.0)],
        "inputs": [("1", 5.0, 0.25), ("0.5", 9.0, 0.5), ("0.3", 19.0, 1.5)],
    }.items()
}


def cell(data: object) -> nbformat.NotebookNode:
    """A cell that hands something over."""
    output = nbformat.v4.new_output("execute_result", data={HANDED: data, "text/plain": "moves"}, execution_count=1)
    return nbformat.v4.new_code_cell("figures.Handed(...)", outputs=[output], execution_count=1)


def build(book: Book, data: object) -> Any:
    """A book with a page that has such a cell."""
    book.claims()
    book.notebook("a", "# A\n", cell(data))
    return book.build()


def test_the_figure_stands_where_the_cell_is(book: Book) -> None:
    built = build(book, Handed("error-against-p", {"sweeps": ERRORS})._repr_mimebundle_()[HANDED])
    assert built.status == 0, (built.error, built.warnings)
    page = BeautifulSoup(built.page("a"), "html.parser")
    (figure,) = page.select("figure.explorable")
    assert json.loads(figure.script.string)["sweeps"] == ERRORS
    assert {shown["name"]: shown.text for shown in figure.select("output")}["change"] == "-2.45"
    assert [script["src"].split("?")[0].split("/")[-1] for script in page.select("script[src*=explorable]")] == [
        "explorable.js",
        "error-against-p.js",
    ]
    assert "moves" not in page.select_one("figure").parent.text.replace(figure.text, "")


@pytest.mark.parametrize("sweep", ERRORS)
@pytest.mark.parametrize("seeds", [3, 5])
def test_its_numbers_are_those_of_the_statistics(sweep: str, seeds: int) -> None:
    found = MEASURED["error-against-p"]({"sweeps": ERRORS})
    state = {"sweep": sweep, "p": "0.3", "other": "0.5", "seeds": seeds}
    own, other = (np.array(ERRORS[sweep][keep][:seeds]) for keep in ("0.3", "0.5"))
    judged = compare(own, other, rule=Rule.below(0), unit="points")
    numbers = found.numbers(state)
    assert (numbers["mean"], numbers["against"]) == pytest.approx((own.mean(), other.mean()))
    assert (numbers["change"], numbers["least"], numbers["most"]) == pytest.approx((judged.effect, *judged.interval))


def test_it_is_drawn_in_its_first_state() -> None:
    found = MEASURED["error-against-p"]({"sweeps": ERRORS})
    picture = ET.fromstring(str(found.drawing(found.start())))
    assert picture.get("role") == "img" and len(list(picture.iter())) > 15
    assert len(list(found.states())) > 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "error-against-p"}, "the fields name and data"),
        ({"name": "unknown", "data": {}}, "no figure takes measured numbers as 'unknown'"),
        ({"name": "error-against-p", "data": {}}, "cannot be made of what the cell hands over"),
        ({"name": "error-against-p", "data": {"sweeps": {"a": {"1": [1.0, 2.0, 3.0]}}}}, "the same keep probabilities"),
        ({"name": "error-against-p", "data": {"sweeps": {"a": {"1": [1.0], "0.5": [2.0]}}}}, "3 seeds or more"),
    ],
)
def test_what_does_not_fit_stops_the_build(book: Book, data: object, message: str) -> None:
    assert message in str(build(book, data).error)
