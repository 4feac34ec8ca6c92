"""Answers that are chains: the right one is taken, and a chain that shows something else is told from it."""

from __future__ import annotations

import pytest
import sympy as sp

from dropout_lab.exercises import EXERCISES, Proof, check
from dropout_lab.symbolic import Chain, Cov, Definition, Masks, Mean, Var, lemmas, rules

n, i, j = sp.symbols("n i j", integer=True, positive=True)
p = sp.Symbol("p", positive=True)
h, w = sp.IndexedBase("h"), sp.IndexedBase("w")
r = Masks(n, p)
TOTAL = sp.Sum(w[i] * r[i] * h[i], (i, 1, n))
PAIRS = sp.Sum(w[i] * w[j] * h[i] * h[j] * Cov(r[i], r[j]), (i, 1, n), (j, 1, n))
DIAGONAL = sp.Sum(w[i] ** 2 * h[i] ** 2 * Var(r[i]), (i, 1, n))


def proved(chain: Chain) -> Chain:
    """The rest of the derivation from its first line on."""
    longer = chain.then(PAIRS, rules.variance_of_sum).then(DIAGONAL, rules.zero_covariance)
    closed = p * (1 - p) * sp.Sum(w[i] ** 2 * h[i] ** 2, (i, 1, n))
    return longer.then(closed, lemmas.variance_of_mask(r[i], r), rules.algebra)


def test_the_chain_is_right():
    assert check("ch2-ex-chain", proved(Chain(Var(TOTAL), r)))


def test_a_letter_may_stand_for_the_sum_and_an_index_may_have_another_name():
    S = Definition("S", sp.Sum(w[j] * r[j] * h[j], (j, 1, n)))
    chain = Chain(Var(S()), r, [S]).then(Var(TOTAL), rules.definition(S))
    assert check("ch2-ex-chain", proved(chain))


def test_a_chain_that_stops_early_is_told_so():
    start = Chain(Var(TOTAL), r)
    assert "a first line only" in str(check("ch2-ex-chain", start))
    assert "no closed form yet" in str(check("ch2-ex-chain", start.then(PAIRS, rules.variance_of_sum)))


def test_a_chain_of_something_else_is_told_so():
    chain = Chain(Mean(r[i]), r).then(p, rules.mean_of_mask)
    assert "first line is not the quantity" in str(check("ch2-ex-chain", chain))
    assert "a Chain is asked for" in str(check("ch2-ex-chain", p))


def test_masks_of_another_law_are_told_so():
    fair = Masks(n, sp.Rational(1, 2))
    chain = Chain(Mean((fair[i] * h[i] / p) ** 2), fair).then(Mean(fair[i] * h[i] ** 2 / p**2), rules.idempotence)
    assert "its masks are others" in str(check("ch5-ex-chain", chain))


def test_what_is_taken_as_given_is_no_proof():
    given = rules.given(Mean(r[i]), p, "given")
    chain = (
        Chain(Mean((r[i] * h[i] / p) ** 2), r)
        .then(Mean(r[i] * h[i] ** 2 / p**2), rules.idempotence)
        .then(h[i] ** 2 / p**2 * Mean(r[i]), rules.linearity)
        .then(h[i] ** 2 / p, given)
    )
    assert "taken as given" in str(check("ch5-ex-chain", chain))


def test_an_assumption_that_is_not_needed_is_told_so():
    S = Definition("S", r[i] * h[i] / p, assumes=["linear-model"])
    chain = (
        Chain(Mean(S() ** 2), r, [S])
        .then(Mean((r[i] * h[i] / p) ** 2), rules.definition(S))
        .then(Mean(r[i] * h[i] ** 2 / p**2), rules.idempotence)
        .then(h[i] ** 2 / p**2 * Mean(r[i]), rules.linearity)
        .then(h[i] ** 2 / p, rules.mean_of_mask)
    )
    assert "it assumes linear-model" in str(check("ch5-ex-chain", chain))


@pytest.mark.parametrize("name", [name for name, entry in EXERCISES.items() if isinstance(entry.answer, Proof)])
def test_each_proof_starts_from_its_own_line_and_masks(name):
    proof = EXERCISES[name].answer
    assert "a first line only" in str(check(name, Chain(proof.start, proof.masks)))
    other = Chain(Mean(1 - proof.masks[(1,) * len(proof.masks.size)]), proof.masks)
    assert "first line is not the quantity" in str(check(name, other))
    third = Masks(proof.masks.size, sp.Rational(1, 3), name=str(proof.masks.base))
    assert "its masks are others" in str(check(name, Chain(proof.start, third)))


def test_where_a_variance_is_asked_for_the_chain_ends_in_it():
    proofs = {name: entry.answer for name, entry in EXERCISES.items() if isinstance(entry.answer, Proof)}
    assert [name for name, proof in proofs.items() if proof.right().atoms(Mean, Var, Cov)] == ["derive-ex-shorter"]
    A, T = Definition("A", sp.Sum(w[j] * r[j], (j, 1, n))), sp.Symbol("T", real=True)
    start = Chain(Cov(A(), T - A()), r, [A])
    assert check("derive-ex-shorter", start.then(-Var(A()), rules.variance_of_sum))
    # The longer way assumes that the masks are uncorrelated; a step short of it is not the end.
    pairs = sp.Sum(-w[i] * w[j] * Cov(r[i], r[j]), (i, 1, n), (j, 1, n))
    longer = start.then(pairs, rules.definition(A), rules.variance_of_sum)
    assert "not what is asked for" in str(check("derive-ex-shorter", longer))
    diagonal = longer.then(sp.Sum(-(w[i] ** 2) * Var(r[i]), (i, 1, n)), rules.zero_covariance)
    assert not check("derive-ex-shorter", diagonal)


@pytest.mark.parametrize("line", [p * h[i], -p * h[i]])
def test_the_engine_takes_no_false_line(line):
    from dropout_lab.symbolic import NotDerived

    chain = Chain(Mean((r[i] * h[i] / p) ** 2), r)
    with pytest.raises(NotDerived):
        chain.then(line, rules.idempotence, rules.linearity, rules.mean_of_mask)
