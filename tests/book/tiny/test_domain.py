"""Claims as objects of Sphinx: roles, inventory, search, missing ids, and data that follow the documents."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from bs4 import BeautifulSoup
from sphinx.util.inventory import InventoryFile
from tiny_book import CITED, DERIVED, MEASURED, Book, Built, cell, claim, derived

from dropout_lab.book.problems import BookError


def links(built: Built, page: str) -> dict[str, str]:
    """The links of the prose to claims and assumptions, by their text."""
    found = BeautifulSoup(built.page(page), "html.parser").select("a.claim-link")
    return {link.text: link["href"] for link in found}


def settled(book: Book, prose: str) -> Built:
    """A book with one claim, one assumption that it uses, the map, and this prose on a page of its own."""
    book.claims(claim("1.1", uses=["linear"]))
    book.notebook("a-first", "# First\n", cell("1.1", derived("linear")))
    book.page("b-prose", f"# Prose\n\n{prose}\n")
    book.page("e-map", "# Map\n\n```{claims} map\n```\n")
    return book.build()


def test_roles_link_to_claims_and_to_assumptions(book):
    prose = "{claim}`1.1`, {claim}`this <1.1>`, {claim:claim}`1.1`, {claim:assumption}`linear`, {any}`it <1.1>`."
    built = settled(book, prose)
    assert built.status == 0, (built.error, built.warnings)
    assert links(built, "b-prose") == {
        "claim 1.1": "a-first.html#claim-1-1",
        "this": "a-first.html#claim-1-1",
        "assumption linear": "e-map.html#assumption-linear",
        "it": "a-first.html#claim-1-1",
    }
    assert built.page("b-prose").count('title="Claim 1.1: title of 1.1"') == 4


def test_the_inventory_lists_claims_and_assumptions(full_book):
    built = full_book.build()
    with (built.site / "objects.inv").open("rb") as stream:
        listed = InventoryFile.load(stream, "", lambda base, path: path)
    found = {
        what: {name: entry[2] for name, entry in listed[f"claim:{what}"].items()} for what in ("claim", "assumption")
    }
    assert found == {
        "claim": {
            "1.1": "a-first.html#claim-1-1",
            "1.2": "a-first.html#claim-1-2",
            "2.1": "b-second.html#claim-2-1",
            "2.2": "b-second.html#claim-2-2",
            "2.3": "b-second.html#claim-2-3",
            "3.1": "b-second.html#claim-3-1",
        },
        "assumption": {
            "independent-masks": "e-map.html#assumption-independent-masks",
            "linear": "e-map.html#assumption-linear",
        },
    }
    assert listed["claim:claim"]["1.1"][3] == "Claim 1.1: title of 1.1"


def test_the_search_finds_claims_as_objects(full_book):
    text = (full_book.build().site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(re.search(r"Search\.setIndex\((.*)\)", text, re.DOTALL)[1])
    assert ["claim", "claim", "claim"] in [list(names) for names in index["objnames"].values()]
    names = {
        f"{prefix}.{entry[4]}" if prefix else entry[4]
        for prefix, entries in index["objects"].items()
        for entry in entries
    }
    assert {"Claim 1.1: title of 1.1", "Claim 3.1: title of 3.1", "a linear consumer"} <= names


@pytest.mark.parametrize(
    "prose, said",
    [
        ("{claim}`7.7`", "the prose names claim '7.7', which the claims file lacks"),
        ("{claim:claim}`7.7`", "the prose names claim '7.7', which the claims file lacks"),
        ("{claim:assumption}`fair`", "the prose names assumption 'fair', which the claims file lacks"),
    ],
)
def test_a_missing_id_stops_the_build_and_names_the_place(book, prose, said):
    built = settled(book, prose)
    assert isinstance(built.error, BookError)
    assert f"b-prose.md:3: {said}" in str(built.error)


def test_a_missing_id_is_a_warning_to_sphinx_too(book, monkeypatch):
    monkeypatch.setattr("dropout_lab.book.ledger.Ledger._missing", lambda self, mention: "")
    built = settled(book, "{claim}`7.7` and {claim:assumption}`fair`.")
    assert built.status == 1
    assert "claim:claim reference target not found: 7.7" in built.warnings
    assert "claim:assumption reference target not found: fair" in built.warnings


def test_an_assumption_without_a_map_is_named_without_a_link(book):
    book.claims(claim("1.1", uses=["linear"]))
    book.notebook("a-first", "# First\n\nUnder {claim:assumption}`linear`.\n", cell("1.1", derived("linear")))
    built = book.build()
    assert built.status == 0, built.warnings
    assert links(built, "a-first") == {} and "assumption linear" in built.page("a-first")


def test_a_rule_links_what_it_derives(book):
    used = "```{claims} rule rule-mean\n```\n\n```{claims} rule rule-jensen\n```\n"
    built = settled(book, used)
    assert built.status == 0, built.warnings
    derived, unused = BeautifulSoup(built.page("b-prose"), "html.parser").select("p.rule-claims")
    assert derived.text.strip() == "Derives: 1.1." and derived.a["href"] == "a-first.html#claim-1-1"
    assert unused.text.strip() == "No derivation of this book needs it."


@pytest.mark.parametrize(
    "directive, said",
    [
        ("rumours", "claims has no 'rumours' to show; expected one of statement, settled"),
        ("statement", "claims statement expects the id of a claim after it, got nothing"),
        ("settled 1.1", "claims settled expects nothing after it, got 1.1"),
        ("counts\n:section: 1", "claims counts has no option 'section'"),
    ],
)
def test_a_directive_that_is_none_is_named(book, directive, said):
    built = settled(book, f"```{{claims}} {directive}\n```")
    assert built.status == 1
    assert said in built.warnings and "b-prose.md" in built.warnings


def test_what_a_document_said_goes_with_it(full_book):
    assert full_book.build().status == 0
    (full_book.folder / "b-second.ipynb").unlink()
    full_book.claims(claim("1.1", uses=["independent-masks"]), claim("1.2", "wrong", uses=["1.1"]))
    full_book.page("a-first", "# First, without a claim\n")
    (full_book.folder / "a-first.ipynb").unlink()
    message = str(full_book.build().error)
    assert "claim 1.1 (title of 1.1) has no evidence" in message and "2.2" not in message


def test_what_other_processes_read_is_merged(full_book):
    alone = full_book.build()
    full_book.parallel = 2
    (full_book.folder / "_build").rename(full_book.folder.parent / "kept")
    # Sphinx reads side by side only from five documents on; these are seven.
    together = full_book.build()
    assert together.status == 0, together.error
    kept = full_book.folder.parent / "kept" / "html" / "ledger.json"
    assert (together.site / "ledger.json").read_bytes() == kept.read_bytes()
    assert alone.site == together.site


SPOILED = {
    "no anchor": lambda ledger: ledger[0].pop("anchor"),
    "an unknown grade": lambda ledger: ledger[1].update(verdict="certain"),
    "a count of nothing": lambda ledger: ledger[1]["evidence"][0].update(masks=0),
    "a text for a number": lambda ledger: ledger[3]["evidence"][0].update(effect="large"),
    "a field too many": lambda ledger: ledger[4]["evidence"][0].update(note="x"),
}


def test_the_ledger_has_a_schema_beside_it(full_book):
    site = full_book.build().site
    text, schema = (
        (site / "ledger.json").read_text("utf-8"),
        json.loads((site / "ledger.schema.json").read_text("utf-8")),
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    check.validate(json.loads(text))
    for name, spoil in SPOILED.items():
        ledger = json.loads(text)
        spoil(ledger)
        assert not check.is_valid(ledger), name


@pytest.mark.parametrize(
    "record, said",
    [
        ({**MEASURED, "effect": float("nan")}, "effect of a measurement is a finite number, got nan"),
        (
            {**MEASURED, "interval": [-2.0, 1.0], "rule": "the interval lies below 0"},
            "does not lie where the rule wants it",
        ),
        ({"kind": "measure", "verdict": "not-seen"}, "the record of a measurement lacks 'says'"),
        ({**DERIVED, "kind": "believe"}, "there is no evidence of kind 'believe'"),
        ({**CITED, "verdict": "certain"}, "verdict of a citation is one of true"),
    ],
)
def test_a_cell_whose_output_holds_no_evidence_stops_the_build(book, record, said):
    book.claims(claim("1.1"))
    book.notebook("a-first", "# First\n", cell("1.1", record))
    message = str(book.build().error)
    assert "a-first.ipynb:" in message and "the cell's output holds no evidence" in message and said in message


def test_evidence_of_a_kind_that_cannot_settle_the_claim_stops_the_build(book):
    book.claims(claim("1.1", kind="Th"), claim("1.2", kind="E"))
    book.notebook("a-first", "# First\n", cell("1.1", MEASURED), cell("1.2", DERIVED))
    message = str(book.build().error)
    assert "claim 1.1 (title of 1.1) is of kind theorem" in message and "claim 1.2 (title of 1.2)" in message


def test_what_a_record_says_is_shown_and_not_run(book):
    book.claims(claim("1.1", title="a <b>bold</b> & 'quoted' title", note="<script>alert(1)</script>"))
    says = "<script>alert(1)</script> $a<b$"
    book.notebook(
        "a-first",
        "# First\n\n```{claims} statement 1.1\n```\n",
        cell("1.1", {**DERIVED, "says": says, "scope": "<i>n"}),
    )
    book.page("c-ledger", "# Ledger\n\n```{claims} ledger\n```\n")
    book.page("e-map", "# Map\n\n```{claims} map\n```\n")
    built = book.build()
    assert built.status == 0, built.warnings
    for name in ("a-first", "c-ledger", "e-map"):
        page = built.page(name)
        assert "<script>alert" not in page and "<b>bold" not in page and "<i>n" not in page, name
    assert r"<script>alert(1)</script> \(a<b\)" in BeautifulSoup(built.page("a-first"), "html.parser").text
