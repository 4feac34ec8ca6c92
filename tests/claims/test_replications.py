"""The file of replications: what goes in comes out, and what cannot be believed is refused by its entry."""

import json

import pytest
from examples import record

from dropout_lab.claims import Grade, from_json, replications
from dropout_lab.claims.replications import Replications, ReplicationsError

A, B = "a" * 64, "b" * 64


def measured(*recipes, verdict="supported"):
    return [from_json(record("measure", verdict, recipe=recipe)) for recipe in recipes]


def test_measurements_come_to_one_outcome():
    met, missed = measured(A), measured(B, verdict="not-seen")
    derived = [from_json(record("derive"))]
    assert replications.outcome(derived) is None
    assert replications.outcome([*met, *derived]) is Grade.SUPPORTED
    assert replications.outcome([*met, *missed]) is Grade.NOT_SEEN
    assert replications.recipes([*missed, *derived, *met]) == (A, B)


def test_replications_are_kept_beside_those_of_their_recipe(tmp_path):
    path = tmp_path / "replications.json"
    replications.add("2", 10, measured(A, B), path)
    replications.add("2", 2, measured(B, A, verdict="not-seen"), path)
    replications.add("10", 1, measured(A), path)
    replications.add("3", 1, [from_json(record("derive"))], path)
    two = Replications((A, B), {2: Grade.NOT_SEEN, 10: Grade.SUPPORTED})
    assert replications.load(path) == {"2": two, "10": Replications((A,), {1: Grade.SUPPORTED})}
    assert (two.runs, two.same_as(Grade.SUPPORTED), two.same_as(None)) == (2, 1, 0)
    text = path.read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["10", "2"] and list(json.loads(text)["2"]["found"]) == ["2", "10"]
    replications.add("2", 3, measured(B), path)
    assert replications.load(path)["2"] == Replications((B,), {3: Grade.SUPPORTED})
    assert [left.name for left in tmp_path.iterdir()] == ["replications.json"]


def test_a_measurement_without_a_digest_is_not_written(tmp_path):
    path = tmp_path / "replications.json"
    with pytest.raises(ValueError, match="claim 2 is measured without runs="):
        replications.add("2", 1, measured(A, ""), path)
    assert not path.exists()


GOOD = {"recipes": [A], "found": {"1": "supported"}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        *[
            json.dumps({"2": entry})
            for entry in (
                [],
                {"recipes": [A]},
                {**GOOD, "more": 1},
                {**GOOD, "recipes": []},
                {**GOOD, "recipes": A},
                {**GOOD, "recipes": [1]},
                {**GOOD, "found": {}},
                {**GOOD, "found": ["supported"]},
                {**GOOD, "found": {"0": "supported"}},
                {**GOOD, "found": {"one": "supported"}},
                {**GOOD, "found": {"1": "true"}},
                {**GOOD, "found": {"1": None}},
            )
        ],
    ],
)
def test_a_file_that_cannot_be_believed_is_named(tmp_path, content):
    path = tmp_path / "replications.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ReplicationsError, match=r"replications\.json"):
        replications.load(path)


def test_the_file_lies_beside_the_claims_and_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(tmp_path / "claims.yaml"))
    assert replications.replications_path() == tmp_path / "replications.json" and replications.load() == {}


def test_the_books_own_file_is_sound():
    assert isinstance(replications.load(), dict)


@pytest.mark.parametrize(
    ("changes", "at_edge"),
    [
        # Half of the half-width, .25, on either side of the bound.
        ({"interval": [-1.3, -0.3]}, False),
        ({"interval": [-1.2, -0.2]}, True),
        ({"interval": [-0.8, 0.2], "supported": False, "verdict": "not-seen"}, True),
        ({"interval": [-0.7, 0.3], "supported": False, "verdict": "not-seen"}, False),
        # The other end has nothing to decide.
        ({"interval": [0.1, 1.1], "supported": False, "verdict": "not-seen"}, False),
        ({"interval": [-1.2, -0.2], "rule": "the 95 % interval lies above -1.5"}, False),
        ({"interval": [-1.2, -0.2], "rule": "the 95 % interval lies above -1.4"}, True),
        ({"interval": [-1.2, -0.2], "rule": "the 95 % interval lies between -1.4 and 5"}, True),
        ({"interval": [-1.2, -0.2], "rule": "the 95 % interval lies between -5 and 0.1"}, False),
        ({"interval": [-1.2, -0.2], "rule": "between 0 and 9", "supported": False, "verdict": "not-seen"}, False),
        # Only the correction says that it is not met.
        ({"interval": [-2.0, -1.0], "supported": False, "verdict": "not-seen"}, True),
    ],
)
def test_a_verdict_stands_at_the_edge_if_other_seeds_may_turn_it(changes, at_edge):
    low, high = changes["interval"]
    changes = {"effect": (low + high) / 2, "smallest_detectable": None, **changes}
    assert from_json(record("measure", **changes)).at_edge is at_edge
