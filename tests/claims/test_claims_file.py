"""The claims file is not believed: what YAML would guess, drop or overwrite is refused, with the file and the entry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dropout_lab import claims
from dropout_lab.claims import ClaimsFileError

ASSUMPTION = "  - {id: fair, name: fair masks, statement: Both outcomes are equally likely.}\n"
GRADE = "quantifier: always, reason: R., readings: [As it stands.]"
CHANGE = "change: C., misleads: little"
CLAIM = f'  - {{id: "1.1", section: 1 A, title: t, kind: I, statement: S., expected: "true", {GRADE}, uses: [fair]}}\n'
SOUND = f"assumptions:\n{ASSUMPTION}claims:\n{CLAIM}"


def load(folder: Path, text: str | bytes) -> claims.Registry:
    path = folder / "claims.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return claims.load(path)


def test_a_sound_file_is_read(tmp_path):
    registry = load(tmp_path, SOUND)
    assert list(registry) == ["1.1"]
    assert registry.assumptions_of("1.1") == ("fair",)
    assert list(load(tmp_path, "assumptions: []\nclaims: []\n")) == []


def changed(old: str, new: str) -> str:
    assert old in SOUND
    return SOUND.replace(old, new)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "the file is empty"),
        ("# nothing but a comment\n", "the file is empty"),
        ("just text\n", "the file is text"),
        ("- a\n- list\n", "the file is a list"),
        ("assumptions: []\n", "lacks the key 'claims'"),
        ("claims: []\n", "lacks the key 'assumptions'"),
        ("assumptions:\nclaims: []\n", "the key 'assumptions' is nothing"),
        ("assumptions: []\nclaims: {}\n", "the key 'claims' is a mapping"),
        ("assumptions: []\nclaims: none\n", "the key 'claims' is text"),
        (SOUND + "notes: []\n", "the file has the key 'notes'"),
        (SOUND + "claims:\n" + CLAIM.replace("1.1", "2.1"), "the key 'claims' twice, the second time in line 5"),
        (SOUND + "---\n" + SOUND, "expected a single document"),
        (SOUND + "  - just text\n", "claim in line 5 is text"),
        (SOUND + "  -\n", "claim in line 5 is nothing"),
        (SOUND + CLAIM, "claim 1.1 stands twice"),
        (SOUND + CLAIM.replace("1.1", "1-1"), "claim 1-1 would have the same anchor on the page as 1.1"),
        (changed('"1.1"', '"fair"'), "'fair' is the id of a claim and of an assumption"),
        (changed('id: "1.1"', "id: 1.1"), "the id of the claim in line 4 is a number"),
        (changed('id: "1.1"', "id: 2024-01-01"), "is a date"),
        (changed('id: "1.1", ', ""), "the claim in line 4 has no id"),
        (changed('id: "1.1"', 'id: ""'), "is blank"),
        (changed('id: "1.1"', 'id: "1.1 "'), "white space"),
        (changed('id: "1.1"', 'id: "1 1"'), "an id is made of letters and digits"),
        (changed('id: "1.1"', 'id: "é"'), "an id is made of letters and digits"),
        (changed('id: "1.1"', 'id: "../1"'), "an id is made of letters and digits"),
        (changed('id: "1.1"', "id: [1]"), "is a list"),
        (changed("title: t, ", ""), "claim 1.1 lacks the field 'title'"),
        (changed("title: t", "titel: t"), "claim 1.1 has the field 'titel'"),
        (changed("title: t", "title: t, title: u"), "has the key 'title' twice"),
        (changed("title: t", "title: null"), "the field 'title' of claim 1.1 is nothing"),
        (changed("title: t", "title: 12"), "the field 'title' of claim 1.1 is a number"),
        (changed("title: t", "title: 1:30"), "the field 'title' of claim 1.1 is a number"),
        (changed("title: t", "title: yes"), "the field 'title' of claim 1.1 is a truth value"),
        (changed("title: t", "title: {a: b}"), "the field 'title' of claim 1.1 is a mapping"),
        (changed("title: t", 'title: "   "'), "the field 'title' of claim 1.1 is blank"),
        (changed("title: t", 'title: "a\\x07b"'), r"the character '\\x07'"),
        (changed("title: t", 'title: "a\\u200bb"'), r"the character '\\u200b'"),
        (changed("title: t", 'title: "a\\nb"'), r"the character '\\n'"),
        (changed("title: t", "title: t, note: "), "the field 'note' of claim 1.1 is nothing"),
        (changed('expected: "true"', "expected: true"), "the field 'expected' of claim 1.1 is a truth value"),
        (changed('expected: "true"', "expected: sure"), "claim 1.1 expects 'sure'"),
        (changed("reason: R., ", ""), "claim 1.1 lacks the field 'reason'"),
        (changed("reason: R.", "reason: "), "the field 'reason' of claim 1.1 is nothing"),
        (changed("quantifier: always, ", ""), "claim 1.1 lacks the field 'quantifier'"),
        (changed("always", "mostly"), "claim 1.1 has the quantifier 'mostly'; expected one of always, typically"),
        (changed("always", "[always]"), "the field 'quantifier' of claim 1.1 is a list"),
        (changed("kind: I", "kind: H"), "history or attribution, so its quantifier is 'others found', got 'always'"),
        (changed("kind: I", "kind: D").replace("always", "typically"), "a definition, so its quantifier is 'always'"),
        (changed("[As it stands.]", "[A., B., C.]"), "claim 1.1 has 3 readings; expected the one that is judged"),
        (changed(", readings: [As it stands.]", ""), "claim 1.1 is one of the source's and lacks the reading"),
        (changed("[As it stands.]", "As it stands."), "the field 'readings' of claim 1.1 is text"),
        (changed('expected: "true"', f"expected: imprecise, {CHANGE}"), "claim 1.1 is imprecise and has one reading"),
        (changed('expected: "true"', "expected: wrong"), "claim 1.1 is wrong and lacks a change of its sentence"),
        (changed("title: t", f"title: t, {CHANGE}"), "claim 1.1 is true and has a change of its sentence"),
        (changed('expected: "true"', "expected: wrong, change: C."), "what to change in the sentence, or how much"),
        (changed('expected: "true"', "expected: wrong, change: C., misleads: a bit"), "claim 1.1 misleads 'a bit'"),
        (changed("[As it stands.]", '[""]'), "the field 'readings' of claim 1.1 is blank"),
        (changed("kind: I", "kind: Q"), "claim 1.1 has kind 'Q'"),
        (changed("kind: I", "kind: I+I"), "names a kind twice"),
        (changed("kind: I", "kind: I+"), "claim 1.1 has kind 'I"),
        (changed("kind: I", "kind: [I]"), "the field 'kind' of claim 1.1 is a list"),
        (changed("[fair]", "fair"), "the field 'uses' of claim 1.1 is text"),
        (changed("[fair]", ""), "the field 'uses' of claim 1.1 is nothing"),
        (changed("[fair]", "[fair, fair]"), "claim 1.1 uses 'fair' twice"),
        (changed("[fair]", "[1.1]"), "the field 'uses' of claim 1.1 is a number"),
        (changed("[fair]", "[[fair]]"), "the field 'uses' of claim 1.1 is a list"),
        (changed("[fair]", "[unfair]"), "claim 1.1 uses 'unfair', which is neither"),
        (changed("[fair]", '["1.1"]'), "in a circle"),
        (changed("name: fair masks", "name: true"), "the field 'name' of assumption fair is a truth value"),
        (changed("name: fair masks", "name: fair masks, uses: []"), "assumption fair has the field 'uses'"),
        (changed("title: t", "title: &t t"), "holds the anchor t"),
        (changed("title: t, kind: I", "title: &t t, kind: *t"), "anchor t"),
        (changed("title: t", "<<: {title: t}"), "the claim in line 4"),
        (changed("title: t", "title: !!str 12"), "holds the tag"),
        (changed("title: t", "title: !!python/name:os.system t"), "holds the tag"),
        (changed("title: t", "[a, b]: t"), "a key of the claim in line 4"),
        (changed("title: t", "1: t"), "a key of the claim in line 4"),
        (SOUND.replace("claims:", "claims: ["), "line"),
        (b"assumptions: []\nclaims: [\xff]\n", "utf-8"),
        (b"assumptions: []\nclaims: [\x00]\n", "x00"),
    ],
)
def test_what_the_file_should_not_hold_is_named(tmp_path, text, said):
    with pytest.raises(ClaimsFileError, match=said) as raised:
        load(tmp_path, text)
    assert str(tmp_path / "claims.yaml") in str(raised.value)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ClaimsFileError, match="cannot be read"):
        claims.load(tmp_path / name)


def test_a_path_is_a_path():
    with pytest.raises(TypeError, match="path is a path"):
        claims.load(3)


def test_a_file_that_has_changed_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "claims.yaml"
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(path))
    path.write_text(SOUND, encoding="utf-8")
    stamp = path.stat()
    first = claims.load()
    assert claims.load() is first, "an unchanged file is read once"
    # Of the same size, and with the same times, as two versions written within a tick of the disk's clock have.
    path.write_text(SOUND.replace("1.1", "1.2"), encoding="utf-8")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert list(claims.load()) == ["1.2"]


def test_the_empty_name_stands_for_the_file_of_the_package(monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", "")
    assert "2.2" in claims.load()
