"""The count of replications on the pages, and builds that it stops."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from tiny_book import DERIVED, MEASURED, REFUTED, Book, cell, claim

SAME = {str(number): "supported" for number in range(1, 10)}
COUNTED = "On fresh seeds: the same verdict in 9 of 10 replications (not seen in 1)"


@pytest.fixture
def measured(book: Book) -> Book:
    """A claim that is judged by a measurement, and one with a counterexample that a measurement illustrates."""
    book.claims(claim("1.1", "wrong"), claim("2.2", "supported", kind="E"))
    boxes = "".join(f"```{{claims}} statement {name}\n```\n\n" for name in ("1.1", "2.2"))
    illustrated = cell("1.1", DERIVED, REFUTED, MEASURED)
    book.notebook("a-first", f"# First\n\n{boxes}", illustrated, cell("2.2", MEASURED))
    book.page("g-measured", "# Measured\n\n```{claims} empirical\n```\n")
    return book


def problems(book: Book) -> str:
    """What stops the build."""
    built = book.build()
    assert built.error is not None
    return str(built.error)


def test_the_page_the_table_and_the_data_give_the_count(measured):
    measured.replications(c2_2={**SAME, "10": "not-seen"}, c1_1={"1": "supported", "2": "not-seen"})
    built = measured.build()
    assert built.status == 0, built.error
    boxes = [box.text for box in BeautifulSoup(built.page("a-first"), "html.parser").select(".claim-statement")]
    assert COUNTED in boxes[1]
    assert "On fresh seeds: its measurements came out the same in 1 of 2 replications" in boxes[0]
    assert COUNTED in built.page("g-measured")
    rows = json.loads((built.site / "ledger.json").read_text(encoding="utf-8"))
    assert [row["replications"] for row in rows] == [{"runs": 2, "same": 1}, {"runs": 10, "same": 9}]


def test_a_new_count_is_written_on_the_unchanged_page(measured):
    measured.replications(c2_2=SAME)
    assert "the same verdict in 9 of 9 replications<" in measured.build().page("a-first")
    measured.replications(c2_2={**SAME, "10": "not-seen"})
    assert COUNTED in measured.build().page("a-first")
    (measured.folder / "replications.json").unlink()
    assert "fresh seeds" not in measured.build().page("a-first")


def test_a_count_of_another_recipe_stops_the_build(measured, monkeypatch):
    measured.replications(c2_2=SAME)
    other = {**MEASURED, "recipe": "f" * 64}
    measured.notebook("a-first", "# First\n", cell("1.1", DERIVED, REFUTED), cell("2.2", other))
    said = "claim 2.2 (title of 2.2) was replicated by another recipe than the book's; run make replicate RUNS=10"
    assert f"{said} PAGE=a-first.md" in problems(measured)
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    built = measured.build()
    assert built.status == 0 and "fresh seeds" not in built.page("g-measured")
    monkeypatch.delenv("DROPOUT_LAB_DRAFT")
    measured.notebook("a-first", "# First\n", cell("1.1", DERIVED, REFUTED), cell("2.2", MEASURED, MEASURED))
    assert said in problems(measured), "one measurement more is another experiment"


@pytest.mark.parametrize("name", ["c1_1", "c9_9"])
def test_a_count_of_what_is_not_measured_stops_the_build(measured, name):
    measured.replications(**{name: SAME})
    measured.notebook("a-first", "# First\n", cell("1.1", DERIVED, REFUTED), cell("2.2", MEASURED))
    wanted = name[1:].replace("_", ".")
    assert f"replications.json has an entry for claim {wanted}, which no cell measures; remove it" in problems(measured)


def test_a_claim_is_measured_on_one_page(measured):
    measured.notebook("b-second", "# Second\n", cell("2.2", MEASURED))
    said = "claim 2.2 (title of 2.2) is measured on a-first and b-second; a replication runs one page, so measure it on"
    assert said in problems(measured)


def test_a_file_that_cannot_be_believed_stops_the_build_first(measured):
    (measured.folder / "replications.json").write_text("[]", encoding="utf-8")
    built = measured.build()
    assert "the file of replications is not sound" in str(built.error) and "replications.json holds a list" in str(
        built.error
    )
    assert not list(measured.folder.glob("_build/html/*.html"))
