"""Whatever is no finite number establishes nothing: on either side, at any place, of any type, in every kind."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
import torch
from examples import as_formula

from dropout_lab import claims
from dropout_lab.claims import NotEstablished
from dropout_lab.claims.comparison import differ, largest_difference

NO_NUMBERS = {
    "float nan": float("nan"),
    "float inf": float("inf"),
    "float -inf": float("-inf"),
    "half": np.float16("nan"),
    "single": np.float32("inf"),
    "long double": np.longdouble("nan"),
    "complex": complex(1, float("nan")),
    "complex inf": complex(float("inf"), 0),
    "numpy complex": np.complex64(complex(float("nan"), 0)),
    "decimal": Decimal("NaN"),
    "decimal signalling": Decimal("sNaN"),
    "decimal inf": Decimal("Infinity"),
    "sympy nan": sympy.nan,
    "sympy zoo": sympy.zoo,
    "sympy oo": sympy.oo,
    "sympy -oo": -sympy.oo,
    "sympy sum": sympy.Sum(1, (sympy.Symbol("i"), 1, sympy.oo)),
    "sympy float": sympy.Float("nan"),
    "sympy i oo": sympy.I * sympy.oo,
    "mpmath": mpmath.mpf("nan"),
    "mpmath inf": mpmath.mpf("inf"),
    "torch": torch.tensor(float("nan")),
    "torch half": torch.tensor(float("inf"), dtype=torch.bfloat16),
    "torch grad": torch.tensor(float("nan"), requires_grad=True),
}
NOT_EVEN_NUMBERS = [
    "1",
    None,
    b"1",
    {1},
    {"a": 1},
    sympy.Symbol("x"),
    object(),
    np.datetime64("2020-01-01"),
    [[1], [1, 2]],
]
OTHERS = [1, 1.0, Fraction(1, 3), sympy.Rational(1, 3), sympy.sqrt(2), np.float64(1), True, Decimal(1)]

right = {"masks": 4, "says": "So it is."}


@pytest.fixture
def correction():
    return claims.enumerate("2.4", 1, 1, **right)


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: type(other).__name__)
def test_it_is_refused_on_either_side_and_at_any_place(value, other, correction):
    for found, expected in [
        (value, other),
        (other, value),
        (value, value),
        ([1, value], [1, other]),
        ([value, 1], [other, 1]),
        ([[1, 2], [other, 4]], [[1, 2], [value, 4]]),
    ]:
        with pytest.raises(NotEstablished, match=r"claim 2\.4"):
            claims.enumerate("2.4", found, expected, tolerance=1e300, **right)
        with pytest.raises(NotEstablished, match=r"claim 2\.4"):
            claims.refute(
                "2.4",
                **as_formula(found),
                actual=expected,
                counterexample="It is one unit.",
                correction=correction,
                degree="wrong",
                says="No.",
            )


@pytest.mark.parametrize("value", NOT_EVEN_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_not_even_a_number_is_a_mistake_of_type(value):
    for found, expected in [(value, 1), (1, value)]:
        with pytest.raises((TypeError, ValueError), match=r"claim 2\.4: "):
            claims.enumerate("2.4", found, expected, **right)


@pytest.mark.parametrize(
    "array", [np.array([1.0, np.nan]), torch.tensor([1.0, float("nan")]), sympy.Matrix([1, sympy.nan])]
)
def test_arrays_of_all_libraries_are_looked_through(array):
    with pytest.raises(NotEstablished, match="NaN"):
        claims.enumerate("2.4", array, np.ones(np.shape(array.tolist())), tolerance=1.0, **right)


def test_a_masked_entry_is_no_number():
    with pytest.raises(TypeError, match=r"claim 2\.4"):
        claims.enumerate("2.4", np.ma.masked_invalid([1.0, np.nan]), [1.0, 1.0], tolerance=1.0, **right)


@pytest.mark.parametrize(
    "tolerance",
    [*NO_NUMBERS.values(), -1, -1e-12, True, "1", None, 1j, [1e-9], np.array([1e-9, 1e-9]), sympy.Symbol("t")],
)
def test_a_tolerance_is_finite_and_not_negative(tolerance):
    with pytest.raises((ValueError, TypeError), match=r"claim 2\.4.*tolerance"):
        claims.enumerate("2.4", 1, 2, tolerance=tolerance, **right)


@pytest.mark.parametrize("tolerance", [-1, -1e-12, Fraction(-1, 3), Decimal(-1), sympy.Integer(-1), np.float32(-1)])
def test_a_negative_tolerance_is_called_one(tolerance):
    with pytest.raises(ValueError, match=r"claim 2\.4: tolerance must not be negative"):
        claims.enumerate("2.4", 1, 1, tolerance=tolerance, **right)


@pytest.mark.parametrize("masks", [0, -1, True, np.True_, 4.0, "4", None, float("nan"), Fraction(4, 1), [4]])
def test_masks_are_counted(masks):
    with pytest.raises((ValueError, TypeError), match=r"claim 2\.4.*masks"):
        claims.enumerate("2.4", 1, 1, masks=masks, says="So it is.")


@pytest.mark.parametrize("masks", [4, np.int64(4), sympy.Integer(4), torch.tensor(4)])
def test_whole_numbers_of_all_libraries_count(masks):
    assert claims.enumerate("2.4", 1, 1, masks=masks, says="So it is.").main.masks == 4


SAME = [
    (Fraction(1, 2), 0.5),
    (Decimal("0.1"), Fraction(1, 10)),
    (True, 1),
    (sympy.sqrt(8), 2 * sympy.sqrt(2)),
    (sympy.sqrt(3 + 2 * sympy.sqrt(2)), 1 + sympy.sqrt(2)),
    (sympy.cos(1) ** 2 + sympy.sin(1) ** 2, 1),
    (np.float32(0.5), torch.tensor(0.5)),
    (1 + 0j, 1),
    ([1, 0.5], np.array([1.0, 0.5])),
    (sympy.Float("0.5"), Fraction(1, 2)),
    (mpmath.mpf("0.25"), Fraction(1, 4)),
]


@pytest.mark.parametrize("one, other", SAME, ids=str)
def test_the_same_number_in_another_spelling_or_type_is_no_counterexample(one, other, correction):
    assert largest_difference(one, other) == 0
    for claimed, actual in ((one, other), (other, one)):
        assert not differ(claimed, actual)
        with pytest.raises(NotEstablished, match="no counterexample"):
            claims.refute(
                "2.4",
                **as_formula(claimed),
                actual=actual,
                counterexample="It is one unit.",
                correction=correction,
                degree="wrong",
                says="No.",
            )


def test_rounding_is_no_counterexample_and_an_exact_difference_is_one_however_small():
    assert not differ(0.1 + 0.2, 0.3) and not differ(0.1, Fraction(1, 10)) and not differ(1e20, 1e20 + 1e5)
    assert differ(Fraction(1, 10**12), 0) and differ(sympy.sqrt(2), sympy.sqrt(2) + Fraction(1, 10**12))
    assert differ(1.0, 1.001) and differ([0, 0], [0, 1])


def test_differences_beyond_the_range_of_a_float_are_no_equality():
    for found, expected in ((10**400, 1), (1e308, -1e308), (Fraction(1, 10**400), 0), (10**400, 10**400 + 1)):
        with pytest.raises(NotEstablished, match="they differ by"):
            claims.enumerate("2.4", found, expected, **right)
    with pytest.raises(NotEstablished, match=r"tolerance.* beyond the range of a float"):
        claims.enumerate("2.4", 0, 0, tolerance=10**400, **right)


def test_long_doubles_are_compared_as_what_they_are():
    close = np.longdouble(1) + np.finfo(np.longdouble).eps
    assert largest_difference(close, 1) > 0 if np.finfo(np.longdouble).eps < np.finfo(float).eps else True
