"""Exact averages at given numbers, under independent masks and under a joint law of the reader's."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Masks, enumerated, expectation

n, K = sp.symbols("n K", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y")
w, q, W = sp.IndexedBase("w"), sp.IndexedBase("q"), sp.IndexedBase("W")
r = Masks(n, p)
half = sp.Rational(1, 2)
LOSS = (y - sp.Sum(w[i] * r[i], (i, 1, n))) ** 2


def test_a_nonlinear_consumer():
    # Claim 5.3: the mean of relu(r_1 - r_2) is 1/4, where the mean of its input is 0.
    assert enumerated(sp.Max(0, r[1] - r[2]), r, {n: 2, p: half}) == sp.Rational(1, 4)


def test_independent_masks_agree_with_the_theorem_and_correlated_ones_do_not():
    values = {n: 2, p: half, y: 1, w: [1, 2]}
    theorem = expectation(LOSS, r)
    exact = enumerated(LOSS, r, values)
    assert exact == enumerated(theorem, r, values) == sp.Rational(3, 2)
    together = {(1, 1): half, (0, 0): half}
    assert enumerated(LOSS, r, values, joint=together) == sp.Rational(5, 2)
    apart = {(1, 0): half, (0, 1): half}
    assert enumerated(LOSS, r, values, joint=apart) == half


def test_a_joint_law_that_is_the_independent_one_changes_nothing():
    values = {n: 2, q: [sp.Rational(1, 3), sp.Rational(1, 4)], y: 1, w: [2, -1]}
    unequal = Masks(n, q)
    loss = LOSS.xreplace({r.base: unequal.base})
    one, other = values[q]
    joint = {(1, 1): one * other, (1, 0): one * (1 - other), (0, 1): (1 - one) * other, (0, 0): (1 - one) * (1 - other)}
    assert enumerated(loss, unequal, values) == enumerated(loss, unequal, values, joint=joint)


def test_masks_with_two_indices_go_row_by_row():
    R = Masks((2, 2), half, name="R")
    read = R[1, 1] + 10 * R[1, 2] + 100 * R[2, 1] + 1000 * R[2, 2]
    assert enumerated(read, R, {}, joint={(0, 1, 1, 0): 1}) == 110
    assert enumerated(sp.Sum(W[i, j] * R[i, j], (i, 1, 2), (j, 1, 2)), R, {W: [[1, 2], [3, 4]]}) == 5


@pytest.mark.parametrize(
    "values, joint, message",
    [
        ({n: 2, y: 1, w: [1, 2]}, None, "no value for p"),
        ({n: 2, p: half, w: [1, 2]}, None, "no value for y"),
        ({n: 2, p: half, y: 1}, None, "no values for w"),
        ({n: 2, p: half, y: 1, w: [1]}, None, r"w\[2\] is not among the values"),
        ({n: half, p: half, y: 1, w: [1]}, None, "expected positive integers"),
        ({n: 2, y: 1, w: [1, 2]}, {(1, 1): half}, "sum to 1/2"),
        ({n: 2, y: 1, w: [1, 2]}, {(1,): 1}, "a tuple of 2 zeros and ones"),
        ({n: 2, y: 1, w: [1, 2]}, {(2, 1): 1}, "a tuple of 2 zeros and ones"),
        ({n: 2, y: 1, w: [1, 2]}, {(1, 1): 2, (0, 0): -1}, "0 or more"),
    ],
)
def test_bad_values_and_laws_are_refused(values, joint, message):
    with pytest.raises(ValueError, match=message):
        enumerated(LOSS, r, values, joint=joint)


def test_masks_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"no masks r\[3\]"):
        enumerated(r[3], r, {n: 2, p: half})
    with pytest.raises(TypeError, match="values are given for symbols"):
        enumerated(r[1], r, {"n": 2})
