"""Attacks: a wrong rule is caught by the numbers, blind numbers by the rule, and what neither catches is listed."""

from dataclasses import replace

import pytest
import sympy as sp

from dropout_lab.symbolic import (
    Chain,
    Cov,
    Definition,
    Masks,
    Mean,
    NotDerived,
    Remainder,
    Var,
    attacked,
    exceptions,
    lemmas,
)
from dropout_lab.symbolic import attack as attack_module
from dropout_lab.symbolic.attack import Attack, Survivor, slips
from dropout_lab.symbolic.rules import (
    algebra,
    constants_and_variance,
    definition,
    expansion,
    idempotence,
    jensen,
    linearity,
    mean_of_mask,
    variance_of_sum,
    zero_covariance,
)

E, Sum = Mean, sp.Sum
n, i, j = sp.symbols("n i j", integer=True, positive=True)
p, y, t = sp.Symbol("p", positive=True), sp.Symbol("y", real=True), sp.Symbol("t", real=True)
w, x = sp.IndexedBase("w"), sp.IndexedBase("x")
r = Masks(n, p)
S = Definition("S", Sum(r[i] / p * w[i] * x[i], (i, 1, n)))


@pytest.fixture(scope="module")
def chain():
    return (
        Chain(Var(S()), masks=r, definitions=[S], name="variance")
        .then(
            Sum(w[i] * x[i] / p * w[j] * x[j] / p * Cov(r[i], r[j]), (i, 1, n), (j, 1, n)),
            definition(S),
            variance_of_sum,
        )
        .then(Sum((w[i] * x[i] / p) ** 2 * Var(r[i]), (i, 1, n)), zero_covariance)
        .then(Sum((w[i] * x[i] / p) ** 2 * p * (1 - p), (i, 1, n)), lemmas.variance_of_mask(r[i], r))
        .then((1 - p) / p * Sum(w[i] ** 2 * x[i] ** 2, (i, 1, n)), algebra)
    )


def test_every_slip_of_a_sound_chain_is_refused_and_mostly_by_both(chain):
    attack = attacked(chain)
    assert attack.tried >= 60
    assert attack.refused == attack.tried
    assert attack.survivors == []
    assert attack.by_rule > 0.9 * attack.tried
    assert attack.by_numbers > 0.9 * attack.tried
    assert attack.swaps > 100
    assert attack.swaps_refused > 0.9 * attack.swaps


def test_slips_are_of_all_kinds_and_none_is_the_line_itself(chain):
    line = chain.lines[1].formula
    made = list(slips(line, chain))
    assert {kind for kind, _ in made} >= {"a sign", "a factor", "an index", "an exponent", "p for 1 − p"}
    assert len({altered for _, altered in made}) == len(made)
    assert line not in {altered for _, altered in made}
    assert {kind for kind, _ in slips(p + y, chain)} >= {"a dropped term"}


def wrong_everywhere(rule):
    """The rule, but blind: whatever the line says, it follows."""
    return replace(rule, rewrite=lambda expression, context: sp.Symbol("anything"))


def test_a_rule_that_lets_everything_through_is_caught_by_the_numbers(monkeypatch):
    broken = wrong_everywhere(mean_of_mask)
    chain = Chain(E(r[i]), masks=r, name="broken").then(p, broken)
    attack = attacked(chain)
    assert attack.by_rule == 0
    assert attack.by_numbers == attack.refused == attack.tried > 0
    with pytest.raises(NotDerived, match="at n = 1 the line before is"):
        Chain(E(r[i]), masks=r).then(p**2, broken)
    assert attack.overlaps == []
    assert attack.swaps_refused == attack.swaps


def test_numbers_that_agree_with_everything_leave_it_to_the_rule(chain, monkeypatch):
    monkeypatch.setattr(attack_module._Numbers, "refuse", lambda self, altered, line: False)
    attack = attacked(chain)
    assert attack.by_numbers == 0
    assert attack.by_rule == attack.refused == attack.tried > 0


def test_where_both_are_blind_slips_survive_and_stop_the_build(monkeypatch):
    monkeypatch.setattr(attack_module._Numbers, "refuse", lambda self, altered, line: False)
    chain = Chain(E(r[i]), masks=r, name="blind").then(p, wrong_everywhere(mean_of_mask))
    attack = attacked(chain)
    assert attack.refused == 0
    assert len(attack.survivors) == attack.tried > 0
    first = attack.survivors[0]
    assert first.line == 2
    left_open = exceptions.open_ends(chain, attack)
    assert len(left_open) == len(attack.survivors)
    assert left_open[0].startswith("blind, line 2: with a sign altered it is accepted")
    for slip in attack.survivors:
        monkeypatch.setitem(exceptions.SURVIVORS, ("blind", slip.line, slip.formula), "a test")
    assert exceptions.open_ends(chain, attack) == []


def test_an_overlap_is_listed_with_its_reason(monkeypatch):
    chain = Chain(Var(y - r[1]), masks=r, name="overlap").then(Var(r[1]), constants_and_variance)
    attack = attacked(chain)
    assert attack.overlaps == [("constants and the variance", "variance of a sum")]
    assert attack.swaps_refused == attack.swaps - 1
    assert exceptions.open_ends(chain, attack) == []
    monkeypatch.delitem(exceptions.OVERLAPS, attack.overlaps[0])
    [left_open] = exceptions.open_ends(chain, attack)
    assert "the rule 'variance of a sum' leads to the same line" in left_open


def test_every_exception_has_a_reason_and_names_rules():
    from dropout_lab.symbolic.rules.catalogue import catalogue

    known = {entry.rule.kind for entry in catalogue().values()} | {"mean of a square"}
    for (own, other), reason in exceptions.OVERLAPS.items():
        assert {own, other} <= known
        assert reason.endswith(".")
    assert all(reason.endswith(".") for reason in exceptions.SURVIVORS.values())


def test_inequalities_and_approximations_are_counted_apart():
    up = Chain(E(r[1]) ** 2, masks=r, name="up").then(E(r[1] ** 2), jensen, relation="<=").then(E(r[1]), idempotence)
    attack = attacked(up)
    assert attack.inequalities == attack.inequalities_refused > 0
    assert attack.tried > 0
    near = Chain(sp.exp(t), name="near").then(
        1 + t, expansion(t, 2), relation="~", remainder=Remainder(t, 2, "the square of t")
    )
    attack = attacked(near)
    assert attack.inequalities == attack.inequalities_refused > 0
    assert attack.tried == 0


def test_counts_add_up():
    one = Attack(tried=3, by_rule=2, by_numbers=3, refused=3, swaps=4, swaps_refused=3, overlaps=[("a", "b")])
    other = Attack(tried=1, inequalities=2, inequalities_refused=1, survivors=[Survivor(2, "a sign", "p")])
    one.add(other)
    assert (one.tried, one.refused, one.swaps, one.inequalities) == (4, 3, 4, 2)
    assert (one.overlaps, one.survivors) == ([("a", "b")], [Survivor(2, "a sign", "p")])


def test_what_is_the_same_expression_is_no_slip():
    chain = Chain(E(r[1] * w[1]), masks=r, name="m").then(w[1] * E(r[1]), linearity)
    same = w[1] * E(r[1] ** 2)
    made = [altered for _, altered in slips(chain.end, chain)]
    assert same in made
    attack = attacked(chain)
    assert attack.survivors == []
    assert attack.tried == len(made) - 1


def test_what_a_derivative_is_taken_by_is_no_slip():
    """A later line that holds a derivative by the keep probability is attacked like any other."""
    slope = sp.Derivative(E(r[1]) * y, p, evaluate=False)
    chain = Chain(slope + E(r[1]), masks=r, name="by p").then(slope + p, mean_of_mask)
    attack = attacked(chain)
    assert attack.refused == attack.tried > 0
