"""What the page says about the time and the memory that chapters take."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup

from dropout_lab.book.costs import Cost, read_costs, write_costs
from dropout_lab.book.faces import chapter_times
from dropout_lab.book.ledger import Ledger
from dropout_lab.book.words import View
from dropout_lab.claims import Registry

KNOWN = {"a": Cost(1.0, 300), "b": Cost(2.5), "c": Cost(3.0, 500), "d": Cost(4.0, 400), "gone": Cost(99.0, 9999)}


def shown(costs: dict[str, Cost], kernels: int) -> BeautifulSoup:
    """The table on a page of a book with the chapters a to e."""
    titles = {name: f"Chapter {name}" for name in "abcde"}
    view = View(Ledger(Registry([], []), {}, []), "page", lambda docname, anchor: f"{docname}.html", titles)
    return BeautifulSoup(chapter_times(view, costs, kernels), "html.parser")


def test_the_table_has_seconds_and_memory_of_the_chapters_that_are_there():
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in shown(KNOWN, 2).select("tbody tr")]
    assert rows == [
        ["Chapter a", "1.0", "300"],
        ["Chapter b", "2.5", "–"],
        ["Chapter c", "3.0", "500"],
        ["Chapter d", "4.0", "400"],
        ["all", "10.5", "500"],
    ]


@pytest.mark.parametrize("kernels, sentence", [(2, "The 2 largest"), (8, "The 3 largest")])
def test_what_runs_side_by_side_adds_up(kernels, sentence):
    total = 900 if kernels == 2 else 1200
    assert shown(KNOWN, kernels).p.text == f"{sentence}, side by side, hold {total} MiB at most."


def test_nothing_adds_up_on_one_core_or_where_nothing_is_known():
    assert shown(KNOWN, 1).p is None
    unknown = shown({"a": Cost(1.0), "b": Cost(2.0)}, 2)
    assert unknown.p is None
    assert [row.find_all("td")[-1].text for row in unknown.select("tbody tr")] == ["–", "–", "–"]


def test_the_file_can_be_read_and_an_earlier_one_still_is(tmp_path):
    path = tmp_path / "times.json"
    assert read_costs(path) == {}
    write_costs(path, KNOWN)
    assert read_costs(path) == KNOWN
    assert json.loads(path.read_text(encoding="utf-8"))["a"] == {"seconds": 1.0, "peak_mib": 300}
    path.write_text('{"a": 1.5}', encoding="utf-8")
    assert read_costs(path) == {"a": Cost(1.5, None)}
