"""Derivations as evidence: what they assume, what the claim states itself, and what all of them say together."""

import pytest
import sympy as sp
from examples import line, record

from dropout_lab import claims
from dropout_lab.claims import NotEstablished, from_json
from dropout_lab.claims.derivations import problems_of, weakest
from dropout_lab.symbolic import Chain, Definition, Masks, Mean, Var, exceptions
from dropout_lab.symbolic.lemmas import variance_of_mask
from dropout_lab.symbolic.rules import (
    algebra,
    cauchy_schwarz,
    constants_and_variance,
    definition,
    given,
    linear_equation,
    linearity,
    mean_of_mask,
    theorem,
)

CLAIMS_FILE = """
assumptions:
  - {id: fair, name: fair masks, statement: The masks are fair.}
  - {id: small, name: small weights, statement: The weights are small.}
claims:
  - {id: "1", section: "1 A", title: a mean, kind: I, statement: The mean is p h., expected: "true", uses: [fair],
     quantifier: always, reason: R., readings: [As it stands.]}
"""
n, i = sp.symbols("n i", integer=True, positive=True)
p, q, v = sp.symbols("p q v", positive=True)
h, a, b = (sp.IndexedBase(letter) for letter in "hab")
r = Masks(n, p)
S = Definition("S", r[i] * h[i], assumes=["fair"])
mean = (
    Chain(Mean(S()), masks=r, definitions=[S])
    .then(Mean(r[i] * h[i]), definition(S))
    .then(h[i] * Mean(r[i]), linearity)
    .then(p * h[i], mean_of_mask)
)


@pytest.fixture(autouse=True)
def claims_file(tmp_path, monkeypatch):
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS_FILE)
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(path))


def test_the_assumptions_are_those_of_the_chain():
    piece = claims.derive("1", mean, says="The mean.").main
    assert (piece.assumes, piece.stated, str(piece.verdict)) == (("fair",), (), "true-under")
    assert [one.rule for one in piece.lines] == ["", "definition of S", "linearity of the mean", "E r = p"]
    assert piece.slips.tried == piece.slips.refused > 10
    assert from_json(piece.to_json()) == piece


def test_a_chain_of_a_claim_is_named_with_the_claim():
    own = Chain(Mean(S()), masks=r, definitions=[S], name="the mean of $S$", claim="1").then(
        Mean(r[i] * h[i]), definition(S)
    )
    piece = claims.derive("1", Chain(2 * Mean(S()), r, [S]).then(2 * own.end, own), says="Twice.").main
    (reason,) = piece.lines[-1].reasons
    assert (reason.title, reason.chain, reason.claim) == ("the mean of $S$", "the mean of $S$", "1")
    assert [one.heading for one in piece.lines if one.heading] == ["First: the mean of $S$", "So"]
    assert [one.rule for one in piece.lines if one.rule] == ["definition of S", "the mean of S"]
    assert "the mean of S]" in piece.plain and r"\text{the mean of $S$}" in piece.equation


def test_a_rule_that_is_used_twice_in_a_line_is_named_once():
    both = [variance_of_mask(r[place], r) for place in (1, 2)]
    piece = claims.derive("1", Chain(Var(r[1]) + Var(r[2]), r).then(2 * p - 2 * p**2, *both, algebra), says="Two.").main
    assert piece.lines[-1].rule == "variance of a mask + algebra"
    assert [reason.title for reason in piece.lines[-1].reasons] == ["variance of a mask", "algebra"]


def test_what_the_claim_states_itself_is_not_left_unsaid():
    piece = claims.derive("1", mean, says="The mean.", stated=["fair"]).main
    assert (piece.assumes, piece.stated, str(piece.verdict)) == (("fair",), ("fair",), "true")


def test_a_theorem_of_the_literature_is_a_source_of_the_derivation():
    gamma = sp.gamma(v)
    known = theorem("equation of Gamma", sp.gamma(v + 1), v * gamma, key="nobody1900", statement="Gamma grows.")
    piece = claims.derive("1", Chain(2 * sp.gamma(v + 1)).then(2 * v * gamma, known), says="Twice.").main
    assert (piece.cites, piece.sources) == (("nobody1900",), (("nobody1900", ""),))
    assert from_json(piece.to_json()) == piece
    lemma = Chain(sp.gamma(v + 1), name="the equation").then(v * gamma, known)
    by_lemma = Chain(3 * sp.gamma(v + 1)).then(3 * v * gamma, lemma)
    assert claims.derive("1", by_lemma, says="Thrice.").main.cites == piece.cites
    assert claims.derive("1", mean, says="The mean.").main.sources == ()


@pytest.mark.parametrize(
    ("stated", "error", "said"),
    [
        (["small"], NotEstablished, "'small', which the chain does not assume"),
        (["fair", "fairly"], NotEstablished, "'fairly', which the chain does not assume"),
        ("fair", TypeError, "a sequence of assumption ids, got the string 'fair'"),
    ],
)
def test_what_a_claim_cannot_state(stated, error, said):
    with pytest.raises(error, match=said):
        claims.derive("1", mean, says="The mean.", stated=stated)


@pytest.mark.parametrize(
    ("chain", "error", "said"),
    [
        ("E r = p", TypeError, "takes a chain of symbolic, got str"),
        (Chain(Mean(r[1]), masks=r), NotEstablished, "no line beside its first"),
    ],
)
def test_what_is_no_derivation(chain, error, said):
    with pytest.raises(error, match=said):
        claims.derive("1", chain, says="So it is.")


def test_what_an_attack_leaves_open_settles_nothing(monkeypatch):
    chain = Chain(Var(q - r[1]), masks=r, name="overlap").then(Var(r[1]), constants_and_variance)
    claims.derive("1", chain, says="So it is.")
    monkeypatch.delitem(exceptions.OVERLAPS, ("constants and the variance", "variance of a sum"))
    with pytest.raises(
        NotEstablished, match=r"claim 1: overlap: .* the rule 'variance of a sum' leads to the same line"
    ):
        claims.derive("1", chain, says="So it is.")


@pytest.mark.parametrize(
    ("chain", "sign", "latex"),
    [
        (
            Chain(sp.Eq(n * v - p, 0), solve_for=v).then(sp.Eq(v, p / n), linear_equation(v), relation="<=>"),
            "⇔ v = p/n",
            r"\Longleftrightarrow",
        ),
        (
            Chain(sp.Sum(a[i] * b[i], (i, 1, n)) ** 2).then(
                sp.Sum(a[i] ** 2, (i, 1, n)) * sp.Sum(b[i] ** 2, (i, 1, n)), cauchy_schwarz, relation="<="
            ),
            "≤ Sum",
            r"\le",
        ),
        (
            Chain(2 * p, tied={p: lambda draws: sp.Rational(1, 3), q: lambda draws: sp.Rational(1, 2)}).then(
                2 * q, given(p, q, "p is at most q", assumes=("small",), relation="<="), relation="<="
            ),
            "≤ 2*q",
            r"\le",
        ),
    ],
)
def test_relations_in_print(chain, sign, latex):
    settled = claims.derive("1", chain, says="So it is.")
    assert sign in " ".join(str(settled).split())
    assert latex in settled.main.equation
    assert settled.main.relation == chain.relation


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stated": ["fair"]}, "is said to state fair, which no line assumes"),
        ({"assumes": ["fair"]}, "true-under if it assumes what the claim leaves unsaid"),
        ({"verdict": "true-under", "assumes": []}, "true-under if it assumes what the claim leaves unsaid"),
        ({"lines": [line("a", "a"), line("b", "b", "=", "algebra", assumes=("small",))]}, "assume small as well"),
        ({"lines": [line("a", "a")]}, "at least one line beside its first"),
        ({"lines": [line("a", "a"), line("b", "b", "=")]}, "has a relation and a rule"),
        ({"swaps": {"tried": 1, "refused": 2}}, "more attacks were refused than tried"),
    ],
)
def test_a_record_that_contradicts_itself(changes, said):
    with pytest.raises(ValueError, match=said):
        from_json(record("derive", **changes))


def derived(*assumes, part="", end="b"):
    lines = [line("a", "a"), line(end, end, "=", "algebra")]
    verdict = "true-under" if assumes else "true"
    return from_json(record("derive", verdict=verdict, assumes=list(assumes), part=part, lines=lines))


def test_of_each_part_the_chain_that_needs_least_counts():
    strong, weak, other = derived("fair", "small"), derived("small", end="c"), derived("fair", part="bound", end="d")
    assert weakest([strong, weak]) == ("small",)
    assert set(weakest([strong, weak, other])) == {"small", "fair"}


def test_uses_names_what_the_weakest_chain_needs():
    registry = claims.load()
    assert problems_of(registry["1"], [derived("fair")], registry) == []
    (missing,) = problems_of(registry["1"], [derived("fair", "small")], registry)
    assert "is derived under 'small', which its entry in the claims file does not use" in missing
    (needless,) = problems_of(registry["1"], [derived()], registry)
    assert "names 'fair' in the claims file, which no line of its derivation needs" in needless
    (twice,) = problems_of(registry["1"], [derived("fair"), derived("fair")], registry)
    assert "has one derivation twice" in twice


def test_uses_names_the_claims_whose_chains_are_taken_for_a_line():
    def entry(name, *uses):
        return claims.Claim(name, "1 A", "a mean", "I", "It is.", "true", "always", "R.", uses=uses)

    by_lemma = line("b", "b", "=", "the mean", "algebra")
    by_lemma["reasons"][0] |= {"chain": "the mean", "claim": "1"}
    chain = from_json(record("derive", lines=[line("a", "a"), by_lemma, line("c", "c", "=", "2.1 step")]))
    for uses, expected in (((), 1), (("1",), 0)):
        registry = claims.Registry([entry("1"), entry("2", *uses)], [])
        found = problems_of(registry["2"], [chain], registry)
        assert len(found) == expected
    assert problems_of(registry["1"], [chain], registry) == []
    (unsaid,) = problems_of(entry("2"), [chain], registry)
    assert "claim 2 (a mean) has the chain of claim 1 in a line of its derivation" in unsaid
