"""Each kind of evidence establishes what it says, refuses what it does not, and leaves a record."""

import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import sympy

from dropout_lab import claims
from dropout_lab.claims import MIME_TYPE, NotEstablished

CLAIMS_FILE = """
assumptions:
  - {id: fair, name: fair coin, statement: The coin is fair.}
claims:
  - {id: "1", section: "1 A", title: a sum, kind: I, statement: One and one is two., expected: "true", uses: [fair]}
  - {id: "2", section: "1 A", title: a guess, kind: E, statement: It helps., expected: supported}
"""


@pytest.fixture(autouse=True)
def claims_file(tmp_path, monkeypatch):
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS_FILE)
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(path))


@dataclass
class Instance:
    agrees: bool
    values: str = "n = 1"
    exact: int = 1
    closed_form_value: int = 2


@dataclass
class Derivation:
    """A stand-in for :class:`dropout_lab.symbolic.Derivation`, so that each gate of ``prove`` can be closed on its own."""

    right: bool = True
    agreeing: tuple[bool, ...] = (True, True)
    value: sympy.Expr = sympy.Symbol("p")
    scope: str = "any n"

    def equals(self, closed_form):
        return self.right

    def instances(self, closed_form):
        return [Instance(agrees) for agrees in self.agreeing]

    def latex(self):
        return r"\mathbb{E}[r]"


@dataclass
class Comparison:
    effect: float = -1.0
    interval: tuple[float, float] = (-1.5, -0.5)
    seeds: int = 12
    rule: str = "interval below 0"
    unit: str = "points"
    supported: bool = True
    smallest_detectable: float = 0.4


def test_prove_records_what_was_checked():
    evidence = claims.prove("1", Derivation(), sympy.Symbol("p"), under=["fair"], says="The mean.")
    assert evidence.record["scope"] == "any n"
    assert evidence.record["verdict"] == "true-under"
    assert evidence.record["right"] == "p"
    assert evidence.record["instances"] == 2


@pytest.mark.parametrize(
    "derivation, message",
    [
        (Derivation(right=False), "claim 1: derived p, which is not"),
        (Derivation(agreeing=(True, False)), "claim 1: at n = 1 enumeration gives 1"),
        (Derivation(agreeing=()), "no instance"),
    ],
)
def test_prove_needs_the_symbols_and_the_instances(derivation, message):
    with pytest.raises(NotEstablished, match=message):
        claims.prove("1", derivation, sympy.Symbol("p"), says="The mean.")


def test_prove_knows_only_the_assumptions_of_the_claim():
    with pytest.raises(NotEstablished, match="under 'unfair'"):
        claims.prove("1", Derivation(), sympy.Symbol("p"), under=["unfair"], says="The mean.")


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


@pytest.mark.parametrize("found", [float("nan"), np.array([1.0, np.nan])])
def test_nan_establishes_nothing(found):
    with pytest.raises(NotEstablished, match="NaN"):
        claims.enumerate("1", found, np.ones_like(found), masks=2, tolerance=1.0, says="NaN.")


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(\)"):
        claims.enumerate("1", [1, 1], 1, masks=2, says="Broadcasting would hide a slip.")


def test_measure_leaves_the_verdict_to_the_rule():
    assert claims.measure("2", Comparison(), says="It does.").record["verdict"] == "supported"
    assert claims.measure("2", Comparison(supported=False), says="It does not.").record["verdict"] == "not-seen"
    with pytest.raises(NotEstablished, match="outside its interval"):
        claims.measure("2", Comparison(effect=3.0), says="Inconsistent.")


def test_refute_needs_a_difference_and_carries_its_correction():
    correction = claims.prove("1", Derivation(), sympy.Symbol("p"), says="The right statement.")
    evidence = claims.refute(
        "1",
        claimed=0,
        actual=Fraction(1, 4),
        counterexample="one unit",
        correction=correction,
        degree="wrong",
        says="No.",
    )
    assert [record["kind"] for record in evidence.records] == ["prove", "refute"]
    assert evidence.record["actual"] == "1/4"
    with pytest.raises(NotEstablished, match="no counterexample"):
        claims.refute("1", claimed=1, actual=1, counterexample="x", correction=correction, degree="wrong", says="No.")
    with pytest.raises(TypeError, match="correction is the evidence"):
        claims.refute("1", claimed=1, actual=2, counterexample="x", correction="trust me", degree="wrong", says="No.")


def test_evidence_shows_itself_and_carries_its_record():
    bundle = claims.prove("1", Derivation(), sympy.Symbol("p"), says="Twice $p$ & more.")._repr_mimebundle_()
    assert bundle[MIME_TYPE]["claim"] == "1"
    assert bundle[MIME_TYPE]["evidence"][0]["kind"] == "prove"
    assert r"Twice \(p\) &amp; more." in bundle["text/html"]
    assert bundle["text/plain"].startswith("Proved (symbolic, any n): claim 1")


def test_only_a_formula_can_be_glued():
    with pytest.raises(ValueError, match="no formula"):
        claims.cite("1", key="somebody1999", says="History.").glue("name")


def test_claims_and_symbolic_do_not_import_torch():
    program = "import sys, dropout_lab, dropout_lab.claims, dropout_lab.symbolic; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
