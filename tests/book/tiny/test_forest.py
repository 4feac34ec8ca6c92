"""The card of measurements: one a claim, with a table that says all in numbers and a forest plot that shows it."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup, Tag
from tiny_book import ENUMERATED, MEASURED, Book, cell, claim

from dropout_lab.book import forest
from dropout_lab.claims import Measurement, from_json
from dropout_lab.claims.kinds import readable

MISSED = {**MEASURED, "verdict": "not-seen", "supported": False, "says": "Errors of $p$.", "effect": 0.5}
MISSED |= {"interval": [-0.25, 1.25], "seeds": 12}
BETWEEN = {**MEASURED, "says": "Close.", "effect": 0.25, "interval": [0.125, 0.5], "unit": "nats"}
BETWEEN |= {"rule": "the 95 % interval lies between -1 and 1", "smallest_detectable": None}


def cards(book: Book, *evidence: dict) -> list[Tag]:
    """The cards of a cell that settled a claim by these records."""
    book.claims(claim("1.1", "not-seen", kind="E"))
    book.notebook("a-first", "# First\n", cell("1.1", *evidence))
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page("a-first"), "html.parser").select(".claim-evidence")


def numbers(path: str) -> list[float]:
    """The numbers in the data of a path."""
    return [float(found) for found in re.findall(r"-?\d+\.?\d*", path)]


def at(axis: Tag, value: float) -> float:
    """Where a number lies, by the axis's own ticks: their texts and places."""
    texts = axis.select("text")
    marks = [(float(found["x"]), found.text.replace("−", "-")) for found in texts]
    (x0, low), (x1, high) = marks[0], [mark for mark in marks if mark[1].replace(".", "").lstrip("-").isdigit()][-1]
    return x0 + (value - float(low)) / (float(high) - float(low)) * (x1 - x0)


def test_measurements_share_one_card_and_the_table_says_all(book: Book) -> None:
    card, other = cards(book, MEASURED, MISSED, BETWEEN, ENUMERATED)
    assert "claim-evidence-enumerate" in other["class"]
    # One that is not met is what the claim comes to.
    assert "claim-verdict-not-seen" in card["class"]
    assert [found.text for found in card.select("p .claim-strength")] == ["measured, 30 seeds", "measured, 12 seeds"]
    first, second = card.select("tbody")
    assert [row.text for row in card.select(".claim-forest-rule")] == [
        "Rule: the interval lies below 0 (unit: percentage points)",
        "Rule: the 95 % interval lies between −1 and 1 (unit: nats)",
    ]
    said = [
        [" ".join(found.get_text(" ").split()) for found in row.find_all(["th", "td"])[:2]]
        for row in first.find_all("tr")[1:3]
    ]
    assert said == [
        ["Less error.", "−1.5 (−2 to −1), 30 seeds rule met could have seen 0.4 (power 0.8)"],
        [
            r"Errors of \(p\).",
            "0.5 (−0.25 to 1.25), 12 seeds rule not met could have seen 0.4 (power 0.8)",
        ],
    ]
    assert "power" not in second.text
    assert card.caption and card.table["aria-label"] == "Measurements of claim 1.1"


def test_the_picture_lies_where_the_numbers_are(book: Book) -> None:
    card, *_ = cards(book, MEASURED, MISSED, BETWEEN)
    records = [[MEASURED, MISSED], [BETWEEN]]
    for body, wanted in zip(card.select("tbody"), records, strict=True):
        axis = body.select_one(".claim-forest-axis svg")
        pictures = body.select("tr:not(.claim-forest-axis) svg")
        assert len(pictures) == len(wanted)
        for picture, record in zip(pictures, wanted, strict=True):
            left, _, right = numbers(picture.select_one(".interval")["d"])[:3]
            effect = picture.select_one(".effect")
            middle = float(effect["x"]) + float(effect["width"]) / 2
            assert [left, middle, right] == pytest.approx(
                [at(axis, value) for value in (record["interval"][0], record["effect"], record["interval"][1])],
                abs=0.03,
            )
            assert ("missed" in effect["class"]) == (not record["supported"])
            assert (effect["fill"] == "none") == (not record["supported"])
            bounds = numbers(picture.select_one(".bound")["d"])[::3]
            zone = picture.select_one(".zone")
            start, end = float(zone["x"]), float(zone["x"]) + float(zone["width"])
            if record["unit"] == "nats":
                assert [start, end] == pytest.approx([at(axis, -1), at(axis, 1)], abs=0.03) == bounds
            else:
                assert [start, end] == pytest.approx([0, at(axis, 0)], abs=0.03) and bounds == pytest.approx([end])


def test_rows_of_far_different_sizes_have_axes_of_their_own() -> None:
    small = {**MEASURED, "effect": -0.01, "interval": [-0.015, -0.005], "smallest_detectable": None}
    pieces = [from_json(record) for record in (MEASURED, small)]
    assert [len(panel.rows) for panel in forest.plot(pieces).panels] == [1, 1]
    assert [len(panel.rows) for panel in forest.plot([pieces[0], pieces[0]]).panels] == [2]
    assert forest.plot(pieces).seeds == 30 and forest.plot(pieces).supported


@pytest.mark.parametrize(
    "low, high", [(-2.1, 0.4), (0.0, 1.0), (-0.0757, 0.0045), (48.2, 91.0), (-1e-7, 3e-7), (9, 10.1)]
)
def test_ticks_are_few_round_and_on_the_axis(low: float, high: float) -> None:
    marks = forest.ticks(low, high)
    assert 2 <= len(marks) <= 5 and all(low <= mark <= high for mark in marks)
    assert all(len(readable(mark).strip("−0.").replace(".", "")) <= 3 for mark in marks)


def test_an_axis_has_two_ends() -> None:
    with pytest.raises(ValueError, match="got 1 and 1"):
        forest.ticks(1, 1)


def test_a_plot_of_a_real_record_is_the_same_each_time() -> None:
    piece = from_json(MEASURED)
    assert isinstance(piece, Measurement)
    assert forest.plot([piece]) == forest.plot([piece])
