"""Records of evidence: what goes out comes back, and what no cell could have left is refused, argument by argument."""

import jsonschema
import pytest
from examples import RECORDS, record

from dropout_lab.claims import EVIDENCE, Grade, from_json
from dropout_lab.claims.kinds import rule_bounds

NAN, INFINITY = float("nan"), float("inf")

#: For each kind, changes of one field of a sound record that make it none.
BROKEN = {
    "enumerate": [
        {"masks": 0},
        {"masks": -4},
        {"masks": True},
        {"masks": 4.0},
        {"masks": "4"},
        {"tolerance": NAN},
        {"tolerance": INFINITY},
        {"tolerance": -1e-9},
        {"tolerance": None},
        {"difference": NAN},
        {"difference": -1.0},
        {"difference": 1e-8},
        {"verdict": "true-under"},
    ],
    "measure": [
        {"effect": NAN},
        {"effect": 3.0},
        {"interval": [NAN, 0.0]},
        {"interval": [-INFINITY, -1.0]},
        {"interval": [-1.0, -2.0]},
        {"interval": [-2.0]},
        {"interval": "-2 to -1"},
        {"interval": [-2.0, 1.0]},
        {"seeds": 1},
        {"seeds": True},
        {"seeds": 12.0},
        {"rule": ""},
        {"rule": "it looks better"},
        {"rule": "the interval lies between 0 and 0"},
        {"rule": "the interval lies between 1"},
        {"rule": "the 95 % interval lies above 0"},
        {"rule": "the interval lies below -1.5"},
        {"unit": None},
        {"supported": 1},
        {"supported": False},
        {"smallest_detectable": INFINITY},
        {"smallest_detectable": -0.1},
        {"exact": True},
        {"exact": None},
        {"interval": [-1.5, -1.5]},
        {"rule": "the 95 % interval lies below 0.5"},
        {"rule": "the 95 % interval lies between -3 and 0"},
        {"recipe": None},
        {"recipe": ""},
        {"recipe": "123"},
        {"recipe": "0123456789ABCDEF" * 4},
    ],
    "refute": [
        {"counterexample": "  "},
        {"counterexample": "one unit at p = 4/5"},
        {"counterexample": "one unit."},
        {"counterexample": "One unit"},
        {"claimed": "4/5"},
        {"claimed": "0.8"},
        {"claimed": "[ 1., 2.]", "actual": "[ 1., 2.]"},
        {"claimed": "nan"},
        {"claimed": "[ 1., inf]"},
        {"actual": "zoo"},
        {"actual": 0.8},
        {"correction": ""},
        {"corrected_by": ""},
        {"verdict": "true"},
    ],
    "cite": [
        {"key": ""},
        {"key": "two keys"},
        {"key": "a,b"},
        {"key": None},
        {"locator": 3},
        {"locator": "eq. {1}"},
        {"verdict": "open"},
    ],
    "none": [{"verdict": "true"}],
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_comes_back_as_it_went(kind):
    piece = from_json(record(kind))
    assert type(piece) is EVIDENCE[kind]
    assert piece.to_json() == record(kind)
    assert from_json(piece.to_json()) == piece
    assert isinstance(piece.verdict, Grade)
    jsonschema.validate(piece.to_json(), piece.schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("kind, changes", [(kind, changes) for kind, several in BROKEN.items() for changes in several])
def test_a_record_that_contradicts_itself_is_refused(kind, changes):
    with pytest.raises((ValueError, TypeError)) as raised:
        from_json({**record(kind), **changes})
    assert type(raised.value) in (ValueError, TypeError) and len(str(raised.value)) > 20


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"verdict": "certain"}, "one of true, true-under"),
        ({"verdict": None}, "one of true, true-under"),
        ({"says": ""}, "blank"),
        ({"says": " \t"}, "blank"),
        ({"says": 1}, "is text"),
        ({"kind": "rumour"}, "there is no evidence of kind 'rumour'"),
        ({"kind": ["derive"]}, "there is no evidence of kind"),
        ({"note": "x"}, "has 'note'"),
    ],
)
def test_every_kind_refuses_an_unknown_grade_field_or_kind(kind, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        from_json({**record(kind), **changes})


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in RECORDS for name in record(kind) if name != "kind"])
def test_every_field_is_needed(kind, name):
    left = {key: value for key, value in record(kind).items() if key != name}
    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        from_json(left)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(left, EVIDENCE[kind].schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("broken", [None, [], "derive", [("kind", "derive")], {1: 2}])
def test_a_record_is_an_object(broken):
    with pytest.raises(TypeError, match="a record of evidence is an object"):
        from_json(broken)


@pytest.mark.parametrize(
    "rule, bounds",
    [
        ("the 95 % interval lies below 0.5", (-INFINITY, 0.5)),
        ("interval above -2e-3, Holm over 6 comparisons", (-0.002, INFINITY)),
        ("the 95 % interval lies between −1 and 1", (-1.0, 1.0)),
    ],
)
def test_a_rule_says_where_the_interval_has_to_lie(rule, bounds):
    assert rule_bounds(rule) == bounds


def test_an_effect_that_could_be_seen_is_one_about_zero():
    for changes in ({"exact": True}, {"rule": "the 95 % interval lies below 0.5"}, {"recipe": "f" * 64}):
        found = from_json(record("measure", **{"smallest_detectable": None, **changes}))
        assert all("smallest" not in label for label, _ in found.details(None))
    labels = [label for label, _ in from_json(record("measure")).details(None)]
    assert labels == ["effect", "rule", "smallest effect it could have seen"]


def test_a_corrected_comparison_may_lie_inside_its_rule_and_yet_not_meet_it():
    assert from_json(record("measure", "not-seen", interval=[-2.0, -0.1])).verdict == "not-seen"
