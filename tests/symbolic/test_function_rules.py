"""Rules about functions and integrals, where they must not apply."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Chain, Mean, NotDerived, Random
from dropout_lab.symbolic.rules import (
    Context,
    exchanged_ends,
    exponential_of_logarithm,
    frullani,
    gaussian_integral,
    linearity,
    positive_integral,
    pythagoras,
    under_integral,
)
from dropout_lab.symbolic.rules.signs import is_nonnegative

t, y = sp.symbols("t y", real=True)
a = sp.Symbol("a", positive=True)


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


@pytest.mark.parametrize(
    "part",
    [
        sp.Integral(sp.exp(t**2), (t, -sp.oo, sp.oo)),
        sp.Integral(sp.exp(-(t**2)), (t, 0, sp.oo)),
        sp.Integral(sp.exp(-(t**2) * y), (t, -sp.oo, sp.oo)),
        sp.Integral(sp.exp(-a * t), (t, -sp.oo, sp.oo)),
        sp.Integral(t * sp.exp(-(t**2)), (t, -sp.oo, sp.oo)),
        sp.Integral(sp.exp(-(t**4)), (t, -sp.oo, sp.oo)),
    ],
)
def test_the_gaussian_integral_is_one_over_the_whole_line_of_what_falls_to_both_sides(part):
    assert gaussian_integral.rewrite(part, Context()) == part


def test_the_gaussian_integral_keeps_what_does_not_move():
    bell = sp.exp(-a * (t - 1) ** 2) * a
    assert gaussian_integral.rewrite(sp.Integral(bell, (t, -sp.oo, sp.oo)), Context()) == sp.sqrt(sp.pi / a) * a


@pytest.mark.parametrize(
    "part",
    [
        sp.Integral((sp.exp(-t) - sp.exp(-y * t)) / t, (t, 0, sp.oo)),
        sp.Integral((sp.exp(-t) - sp.exp(a * t)) / t, (t, 0, sp.oo)),
        sp.Integral((sp.exp(-t) - 2 * sp.exp(-a * t)) / t, (t, 0, sp.oo)),
        sp.Integral((sp.exp(-t) + sp.exp(-a * t)) / t, (t, 0, sp.oo)),
        sp.Integral((sp.exp(-t) - sp.exp(-a * t)) / t, (t, 0, 1)),
        sp.Integral((sp.exp(-t) - sp.exp(-a * t)) / t**2, (t, 0, sp.oo)),
        sp.Integral((sp.exp(-t) - sp.exp(-a * t**2)) / t, (t, 0, sp.oo)),
    ],
)
def test_frullani_speaks_of_a_difference_of_two_falling_exponentials(part):
    assert frullani.rewrite(part, Context()) == part


def test_frullani_has_a_sign():
    for one, other in ((a, 2 * a), (2 * a, a)):
        part = sp.Integral((sp.exp(-one * t) - sp.exp(-other * t)) / t, (t, 0, sp.oo))
        assert frullani.rewrite(part, Context()) == sp.log(other / one)


def test_a_derivative_stays_outside_where_it_may_not_go_in():
    for total in (sp.Integral(sp.exp(a * t), (t, 0, a)), sp.Integral(t, (t, 0, 1)) ** 2 * a):
        moved = sp.Derivative(total, a, evaluate=False)
        assert under_integral.rewrite(moved, Context()) == moved
    for total in (sp.Integral(sp.exp(-a * t), (t, 0, sp.oo)), sp.Integral(sp.Abs(t - a), (t, 0, 1))):
        not_smooth = sp.Derivative(total, a, evaluate=False)
        assert under_integral.rewrite(not_smooth, Context()) == not_smooth
    twice = sp.Derivative(sp.Integral(sp.exp(a * t), (t, 0, 1)), (a, 2), evaluate=False)
    assert under_integral.rewrite(twice, Context()) == twice


def test_only_ends_that_surely_stand_the_wrong_way_are_exchanged():
    for ends in ((0, 1), (0, a), (y, a), (-sp.oo, sp.oo)):
        part = sp.Integral(t, (t, *ends))
        assert exchanged_ends.rewrite(part, Context()) == part


@pytest.mark.parametrize(
    "part",
    [
        sp.Integral(t, (t, 0, 1)),
        sp.Integral(sp.exp(t), (t, 1, 0)),
        sp.Integral(sp.exp(t), (t, 0, y)),
        y * sp.Integral(sp.exp(t), (t, 0, 1)),
        1 + sp.Integral(sp.exp(t), (t, 0, 1)),
        sp.Integral(sp.tanh(y * t) ** 2, (t, 0, 1)),
        sp.Integral(sp.tanh(t) ** 3, (t, -1, 1)),
        sp.Integral(sp.sin(t) ** 2, (t, 0, 1)),
    ],
)
def test_an_integral_is_positive_where_its_function_surely_is(part):
    assert positive_integral.rewrite(part, Context()) == part


def test_an_exponential_without_a_logarithm_is_left_alone():
    part = sp.exp(a * (1 + y))
    assert exponential_of_logarithm.rewrite(part, Context()) == part


def test_a_random_letter_that_is_positive_has_positive_values():
    Z = Random("Z", positive=True)
    chain = Chain(Mean(Z)).then(Mean(Z + 1) - 1, linearity)
    assert all(value > 0 for size in (1, 2, 3, 4) for value in chain.numbers(size))
