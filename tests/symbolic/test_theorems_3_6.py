"""The harder derivations of chapters 3 and 6: what they need, and what an altered line or reason makes of them."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import product

import pytest
import sympy as sp

from dropout_lab import symbolic
from dropout_lab.symbolic import Chain, Cov, Definition, Mean, NotDerived, Var, lemmas, rules, tied

n, N, K, d = sp.symbols("n N K d", integer=True, positive=True)
i, j, k, o, m, a = sp.symbols("i j k o m a", integer=True, positive=True)
p, c, y = sp.Symbol("p", positive=True), sp.Symbol("c", positive=True), sp.Symbol("y", real=True)
w, x, h, X, W, b = (sp.IndexedBase(letter) for letter in "wxhXWb")
r = symbolic.Masks(size=n, keep_prob=p)
S = Definition("S", sp.Sum(r[i] / p * w[i] * x[i], (i, 1, n)), assumes=["linear-model"])
squares = sp.Sum(w[i] ** 2 * x[i] ** 2, (i, 1, n))
pairs = sp.Sum(w[i] * x[i] / p * (w[j] * x[j] / p) * Cov(r[i], r[j]), (i, 1, n), (j, 1, n))
diagonal = sp.Sum((w[i] * x[i] / p) ** 2 * Var(r[i]), (i, 1, n))


def to_pairs():
    chain = Chain(Var(S()), masks=r, definitions=[S], name="variance of S")
    return chain.then(pairs, rules.definition(S), rules.variance_of_sum)


def test_the_penalty_needs_uncorrelated_masks_and_not_independent_ones():
    chain = to_pairs().then(diagonal, rules.zero_covariance)
    chain = chain.then((1 - p) / p * squares, lemmas.variance_of_mask(r[i], r), rules.algebra)
    assert chain.assumes == ("linear-model", "uncorrelated-masks")


@pytest.mark.parametrize(
    ("formula", "rule", "message"),
    [
        (diagonal * p, rules.zero_covariance, "line 3 does not follow by 'zero covariance'"),
        (diagonal, rules.independence, "line 3 does not follow by 'independence'"),
        (diagonal, rules.algebra, "line 3 does not follow by 'algebra'"),
    ],
)
def test_a_wrong_line_and_a_wrong_reason_in_the_penalty(formula, rule, message):
    with pytest.raises(NotDerived, match=message):
        to_pairs().then(formula, rule)


# -- 3.7 ---------------------------------------------------------------------------------------------------------------


def softmax(logits, label):
    return Definition(label, sp.exp(logits(k)) / sp.Sum(sp.exp(logits(m)), (m, 1, K)), (k,))


z = Definition("z_{{{0}}}", b[k] + sp.Sum(W[k, i] * r[i] * h[i], (i, 1, n)), (k,))
q = Definition("q_{{{0}}}", b[k] + sp.Sum(p * W[k, i] * h[i], (i, 1, n)), (k,))
P, Q = softmax(z, "P_r({{0}})"), softmax(q, "Q({{0}})")
pi = symbolic.Weight()
C = Definition("C", sp.Sum(symbolic.ProductOverMasks(P(m) ** pi), (m, 1, K)))
LETTERS = [z, P, C, q, Q]


def geometric(normalizer, *assumes):
    return Definition("G({{0}})", symbolic.ProductOverMasks(P(k) ** pi) / normalizer, (k,), assumes=assumes)


def log_odds(G, scaled=q):
    Q = softmax(scaled, "Q({{0}})")
    difference = (W[k, i] - W[o, i]) * h[i]
    return (
        Chain(sp.log(G(k)) - sp.log(G(o)), masks=r, definitions=[z, P, C, scaled, Q, G], name="log-odds")
        .then(Mean(sp.log(P(k))) - Mean(sp.log(P(o))), rules.definition(G), rules.logarithm, rules.mean_as_sum)
        .then(Mean(sp.log(P(k)) - sp.log(P(o))), rules.linearity)
        .then(Mean(z(k) - z(o)), rules.definition(P), rules.logarithm)
        .then(
            b[k] - b[o] + sp.Sum(difference * Mean(r[i]), (i, 1, n)),
            rules.definition(z),
            rules.linearity,
            rules.algebra,
        )
        .then(b[k] - b[o] + sp.Sum(difference * p, (i, 1, n)), rules.mean_of_mask)
        .then(scaled(k) - scaled(o), rules.definition(scaled), rules.algebra)
        .then(sp.log(Q(k)) - sp.log(Q(o)), rules.definition(Q), rules.logarithm)
    )


@lru_cache
def sum_of_q():
    return Chain(sp.Sum(Q(k), (k, 1, K)), masks=r, definitions=LETTERS).then(1, rules.definition(Q), rules.algebra)


def test_the_geometric_mean_is_one_pass_and_shows_the_chains_that_it_rests_on():
    G = geometric(C(), "renormalized")
    letters = [*LETTERS, G]
    total = Chain(sp.Sum(G(k), (k, 1, K)), masks=r, definitions=letters).then(
        1, rules.definition(G), rules.definition(C), rules.algebra
    )
    fixed = rules.fixed_by_log_odds(log_odds(G), total, sum_of_q())
    chain = Chain(G(k), masks=r, definitions=letters).then(Q(k), fixed)
    assert chain.assumes == ("renormalized",)
    assert [one.end for one in chain.lemmas] == [sp.log(Q(k)) - sp.log(Q(o)), 1, 1]


def test_without_renormalizing_the_log_odds_are_right_and_the_sum_is_not_1():
    raw = geometric(sp.Integer(1))
    assert log_odds(raw).end == sp.log(Q(k)) - sp.log(Q(o))
    with pytest.raises(NotDerived, match="line 2 does not follow"):
        Chain(sp.Sum(raw(k), (k, 1, K)), masks=r, definitions=[*LETTERS, raw]).then(
            1, rules.definition(raw), rules.algebra
        )


def test_a_bias_that_is_scaled_too_stops_at_its_line():
    scaled = Definition("q_{{{0}}}", p * (b[k] + sp.Sum(W[k, i] * h[i], (i, 1, n))), (k,))
    with pytest.raises(NotDerived, match="log-odds, line 7 does not follow by 'definition of q'"):
        log_odds(geometric(C()), scaled)


# -- letters that an assumption ties to each other ---------------------------------------------------------------------

overlap = sp.Sum(X[m, i] * X[m, k], (m, 1, N))
orthogonal = rules.given(
    overlap, sp.KroneckerDelta(i, k) * sp.Sum(X[m, k] ** 2, (m, 1, N)), "orthogonal", assumes=("orthogonal-design",)
)


def predicted(**options):
    chain = Chain(sp.Sum(w[i] * overlap, (i, 1, n)), **options)
    return chain.then(w[k] * sp.Sum(X[m, k] ** 2, (m, 1, N)), orthogonal, rules.delta_picks)


def test_orthogonal_columns_give_numbers_to_a_line_that_needs_them():
    square = {X: tied.orthogonal_columns(X, n), N: lambda draws: draws.symbol(n, "size")}
    assert predicted(tied=square).assumes == ("orthogonal-design",)
    with pytest.raises(NotDerived, match="at n = 2"):
        predicted()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_orthogonal_columns_are_orthogonal_and_not_zero(size):
    values = tied.orthogonal_columns(X, n)(Chain(sp.Sum(x[i], (i, 1, n))).valuation.draws(size))
    count = max(row for row, _ in values)
    for one, other in product(range(1, count + 1), repeat=2):
        found = sum(values[row, one] * values[row, other] for row in range(1, count + 1))
        assert (found == 0) == (one != other)


def test_a_solution_solves_its_system():
    draws = Chain(sp.Sum(x[i], (i, 1, n))).valuation.draws(3)
    matrix, right = X[k, i] + 20 * sp.KroneckerDelta(k, i), x[k]
    values = tied.solution(matrix, right, k, i, n)(draws)
    places = range(1, len(values) + 1)
    for row in places:
        left = sum((draws.entry("X", (row, at)) + 20 * (row == at)) * values[at,] for at in places)
        assert left == draws.entry("x", (row,)) and isinstance(left, Fraction)


# -- inequalities ------------------------------------------------------------------------------------------------------

read = sp.Sum(W[a, i] * h[i], (i, 1, n))
g = Definition("g_{{{0}}}", sp.Max(0, read), (a,), assumes=["relu-zero-bias"])


def test_a_relu_is_bounded_where_that_makes_the_whole_larger():
    start = sp.Sum(g(a) ** 2, (a, 1, d))
    chain = Chain(start, definitions=[g]).then(
        sp.Sum(read**2, (a, 1, d)), rules.definition(g), rules.relu_shrinks, relation="<="
    )
    assert chain.assumes == ("relu-zero-bias",)
    with pytest.raises(NotDerived, match="does not follow"):
        Chain(-start, definitions=[g]).then(
            -sp.Sum(read**2, (a, 1, d)), rules.definition(g), rules.relu_shrinks, relation="<="
        )


def test_a_bound_on_the_weights_is_an_assumption_and_has_to_hold_in_numbers():
    row = sp.Sum(W[a, i] ** 2, (i, 1, n))
    bound = rules.given(row, c**2, "max-norm", assumes=("max-norm",), relation="<=")
    length = sp.Sum(h[i] ** 2, (i, 1, n))
    start, end = sp.Sum(row * length, (a, 1, d)), sp.Sum(c**2 * length, (a, 1, d))
    large, small = ({c: lambda draws, value=value: value} for value in (100, Fraction(1, 100)))
    assert Chain(start, tied=large).then(end, bound, relation="<=").assumes == ("max-norm",)
    with pytest.raises(NotDerived, match="which is not <="):
        Chain(start, tied=small).then(end, bound, relation="<=")


# -- masks that depend on each other -----------------------------------------------------------------------------------


def test_the_probability_of_a_mask_needs_independence_and_its_product_form():
    f = Definition("f", 2 ** r[1])
    over = symbolic.SumOverMasks
    chances = sp.Product(p * r[i] + (1 - p) * (1 - r[i]), (i, 1, n))
    chain = Chain(Mean(f()), masks=r, definitions=[f]).then(over(pi * f()), rules.mean_as_sum)
    assert chain.then(over(chances * f()), rules.weight_of_mask).assumes == ("independent-masks",)
    with pytest.raises(NotDerived, match="does not follow by 'probability of a mask'"):
        chain.then(over(chances.subs(p, 1 - p) * f()), rules.weight_of_mask)


def test_the_mean_of_a_product_keeps_the_covariance():
    chain = Chain(Mean(r[i] * r[j]), masks=r).then(p**2 + Cov(r[i], r[j]), lemmas.mean_of_product(), rules.mean_of_mask)
    assert chain.assumes == ()
    with pytest.raises(NotDerived, match="does not follow by 'mean of a product'"):
        Chain(Mean(r[i] * r[j]), masks=r).then(p**2, lemmas.mean_of_product(), rules.mean_of_mask)
