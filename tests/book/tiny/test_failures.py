"""Whatever does not hold stops the build, and the message names the claim or the place."""

from __future__ import annotations

import pytest
from tiny_book import BIBLIOGRAPHY, CITED, DERIVED, ENUMERATED, MEASURED, OPEN, Book, cell, claim

from dropout_lab.book.problems import BookError


def failure(book: Book) -> str:
    """The message with which a build stops."""
    built = book.build()
    assert built.status != 0
    assert isinstance(built.error, BookError), built.error
    return str(built.error)


def one_claim(book: Book, *evidence: dict, text: str = "", **fields: object) -> None:
    """A book with the claim 1.1, one cell of evidence for it, and some text."""
    book.claims(claim("1.1", **fields))
    book.notebook("a-first", "# First\n", cell("1.1", *evidence), text)


def test_the_book_holds_without_any_slip(book):
    one_claim(book, DERIVED)
    assert book.build().status == 0


def test_a_claim_without_evidence(book):
    one_claim(book, DERIVED)
    book.claims(claim("1.1"), claim("1.2"))
    assert "claim 1.2 (title of 1.2) has no evidence" in failure(book)
    assert not (book.folder / "_build" / "html" / "ledger.json").exists()


def test_evidence_without_a_claim(book):
    book.claims(claim("1.1"))
    book.notebook("a-first", "# First\n", cell("1.1", DERIVED), cell("9.9", DERIVED))
    assert "evidence for '9.9', which is no claim of the claims file" in failure(book)


def test_a_verdict_other_than_expected(book):
    one_claim(book, DERIVED, expected="wrong")
    assert "claim 1.1 (title of 1.1): the claims file expects 'wrong', the evidence says 'true'" in failure(book)


def test_a_measurement_that_does_not_meet_its_rule(book):
    missed = {**MEASURED, "verdict": "not-seen", "supported": False}
    one_claim(book, missed, expected="supported", kind="E")
    assert "expects 'supported', the evidence says 'not-seen'" in failure(book)


def test_claims_that_rest_on_each_other(book):
    book.claims(claim("1.1", uses=["1.2"]), claim("1.2", uses=["1.1"]))
    message = failure(book)
    assert "rest on each other in a circle" in message
    assert "1.1" in message and "1.2" in message


def test_an_unknown_id_in_uses(book):
    book.claims(claim("1.1", uses=["no-such-thing"]))
    assert "claim 1.1 uses 'no-such-thing', which is neither a claim nor an assumption" in failure(book)


def test_a_claims_file_that_is_not_there(book):
    assert "claims.yaml" in failure(book)


@pytest.mark.parametrize("prose", ["See {claim}`7.7`.", "See {claim}`this <7.7>`.", "```{claims} statement 7.7\n```\n"])
def test_an_unknown_id_in_prose(book, prose):
    one_claim(book, DERIVED, text=prose)
    message = failure(book)
    assert "the prose names claim '7.7', which the claims file lacks" in message
    assert "a-first.ipynb:" in message


def test_a_map_of_an_unknown_section(book):
    one_claim(book, DERIVED, text="```{claims} map\n:section: 8\n```\n")
    assert "no claim of the claims file stands in section '8'" in failure(book)


def test_a_source_that_the_bibliography_lacks(book):
    one_claim(book, {**CITED, "key": "nobody1900"})
    message = failure(book)
    assert "claim 1.1 (a-first.ipynb:" in message
    assert "cites 'nobody1900', which is not in the bibliography" in message


def test_entries_of_the_bibliography_that_nobody_cites(book):
    book.bibliography(BIBLIOGRAPHY + BIBLIOGRAPHY.replace("2012", "2013") + BIBLIOGRAPHY.replace("2012", "2014"))
    one_claim(book, DERIVED, text="See {cite:p}`hinton2013`.\n\n```{bibliography}\n```\n")
    assert "no page cites these entries of the bibliography: hinton2012, hinton2014" in failure(book)


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        ({**CITED, "key": "hinton2012"}, ""),
        (DERIVED, "See {cite:p}`hinton2012`."),
        ({**DERIVED, "cites": ["hinton2012"]}, ""),
    ],
    ids=["a citation", "prose", "a theorem of a chain"],
)
def test_each_way_to_cite_an_entry_is_enough(book, evidence, text):
    book.bibliography()
    book.page("b-sources", "# Sources\n\n```{bibliography}\n```\n")
    one_claim(book, evidence, text=text, kind="I+D")
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    assert 'href="b-sources.html#' in built.page("a-first")


def test_a_theorem_of_a_chain_that_the_bibliography_lacks(book):
    one_claim(book, {**DERIVED, "cites": ["nobody1900"]})
    assert "cites 'nobody1900', which is not in the bibliography" in failure(book)


def test_in_a_draft_an_entry_may_be_without_a_citation(book, monkeypatch):
    book.bibliography()
    one_claim(book, DERIVED)
    assert "hinton2012" in failure(book)
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    assert book.build().status == 0


def test_something_settled_on_top_of_something_open(book):
    book.claims(claim("1.1", uses=["1.2"]), claim("1.2", "open"))
    book.notebook("a-first", "# First\n", cell("1.1", DERIVED), cell("1.2", OPEN))
    assert "claim 1.1 is settled (true) but rests on claim 1.2, which is open" in failure(book)


def test_all_problems_are_listed_at_once(book):
    book.claims(claim("1.1"), claim("1.2", "imprecise"), claim("1.3", kind="H"))
    cited = cell("1.3", {**CITED, "key": "x"})
    book.notebook("a-first", "# First\n", cell("1.2", ENUMERATED), cited, "See {claim}`4.4`.")
    message = failure(book)
    for part in ("claim 1.1 (title of 1.1) has no evidence", "claim 1.2", "cites 'x'", "'4.4'"):
        assert part in message


def test_a_draft_may_be_without_evidence(book, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    one_claim(book, DERIVED, text="As {claim}`1.2` will say.\n\n```{claims} statement 1.2\n```\n", uses=["1.2"])
    book.claims(claim("1.1", uses=["1.2"]), claim("1.2"))
    built = book.build()
    assert built.status == 0, built.error
    assert "draft: 1 claims have no evidence yet: 1.2" in built.said
    assert "not settled yet" in built.page("a-first")


def test_in_a_draft_a_page_may_only_illustrate_what_another_one_settles(book, monkeypatch):
    book.claims(claim("1.1"), claim("1.2"))
    book.notebook("a-first", "# First\n", cell("1.1", DERIVED), cell("1.2", MEASURED))
    assert "claim 1.2 (title of 1.2) is of kind identity" in failure(book)
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    built = book.build()
    assert built.status == 0, built.error
    assert "draft: 1 claims have no evidence yet: 1.2" in built.said


def test_a_draft_still_has_to_be_right(book, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    one_claim(book, DERIVED, expected="wrong", text="See {claim}`4.4`.")
    book.claims(claim("1.1", "wrong"), claim("1.2"))
    message = failure(book)
    assert "expects 'wrong'" in message
    assert "'4.4'" in message
    assert "claim 1.2" not in message


def test_a_build_that_failed_fails_again(book):
    """Neither a claim nor a mere warning is forgotten because the pages have not changed since."""
    one_claim(book, DERIVED, text="{ref}`nowhere`")
    first, second = book.build(), book.build()
    assert first.status == second.status == 1
    assert "nowhere" in first.warnings and "nowhere" in second.warnings
    book.claims(claim("1.1"), claim("1.2"))
    assert failure(book) == failure(book)
