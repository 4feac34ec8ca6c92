"""Rules about functions and integrals, where they must not apply."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Chain, NotDerived
from dropout_lab.symbolic.rules import Context, pythagoras
from dropout_lab.symbolic.rules.signs import is_nonnegative

t = sp.Symbol("t", real=True)


@pytest.mark.parametrize("part", [sp.sin(t), sp.sin(t) ** 3, sp.cos(t) ** 2, sp.sinh(t) ** 2])
def test_pythagoras_speaks_of_the_square_of_a_sine(part):
    assert pythagoras.rewrite(part, Context()) == part


def test_pythagoras_needs_one_angle():
    with pytest.raises(NotDerived, match="does not follow"):
        Chain(sp.cos(t) ** 2 + sp.sin(2 * t) ** 2).then(1, pythagoras)


@pytest.mark.parametrize("exponent", [-1, -3, sp.Rational(1, 2), t])
def test_a_power_has_the_sign_of_its_base(exponent):
    a = sp.IndexedBase("a")
    square, any_number = a[1] ** 2 + a[2] ** 2, a[1] + a[2]
    assert is_nonnegative(square**exponent)
    assert not is_nonnegative(any_number**exponent)
