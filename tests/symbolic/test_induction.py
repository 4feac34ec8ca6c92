"""Induction: base and step as chains, the hypothesis used once and in its place, nothing shown by half of it."""

import pytest
import sympy as sp

from dropout_lab import claims
from dropout_lab.symbolic import Chain, Induction, Masks, Mean, NotDerived, Statement
from dropout_lab.symbolic.rules import (
    algebra,
    jensen,
    last_term,
    linearity,
    mean_of_mask,
    no_terms,
    nonnegative,
    two_outcomes,
)

E, Sum = Mean, sp.Sum
n, i, m = sp.symbols("n i m", integer=True, positive=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y", real=True)
a = sp.IndexedBase("a")
r, r1 = Masks(n, p), Masks(n + 1, p)
CLOSED = (y - Sum(a[i], (i, 1, n))) ** 2 + (1 - p) / p * Sum(a[i] ** 2, (i, 1, n))


def loss(count):
    return E((y - Sum(r[i] / p * a[i], (i, 1, count))) ** 2)


@pytest.fixture(scope="module")
def statement():
    return Statement(loss(n), CLOSED, n, "6.1 by induction")


@pytest.fixture(scope="module")
def base():
    return Chain(loss(0), masks=r).then(E(y**2), no_terms).then(y**2, linearity)


@pytest.fixture(scope="module")
def step(statement):
    total, last, sum_a = Sum(r[i] / p * a[i], (i, 1, n)), a[n + 1], Sum(a[i], (i, 1, n))
    return (
        Chain(loss(n + 1), masks=r1, name="step")
        .then(E((y - total - r[n + 1] / p * last) ** 2), last_term)
        .then(p * E((y - total - last / p) ** 2) + (1 - p) * E((y - total) ** 2), two_outcomes(r[n + 1]))
        .then(E((y - total) ** 2) - 2 * last * E(y - total) + last**2 / p, algebra, linearity)
        .then(E((y - total) ** 2) - 2 * last * (y - sum_a) + last**2 / p, linearity, mean_of_mask)
        .then(CLOSED - 2 * last * (y - sum_a) + last**2 / p, statement.hypothesis)
        .then((y - sum_a - last) ** 2 + (1 - p) / p * (Sum(a[i] ** 2, (i, 1, n)) + last**2), algebra)
        .then(CLOSED.subs(n, n + 1), last_term)
    )


def test_the_expected_loss_by_induction(statement, base, step):
    shown = Induction(statement, base, step)
    assert (shown.start, shown.end, shown.relation, shown.scope) == (loss(n), CLOSED, "=", "any n")
    assert shown.assumes == ("independent-masks",)
    assert len(shown.lines) == len(base.lines) + len(step.lines)
    assert [heading for heading, _ in shown.parts] == ["Base, $n = 0$", "Step, from $n$ to $n + 1$"]
    assert "Base, n = 0" in str(shown)
    assert len(set(map(str, shown.numbers(3)[len(base.lines) :]))) == 1


def test_as_a_lemma(statement, base, step):
    shown = Induction(statement, base, step)
    used = Chain(2 * loss(n), masks=r).then(2 * CLOSED, shown)
    assert used.lines[1].rule == "6.1 by induction"
    assert used.assumes == ("independent-masks",)
    fair = Masks(n, sp.Rational(1, 2))
    with pytest.raises(ValueError, match=r"derived for the masks"):
        Chain(2 * loss(n), masks=fair).then(2 * CLOSED, shown)


def test_base_and_step_start_and_end_where_they_have_to(statement, base, step):
    other = Chain(E((y - r[1]) ** 2), masks=r).then(E(y**2 - 2 * y * r[1] + r[1] ** 2), algebra)
    with pytest.raises(NotDerived, match=r"the base starts from .* expected"):
        Induction(statement, other, step)
    with pytest.raises(NotDerived, match=r"the step starts from"):
        Induction(statement, base, base)
    half = Chain(loss(0), masks=r).then(E(y**2), no_terms)
    with pytest.raises(NotDerived, match=r"the base ends in"):
        Induction(statement, half, step)


def test_a_step_that_does_not_use_the_statement_shows_nothing(base):
    mean = Statement(E(Sum(r[i] * a[i], (i, 1, n))), p * Sum(a[i], (i, 1, n)), n, "the mean")
    zero = Chain(E(Sum(r[i] * a[i], (i, 1, 0))), masks=r).then(E(0), no_terms).then(0, linearity)
    direct = (
        Chain(E(Sum(r[i] * a[i], (i, 1, n + 1))), masks=r1)
        .then(Sum(p * a[i], (i, 1, n + 1)), linearity, mean_of_mask)
        .then(p * Sum(a[i], (i, 1, n + 1)), algebra)
    )
    with pytest.raises(NotDerived, match=r"never uses the statement for n"):
        Induction(mean, zero, direct)


def test_no_other_hypothesis_than_that_for_n(statement, base):
    """The statement for n + 1 would show itself."""
    circular = Statement(loss(n + 1), CLOSED.subs(n, n + 1), n, "the next")
    step = Chain(loss(n + 1), masks=r1).then(CLOSED.subs(n, n + 1), circular.hypothesis)
    with pytest.raises(NotDerived, match=r"only the step may use a statement for n, and only this one"):
        Induction(statement, base, step)


def test_the_hypothesis_is_not_used_in_the_base(statement, step):
    at_zero = Statement(loss(0), y**2, n)
    base = Chain(loss(0), masks=r).then(y**2, at_zero.hypothesis)
    with pytest.raises(NotDerived, match=r"only the step may use"):
        Induction(statement, base, step)


def test_base_and_step_have_the_same_masks(statement, step):
    fair = Masks(n, sp.Rational(1, 2))
    base = Chain(loss(0), masks=fair).then(E(y**2), no_terms).then(y**2, linearity)
    with pytest.raises(NotDerived, match=r"base and step have other masks"):
        Induction(statement, base, step)


def test_a_chain_that_rests_on_a_hypothesis_is_no_proof(step):
    assert step.hypotheses
    with pytest.raises(ValueError, match=r"rests on an induction hypothesis"):
        step.as_rule()
    with pytest.raises(claims.NotEstablished, match=r"rests on an induction hypothesis"):
        claims.derive("1", step, says="Shown by half.")


def test_an_inequality_by_induction(base):
    """Σ b/(1 + b) ≤ Σ b for positive b: each step leaves out a square over something positive."""
    b = sp.IndexedBase(sp.Symbol("b", positive=True))

    def small(count):
        return Sum(b[i] / (1 + b[i]), (i, 1, count))

    def large(count):
        return Sum(b[i], (i, 1, count))

    last = b[n + 1]
    statement = Statement(small(n), large(n), n, "quotients", relation="<=")
    zero = Chain(small(0)).then(large(0), no_terms)
    step = (
        Chain(small(n + 1))
        .then(small(n) + last / (1 + last), last_term)
        .then(large(n) + last / (1 + last), statement.hypothesis, relation="<=")
        .then(large(n) + last - last**2 / (1 + last), algebra)
        .then(large(n) + last, nonnegative, relation="<=")
        .then(large(n + 1), last_term)
    )
    shown = Induction(statement, zero, step)
    assert shown.relation == "<="
    with pytest.raises(NotDerived, match=r"quotients"):
        Chain(small(n)).then(large(n), shown)
    assert Chain(2 * small(n)).then(2 * large(n), shown, relation="<=")
    with pytest.raises(NotDerived, match=r"quotients"):
        Chain(-small(n)).then(-large(n), shown, relation="<=")


def test_an_inequality_in_the_step_of_an_equation_is_refused(statement, base):
    up = Chain(E(r1[1]) ** 2, masks=r1).then(E(r1[1] ** 2), jensen, relation="<=")
    assert up.relation == "<="
    square = Statement(E(r[1]) ** 2, E(r[1] ** 2), n, "squares")
    with pytest.raises(NotDerived, match=r"the base leads to <=, expected =|the base starts from"):
        Induction(square, up, up)
    with pytest.raises(ValueError, match=r"a statement for induction has = or <="):
        Statement(loss(n), CLOSED, n, relation=">=")
