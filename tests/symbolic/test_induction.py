"""Induction on the number of units: base and step from the definition, and no rule for E r_i r_j in it."""

import pytest
import sympy as sp

from dropout_lab import claims
from dropout_lab.symbolic import Masks, NotProved, covariance, expectation, induction, variance

n, K, N = sp.symbols("n K N", integer=True, positive=True)
i, j, k, ell, m, e = sp.symbols("i j k l m e", integer=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y")
a, c, q, b, W, X, Y = (sp.IndexedBase(letter) for letter in "acqbWXY")
r, unequal = Masks(n, p), Masks(n, q)


def total(summand):
    return sp.Sum(summand, (i, 1, n))


S = total(a[i] * r[i])
LOSS = (y - p * total(a[i])) ** 2 + p * (1 - p) * total(a[i] ** 2)


def test_one_more_unit_moves_mean_and_variance():
    mean, spread = induction(expectation(S, r)), induction(variance(S, r))
    assert mean.start == 0 and mean.added == p * a[n + 1]
    assert spread.start == 0 and sp.expand(spread.added - p * (1 - p) * a[n + 1] ** 2) == 0


def test_the_expected_squared_loss_is_proved():
    statement = induction(expectation((y - S) ** 2, r))
    assert statement.start == y**2
    record = claims.prove("1", statement, LOSS, says="By induction.").record
    assert record["scope"] == "any n"


@pytest.mark.parametrize(
    "wrong",
    [
        LOSS + 1,  # the right step, from a wrong start
        LOSS + n,  # the right start, a wrong step
        (y - p * total(a[i])) ** 2 - p * (1 - p) * total(a[i] ** 2),
        (y - total(a[i])) ** 2 + p * (1 - p) * total(a[i] ** 2),
        (y - p * total(a[i])) ** 2 + p * total(a[i] ** 2),
    ],
)
def test_a_wrong_closed_form_is_rejected(wrong):
    statement = induction(expectation((y - S) ** 2, r))
    assert not statement.equals(wrong)
    assert not all(instance.agrees for instance in statement.instances(wrong))


def test_unequal_rates_and_covariances():
    one, other = total(a[i] * unequal[i]), total(c[i] * unequal[i])
    statement = induction(covariance(one, other, unequal))
    assert statement.equals(total(q[i] * (1 - q[i]) * a[i] * c[i]))
    assert not statement.equals(total(q[i] * a[i] * c[i]))


def test_centered_masks_have_terms_without_a_coin():
    centered = total(a[i] * (r[i] - p))
    assert induction(expectation(centered, r)).equals(0)
    assert induction(expectation(centered**2, r)).equals(p * (1 - p) * total(a[i] ** 2))
    assert not induction(expectation(centered**2, r)).equals(p * total(a[i] ** 2))


def test_a_sum_over_examples_stays():
    loss = sp.Sum((Y[e] - total(a[i] * X[e, i] * r[i])) ** 2, (e, 1, N))
    penalty = p * (1 - p) * sp.Sum(a[i] ** 2 * X[e, i] ** 2, (i, 1, n), (e, 1, N))
    fit = sp.Sum((Y[e] - p * total(a[i] * X[e, i])) ** 2, (e, 1, N))
    assert induction(expectation(loss, r)).equals(fit + penalty)
    assert not induction(expectation(loss, r)).equals(fit)


def test_the_log_odds_of_a_softmax():
    def probability(unit):
        def logit(index):
            return b[index] + total(W[index, i] * r[i])

        return sp.exp(logit(unit)) / sp.Sum(sp.exp(logit(m)), (m, 1, K))

    statement = induction(expectation(sp.log(probability(k)) - sp.log(probability(ell)), r))
    assert statement.start == b[k] - b[ell]
    assert statement.equals(b[k] - b[ell] + p * total(W[k, i] - W[ell, i]))
    assert not statement.equals(b[k] - b[ell] + total(W[k, i] - W[ell, i]))


def test_it_does_not_rest_on_the_rule_for_two_masks(monkeypatch):
    def broken(self, factors):
        return sp.Integer(7)

    monkeypatch.setattr(Masks, "moment", broken)
    derivation = expectation((y - S) ** 2, r)
    assert not derivation.equals(LOSS)
    assert induction(derivation).equals(LOSS)


@pytest.mark.parametrize(
    "derivation, message",
    [
        (expectation(r[i], r), "without units, masks r are left"),
        (expectation(Masks(3, p)[1], Masks(3, p)), "a symbol for the number of masks"),
        (expectation(S, (r, Masks(K, p, name="s"))), "one family"),
        (expectation(sp.diff(S**2, a[k]), r), "Kronecker"),
        (expectation(S**2 / n**2, r), "no value at n = 0"),
    ],
)
def test_what_has_no_induction_says_why(derivation, message):
    with pytest.raises(NotProved, match=message):
        induction(derivation)


def test_only_a_derivation_can_be_proved():
    with pytest.raises(TypeError, match="an expectation, a variance or a covariance"):
        induction(S)
