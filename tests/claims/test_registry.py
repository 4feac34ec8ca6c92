"""The claims file: what is in it, and what is refused."""

import re

import pytest

from dropout_lab import claims
from dropout_lab.claims.registry import Assumption, Claim, ClaimsFileError, Registry


def claim(claim_id: str, *uses: str, **changes) -> Claim:
    fields = {
        "id": claim_id,
        "section": "1 A",
        "title": "t",
        "kind": "I",
        "statement": "s",
        "expected": "true",
        "quantifier": "always",
        "reason": "r",
        "uses": uses,
    }
    return Claim(**{**fields, **changes})


def test_the_file_holds_every_claim_of_the_source_and_the_derivations_beyond_it():
    registry = claims.load()
    per_section = {1: 9, 2: 5, 3: 11, 4: 10, 5: 11, 6: 11, 7: 21, 8: 10}
    expected = [f"{section}.{number}" for section, count in per_section.items() for number in range(1, count + 1)]
    assert len(expected) == 88
    assert list(registry) == expected + [f"B{number}" for number in range(1, 15)]


def test_statements_are_sentences_and_corrections_are_written_down():
    for entry in claims.load().values():
        assert len(entry.statement.split()) >= 5, entry.id
        if entry.expected in ("wrong", "imprecise", "true-under"):
            assert entry.note, f"claim {entry.id} is {entry.expected} but has no better statement"


def test_texts_are_whole_sentences_whose_formulas_are_set():
    bare = re.compile(r"\b[a-zA-Z] ?[=<>]|[×²√Σ≥≤σμρλγ]|\d/\d|\bp\b")
    registry = claims.load()
    texts = [one.statement for one in registry.assumptions.values()]
    for entry in registry.values():
        texts += [entry.statement, entry.reason, *filter(None, (entry.change, entry.note)), *entry.readings]
        assert "$" not in entry.title and not bare.search(entry.title), entry.title
    for text in texts:
        words = re.sub(r"\$[^$]*\$", "Formula", text)
        assert re.fullmatch(r"[A-Z“].*[.]”?", words) and not bare.search(words), text


def test_grades_say_why_and_of_which_reading():
    for entry in claims.load().values():
        assert len(entry.reason.split()) >= 5, entry.id
        assert entry.reason.endswith("."), entry.id
        assert not entry.of_source or all(reading.endswith(".") for reading in entry.readings), entry.id
        if entry.expected == "imprecise":
            assert len(entry.readings) == 2, f"claim {entry.id} is imprecise: one reading holds and another misleads"


def test_an_unknown_id_is_named():
    with pytest.raises(ClaimsFileError, match=r"no claim '9\.9'"):
        claims.load()["9.9"]


def test_a_cycle_is_shown():
    with pytest.raises(ClaimsFileError, match=r"circle: .*1 → 2|circle: .*2 → 1"):
        Registry([claim("1", "2"), claim("2", "1")], [])


def test_a_use_that_does_not_exist_is_named():
    with pytest.raises(ClaimsFileError, match="claim 1 uses 'nothing'"):
        Registry([claim("1", "nothing")], [])


@pytest.mark.parametrize("changes, message", [({"expected": "yes"}, "expects 'yes'"), ({"kind": "Q"}, "kind 'Q'")])
def test_unknown_verdicts_and_kinds_are_named(changes, message):
    with pytest.raises(ClaimsFileError, match=message):
        Registry([claim("1", **changes)], [])


def test_duplicates_are_named():
    with pytest.raises(ClaimsFileError, match="claim 1 stands twice"):
        Registry([claim("1"), claim("1")], [])


def test_what_a_claim_rests_on_is_followed_through_other_claims():
    registry = Registry([claim("1", "a"), claim("2", "1"), claim("3", "2", "b")], [Assumption(x, x, x) for x in "ab"])
    assert registry.rests_on("3") == ("2", "b", "1", "a")
    assert registry.assumptions_of("3") == ("b",)
