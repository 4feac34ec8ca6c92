"""Verdicts come from the evidence alone, of a kind that can settle the claim; whatever does not settle it is named."""

import pickle

import pytest
from examples import claim, record

from dropout_lab.claims import Registry, VerdictError, from_json, settle, verdict
from dropout_lab.claims.registry import KINDS, Assumption

FAIR = Assumption("fair", "fair masks", "Both outcomes are equally likely.")


@pytest.mark.parametrize(
    "kind, records, expected",
    [
        ("I", [record("derive")], "true"),
        ("I", [record("derive", "true-under"), record("enumerate")], "true-under"),
        ("I", [record("derive"), record("refute", "imprecise"), record("refute", "wrong")], "wrong"),
        ("I", [record("derive"), record("refute", "imprecise")], "imprecise"),
        ("E", [record("measure"), record("measure", "not-seen")], "not-seen"),
        ("E", [record("measure"), record("derive")], "supported"),
        ("Th", [record("measure", "not-seen"), record("derive", "true-under")], "true-under"),
        ("Th+E", [record("measure"), record("derive", "true-under")], "supported"),
        ("H", [record("cite")], "true"),
        ("D", [record("cite", "imprecise")], "imprecise"),
        ("O", [record("none", "opinion")], "opinion"),
        ("E", [record("none", "open"), record("measure")], "open"),
    ],
)
def test_verdict(kind, records, expected):
    assert verdict(claim(kind=kind), records) == expected
    assert verdict(claim(kind=kind), [from_json(given) for given in records]) == expected


@pytest.mark.parametrize("quantifier", ["typically", "somewhere"])
@pytest.mark.parametrize(
    "others, found",
    [
        ([], ""),
        ([record("measure")], ""),
        ([record("measure", "not-seen")], "wrong"),
        ([record("cite", "imprecise")], "wrong"),
    ],
)
def test_one_case_alone_makes_no_sentence_about_other_cases_wrong(quantifier, others, found):
    asked = claim(kind="D+E" if others else "I", quantifier=quantifier)
    records = [record("enumerate"), record("refute", "wrong"), *others]
    if found:
        assert verdict(asked, records) == found
    else:
        with pytest.raises(VerdictError, match="a counterexample is one case and cannot make it wrong"):
            verdict(asked, records)
    assert verdict(asked, [record("enumerate"), record("refute", "imprecise"), *others]) == "imprecise"


def test_what_others_found_needs_a_citation():
    asked = claim(kind="H+E")
    with pytest.raises(VerdictError, match="said of what others found or use: nothing settles that without a citation"):
        verdict(asked, [record("measure")])
    assert verdict(asked, [record("measure"), record("cite")]) == "supported"
    assert verdict(asked, [record("none", "open")]) == "open"


SETTLED_BY = {
    "I": {"derive", "enumerate"},
    "Th": {"derive"},
    "A": {"derive", "enumerate"},
    "E": {"measure"},
    "H": {"cite"},
    "D": {"derive", "enumerate", "cite"},
    "O": set(),
}


@pytest.mark.parametrize("letter", KINDS)
@pytest.mark.parametrize("kind", ["derive", "enumerate", "measure", "cite"])
@pytest.mark.parametrize("given", ["", "not-seen"])
def test_only_evidence_of_a_kind_that_can_settle_a_claim_of_this_kind_does(letter, kind, given):
    if given and kind != "measure":
        return
    if kind in SETTLED_BY[letter]:
        assert verdict(claim(kind=letter), [record(kind, given)])
    else:
        with pytest.raises(VerdictError, match=rf"claim 1 \(title\) is of kind {KINDS[letter]}"):
            verdict(claim(kind=letter), [record(kind, given)])


@pytest.mark.parametrize(
    "letter, heavy",
    [
        *[(letter, record("refute")) for letter in "EHO"],
        *[(letter, record("cite", degree)) for letter in ("I", "Th", "A", "E") for degree in ("wrong", "imprecise")],
        *[(letter, record("none", "opinion")) for letter in ("I", "Th", "A", "E", "H", "D")],
    ],
)
def test_what_cannot_settle_a_claim_cannot_overrule_it_either(letter, heavy):
    light = {"E": record("measure"), "H": record("cite"), "O": record("none", "opinion")}.get(letter, record("derive"))
    with pytest.raises(VerdictError, match="cannot call it"):
        verdict(claim(kind=letter), [light, heavy])


def test_nothing_gives_no_verdict():
    with pytest.raises(VerdictError, match="has no evidence"):
        verdict(claim(), [])
    with pytest.raises(ValueError, match="lacks 'says'"):
        verdict(claim(kind="Th"), [{"kind": "measure", "verdict": "not-seen"}])
    with pytest.raises(TypeError, match="a record of evidence is an object"):
        verdict(claim(), ["true"])
    for evidence in (None, "derive", record("derive"), {1}):
        with pytest.raises(TypeError, match="evidence is a list"):
            verdict(claim(), evidence)
        with pytest.raises(TypeError, match="evidence is a list"):
            settle(Registry([claim()], []), {"1": evidence})
    with pytest.raises(TypeError, match="a claim of the registry"):
        verdict("1", [record("derive")])
    with pytest.raises(TypeError, match="settle takes a registry"):
        settle(Registry([claim()], []), [record("derive")])


def test_a_refutation_needs_its_correction():
    with pytest.raises(VerdictError, match="nothing establishes the statement that corrects it"):
        verdict(claim(), [record("refute")])
    registry = Registry([claim("1", expected="wrong"), claim("2", kind="E", expected="not-seen")], [])
    evidence = {"1": [record("refute", corrected_by="2")], "2": [record("measure", "not-seen")]}
    with pytest.raises(VerdictError, match="claim 1 is corrected by claim 2, which nothing establishes"):
        settle(registry, evidence)
    with pytest.raises(VerdictError, match="claim 1 is corrected by claim '9', which the claims file lacks"):
        settle(registry, {**evidence, "1": [record("refute", corrected_by="9")]})


def test_settle_gives_every_verdict():
    registry = Registry([claim("1"), claim("2", "1", expected="wrong")], [])
    assert settle(registry, {"1": [record("derive")], "2": [record("refute")]}) == {"1": "true", "2": "wrong"}


@pytest.mark.parametrize(
    "evidence, message",
    [
        ({}, r"claim 1 \(title\) has no evidence"),
        ({"1": [record("derive")], "7": [record("derive")]}, "evidence for '7'"),
        ({"1": [record("derive"), record("refute")]}, "claim 1 .* expects 'true', the evidence says 'wrong'"),
        ({"1": [record("derive", "true-under")]}, "claim 1 .* is derived under 'fair', which .* does not use"),
    ],
)
def test_what_is_amiss_is_named(evidence, message):
    with pytest.raises(VerdictError, match=message):
        settle(Registry([claim()], [FAIR]), evidence)


def test_problems_come_as_objects_each_with_its_claim():
    registry = Registry([claim("1"), claim("2", kind="Th"), claim("3")], [])
    with pytest.raises(VerdictError) as raised:
        settle(registry, {"2": [record("measure")], "3": [record("derive")], "4": [record("derive")]})
    assert [problem.claim for problem in raised.value.problems] == ["4", "1", "2"]
    assert all(str(problem) in str(raised.value) for problem in raised.value.problems)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.problems, str(again)) == (raised.value.problems, str(raised.value))


def test_nothing_settled_rests_on_something_open():
    registry = Registry([claim("1", expected="open"), claim("2", "1")], [])
    with pytest.raises(VerdictError, match=r"claim 2 is settled .* rests on claim 1, which is open"):
        settle(registry, {"1": [record("none", "open")], "2": [record("derive")]})
