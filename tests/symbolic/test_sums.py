"""The canonical form: equal sums are equal whatever their indices are called, and different ones are not."""

import pytest
import sympy as sp
from equality import equal

from dropout_lab.symbolic.sums import canonical, evaluated, gradient, readable, rebuild

n, m = sp.symbols("n m", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y")
w, x = sp.IndexedBase("w"), sp.IndexedBase("x")
A = sp.IndexedBase("A")


def total(summand, *indices):
    return sp.Sum(summand, *[(index, 1, n) for index in indices])


def test_names_of_indices_do_not_matter():
    assert equal(total(w[i] * x[i], i), total(x[j] * w[j], j))
    assert equal(total(A[i, j] * w[i], i, j), total(A[j, i] * w[j], i, j))
    assert not equal(total(A[i, j] * w[i], i, j), total(A[i, j] * w[j], i, j))


def test_squares_and_products_of_sums_are_double_sums():
    assert equal(total(w[i], i) ** 2, total(w[i] * w[j], i, j))
    assert equal((y - total(w[i], i)) ** 2, y**2 - 2 * y * total(w[i], i) + total(w[i] * w[j], i, j))
    assert not equal(total(w[i], i) ** 2, total(w[i] ** 2, i))
    assert not equal(total(w[i], i) * total(x[i], i), total(w[i] * x[i], i))


def test_an_inner_sum_may_reuse_the_outer_index():
    nested = total(w[i] * total(x[i], i), i)
    assert equal(nested, total(w[i], i) * total(x[i], i))
    assert evaluated(nested.xreplace({n: sp.Integer(2)})).equals((w[1] + w[2]) * (x[1] + x[2]))


def test_constants_leave_the_sum_and_empty_dependence_counts_the_terms():
    assert equal(total(p * w[i], i), p * total(w[i], i))
    assert equal(total(y, i), n * y)
    assert equal(total(w[j], i, j), n * total(w[i], i))
    assert not equal(total(w[i], i), sp.Sum(w[i], (i, 1, m)))


def test_deltas_are_used_up_by_a_sum():
    assert equal(total(w[i] * sp.KroneckerDelta(i, k), i), w[k])
    assert equal(total(A[i, j] * sp.KroneckerDelta(i, j), i, j), total(A[i, i], i))
    with pytest.raises(ValueError, match="one range"):
        canonical(sp.Sum(A[i, j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 1, m)))
    with pytest.raises(ValueError, match="may leave the range"):
        canonical(total(w[i] * sp.KroneckerDelta(i, k + 1), i))


def test_sums_with_a_number_of_terms_are_their_terms():
    assert equal(sp.Sum(w[i], (i, 1, 3)), w[1] + w[2] + w[3])
    assert not equal(sp.Sum(w[i], (i, 1, 3)), w[1] + w[2])


def test_quotients_of_sums():
    up, down = total(w[i] * x[i], i), total(x[i] ** 2, i)
    assert equal(up / (p * down) - up / down, (1 - p) / p * up / down)
    assert equal(up / (down + up) + down / (down + up), 1)
    assert not equal(up / (down + up) - down / (down + up), 1)


def test_a_derivative_of_a_result_meets_no_summation_index_by_accident():
    value = rebuild(canonical(sp.Sum(A[i, j] * A[i, k] * w[j] * w[k], (i, 1, m), (j, 1, n), (k, 1, n))))
    expected = 2 * sp.Sum(A[i, j] * A[i, k] * w[j], (i, 1, m), (j, 1, n))
    assert {index.name for index in value.variables} >= {"k"}
    assert equal(sp.diff(value, w[k]), expected)


def test_a_gradient_needs_an_index_of_its_own():
    loss = (y - total(w[i] * x[i], i)) ** 2
    assert equal(gradient(loss, w[k]), -2 * (y - total(w[i] * x[i], i)) * x[k])
    with pytest.raises(ValueError, match="not summed over"):
        gradient(loss, w[i])


def test_exponentials_stay_whole():
    total_of_exp = total(sp.exp(y + total(w[j], j)), i)
    assert equal(total_of_exp, n * sp.exp(y + total(w[i], i)))
    assert equal(sp.exp(total(w[i] + x[i], i)), sp.exp(total(w[j], j) + total(x[j], j)))
    assert not equal(sp.exp(total(w[i], i)), sp.exp(total(x[i], i)))


def test_triangular_ranges_are_refused():
    with pytest.raises(TypeError, match="depends on another index"):
        canonical(sp.Sum(w[i] * x[j], (j, 1, i), (i, 1, n)))


def test_factors_are_printed_the_way_they_are_read():
    assert str(readable(sp.factor(p - p**2))) == "p*(1 - p)"
    assert str(readable(sp.factor((1 - p) / p))) == "(1 - p)/p"
    assert readable(sp.factor((p - 1) ** 3 * y)) == -y * (1 - p) ** 3
    assert sp.expand(readable(sp.factor(-p * (p - 1))) - p * (1 - p)) == 0


def test_ranges_that_are_no_numbers_are_not_written_out():
    with pytest.raises(ValueError, match="no range of integers"):
        evaluated(total(w[i], i))
