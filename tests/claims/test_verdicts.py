"""Verdicts come from the records alone; whatever does not settle the claims file is named."""

import pytest

from dropout_lab.claims.registry import Claim, Registry
from dropout_lab.claims.verdicts import VerdictError, settle, verdict


def claim(claim_id="1", kind="I", expected="true", uses=()) -> Claim:
    return Claim(claim_id, "1 A", "title", kind, "statement", expected, tuple(uses))


def record(kind: str, given: str) -> dict:
    return {"kind": kind, "verdict": given}


@pytest.mark.parametrize(
    "kind, records, expected",
    [
        ("I", [record("prove", "true")], "true"),
        ("I", [record("prove", "true-under"), record("enumerate", "true")], "true-under"),
        ("I", [record("prove", "true"), record("refute", "imprecise"), record("refute", "wrong")], "wrong"),
        ("I", [record("prove", "true"), record("refute", "imprecise")], "imprecise"),
        ("E", [record("measure", "supported"), record("measure", "not-seen")], "not-seen"),
        ("E", [record("measure", "supported"), record("prove", "true")], "supported"),
        ("Th", [record("measure", "not-seen"), record("prove", "true-under")], "true-under"),
        ("Th+E", [record("measure", "supported"), record("prove", "true-under")], "supported"),
        ("O", [record("none", "opinion")], "opinion"),
        ("E", [record("none", "open"), record("measure", "supported")], "open"),
    ],
)
def test_verdict(kind, records, expected):
    assert verdict(claim(kind=kind), records) == expected


def test_settle_gives_every_verdict():
    registry = Registry([claim("1"), claim("2", expected="wrong", uses=["1"])], [])
    records = {"1": [record("prove", "true")], "2": [record("refute", "wrong")]}
    assert settle(registry, records) == {"1": "true", "2": "wrong"}


@pytest.mark.parametrize(
    "evidence, message",
    [
        ({}, r"claim 1 \(title\) has no evidence"),
        ({"1": [record("prove", "true")], "7": [record("prove", "true")]}, "evidence for '7'"),
        ({"1": [record("refute", "wrong")]}, "claim 1 .* expects 'true', the evidence says 'wrong'"),
    ],
)
def test_what_is_amiss_is_named(evidence, message):
    with pytest.raises(VerdictError, match=message):
        settle(Registry([claim()], []), evidence)


def test_nothing_settled_rests_on_something_open():
    registry = Registry([claim("1", expected="open"), claim("2", uses=["1"])], [])
    with pytest.raises(VerdictError, match="claim 2 is settled .* rests on claim 1, which is open"):
        settle(registry, {"1": [record("none", "open")], "2": [record("prove", "true")]})
