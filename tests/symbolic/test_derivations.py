"""Theorems of the book for general n: the right closed form is accepted, and one with a slip is rejected, both ways."""

import subprocess
import sys

import pytest
import sympy as sp

from dropout_lab import claims
from dropout_lab.claims import NotEstablished
from dropout_lab.symbolic import Masks, covariance, expectation, variance

n, K, N = sp.symbols("n K N", integer=True, positive=True)
i, j, k, ell, m, a = sp.symbols("i j k l m a", integer=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y")
w, x, h, b, q = (sp.IndexedBase(letter) for letter in "wxhbq")
W, X, Y = (sp.IndexedBase(letter) for letter in "WXY")
r, unequal = Masks(n, p), Masks(n, q)


def total(summand):
    return sp.Sum(summand, (i, 1, n))


def loss(masks, scale=1):
    return (y - total(w[i] * x[i] * masks[i]) / scale) ** 2


def data_loss(masks):
    return sp.Sum((Y[a] - total(w[i] * X[a, i] * masks[i])) ** 2, (a, 1, N))


def probability(unit, masks):
    """A softmax over K classes, its logits linear in the masks."""

    def logit(index):
        return b[index] + total(W[index, i] * masks[i] * h[i])

    return sp.exp(logit(unit)) / sp.Sum(sp.exp(logit(m)), (m, 1, K))


def log_odds(masks):
    return sp.log(probability(k, masks)) - sp.log(probability(ell, masks))


signal, energy = total(w[i] * x[i]), total(w[i] ** 2 * x[i] ** 2)
R = Masks((K, n), p, name="R")


def connected(unit):
    return total(R[unit, i] * W[unit, i] * x[i])


def column(unit):
    return total(r[i] * W[unit, i] * x[i])


gradient = sp.diff(data_loss(r), w[k])
ridge = w[k] * sp.Sum(X[a, k] ** 2, (a, 1, N))
moment = sp.Sum(X[a, k] * Y[a], (a, 1, N))
gram = sp.Sum(X[a, k] * total(w[i] * X[a, i]), (a, 1, N))

STATEMENTS = {
    "2.2": (expectation(r[i] * h[i], r), p * h[i], [h[i], (1 - p) * h[i]]),
    "2.3": (variance(r[i] * h[i], r), p * (1 - p) * h[i] ** 2, [p * h[i] ** 2, -p * (1 - p) * h[i] ** 2]),
    "2.4": (expectation(total(r[i] ** 2 * h[i] ** 2), r), p * total(h[i] ** 2), [p**2 * total(h[i] ** 2)]),
    "6.1": (
        expectation(loss(r), r),
        (y - p * signal) ** 2 + p * (1 - p) * energy,
        [
            (y - p * signal) ** 2 - p * (1 - p) * energy,
            (y - p * signal) ** 2 + p * energy,
            (y - signal) ** 2 + p * (1 - p) * energy,
        ],
    ),
    "6.1 inverted": (
        expectation(loss(r, p), r),
        (y - signal) ** 2 + (1 - p) / p * energy,
        [(y - signal) ** 2 + (1 - p) * energy, (y - signal) ** 2 - (1 - p) / p * energy],
    ),
    "6.1 unequal": (
        expectation(loss(unequal), unequal),
        (y - total(q[i] * w[i] * x[i])) ** 2 + total(q[i] * (1 - q[i]) * w[i] ** 2 * x[i] ** 2),
        [(y - total(q[i] * w[i] * x[i])) ** 2 + total(q[i] * w[i] ** 2 * x[i] ** 2)],
    ),
    "6.1 data": (
        expectation(data_loss(r), r),
        sp.Sum((Y[a] - p * total(w[i] * X[a, i])) ** 2, (a, 1, N))
        + p * (1 - p) * total(w[i] ** 2 * sp.Sum(X[a, i] ** 2, (a, 1, N))),
        [sp.Sum((Y[a] - p * total(w[i] * X[a, i])) ** 2, (a, 1, N))],
    ),
    "6.4": (
        expectation(gradient, r),
        2 * p**2 * gram + 2 * p * (1 - p) * ridge - 2 * p * moment,
        [
            2 * p**2 * gram + 2 * p * (1 - p) * ridge - 2 * moment,
            2 * p**2 * gram - 2 * p * (1 - p) * ridge - 2 * p * moment,
        ],
    ),
    "6.9": (expectation(gradient, r), sp.diff(expectation(data_loss(r), r).value, w[k]), [gradient.subs(r[i], p)]),
    "3.7": (
        expectation(log_odds(r), r),
        b[k] - b[ell] + p * total((W[k, i] - W[ell, i]) * h[i]),
        [
            b[k] - b[ell] + total((W[k, i] - W[ell, i]) * h[i]),
            p * (b[k] - b[ell] + total((W[k, i] - W[ell, i]) * h[i])),
            b[k] - b[ell] + p * total((W[k, i] + W[ell, i]) * h[i]),
        ],
    ),
    "3.7 unequal": (
        expectation(log_odds(unequal), unequal),
        b[k] - b[ell] + total(q[i] * (W[k, i] - W[ell, i]) * h[i]),
        [b[k] - b[ell] + total((W[k, i] - W[ell, i]) * h[i])],
    ),
    "7.5 variance": (
        variance(connected(k), R),
        p * (1 - p) * total(W[k, i] ** 2 * x[i] ** 2),
        [p * total(W[k, i] ** 2 * x[i] ** 2), p * (1 - p) * total(W[i, k] ** 2 * x[i] ** 2)],
    ),
    "7.5 independent rows": (
        covariance(connected(k), connected(ell), R, distinct=((k, ell),)),
        sp.Integer(0),
        [p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2)],
    ),
    "7.5 shared columns": (
        covariance(column(k), column(ell), r),
        p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2),
        [sp.Integer(0), -p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2)],
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_closed_form_is_proved_for_general_n(name):
    derivation, closed_form, _ = STATEMENTS[name]
    assert derivation.scope == "any n"
    record = claims.prove("1", derivation, closed_form, says="The two sides are equal.").record
    assert record["against"] == "enumeration"


SLIPS = [(name, slip) for name, (_, _, wrong) in STATEMENTS.items() for slip in range(len(wrong))]


@pytest.mark.parametrize("name, slip", SLIPS)
def test_a_slip_is_rejected_by_the_algebra_and_by_the_enumeration(name, slip):
    derivation, _, wrong = STATEMENTS[name]
    assert not derivation.equals(wrong[slip])
    assert not all(instance.agrees for instance in derivation.instances(wrong[slip]))


def forgets_the_factor(self, factors):
    first, second = (factors * 2)[:2]
    p_, q_ = self.keep_prob(*first.indices), self.keep_prob(*second.indices)
    if len(factors) == 1:
        return p_
    same = sp.Mul(*[sp.KroneckerDelta(c, d) for c, d in zip(first.indices, second.indices, strict=True)])
    return p_ * q_ + p_ * same


def flips_the_sign(self, factors):
    first, second = (factors * 2)[:2]
    p_, q_ = self.keep_prob(*first.indices), self.keep_prob(*second.indices)
    if len(factors) == 1:
        return p_
    same = sp.Mul(*[sp.KroneckerDelta(c, d) for c, d in zip(first.indices, second.indices, strict=True)])
    return p_ * q_ - p_ * (1 - p_) * same


@pytest.mark.parametrize("slip", [forgets_the_factor, flips_the_sign])
def test_a_slip_in_the_rules_of_the_package_is_caught_by_the_enumeration(monkeypatch, slip):
    monkeypatch.setattr(Masks, "moment", slip)
    derivation = expectation(loss(r), r)
    # The right formula no longer comes out, and what does come out is refuted by the instances.
    with pytest.raises(NotEstablished, match="derived"):
        claims.prove("1", derivation, (y - p * signal) ** 2 + p * (1 - p) * energy, says="Right, but not derived.")
    with pytest.raises(NotEstablished, match="enumeration gives"):
        claims.prove("1", derivation, derivation.value, says="Derived, but not right.")


def test_two_independent_families_of_masks():
    s = Masks(K, q, name="s")
    output = sp.Sum(w[j] * s[j] * total(W[j, i] * r[i] * x[i]), (j, 1, K))
    mean = expectation(output, (r, s))
    closed_form = p * sp.Sum(w[j] * q[j] * total(W[j, i] * x[i]), (j, 1, K))
    assert mean.equals(closed_form)
    assert all(instance.agrees for instance in mean.instances(closed_form))
    assert not mean.equals(sp.Sum(w[j] * q[j] * total(W[j, i] * x[i]), (j, 1, K)))


def test_distinct_indices_differ_in_the_instances_too():
    derivation = covariance(r[i], r[j], r, distinct=((i, j),))
    assert derivation.equals(0)
    assert derivation.equals(p * (1 - p) * sp.KroneckerDelta(i, j))
    assert all(instance.agrees for instance in derivation.instances(sp.Integer(0)))
    assert not covariance(r[i], r[j], r).equals(0)
    assert not all(instance.agrees for instance in derivation.instances(p * (1 - p)))


def test_latex_names_the_operator_and_the_masks():
    assert expectation(r[i] * h[i], r).latex() == r"\mathbb{E}_{r}\left[{h}_{i} {r}_{i}\right]"
    assert covariance(r[i], r[j], r).latex() == r"\operatorname{Cov}_{r}\left[{r}_{i}, {r}_{j}\right]"


def test_the_package_never_imports_torch():
    code = "import sys, dropout_lab.symbolic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
