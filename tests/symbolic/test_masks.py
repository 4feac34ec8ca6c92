"""Masks: what they refuse, and which expressions have no expectation here."""

import pytest
import sympy as sp
from equality import equal

from dropout_lab import symbolic
from dropout_lab.symbolic import Masks, expectation

n, m = sp.symbols("n m", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
p = sp.Symbol("p", positive=True)
w, q = sp.IndexedBase("w"), sp.IndexedBase("q")
r = Masks(n, p)


@pytest.mark.parametrize("size", [0, -1, sp.Rational(1, 2), 2.5, n - 1, 2 * n])
def test_a_size_is_a_symbol_or_a_positive_integer(size):
    with pytest.raises(ValueError, match=r"one more than it. or a positive integer"):
        Masks(size, p)


@pytest.mark.parametrize("keep", [-1, 2, sp.Rational(3, 2)])
def test_a_number_as_keep_probability_is_a_probability(keep):
    with pytest.raises(ValueError, match=r"between 0 and 1"):
        Masks(n, keep)


def test_indices_are_checked():
    with pytest.raises(IndexError, match=r"1 indices"):
        r[i, j]
    with pytest.raises(IndexError, match=r"numbered from 1 to 3"):
        Masks(3, p)[4]
    with pytest.raises(IndexError, match=r"numbered from 1"):
        r[0]


def test_scope():
    assert r.scope == "any n"
    assert Masks(3, p).scope == "n = 3"
    assert Masks((2, 3), p).scope == "n = 2 × 3"


def test_any_power_of_a_mask_is_the_mask():
    assert expectation(r[i] ** 5, r) == p
    assert sp.expand(expectation(r[i] ** 2 * r[j] ** 3, r, distinct=((i, j),)) - p**2) == 0


@pytest.mark.parametrize(
    "expression, message",
    [
        (r[i] * r[j] * r[k], "degree 3"),
        (sp.Sum(r[i], (i, 1, n)) ** 3, "degree 3"),
        (sp.sin(r[i]), "expected a polynomial"),
        (sp.sin(sp.Sum(w[i] * r[i], (i, 1, n))), "expected a polynomial"),
        (1 / (1 + sp.Sum(r[i], (i, 1, n))), "expected a polynomial"),
        (sp.sqrt(r[i]), "expected a polynomial"),
        (2 ** r[i], "expected a polynomial"),
        (sp.log(1 + sp.exp(sp.Sum(w[i] * r[i], (i, 1, n)))), "expected a polynomial"),
        (sp.Sum(r[i], (i, 1, m)), "the masks run from 1 to n"),
        (sp.Sum(r[i], (i, 0, n)), "the masks run from 1 to n"),
        (sp.Sum(r[i + 1], (i, 1, n)), "plain index"),
    ],
)
def test_what_has_no_expectation_here_says_why(expression, message):
    with pytest.raises(ValueError, match=message):
        expectation(expression, r)


def test_masks_beyond_an_integer_size():
    with pytest.raises(ValueError, match=r"run from 1 to 2"):
        expectation(sp.Sum(Masks(2, p).base[i], (i, 1, 3)), Masks(2, p))


def test_other_arguments_are_refused():
    with pytest.raises(TypeError, match=r"symbolic\.Masks"):
        expectation(r[i], r.base)
    with pytest.raises(TypeError, match=r"expected a SymPy expression"):
        expectation(sp.Tuple(r[i]), r)
    with pytest.raises(ValueError, match=r"different names"):
        expectation(r[i], (r, Masks(m, p)))
    with pytest.raises(ValueError, match=r"pairs of different indices"):
        expectation(r[i] * r[j], r, distinct=((i, i),))
    with pytest.raises(ValueError, match=r"degree 4"):
        symbolic.variance(sp.Sum(r[i], (i, 1, n)) ** 2, r)


def test_a_given_number_of_masks():
    three = Masks(3, q)
    derived = expectation(sp.Sum(w[i] * three[i], (i, 1, 3)), three)
    assert equal(derived, w[1] * q[1] + w[2] * q[2] + w[3] * q[3])
