"""The table of all empirical claims: what stands in it, how it is read aloud and found, and when it is written anew."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag
from tiny_book import CITED, DERIVED, MEASURED, OPEN, REFUTED, Book, cell, claim

from dropout_lab.claims.kinds import readable

HEAD = ["Measured", "Effect", "95 % interval", "Seeds", "Decision rule", "Smallest effect it could have seen"]
MISSED = {
    **MEASURED,
    "verdict": "not-seen",
    "says": "Quokkas at $p < 1$.",
    "effect": -0.00139479,
    "interval": [-0.00456862, 0.00177904],
    "seeds": 12,
    "unit": "",
    "supported": False,
    "smallest_detectable": 0.0000660671,
}
EXACT = {
    **MEASURED,
    "says": "All of them.",
    "effect": 1.0,
    "interval": [0.735355, 1.0],
    "rule": "the interval lies above 0.5",
    "unit": "of the seeds",
    "smallest_detectable": None,
    "exact": True,
}


def table(book: Book, page: str = "g-measured") -> Tag:
    """The table, as a page of a build that holds shows it."""
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page(page), "html.parser").select_one("table.claim-measured")


def texts(body: Tag) -> list[list[str]]:
    """The text of each cell of each row."""
    return [[found.text for found in row.find_all(["th", "td"])] for row in body.find_all("tr")]


@pytest.fixture
def mixed(book: Book) -> Book:
    """A refuted claim with a measurement, an empirical one with two in two cells, and two without any."""
    book.bibliography()
    book.claims(
        claim("1.1", "wrong"),
        claim("1.2", "not-seen", kind="E"),
        claim("1.3", kind="I"),
        claim("1.4", kind="H+E", note="Better: $p^k$."),
        claim("1.5", "open", kind="E"),
    )
    # Not in the order of the claims file.
    book.notebook(
        "a-first", "# First\n", cell("1.4", CITED), cell("1.2", MISSED), cell("1.3", DERIVED), cell("1.2", EXACT)
    )
    refuted = cell("1.1", DERIVED, REFUTED, MEASURED)
    book.notebook("b-second", "# Second\n", refuted, cell("1.5", OPEN))
    book.page("c-sources", "# Sources\n\n```{bibliography}\n```\n")
    book.page("g-measured", "# Measured\n\n```{claims} empirical\n```\n")
    return book


def test_every_measurement_and_every_empirical_claim_has_a_row(mixed):
    refuted, measured, cited, still_open = (texts(body) for body in table(mixed).find_all("tbody"))
    met = ["Less error.", "−1.5 percentage points", "−2 to −1", "30", "the interval lies below 0: met", "0.4"]
    assert refuted == [["Claim 1.1 title of 1.1 wrong also derivation, counterexample"], met]
    exact = ["All of them.", "1 of the seeds", "0.735 to 1", "30, all equal: exact bound"]
    exact += ["the interval lies above 0.5: met", "—"]
    missed = ["−0.00139", "−0.00457 to 0.00178", "12", "the interval lies below 0: not met", "0.0000661"]
    assert measured == [
        ["Claim 1.2 title of 1.2 not seen at this scale"],
        [r"Quokkas at \(p < 1\).", *missed],
        exact,
    ]
    assert cited == [
        ["Claim 1.4 title of 1.4 true"],
        ["Not measured", r"cited: It was first.Better: \(p^k\)."],
    ]
    assert still_open == [["Claim 1.5 title of 1.5 open"], ["Not measured", "open: Nobody knows."]]


def test_the_rows_are_counted(mixed):
    said = table(mixed).find_parent(class_="claim-scroll").find_previous_sibling("p").text
    assert said == "Claims: 4. Measurements: 3, of which 2 met the rule and 1 did not. Claims without a measurement: 2."


def test_a_claim_leads_to_the_cell_that_settles_it(mixed):
    links = {link.text: link["href"] for link in table(mixed).find_all("a")}
    assert links == {
        "Claim 1.1": "b-second.html#claim-1-1",
        "Claim 1.2": "a-first.html#claim-1-2",
        "Claim 1.4": "a-first.html#claim-1-4",
        "Claim 1.5": "b-second.html#claim-1-5",
    }


def test_every_cell_has_its_heads(mixed):
    """Heads for screen readers, and the columns' names on each figure for phones, where no head is shown."""
    found = table(mixed)
    assert "empirical claims" in found.caption.text
    assert [head.text for head in found.thead.find_all("th", scope="col")] == HEAD
    for body in found.find_all("tbody"):
        claim_row, *rows = body.find_all("tr")
        assert claim_row.find("th", scope="rowgroup")["colspan"] == str(len(HEAD))
        for row in rows:
            assert row.find("th", scope="row")
            cells = row.find_all("td")
            assert [found.get("data-label") for found in cells] in (HEAD[1:], [None])
            assert sum(int(found.get("colspan", 1)) for found in cells) == len(HEAD) - 1


def test_measurements_are_found_by_the_search(mixed):
    assert '"quokka"' in (mixed.build().site / "searchindex.js").read_text(encoding="utf-8")


def test_a_book_without_empirical_claims(book):
    book.claims(claim("1.1"))
    book.notebook("a-first", "# First\n", cell("1.1", DERIVED), "```{claims} empirical\n```\n")
    built = book.build()
    assert built.status == 0, built.error
    assert "No claim is empirical." in built.page("a-first")


def test_a_draft_says_what_has_no_evidence_yet(book, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    book.claims(claim("1.1", "supported", kind="E"))
    book.page("g-measured", "# Measured\n\n```{claims} empirical\n```\n")
    assert texts(table(book).tbody) == [
        ["Claim 1.1 title of 1.1 not settled yet"],
        ["Not measured", "no evidence yet"],
    ]


def test_a_new_reason_is_written_on_the_unchanged_page(full_book):
    assert texts(table(full_book).find_all("tbody")[-1])[1] == ["Not measured", "open: Nobody knows."]
    notebook = full_book.folder / "b-second.ipynb"
    text = notebook.read_text(encoding="utf-8")
    notebook.write_text(text.replace("Nobody knows.", "Nobody asked."), encoding="utf-8")
    assert texts(table(full_book).find_all("tbody")[-1])[1] == ["Not measured", "open: Nobody asked."]


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (-0.0, "0"),
        (71.4167, "71.4"),
        (-1.5, "−1.5"),
        (6.60671e-05, "0.0000661"),
        (-1e-7, "−0.0000001"),
        (12345.6, "12300"),
    ],
)
def test_numbers_have_three_digits_and_no_power_of_ten(value, text):
    assert readable(value) == text
