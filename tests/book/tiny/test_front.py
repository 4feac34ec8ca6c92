"""What the index shows of the ledger: the claims as marks by verdict, and results that correct what is said."""

from __future__ import annotations

from collections import Counter

import pytest
from bs4 import BeautifulSoup
from tiny_book import DERIVED, MEASURED, REFUTED, Book, cell, claim

from dropout_lab.book.view import VERDICT_WORDS

MISSED = {**MEASURED, "verdict": "not-seen", "supported": False, "effect": 1.5, "interval": [1.0, 2.0], "says": "More."}


@pytest.fixture
def front(book: Book) -> Book:
    """A refuted claim, one that was not seen, and a true one."""
    book.claims(claim("1.1", "wrong"), claim("1.2", "not-seen", kind="E"), claim("2.1"), claim("2.2"))
    cells = [cell("1.1", DERIVED, REFUTED), cell("1.2", MEASURED, MISSED), cell("2.1", DERIVED), cell("2.2", DERIVED)]
    book.notebook("b-first", "# First\n", *cells)
    return book


def page(book: Book, text: str) -> BeautifulSoup:
    """A page with these lines, of a build that holds."""
    book.page("a-front", f"# Front\n\n{text}\n")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page("a-front"), "html.parser")


def test_the_state_counts_each_claim_once_by_its_verdict(front: Book) -> None:
    found = page(front, "```{claims} state\n```").select_one("figure.claim-state")
    rows = found.select("tbody tr")
    assert [row.th.text for row in rows] == ["1 Part 1", "2 Part 2"]
    assert [row.th.a["href"] for row in rows] == ["b-first.html"] * 2
    signs = [[mark.text for mark in row.select("[aria-hidden] .claim-mark")] for row in rows]
    assert signs == [["✗", "○"], ["✓", "✓"]]
    # Who does not see the marks hears their numbers.
    assert [row.select_one(".claim-hidden").text for row in rows] == ["1 wrong, 1 not seen at this scale", "2 true"]
    sums = [mark.text.strip() for mark in found.select(".claim-state-sum")]
    marks = Counter(sign for row in signs for sign in row)
    words = {word: marks[sign] for sign, word in VERDICT_WORDS.values() if marks[sign]}
    assert sums == [f"{word} {number}" for word, number in words.items()]
    assert "4 claims, 3 of them fully established" in found.text


def test_a_finding_gives_the_number_that_speaks_against_the_sentence(front: Book) -> None:
    found = page(front, "```{claims} finding 1.1\n```\n\n```{claims} finding 1.2\n```")
    refuted, missed = found.select(".claim-finding")
    assert r"Statement 1.1: \(a < b\)." in refuted.text
    assert refuted.strong.text == "0.8"
    assert missed.strong.text == "1.5"
    assert (
        "We measured “More”. The effect is 1.5 percentage points, with a 95 % interval from 1 to 2 (30 seeds)."
        in missed.text
        and r"Reason 1.2: \(c\)." in missed.text
    )
    assert [link["href"] for link in found.select(".claim-finding a")] == [
        "b-first.html#claim-1-1",
        "b-first.html#claim-1-2",
    ]


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("2.1", "claim 2.1 is shown as a finding, but no counterexample or missed rule is against it"),
        ("9.9", "the prose names finding '9.9', which the claims file lacks"),
    ],
)
def test_what_nothing_speaks_against_is_no_finding(front: Book, name: str, sentence: str) -> None:
    front.page("a-front", f"# Front\n\n```{{claims}} finding {name}\n```\n")
    assert sentence in str(front.build().error)
