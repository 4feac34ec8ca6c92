"""Each kind of evidence establishes what it says, refuses what it does not, and leaves a record."""

import subprocess
import sys
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from examples import as_formula

from dropout_lab import claims, symbolic
from dropout_lab.claims import MIME_TYPE, NotEstablished, settlement
from dropout_lab.experiments import replicas, statistics

CLAIMS_FILE = """
assumptions:
  - {id: fair, name: fair coin, statement: The coin is fair.}
claims:
  - {id: "1", section: "1 A", title: a sum, kind: I, statement: One and one is two., expected: "true", uses: [fair],
     quantifier: always, reason: R., readings: [As it stands.]}
  - {id: "2", section: "1 A", title: a guess, kind: E, statement: It helps., expected: supported,
     quantifier: typically, reason: R., readings: [As it stands.]}
  - {id: "3", section: "1 A", title: a story, kind: H, statement: It was first., expected: "true",
     quantifier: others found, reason: R., readings: [As it stands.]}
"""


@pytest.fixture(autouse=True)
def claims_file(tmp_path, monkeypatch):
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS_FILE)
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(path))


def derived(says):
    """Claim 1, settled by a derivation."""
    n, p = sympy.Symbol("n", integer=True, positive=True), sympy.Symbol("p", positive=True)
    r = symbolic.Masks(n, p)
    chain = symbolic.Chain(symbolic.Mean(r[1]), masks=r).then(p, symbolic.rules.mean_of_mask)
    return claims.derive("1", chain, says=says)


@dataclass
class Comparison:
    effect: float = -1.0
    interval: tuple[float, float] = (-1.5, -0.5)
    seeds: int = 12
    rule: str = "interval below 0"
    unit: str = "points"
    supported: bool = True
    smallest_detectable: float | None = 0.4
    exact: bool = False


@dataclass
class Run:
    digest: str | None = "a"


def test_enumerate_compares_exactly_and_within_a_tolerance():
    third = Fraction(1, 3)
    assert claims.enumerate("1", third, sympy.Rational(1, 3), masks=2, says="Equal.").record["difference"] == 0
    assert claims.enumerate("1", np.array([1.0, 2.0]), [1, 2 + 1e-9], masks=4, tolerance=1e-8, says="Close.")
    with pytest.raises(NotEstablished, match="claim 1: enumeration gives"):
        claims.enumerate("1", 1.0, 1.1, masks=2, tolerance=0.05, says="Not equal.")
    with pytest.raises(NotEstablished):
        claims.enumerate("1", Fraction(1, 10**400), 0, masks=2, says="Too small for a float, and yet not zero.")


@pytest.mark.parametrize(
    ("difference", "tolerance", "recorded"), [(1e-15, 1e-11, 1e-12), (1e-15, 1e-14, 1e-14), (1e-9, 1e-8, 1e-9)]
)
def test_what_is_rounding_is_recorded_as_such_and_never_above_the_tolerance(difference, tolerance, recorded):
    found = claims.enumerate("1", difference, 0.0, masks=2, tolerance=tolerance, says="Close.")
    assert found.record["difference"] == pytest.approx(recorded)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(\)"):
        claims.enumerate("1", [1, 1], 1, masks=2, says="Broadcasting would hide a slip.")


def test_measure_leaves_the_verdict_to_the_rule():
    assert claims.measure("2", Comparison(), runs=Run(), says="It does.").record["verdict"] == "supported"
    missed = Comparison(supported=False, interval=(-1.5, 0.5))
    assert claims.measure("2", missed, runs=Run(), says="It does not.").record["verdict"] == "not-seen"
    with pytest.raises(NotEstablished, match="outside its interval"):
        claims.measure("2", Comparison(effect=3.0), runs=Run(), says="Inconsistent.")


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "changes",
    [
        *[{"effect": value} for value in (NAN, INFINITY, None, "1", True, sympy.nan, 1j)],
        *[{"interval": value} for value in ((NAN, -0.5), (-1.5, INFINITY), (-1.5,), "ab", None, (-1.5, -1.0, -0.5))],
        *[{"seeds": value} for value in (1, 0, -3, True, 12.0, "12", None)],
        *[{"rule": value} for value in ("", " ", "better", None, "interval above 0", "interval below -1")],
        *[{"unit": value} for value in (None, 3)],
        *[{"supported": value} for value in (None, 1, "yes")],
        *[{"smallest_detectable": value} for value in (NAN, INFINITY, -0.4, "0.4", True)],
    ],
    ids=str,
)
def test_a_comparison_that_is_none_is_refused(changes):
    with pytest.raises((ValueError, TypeError), match="claim 2"):
        claims.measure("2", replace(Comparison(), **changes), runs=Run(), says="It does.")


def test_the_recipe_is_that_of_the_runs_the_rule_and_the_unit():
    def recipe(runs, **changes):
        return claims.measure("2", replace(Comparison(), **changes), runs=runs, says="It does.").main.recipe

    given = [Run(), (Run(), Run("b")), (Run("b"), Run())]
    found = [recipe(runs) for runs in given] + [
        recipe(Run(), unit="nats"),
        recipe(Run(), rule="interval below 0.2", smallest_detectable=None),
    ]
    assert len({*found}) == 5 and all(len(digest) == 64 for digest in found)
    assert recipe((Run(),)) == recipe([Run()]) == found[0]
    # What came out is no part of it, or no replication would have the same recipe.
    assert recipe(Run(), effect=-1.2, interval=(-1.4, -1.0), smallest_detectable=0.1) == found[0]


@pytest.mark.parametrize("runs", [(), [], "digest", 3, Run(None), Run(""), (Run(), None), {"error": [1.0]}], ids=str)
def test_runs_are_results_of_an_experiment(runs):
    with pytest.raises(TypeError, match=r"claim 2: runs is what replicas\.run found"):
        claims.measure("2", Comparison(), runs=runs, says="It does.")


def test_results_that_were_put_together_by_hand_settle_nothing():
    results = replicas.Results([0, 1], {"none": {"error": np.array([1.0, 2.0])}})
    with pytest.raises(TypeError, match=r"claim 2: these results were not made by replicas\.run"):
        claims.measure("2", Comparison(), runs=results, says="It does.")


def test_equal_values_are_measured_by_an_exact_bound():
    values = statistics.compare([1.0] * 12, rule=statistics.Rule.above(0.5), unit="of the seeds", bounds=(0, 1))
    found = claims.measure("2", values, runs=Run(), says="All of them.")
    assert found.main.exact and found.main.smallest_detectable is None and found.main.verdict == "supported"
    assert "95 % interval 0.735 to 1, exact bound, all 12 seeds equal" in str(found)
    assert "smallest effect" not in str(found)
    with pytest.raises(ValueError, match="claim 2: an interval of width 0"):
        claims.measure("2", replace(values, interval=(1.0, 1.0)), runs=Run(), says="All of them.")


def test_a_measurement_is_not_supported_by_saying_so():
    effects = statistics.compare([1.0, -2.0, 3.0], rule=statistics.Rule.above(0.0), unit="points")
    assert claims.measure("2", effects, runs=Run(), says="Mixed.").main.verdict == "not-seen"
    with pytest.raises(NotEstablished, match="it is said, but it runs from"):
        claims.measure("2", replace(effects, supported=True), runs=Run(), says="Mixed.")


@pytest.mark.parametrize("comparison", [None, {"effect": 1}, "supported", 0.3])
def test_measure_takes_a_comparison(comparison):
    with pytest.raises(TypeError, match="claim 2: measure takes a comparison"):
        claims.measure("2", comparison, runs=Run(), says="It does.")


def test_refute_needs_a_difference_and_carries_its_correction():
    correction = derived("The right statement.")
    evidence = claims.refute(
        "1",
        **as_formula(0),
        actual=Fraction(1, 4),
        counterexample="It is one unit.",
        correction=correction,
        degree="wrong",
        says="No.",
    )
    assert [record["kind"] for record in evidence.records] == ["derive", "refute"]
    assert evidence.record["actual"] == "1/4"
    with pytest.raises(NotEstablished, match="no counterexample"):
        refuted(**as_formula(1), actual=1)
    with pytest.raises(TypeError, match="correction is the evidence"):
        refuted(**as_formula(1), actual=2, correction="trust me")


def refuted(**changes):
    given = {
        **as_formula(0),
        "actual": Fraction(1, 4),
        "counterexample": "It is one unit.",
        "correction": derived("The right statement."),
        "degree": "wrong",
        "says": "No.",
    }
    return claims.refute("1", **{**given, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        *[{"counterexample": value} for value in ("", "  ", None, 1)],
        *[{"says": value} for value in ("", "\n", None)],
        *[{"degree": value} for value in ("true", "", None, "supported", "Wrong", 1)],
        *[{"correction": value} for value in (None, "trust me", True)],
        *[{"actual": value} for value in (0, 0.0, Fraction(0), sympy.Integer(0), False, 1e-12, [0], "1/4", None, NAN)],
    ],
    ids=str,
)
def test_a_refutation_that_is_none_is_refused(changes):
    with pytest.raises((ValueError, TypeError), match="claim 1"):
        refuted(**changes)


def test_a_correction_has_to_be_established():
    unsettled = [
        claims.leave_open("1", why="Nobody knows."),
        claims.measure("2", Comparison(supported=False), runs=Run(), says="Not seen."),
        claims.cite("3", key="somebody1999", says="No.", degree="wrong"),
        refuted(),
    ]
    for correction in unsettled:
        with pytest.raises(NotEstablished, match="expected evidence that establishes the right statement"):
            refuted(correction=correction)
    elsewhere = refuted(correction=claims.cite("3", key="somebody1999", says="Right."))
    assert [piece.kind for piece in elsewhere.evidence] == ["refute"]
    assert elsewhere.main.corrected_by == "3"


def test_close_numbers_are_written_with_the_digits_that_tell_them_apart():
    assert (refuted(**as_formula(0.123451), actual=0.123452).main.claimed) == "0.123451"


@pytest.mark.parametrize("key", ["", " ", "two keys", "a,b", None, 3])
def test_a_citation_names_one_source(key):
    with pytest.raises((ValueError, TypeError), match="claim 3"):
        claims.cite("3", key=key, says="History.")
    with pytest.raises(ValueError, match="claim 3: degree is None"):
        claims.cite("3", key="somebody1999", says="History.", degree="true")


def test_what_cannot_judge_a_claim_does_not():
    right = derived("The right statement.")
    with pytest.raises(NotEstablished, match=r"claim 1 .* of kind identity: .* cannot call it opinion"):
        claims.opinion("1", why="I like it.")
    with pytest.raises(NotEstablished, match="a citation cannot call it wrong"):
        claims.cite("1", key="somebody1999", says="No.", degree="wrong")
    with pytest.raises(NotEstablished, match="of kind empirical: a counterexample cannot call it wrong"):
        claims.refute(
            "2",
            **as_formula(1),
            actual=2,
            counterexample="It is one run.",
            correction=right,
            degree="wrong",
            says="No.",
        )


@pytest.mark.parametrize("claim_id", ["9.9", 1, None, ["1"]])
def test_a_claim_that_does_not_exist_is_named(claim_id):
    with pytest.raises(claims.ClaimsFileError, match="there is no claim"):
        claims.leave_open(claim_id, why="Nobody knows.")


def test_a_settlement_shows_itself_and_carries_its_record():
    bundle = derived("Twice $p$ & more.")._repr_mimebundle_()
    assert bundle[MIME_TYPE]["claim"] == "1"
    assert bundle[MIME_TYPE]["evidence"][0]["kind"] == "derive"
    assert r"Twice \(p\) &amp; more." in bundle["text/html"]
    assert bundle["text/plain"].startswith("Derived (derived, any n, 2 lines): claim 1")
    assert bundle["text/latex"].startswith(r"\textbf{Derived: claim 1}")


def test_without_the_books_side_it_shows_itself_as_text_markdown_and_latex(monkeypatch):
    monkeypatch.setattr(settlement, "faces", dict)
    found = derived("The mean.")
    bundle = found._repr_mimebundle_()
    assert set(bundle) == {MIME_TYPE, "text/markdown", "text/latex", "text/plain"}
    assert bundle["text/markdown"].startswith("**Derived (derived, any n, 2 lines): claim 1.** The mean.\n\n$$")
    assert found.glue("name") is found


def test_a_formula_is_glued(capsys):
    found = derived("The mean.")
    assert found.glue("name") is found
    with pytest.raises(ValueError, match="no formula"):
        claims.cite("3", key="somebody1999", says="History.").glue("name")


def test_claims_and_symbolic_import_neither_torch_nor_sphinx_nor_ipython():
    show = "print(sorted({'torch', 'sphinx', 'docutils', 'IPython', 'myst_nb', 'jinja2'} & set(sys.modules)))"
    program = f"import sys, dropout_lab, dropout_lab.claims, dropout_lab.symbolic; {show}"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_the_card_in_a_notebook_imports_nothing_of_sphinx():
    program = (
        "import sys; from dropout_lab import claims; "
        "found = claims.enumerate('1', 1, 1, masks=1, says='One.'); assert 'text/html' in found._repr_mimebundle_(); "
        "print(sorted({'torch', 'sphinx', 'docutils', 'IPython', 'myst_nb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
