"""A new kind of evidence is one class: nothing else of the package knows of it, and yet it is everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import jsonschema
import pytest
from bs4 import BeautifulSoup
from tiny_book import DERIVED, cell, claim

from dropout_lab import claims
from dropout_lab.claims import EVIDENCE, Claim, Evidence, Registry, Settlement


@pytest.fixture
def kind() -> Iterator[type[Evidence]]:
    """A kind of evidence that exists for one test."""

    @dataclass(frozen=True, kw_only=True)
    class Survey(Evidence, kind="ask", noun="survey", done="Asked", grades="supported not-seen", settles="E H"):
        """What the readers say."""

        readers: int = field(metadata={"minimum": 1})
        question: str

        @property
        def strength(self) -> str:
            return f"asked, {self.readers} readers"

        def details(self, registry: Registry) -> list[tuple[str, str]]:
            return [("question", self.question)]

    yield Survey
    del EVIDENCE["ask"]


RECORD = {"kind": "ask", "verdict": "supported", "says": "They agree on $p$.", "readers": 7, "question": "Is it so?"}


def test_one_class_is_all_that_a_new_kind_needs(kind, book):
    book.claims(claim("1.1", "supported", kind="E"), claim("1.2"))
    book.notebook("a-first", "# First\n", cell("1.1", RECORD), cell("1.2", DERIVED), "```{claims} settled\n```\n")
    book.page("c-ledger", "# Ledger\n\n```{claims} ledger\n```\n")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)

    rows, schema = (json.loads((built.site / f"ledger{name}.json").read_text("utf-8")) for name in ("", ".schema"))
    assert (rows[0]["verdict"], rows[0]["evidence"]) == ("supported", [RECORD])
    jsonschema.validate(rows, schema, jsonschema.Draft202012Validator)
    rows[0]["evidence"][0]["readers"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rows, schema, jsonschema.Draft202012Validator)

    card, *_ = BeautifulSoup(built.page("a-first"), "html.parser").select(".claim-evidence")
    assert "claim-evidence-ask" in card["class"] and card.select_one(".claim-badge").text == "Asked"
    assert "They agree on \\(p\\)." in card.text and "questionIs it so?" in card.text
    ledger = BeautifulSoup(built.page("c-ledger"), "html.parser")
    counted = {row.th.text: row.td.text for row in ledger.select(".claim-counts tbody tr")}
    assert counted["survey"] == "1"
    assert "asked, 7 readers" in ledger.select_one("#ledger-1-1").text
    assert ledger.select_one("#ledger-1-1")["data-evidence"] == "ask"
    assert ledger.select_one("option[value=ask]").text == "survey"


def test_it_is_validated_judged_and_shown_as_the_others_are(kind):
    asked = Claim("1", "1 A", "title", "E", "statement", "supported", "typically", "reason")
    assert claims.verdict(asked, [RECORD]) == "supported"
    for changes in ({"readers": 0}, {"readers": True}, {"question": " "}, {"verdict": "true"}, {"readers": None}):
        with pytest.raises((ValueError, TypeError), match="survey"):
            claims.from_json({**RECORD, **changes})
    with pytest.raises(claims.VerdictError, match="it has only: survey"):
        claims.verdict(Claim("1", "1 A", "title", "Th", "statement", "true", "always", "reason"), [RECORD])
    settlement = Settlement(asked, (claims.from_json(RECORD),), Registry([asked], []))
    assert str(settlement) == "Asked (asked, 7 readers): claim 1, title. They agree on $p$.\n  question: Is it so?"


def test_a_kind_cannot_take_the_name_of_another_nor_hold_what_no_record_can(kind):
    with pytest.raises(TypeError, match="'ask' is Survey already"):

        class Again(Evidence, kind="ask", noun="survey", done="Asked", grades="true", settles="E"):
            """The same name again."""

    @dataclass(frozen=True, kw_only=True)
    class Odd(Evidence, kind="odd", noun="oddity", done="Seen", grades="true", settles="E"):
        """A field of a type that JSON lacks."""

        thing: object

    try:
        with pytest.raises(TypeError, match=r"Odd\.thing is of a type that no record can hold"):
            claims.from_json({"kind": "odd", "verdict": "true", "says": "x", "thing": 1})
    finally:
        del EVIDENCE["odd"]
