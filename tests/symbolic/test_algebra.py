"""Algebra: what it proves, and what it must leave to other rules; against values of random expressions."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dropout_lab.symbolic import Cov, Definition, Masks, Mean, Random, SumOverMasks, Var, Weight
from dropout_lab.symbolic.algebra import canonical, equal_by_algebra
from dropout_lab.symbolic.arithmetic import EXACT
from dropout_lab.symbolic.binding import apart, bound_symbols, fresh, lettered, put
from dropout_lab.symbolic.bound_names import same
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.values import Evaluator

E, Sum, KD = Mean, sp.Sum, sp.KroneckerDelta
n, m = sp.symbols("n m", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True, positive=True)
p, u = sp.symbols("p u", positive=True)
x, y, z = sp.symbols("x y z", real=True)
a, b = sp.IndexedBase("a"), sp.IndexedBase("b")
A = sp.IndexedBase("A")
r = Masks(n, p)
total = Sum(a[i], (i, 1, n))
f = sp.Function("f", real=True)

EQUAL = {
    "a square": ((x + y) ** 2, x**2 + 2 * x * y + y**2),
    "a quotient": (p / (n * p + 1 - p), 1 / (n + (1 - p) / p)),
    "a common denominator": (1 / x + 1 / y, (x + y) / (x * y)),
    "a square of a sum": (total**2, Sum(a[i] * a[j], (i, 1, n), (j, 1, n))),
    "a constant in a sum": (Sum(p * a[i], (i, 1, n)), p * total),
    "the number of terms": (Sum(x, (i, 1, n)), n * x),
    "the number of terms from 2": (Sum(x, (i, 2, n)), (n - 1) * x),
    "another letter": (total, Sum(a[k], (k, 1, n))),
    "the order of two sums": (Sum(A[i, j], (i, 1, n), (j, 1, m)), Sum(A[j, i], (i, 1, m), (j, 1, n))),
    "a sum of sums": (Sum(a[i] + b[i], (i, 1, n)), total + Sum(b[j], (j, 1, n))),
    "a sum in a sum": (Sum(a[i] * Sum(b[j], (j, 1, n)), (i, 1, n)), total * Sum(b[i], (i, 1, n))),
    "written out": (Sum(a[i], (i, 1, 3)), a[1] + a[2] + a[3]),
    "a triangular sum": (Sum(a[j] * 2 * b[i], (j, 1, i), (i, 1, n)), 2 * Sum(a[k] * b[m], (k, 1, m), (m, 1, n))),
    "inside a mean": (E((x + r[1]) ** 2), E(x**2 + 2 * x * r[1] + r[1] ** 2)),
    "inside a function": (f((x + y) ** 2), f(x**2 + 2 * x * y + y**2)),
    "exponentials": (sp.exp(x + y), sp.exp(x) * sp.exp(y)),
    "a softmax": (Sum(sp.exp(a[k]) / Sum(sp.exp(a[m]), (m, 1, n)), (k, 1, n)), 1),
    "a root": (sp.sqrt(p * u), sp.sqrt(p) * sp.sqrt(u)),
    "a delta twice": (Sum(a[i] * KD(i, k) ** 2, (i, 1, n)), Sum(a[i] * KD(i, k), (i, 1, n))),
    "an infinite sum times a number": (Sum(2 * x**k, (k, 0, sp.oo)), 2 * Sum(x**k, (k, 0, sp.oo))),
    "means as letters": ((E(r[1]) + y) ** 2 - E(r[1]) ** 2, y**2 + 2 * y * E(r[1])),
}


@pytest.mark.parametrize("case", EQUAL)
def test_what_algebra_proves(case):
    one, other = EQUAL[case]
    assert equal_by_algebra(one, other)
    assert equal_by_algebra(other, one)
    assert not equal_by_algebra(one, other + 1)
    assert not equal_by_algebra(one, 2 * other + x)
    assert canonical(sp.sympify(one) - other) == 0 or equal_by_algebra(canonical(sp.sympify(one)), canonical(other))


DIFFERENT = {
    "a delta used up": (Sum(a[i] * KD(i, k), (i, 1, n)), a[k]),
    "a power of a mask": (r[1] ** 2, r[1]),
    "a power of a mask in a mean": (E(r[1] ** 2), E(r[1])),
    "a mean taken apart": (E(r[1] + r[2]), E(r[1]) + E(r[2])),
    "a constant in a mean": (E(p * r[1]), p * E(r[1])),
    "a mean of a number": (E(y), y),
    "a variance": (Var(r[1]), E(r[1] ** 2) - E(r[1]) ** 2),
    "a covariance the other way round": (Cov(r[1], r[2]), Cov(r[2], r[1])),
    "a sum over masks": (SumOverMasks(Weight() * r[1]), E(r[1])),
    "a letter": (Definition("S", x + y)(), x + y),
    "a logarithm": (sp.log(p * u), sp.log(p) + sp.log(u)),
    "a function of a sum": (f(x + y), f(x) + f(y)),
    "an odd function": (f(-x), -f(x)),
    "the square of a sum": (total**2, Sum(a[i] ** 2, (i, 1, n))),
    "products": (total * Sum(b[i], (i, 1, n)), Sum(a[i] * b[i], (i, 1, n))),
    "another range": (total, Sum(a[i], (i, 1, m))),
    "rows for columns": (Sum(A[i, j], (i, 1, n)), Sum(A[j, i], (i, 1, n))),
    "a root of a square": (sp.sqrt(x**2), x),
    "a root of what may be negative": (sp.sqrt(x * y), sp.sqrt(x) * sp.sqrt(y)),
    "one over a delta": (1 / KD(i, k), KD(i, k)),
    "a captured index": (Sum(a[i] * Sum(b[j], (j, 1, n)), (i, 1, n)), Sum(a[i] * b[i], (i, 1, n)) * n),
    "a free index that looks bound": (a[i] * Sum(b[i], (i, 1, n)), Sum(a[i] * b[i], (i, 1, n))),
    "two random variables": (E(Random("X")), E(Random("Y"))),
    "a triangular sum": (Sum(b[j], (j, 1, i), (i, 1, n)), Sum(b[j], (j, 1, n), (i, 1, n))),
    "an integral": (sp.Integral(x, (x, 0, 1)), sp.Rational(1, 2)),
    "a derivative": (sp.Derivative(f(x), x), 0),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_algebra_leaves_to_other_rules(case):
    one, other = DIFFERENT[case]
    assert not equal_by_algebra(one, other)
    assert not same(sp.sympify(one), sp.sympify(other))


# -- random expressions -----------------------------------------------------------------------------------------------

LEAVES = [
    sp.Integer(2),
    sp.Rational(1, 3),
    x,
    y,
    p,
    n,
    a[k],
    E(r[1]),
    E(r[1] * a[1]),
    total,
    Sum(a[i] * b[i], (i, 1, n)),
]
EVALUATOR = Evaluator((r,))


def expressions():
    leaves = st.sampled_from(LEAVES)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
            st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
            inner.map(lambda one: one**2),
            inner.map(lambda one: Sum(b[j] * one, (j, 1, n))),
            inner.map(lambda one: Sum(b[i] * one, (i, 1, n))),
        ),
        max_leaves=5,
    )


def values(expression):
    return [EVALUATOR.value(expression, Draws(seed, size, (r,)), EXACT) for seed, size in ((1, 2), (2, 3))]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(expressions())
def test_the_canonical_form_has_the_same_value(expression):
    assert values(canonical(expression)) == values(expression)
    assert equal_by_algebra(canonical(expression), expression)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(expressions(), expressions())
def test_what_is_equal_by_algebra_is_equal_in_numbers(one, other):
    if equal_by_algebra(one, other):
        assert values(one) == values(other)
    assert equal_by_algebra((one + other) ** 2, one**2 + 2 * one * other + other**2)
    assert equal_by_algebra(one - other, 0) == (values(one) == values(other))


# -- letters that are bound -------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True)
@given(expressions(), st.sampled_from([i, j, sp.Integer(1), sp.Integer(2)]))
def test_nothing_that_is_put_in_is_caught(expression, index):
    """Evaluate with k put in, and with k as the number of the index: the same."""
    draws = Draws(1, 2, (r,))
    number = int(draws.symbol(index, "index")) if index.is_Symbol else int(index)
    moved = put(expression, {k: index})
    assert EVALUATOR.value(moved, draws, EXACT) == EVALUATOR.value(
        put(expression, {k: sp.Integer(number)}), draws, EXACT
    )


def test_putting_leaves_bound_letters_alone():
    assert put(Sum(a[k], (k, 1, n)), {k: sp.Integer(3)}) == Sum(a[k], (k, 1, n))
    assert put(Sum(A[i, k], (i, 1, k)), {k: j}) == Sum(A[i, j], (i, 1, j))
    assert same(put(Sum(A[i, k], (i, 1, n)), {k: i}), Sum(A[j, i], (j, 1, n)))
    assert put(Sum(r[k], (k, 1, n)) + r[k], {r[k]: sp.Integer(1)}) == Sum(r[k], (k, 1, n)) + 1
    assert put(Sum(A[i, j], (i, 1, j), (j, 1, n)), {n: j}).limits[-1][2] == j
    assert put(sp.Integral(x * y, (x, 0, y)), {y: x}).limits[0][0] != x


def test_letters_are_set_apart():
    nested = Sum(a[i] * Sum(b[i], (i, 1, n)), (i, 1, n))
    moved = apart(nested, {i})
    assert i not in bound_symbols(moved)
    assert len(bound_symbols(moved)) == 2
    assert same(moved, nested)
    assert fresh(i, {j}) == i
    assert fresh(i, {i, j}).name == "k"
    assert {one.name for one in bound_symbols(lettered(canonical(nested)))} == {"i"}
    assert not any(symbol.name.startswith("#") for symbol in lettered(canonical(nested)).atoms(sp.Symbol))
