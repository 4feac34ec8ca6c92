"""The site of a tiny book: the ledger as data and as pages, links, errata, map, and what is written anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from tiny_book import CITED, DERIVED, ENUMERATED, MEASURED, OPEN, REFUTED, Book, cell, claim, derived

from dropout_lab.book.ledger import Ledger
from dropout_lab.book.reading import Page, Settled
from dropout_lab.claims import Registry, from_json
from dropout_lab.claims.registry import Assumption, Claim


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def entry(claim_id: str, expected: str = "true", uses: tuple[str, ...] = ()) -> Claim:
    return Claim(claim_id, "1 A", f"title of {claim_id}", "I", "statement", expected, "always", "reason", uses=uses)


def test_the_ledger_as_data(full_book):
    built = full_book.build()
    assert built.status == 0, (built.error, built.warnings)
    rows = json.loads((built.site / "ledger.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in rows] == ["1.1", "1.2", "2.1", "2.2", "2.3", "3.1"]
    assert rows[0] == {
        "id": "1.1",
        "section": "1 Part 1",
        "statement": "Statement 1.1: $a < b$.",
        "kind": "I",
        "expected": "true",
        "verdict": "true",
        "reason": "Reason 1.1: $c$.",
        "readings": ["Reading 1.1: $d$."],
        "quantifier": "always",
        "uses": ["independent-masks"],
        "page": "a-first.html",
        "anchor": "claim-1-1",
        "replications": None,
        "evidence": [derived("independent-masks"), ENUMERATED],
    }
    assert [row["verdict"] for row in rows] == ["true", "wrong", "true-under", "supported", "true", "open"]
    assert rows[1]["evidence"] == [ENUMERATED, REFUTED]
    assert rows[3]["evidence"] == [MEASURED]
    assert rows[4]["evidence"] == [CITED]
    assert rows[5]["evidence"] == [], "that a claim is open is a verdict, not evidence"


def test_every_link_leads_somewhere_and_every_id_is_unique(full_book):
    built = full_book.build()
    pages = {path.name: parsed(path.read_text(encoding="utf-8")) for path in built.site.glob("*.html")}
    ids = {name: [element["id"] for element in page.find_all(id=True)] for name, page in pages.items()}
    for name, found in ids.items():
        assert len(found) == len(set(found)), name
    checked = 0
    for name in ("a-first.html", "b-second.html", "c-ledger.html", "d-errata.html", "e-map.html", "g-measured.html"):
        for link in pages[name].find(class_="body").find_all("a", href=True):
            target, _, anchor = link["href"].partition("#")
            assert (target or name) in pages, link
            assert not anchor or anchor in ids[target or name], link
            checked += 1
    assert checked > 50


def test_a_cell_shows_its_evidence_and_has_the_anchor_once(full_book):
    page = parsed(full_book.build().page("a-first"))
    faces = page.select(".claim-cell")
    assert [face.get("id") for face in faces] == ["claim-1-1", None, "claim-1-2"]
    assert "mathjax_process" in faces[0]["class"]
    assert r"\(p h\)" in faces[0].text
    assert len(faces[2].select(".claim-evidence")) == 2


def test_prose_links_to_the_cell_that_settles(full_book):
    page = parsed(full_book.build().page("a-first"))
    here, there = page.select("a.claim-link")
    assert (here["href"], here.text, here["title"]) == ("#claim-1-1", "claim 1.1", "Claim 1.1: title of 1.1")
    assert (there["href"], there.text) == ("b-second.html#claim-2-2", "the measurement")


def test_the_statement_box(full_book):
    box = parsed(full_book.build().page("a-first")).select_one(".claim-statement")
    assert r"Statement 1.1: \(a < b\)." in box.text
    assert "identity" in box.text and "section 1 Part 1" in box.text
    assert box.select_one(".claim-badge").text == "true"
    assert {link["href"] for link in box.find_all("a")} == {
        "#claim-1-1",
        "c-ledger.html#ledger-1-1",
        "e-map.html#assumption-independent-masks",
    }


def test_the_table_of_a_page_holds_its_claims_only(full_book):
    table = parsed(full_book.build().page("a-first")).select_one("[aria-label='Claims settled on this page']")
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
    assert [row[0] for row in rows] == ["1.1 title of 1.1", "1.2 title of 1.2"]
    assert rows[0][2] == "derived, any n, 2 linesenumerated, 16 masks"


def test_the_ledger_page(full_book):
    page = parsed(full_book.build().page("c-ledger"))
    titles = [title.text.strip("¶") for title in page.select("section section h2")]
    assert titles == ["1 Part 1", "2 Part 2", "3 Part 3"]
    rows = page.select("table.claim-ledger tbody tr")
    assert [(row["id"], row["data-verdict"], row["data-evidence"]) for row in rows] == [
        ("ledger-1-1", "true", "derive enumerate"),
        ("ledger-1-2", "wrong", "enumerate refute"),
        ("ledger-2-1", "true-under", "derive"),
        ("ledger-2-2", "supported", "measure"),
        ("ledger-2-3", "true", "cite"),
        ("ledger-3-1", "open", ""),
    ]
    assert "6 claims, 5 of them fully established" in page.text
    counted = {row.th.text: row.td.text for row in page.select(".claim-counts tbody tr")}
    assert counted["true"] == "2"
    assert counted["derivation"] == "2" and counted["none: opinion or open"] == "1"
    assert "Derivations by what they hold for: any n (2). They have" in page.text
    assert "Better:" in rows[1].text
    assert r"Reason 1.2: \(c\)." in rows[1].text
    assert r"said of every case; how it was readReading 1.2: \(d\)." in rows[1].text
    assert "said of what others found or use; how it was read" in rows[4].text
    assert page.select_one("form#claim-filter").has_attr("hidden"), "without the script there is nothing to filter with"
    assert all(label.find(["select", "input"]) for label in page.select("form label"))
    assert page.find("script", src=re.compile("claim-ledger.js"))


def test_only_the_ledger_loads_its_script(full_book):
    assert "claim-ledger.js" not in full_book.build().page("a-first")


def test_errata_come_from_the_evidence_the_worst_first(full_book):
    page = parsed(full_book.build().page("d-errata"))
    titles = [title.text.strip("¶") for title in page.select("section section h2")]
    assert titles == ["What misleads most", "What misleads in some cases", "Small print"]
    boxes = page.select(".claim-erratum")
    assert [box["class"][-1] for box in boxes] == ["claim-verdict-wrong", "claim-verdict-true-under"]
    wrong, under = (box.text for box in boxes)
    for part in (
        r"Let \(n = 1\). The sentence gives 0.5, and the answer is 0.8.",
        r"The weights are \(p^k\).",
        "Better:",
    ):
        assert part in wrong
    assert "What follows is linear. (a linear consumer)" in under
    for part in (r"We read it soReading 2.1: \(d\).", r"What to changeChange 2.1: \(e\).", r"WhyReason 2.1: \(c\)."):
        assert part in under


def test_errata_are_in_the_order_of_what_misleads_and_of_the_grade(book):
    two = {"readings": ["It holds so.", "It misleads so."]}
    book.claims(
        claim("1.1", uses=["independent-masks"]),
        claim("2.1", "imprecise", misleads="much", **two),
        claim("2.2", "wrong", misleads="somewhat"),
        claim("2.3", "wrong"),
    )
    imprecise = {**REFUTED, "verdict": "imprecise"}
    first = [cell("1.1", derived("independent-masks")), cell("2.1", ENUMERATED, imprecise)]
    rest = [cell("2.2", ENUMERATED, REFUTED), cell("2.3", ENUMERATED, REFUTED)]
    book.notebook("a-first", "# First", *first, *rest)
    book.page("b-errata", "# Errata\n\n```{claims} errata\n```\n")
    built = book.build()
    assert built.status == 0, built.error
    boxes = parsed(built.page("b-errata")).select(".claim-erratum")
    assert [box.strong.text for box in boxes] == ["Claim 2.3", "Claim 2.1", "Claim 2.2"]
    assert "Most charitable readingIt holds so.A reading that misleadsIt misleads so." in boxes[1].text


def test_what_lies_beyond_the_source_is_no_erratum_of_it(book):
    book.claims(claim("B1", "true-under", section="Beyond the source", uses=["linear"]))
    under = {**DERIVED, "verdict": "true-under", "assumes": ["linear"]}
    book.notebook("a-first", "# First\n\n```{claims} statement B1\n```\n", cell("B1", under))
    book.page("b-errata", "# Errata\n\n```{claims} errata\n```\n")
    built = book.build()
    assert built.status == 0, built.error
    assert not parsed(built.page("b-errata")).select(".claim-erratum")
    assert "identity · Beyond the source" in parsed(built.page("a-first")).text


def test_wide_content_scrolls_in_a_box_with_a_name(full_book):
    built = full_book.build()
    for name in ("a-first", "c-ledger", "e-map", "g-measured"):
        page = parsed(built.page(name))
        for wide in page.select("table.claim-table"):
            box = wide.find_parent(class_="claim-scroll")
            assert box["tabindex"] == "0" and box["role"] == "region" and box["aria-label"]


def test_two_builds_in_two_folders_are_the_same(full_book, tmp_path):
    first = full_book.build()
    other = tmp_path / "elsewhere" / "deeper"
    other.mkdir(parents=True)
    for path in full_book.folder.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    second = Book(other, full_book.patch).build()
    for name in ("ledger.json", "c-ledger.html", "e-map.html", "a-first.html", "g-measured.html", "searchindex.js"):
        assert (first.site / name).read_bytes() == (second.site / name).read_bytes(), name


def test_a_changed_verdict_is_written_on_unchanged_pages(full_book):
    assert ", title of 1.2, wrong" in full_book.build().page("e-map")
    entries = [claim("1.1", uses=["independent-masks"]), claim("1.2", "imprecise")]
    entries += [
        claim("2.1", "true-under", uses=["linear"]),
        claim("2.2", "supported", kind="E"),
        claim("2.3", kind="H"),
    ]
    full_book.claims(*entries, claim("3.1", "open", kind="E"))
    notebook = full_book.folder / "a-first.ipynb"
    text = notebook.read_text(encoding="utf-8")
    notebook.write_text(text.replace('"verdict": "wrong"', '"verdict": "imprecise"'), encoding="utf-8")
    built = full_book.build()
    assert built.status == 0, built.error
    assert ", title of 1.2, imprecise" in built.page("e-map")
    assert json.loads((built.site / "ledger.json").read_text())[1]["verdict"] == "imprecise"


def test_a_changed_word_of_the_claims_file_is_written_on_unchanged_pages(book):
    wrong = claim("2.1", "wrong")
    book.claims(claim("1.1", uses=["independent-masks"]), wrong)
    first = cell("1.1", derived("independent-masks"))
    book.notebook("a-first", "# First", first, cell("2.1", ENUMERATED, REFUTED))
    book.page("b-errata", "# Errata\n\n```{claims} errata\n```\n")
    assert "Change 2.1" in book.build().page("b-errata")
    book.claims(claim("1.1", uses=["independent-masks"]), {**wrong, "change": "Put it otherwise."})
    assert "Put it otherwise." in book.build().page("b-errata")


def test_a_new_record_alone_rewrites_the_pages_that_show_it(full_book):
    full_book.build()
    full_book.notebook(
        "b-second",
        "# Second\n",
        cell("2.1", {**DERIVED, "verdict": "true-under", "assumes": ["linear"]}),
        cell("2.2", {**MEASURED, "seeds": 77}),
        cell("2.3", CITED),
        cell("3.1", OPEN),
    )
    built = full_book.build()
    assert "0 added, 1 changed, 0 removed" in built.said
    assert "measured, 77 seeds" in built.page("c-ledger")


def test_nothing_is_written_when_nothing_changed(full_book):
    first = full_book.build()
    index = full_book.folder / "index.md"
    seen = index.stat()
    written = (first.site / "c-ledger.html").stat().st_mtime_ns
    second = full_book.build()
    assert second.status == 0
    assert index.stat().st_mtime_ns >= seen.st_mtime_ns
    assert (second.site / "c-ledger.html").stat().st_mtime_ns == written


def pages(**evidence: tuple[str, list[dict]]) -> dict[str, Page]:
    """Pages by docname, each settling one claim."""
    return {
        docname: Page([Settled(claim_id, tuple(map(from_json, records)), f"claim-{claim_id}", f"{docname}.md:1")])
        for docname, (claim_id, records) in evidence.items()
    }


def test_the_first_page_in_reading_order_settles():
    registry = Registry([entry("1")], [])
    found = pages(later=("1", [ENUMERATED]), earlier=("1", [DERIVED]))
    ledger = Ledger(registry, found, ["earlier", "later"])
    evidence = [piece.to_json() for piece in ledger.entries["1"].evidence]
    assert (ledger.entries["1"].docname, evidence) == ("earlier", [DERIVED, ENUMERATED])


@pytest.mark.parametrize("below, full", [(DERIVED, {"1", "2", "3"}), (OPEN, set())])
def test_fully_established_only_with_all_that_it_rests_on(below, full):
    entries = [entry("1", uses=("a",)), entry("2", uses=("1",)), entry("3", uses=("2",))]
    registry = Registry(entries, [Assumption("a", "a", "a")])
    found = pages(x=("1", [below]), y=("2", [DERIVED]), z=("3", [DERIVED]))
    ledger = Ledger(registry, found, ["x", "y", "z"])
    assert ledger.fully_established == full
    assert ledger.lacking("3") == (() if full else ("1",))


def test_a_section_includes_its_subsections_only():
    sections = ["7 Variants", "7.1 DropConnect", "71 Other"]
    claims = [Claim(str(number), name, "t", "I", "s", "true", "always", "r") for number, name in enumerate(sections)]
    ledger = Ledger(Registry(claims, []), {}, [])
    assert [found.claim.id for found in ledger.of_section("7")] == ["0", "1"]


def test_no_page_is_named_by_an_absolute_path(full_book):
    built = full_book.build()
    assert str(Path(full_book.folder).resolve()) not in (built.site / "ledger.json").read_text()


def test_an_assumption_that_nothing_needs_is_named():
    registry = Registry([entry("1", uses=("a",)), entry("2")], [Assumption(name, name, name) for name in "abc"])
    needs_b = from_json({**derived("b"), "stated": ["b"]})
    given = Page(settled=[Settled("2", (needs_b,), "claim-2", "x.md:1")])
    ledger = Ledger(registry, {"x": given}, ["x"])
    assert ledger.unused_assumptions() == ["c"]
    (said,) = [problem for problem in ledger.problems((), ()) if problem.startswith("assumption")]
    assert said == (
        "assumption 'c' is used by no derivation and named by no claim: what nothing needs is no assumption"
    )
    assert not [problem for problem in ledger.problems((), (), draft=True) if problem.startswith("assumption")]
