"""Faults found from outside, as kinds: deltas outside a range or inside a function, probabilities that are none,
kinks."""

import pytest
import sympy as sp

from dropout_lab.symbolic import (
    Chain,
    Masks,
    Mean,
    covariance,
    enumerated,
    equal,
    expectation,
    gradient,
    identity,
    variance,
)
from dropout_lab.symbolic.arithmetic import closeness
from dropout_lab.symbolic.rules import delta_picks

n, m = sp.symbols("n m", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
p, y, t = sp.Symbol("p", positive=True), sp.Symbol("y", real=True), sp.Symbol("t", positive=True)
a, b, A = sp.IndexedBase("a"), sp.IndexedBase("b"), sp.IndexedBase("A")
KD, Sum, half = sp.KroneckerDelta, sp.Sum, sp.Rational(1, 2)

# -- deltas -----------------------------------------------------------------------------------------------------------

EQUAL = {
    "outside, below": (Sum(a[i] * KD(i, 1), (i, 2, n)), 0),
    "outside, above": (Sum(a[i] * KD(i, n + 1), (i, 1, n)), 0),
    "at the first": (Sum(a[i] * KD(i, 1), (i, 1, n)), a[1]),
    "at the last": (Sum(a[i] * KD(i, n), (i, 1, n)), a[n]),
    "at the last of one more": (Sum(a[i] * KD(i, n + 1), (i, 1, n + 1)), a[n + 1]),
    "a free index": (Sum(a[i] * KD(i, k), (i, 1, n)), a[k]),
    "in a quotient": (Sum(1 / (1 + KD(i, k)), (i, 1, n)), n - half),
    "in a function": (Sum(sp.exp(a[i] * KD(i, k)), (i, 1, n)), n - 1 + sp.exp(a[k])),
    "in a power": (Sum(2 ** KD(i, k) * a[i], (i, 1, n)), Sum(a[i], (i, 1, n)) + a[k]),
    "in a quotient under a double sum": (
        Sum(a[i] * b[j] / (1 + KD(i, j)), (i, 1, n), (j, 1, n)),
        Sum(a[i], (i, 1, n)) * Sum(b[i], (i, 1, n)) - half * Sum(a[i] * b[i], (i, 1, n)),
    ),
    "two at once": (Sum(A[i, j] * KD(i, j) * KD(j, k), (i, 1, n), (j, 1, n)), A[k, k]),
    "two that exclude each other": (Sum(a[i] * KD(i, 1) * KD(i, 2), (i, 1, n)), 0),
}


@pytest.mark.parametrize("case", EQUAL)
def test_a_delta_counts_where_its_index_is(case):
    one, other = EQUAL[case]
    assert equal(one, other)
    assert not equal(one, other + 1)
    assert not equal(one, other + a[1])


UNDECIDED = {
    "the third of n": Sum(a[i] * KD(i, 3), (i, 1, n)),
    "the next": Sum(a[i] * KD(i, k + 1), (i, 1, n)),
    "another range": Sum(A[i, j] * KD(i, j), (i, 1, n), (j, 1, m)),
    "the m-th of n": Sum(a[i] * KD(i, m + 2), (i, 1, n)),
    "one over a delta": Sum(a[i] / KD(i, k), (i, 1, n)),
}


@pytest.mark.parametrize("case", UNDECIDED)
def test_a_delta_that_cannot_be_decided_is_refused(case):
    with pytest.raises(ValueError, match=r"range|to be equal|no value"):
        equal(UNDECIDED[case], 0)


@pytest.mark.parametrize("case", [*EQUAL, *UNDECIDED])
def test_a_chain_uses_up_what_it_can_and_leaves_the_rest(case):
    one, other = EQUAL.get(case, (UNDECIDED.get(case), None))
    chain = Chain(sp.Symbol("start"))
    assert not chain.follows(one, sp.sympify(other or 0) + 1, (delta_picks,))
    if case in ("outside, below", "outside, above", "at the first", "a free index", "two at once"):
        assert chain.follows(one, sp.sympify(other), (delta_picks,))


def test_means_and_moments_see_the_range_of_a_delta():
    r = Masks(n, p)
    outside = Sum(a[i] * KD(i, 1), (i, 2, n)) * r[1]
    assert expectation(outside, r).value == 0
    assert variance(outside, r).value == 0
    assert covariance(outside, r[2], r).value == 0
    quotient = Sum(r[i] / (1 + KD(i, k)), (i, 1, n))
    assert expectation(quotient, r).equals(n * p - p / 2)
    assert not expectation(quotient, r).equals(p / 2)


def test_gradients_and_identities_see_the_range_of_a_delta():
    assert equal(gradient(Sum(a[i] ** 2, (i, 2, n)), a[1]), 0)
    assert equal(gradient(Sum(a[i] ** 2, (i, 1, n)), a[1]), 2 * a[1])
    assert identity(Sum(KD(i, 1), (i, 2, n))).value == 0
    assert identity(Sum(1 / (1 + KD(i, k)), (i, 1, n))).equals(n - half)


# -- probabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keep",
    [-1, 2, sp.Rational(3, 2), 1.5, sp.I, sp.oo, sp.nan, sp.zoo, None, "what is (", [half], sp.Matrix([half]), "x > 1"],
)
def test_what_is_no_probability_is_refused(keep):
    with pytest.raises((ValueError, TypeError), match=r"probability"):
        Masks(2, keep)


@pytest.mark.parametrize("make", [lambda i: 2, lambda i: i, lambda i: half - i, lambda i: None, lambda i: sp.I])
def test_a_function_gives_probabilities(make):
    with pytest.raises((ValueError, TypeError), match=r"probability"):
        Masks(2, make)


def test_a_probability_does_not_use_masks():
    with pytest.raises(ValueError, match=r"letter of the masks"):
        Masks(n, sp.IndexedBase("r"))
    with pytest.raises(ValueError, match=r"letter of the masks"):
        Masks(n, sp.Symbol("r"))
    with pytest.raises(ValueError, match=r"letter of the masks"):
        Masks(n, lambda i: sp.IndexedBase("s")[i] / 2, "s")
    r, s = Masks(n, p), Masks(n, lambda i: sp.IndexedBase("r")[i], "s")
    with pytest.raises(ValueError, match=r"masks r"):
        expectation(r[1] * s[1], (r, s))
    with pytest.raises(ValueError, match=r"masks r"):
        Chain(Mean(r[1] * s[1]), masks=(r, s))


@pytest.mark.parametrize(
    ("keep", "values", "shown"),
    [
        (sp.Symbol("p"), {sp.Symbol("p"): 2}, "2"),
        (sp.Symbol("p"), {sp.Symbol("p"): -half}, "-1/2"),
        (sp.Symbol("p"), {sp.Symbol("p"): sp.nan}, "nan"),
        (sp.Symbol("p"), {sp.Symbol("p"): sp.I}, "I"),
        (sp.IndexedBase("q"), {sp.IndexedBase("q"): [half, 3]}, "3"),
        (lambda i: sp.Symbol("p") * i, {sp.Symbol("p"): sp.Rational(2, 3)}, "4/3"),
    ],
)
def test_probabilities_are_looked_at_after_substitution(keep, values, shown):
    r = Masks(2, keep)
    with pytest.raises(ValueError, match=rf"r\[\d\].*probability.*{shown}"):
        enumerated(r[1] + r[2], r, values)


def test_a_joint_law_needs_no_keep_probability():
    r = Masks(2, sp.Symbol("p"))
    assert enumerated(r[1] * r[2], r, {}, joint={(1, 1): half, (0, 0): half}) == half


def test_a_symbolic_probability_that_leaves_its_range_is_noticed_when_it_gets_a_number():
    r = Masks(n, 3 * p)
    with pytest.raises(ValueError, match=r"probability"):
        expectation(r[1], r).instances(3 * p, sizes=(1, 2, 3, 4))
    with pytest.raises(ValueError, match=r"probability"):
        for size in (1, 2, 3):
            Chain(Mean(r[1] ** 2), masks=r).numbers(size)


# -- kinks ------------------------------------------------------------------------------------------------------------

step = sp.Heaviside(y - sp.Rational(2, 3), 1)
KINKS = {
    "an absolute value": (sp.Integral(sp.Abs(y - 1), (y, 0, 3)), sp.Rational(5, 2)),
    "at 0": (sp.Integral(sp.Abs(y), (y, -1, 2)), sp.Rational(5, 2)),
    "two kinks near each other": (
        sp.Integral(sp.Abs(y - 1) + sp.Abs(y - sp.Rational(101, 100)), (y, 0, 3)),
        sp.Rational(5, 2) + (sp.Rational(101, 100) ** 2 + sp.Rational(199, 100) ** 2) / 2,
    ),
    "a parameter": (sp.Integral(sp.Abs(y - t), (y, 0, 30)), t**2 / 2 + (30 - t) ** 2 / 2),
    "a jump": (sp.Integral(step * y, (y, 0, 1)), half - sp.Rational(2, 9)),
    "a ReLU": (sp.Integral(sp.Max(0, y - t), (y, 0, 10)), (10 - t) ** 2 / 2),
    "in one of two variables": (
        sp.Integral(sp.Abs(y - t) * sp.Symbol("x", real=True), (y, 0, 10), (sp.Symbol("x", real=True), 0, 1)),
        (t**2 + (10 - t) ** 2) / 4,
    ),
}


@pytest.mark.parametrize("case", KINKS)
def test_the_numbers_of_a_line_see_kinks(case):
    integral, closed = KINKS[case]
    chain = Chain(integral, within={t: (1, 9)} if t in integral.free_symbols else {})
    values = [chain.valuation.value(one, 2) for one in (integral, closed, closed + sp.Rational(1, 10**9))]
    assert closeness(values[0], values[1]) < 1e-25
    assert closeness(values[0], values[2]) > 1e-12


@pytest.mark.parametrize("case", ["an absolute value", "at 0", "two kinks near each other", "a jump"])
def test_an_identity_with_kinks_agrees_with_its_closed_form(case):
    integral, closed = KINKS[case]
    found = identity(integral)
    assert found.equals(closed)
    assert all(instance.agrees for instance in found.instances(closed, draws=2))
    assert not any(instance.agrees for instance in found.instances(closed + sp.Rational(1, 10**9), draws=2))


def test_an_infinite_range_with_a_kink():
    gauss = sp.Integral(sp.Abs(y - 1) * sp.exp(-(y**2) / 2), (y, -sp.oo, sp.oo))
    closed = 2 * sp.exp(-half) + sp.sqrt(2 * sp.pi) * sp.erf(1 / sp.sqrt(2))
    chain = Chain(gauss)
    assert closeness(chain.valuation.value(gauss, 2), chain.valuation.value(closed, 2)) < 1e-25


@pytest.mark.parametrize(
    ("within", "message"),
    [
        ({y: (0, 1)}, "y .*no parameter"),
        ({sp.Symbol("t"): (0, 1)}, "t .*no parameter"),
        ({t: (1, 0)}, "finite bounds"),
        ({t: (0, sp.oo)}, "finite bounds"),
        ({t: (-3, -2)}, "assumes|positive"),
    ],
)
def test_what_is_given_for_a_parameter_is_used_or_refused(within, message):
    integral = sp.Integral(sp.Abs(y - t), (y, 0, 30))
    with pytest.raises(ValueError, match=message):
        identity(integral, within=within)
    with pytest.raises(ValueError, match=message):
        Chain(integral, within=within)


def test_bounds_for_an_integer_are_kept_to_integers():
    number = identity(Sum(k, (k, 1, n)), within={n: (2, 5)})
    for instance in number.instances(n * (n + 1) / 2):
        assert instance.agrees
        assert sp.Integer(str(instance.values).split("= ")[1]) in (2, 3, 4, 5)
    chain = Chain(Sum(k, (k, 1, n)), within={n: (2, 5)})
    assert all(chain.valuation.draws(size).symbol(n, "size") in (2, 3, 4, 5) for size in (1, 2, 3, 4))
