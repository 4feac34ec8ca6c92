"""A lemma in other letters: what it may become, and what it may not."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Chain, Definition, Masks, Mean, NotDerived, Random, SumOverMasks, Weight
from dropout_lab.symbolic import chain as chain_module
from dropout_lab.symbolic.binding import put
from dropout_lab.symbolic.rules import (
    algebra,
    definition,
    derivative,
    in_letters,
    independence,
    linearity,
    logarithm,
    mean_as_sum,
    mean_of_mask,
    nonnegative,
)

Sum = sp.Sum
n, m, N = sp.symbols("n m N", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True, positive=True)
p, q = sp.symbols("p q", positive=True)
y, t = sp.symbols("y t", real=True)
w, x, v, X, A = (sp.IndexedBase(letter) for letter in "wxvXA")
r, R = Masks(n, p), Masks((N, n), p, "R")
S = Definition("S", Sum(r[i] * w[i], (i, 1, n)), assumes=["linear-model"])
mean = (
    Chain(Mean(y * S()), masks=r, definitions=[S], name="mean")
    .then(y * Sum(Mean(r[i]) * w[i], (i, 1, n)), definition(S), linearity)
    .then(y * p * Sum(w[i], (i, 1, n)), mean_of_mask, algebra)
)


def der(f, by):
    return sp.Derivative(f, by, evaluate=False)


@pytest.fixture
def blind(monkeypatch):
    """Rules have to refuse by themselves: no number is looked at."""
    monkeypatch.setattr(chain_module.Chain, "_check_numbers", lambda self, line: None)


def test_masks_and_weights_of_each_example():
    example = in_letters(mean, {r.base: lambda i: R[m, i], w: lambda i: X[m, i]}, "for example m")
    total = Sum(R[m, i] * X[m, i], (i, 1, n))
    chain = Chain(Mean(y * total), masks=R).then(p * y * Sum(X[m, i], (i, 1, n)), example)
    assert chain.assumes == ("linear-model",)
    assert chain.lemmas == (mean,)


def test_a_letter_for_a_sum_over_the_lemmas_own_index():
    total = Sum(A[i], (i, 1, n))
    other = in_letters(mean, {y: total, w: lambda i: A[i] * total}, "in sums")
    inner = Sum(r[j] * A[j] * total, (j, 1, n))
    end = total * p * Sum(A[j] * total, (j, 1, n))
    assert Chain(Mean(total * inner), masks=r).then(end, other).end == end


def test_no_index_is_caught(blind):
    # The lemma sums over i, and what is put for y and w holds a free i.
    other = in_letters(mean, {y: A[i], w: lambda k: X[i, k]}, "at i")
    right, wrong = Sum(r[j] * X[i, j], (j, 1, n)), Sum(r[i] * X[i, i], (i, 1, n))
    end = A[i] * p * Sum(X[i, j], (j, 1, n))
    assert Chain(Mean(A[i] * right), masks=r).then(end, other).end == end
    with pytest.raises(NotDerived, match="at i"):
        Chain(Mean(A[i] * wrong), masks=r).then(end, other)
    with pytest.raises(NotDerived, match="at i"):
        Chain(Mean(A[i] * right), masks=r).then(A[i] * p * Sum(X[i, i], (i, 1, n)), other)


def test_an_inequality_keeps_its_direction(blind):
    shrink = Chain(w[1] ** 2 - w[2] ** 2, name="smaller").then(w[1] ** 2, nonnegative, relation="<=")
    other = in_letters(shrink, {w: lambda i: v[i]}, "in v")
    small, large = sp.exp(v[1] ** 2 - v[2] ** 2), sp.exp(v[1] ** 2)
    assert Chain(small).then(large, other, relation="<=")
    for start, end in ((large, small), (-small, -large)):
        with pytest.raises(NotDerived, match="in v"):
            Chain(start).then(end, other, relation="<=")


slope = Chain(der(y * w[k], w[k]), name="slope").then(y, derivative)
logs = Chain(sp.log(p * q), name="logs").then(sp.log(p) + sp.log(q), logarithm)
counted = Chain(Sum(w[1], (i, 1, n)), name="counted").then(n * w[1], algebra)
whole = Chain(SumOverMasks(Weight() * r[1]), masks=r, name="whole").then(Mean(r[1]), mean_as_sum)
pair = Chain(Mean(r[i] * r[j]), masks=r, distinct=[(i, j)]).then(Mean(r[i]) * Mean(r[j]), independence)
two = Chain(Mean(r[1]) * Mean(R[1, 1]), masks=(r, R), name="two").then(p**2, mean_of_mask)


@pytest.mark.parametrize(
    ("lemma", "letters", "said"),
    [
        (slope, {y: w[k]}, "on which nothing else may depend"),
        (slope, {y: Sum(w[i] ** 2, (i, 1, n))}, "on which nothing else may depend"),
        (slope, {w: lambda i: v[1]}, "no such variable"),
        (slope, {w: lambda i: v[i], y: v[k]}, "on which nothing else may depend"),
        (slope, {w: lambda i: A[i], y: A[2]}, "on which nothing else may depend"),
        (logs, {p: y}, "has a sign in the lemma"),
        (logs, {p: -q}, "has a sign in the lemma"),
        (counted, {n: 1 / p}, "is an integer"),
        (whole, {r.base: lambda i: R[1, i]}, "goes through all masks"),
        (pair, {r.base: lambda i: R[m, i]}, "restricted"),
        (mean, {t: y}, "has no letter t"),
    ],
)
def test_letters_that_a_lemma_cannot_have(lemma, letters, said):
    with pytest.raises(ValueError, match=said):
        in_letters(lemma, letters, "in others")


def other_masks(size, keep, *index):
    return Masks(size, keep, "R"), lambda i: sp.IndexedBase("R")[(*index, i)]


@pytest.mark.parametrize(
    ("masks", "letters", "said"),
    [
        (r, {y: r[1]}, "y is not random in the lemma"),
        (r, {w: lambda i: r[i]}, "w is not random in the lemma"),
        (r, {r.base: lambda i: A[i]}, "do not become masks"),
        (R, {r.base: lambda i: R[i, 1]}, "no|fewer"),
        (R, {r.base: lambda i: R[1, 2]}, "do not become masks"),
        (Masks(n, q, "R"), {r.base: lambda i: R.base[i]}, "another keep probability"),
        (Masks(n, lambda i: p if i == 1 else q, "R"), {r.base: lambda i: R.base[i]}, "another keep probability"),
        (Masks((N, 3), p, "R"), {n: n + 4, r.base: lambda i: R[1, i]}, "fewer masks"),
    ],
)
def test_letters_that_are_no_masks_of_this_law(masks, letters, said):
    other = in_letters(mean, letters, "in others")
    with pytest.raises(ValueError, match=said):
        Chain(Mean(masks.base[(1,) * len(masks.size)]), masks=masks).then(p, other)


def test_different_masks_stay_different():
    other = in_letters(two, {r.base: lambda i: R[1, i]}, "in one")
    with pytest.raises(ValueError, match="do not become masks"):
        Chain(Mean(R[1, 1]) ** 2, masks=R).then(p**2, other)


def test_random_letters_under_a_derivative(blind):
    Z = Random("Z")
    plain = Chain(der(t * sp.exp(Z), t), name="constant").then(sp.exp(Z), derivative)
    assert Chain(Mean(der(t * sp.exp(y * r[1]), t)), masks=r).then(Mean(sp.exp(y * r[1])), plain)
    with pytest.raises(NotDerived, match="constant"):
        Chain(Mean(der(t * sp.exp(t * r[1]), t)), masks=r).then(Mean(sp.exp(t * r[1])), plain)


def test_putting_into_what_is_taken_at_a_point():
    at = sp.Limit(y * t, t, 0)
    assert put(at, {t: sp.Integer(3)}) == at
    assert put(at, {y: p}) == sp.Limit(p * t, t, 0)
    with pytest.raises(ValueError, match="t is taken"):
        put(at, {y: t})
    with pytest.raises(ValueError, match="t is taken"):
        put(sp.Subs(der(y * t**2, t), t, 1), {y: t})


def test_putting_for_an_indexed_letter():
    law = {w: sp.Lambda(k, A[k, i])}
    assert put(Sum(w[i] * x[i], (i, 1, n)), law) == Sum(A[j, i] * x[j], (j, 1, n))
    assert put(w[w[1]], law) == A[A[1, i], i]
    assert put(der(w[k] ** 2, w[k]), {w: sp.Lambda(k, v[k])}) == der(v[k] ** 2, v[k])
