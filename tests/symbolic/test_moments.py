"""Moments for general n: the closed form of each comes out, has the value that all masks give, and a slip has not."""

import subprocess
import sys

import pytest
import sympy as sp
from equality import equal

from dropout_lab.symbolic import Chain, Cov, Masks, Mean, Var, covariance, expectation, variance

n, K, N = sp.symbols("n K N", integer=True, positive=True)
i, j, k, ell, m, a = sp.symbols("i j k l m a", integer=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y")
w, x, h, b, q = (sp.IndexedBase(letter) for letter in "wxhbq")
W, X, Y = (sp.IndexedBase(letter) for letter in "WXY")
r, unequal = Masks(n, p), Masks(n, q)


def total(summand):
    return sp.Sum(summand, (i, 1, n))


def loss(masks, scale=1):
    return (y - total(w[i] * x[i] * masks[i]) / scale) ** 2


def data_loss(masks):
    return sp.Sum((Y[a] - total(w[i] * X[a, i] * masks[i])) ** 2, (a, 1, N))


signal, energy = total(w[i] * x[i]), total(w[i] ** 2 * x[i] ** 2)
R = Masks((K, n), p, name="R")


def connected(unit):
    return total(R[unit, i] * W[unit, i] * x[i])


def column(unit):
    return total(r[i] * W[unit, i] * x[i])


gradient = sp.diff(data_loss(r), w[k])
ridge = w[k] * sp.Sum(X[a, k] ** 2, (a, 1, N))
moment = sp.Sum(X[a, k] * Y[a], (a, 1, N))
gram = sp.Sum(X[a, k] * total(w[i] * X[a, i]), (a, 1, N))

STATEMENTS = {
    "2.2": ((expectation, r[i] * h[i], r), p * h[i], [h[i], (1 - p) * h[i]]),
    "2.3": ((variance, r[i] * h[i], r), p * (1 - p) * h[i] ** 2, [p * h[i] ** 2, -p * (1 - p) * h[i] ** 2]),
    "2.4": ((expectation, total(r[i] ** 2 * h[i] ** 2), r), p * total(h[i] ** 2), [p**2 * total(h[i] ** 2)]),
    "6.1": (
        (expectation, loss(r), r),
        (y - p * signal) ** 2 + p * (1 - p) * energy,
        [
            (y - p * signal) ** 2 - p * (1 - p) * energy,
            (y - p * signal) ** 2 + p * energy,
            (y - signal) ** 2 + p * (1 - p) * energy,
        ],
    ),
    "6.1 inverted": (
        (expectation, loss(r, p), r),
        (y - signal) ** 2 + (1 - p) / p * energy,
        [(y - signal) ** 2 + (1 - p) * energy, (y - signal) ** 2 - (1 - p) / p * energy],
    ),
    "6.1 unequal": (
        (expectation, loss(unequal), unequal),
        (y - total(q[i] * w[i] * x[i])) ** 2 + total(q[i] * (1 - q[i]) * w[i] ** 2 * x[i] ** 2),
        [(y - total(q[i] * w[i] * x[i])) ** 2 + total(q[i] * w[i] ** 2 * x[i] ** 2)],
    ),
    "6.1 data": (
        (expectation, data_loss(r), r),
        sp.Sum((Y[a] - p * total(w[i] * X[a, i])) ** 2, (a, 1, N))
        + p * (1 - p) * total(w[i] ** 2 * sp.Sum(X[a, i] ** 2, (a, 1, N))),
        [sp.Sum((Y[a] - p * total(w[i] * X[a, i])) ** 2, (a, 1, N))],
    ),
    "6.4": (
        (expectation, gradient, r),
        2 * p**2 * gram + 2 * p * (1 - p) * ridge - 2 * p * moment,
        [
            2 * p**2 * gram + 2 * p * (1 - p) * ridge - 2 * moment,
            2 * p**2 * gram - 2 * p * (1 - p) * ridge - 2 * p * moment,
        ],
    ),
    "7.5 variance": (
        (variance, connected(k), R),
        p * (1 - p) * total(W[k, i] ** 2 * x[i] ** 2),
        [p * total(W[k, i] ** 2 * x[i] ** 2), p * (1 - p) * total(W[i, k] ** 2 * x[i] ** 2)],
    ),
    "7.5 independent rows": (
        (covariance, connected(k), connected(ell), R, {"distinct": ((k, ell),)}),
        sp.Integer(0),
        [p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2)],
    ),
    "7.5 shared columns": (
        (covariance, column(k), column(ell), r),
        p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2),
        [sp.Integer(0), -p * (1 - p) * total(W[k, i] * W[ell, i] * x[i] ** 2)],
    ),
}


OPERATORS = {expectation: Mean, variance: Var, covariance: Cov}
SLIPS = [(name, slip) for name, (_, _, wrong) in STATEMENTS.items() for slip in range(len(wrong))]


def statement(name):
    (call, closed_form, wrong), options = STATEMENTS[name], {}
    if isinstance(call[-1], dict):
        *call, options = call
    return call, options, closed_form, wrong


def by_all_masks(function, *arguments, distinct=()):
    """A chain from the operator of the same name, which is evaluated by going through all masks."""
    *expressions, masks = arguments
    return Chain(OPERATORS[function](*expressions), masks=masks, distinct=distinct)


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_closed_form_comes_out_and_has_the_value_that_all_masks_give(name):
    (function, *arguments), options, closed_form, _ = statement(name)
    assert equal(function(*arguments, **options), closed_form)
    valuation = by_all_masks(function, *arguments, **options).valuation
    for size in valuation.sizes:
        assert valuation.value(closed_form, size) == valuation.value(OPERATORS[function](*arguments[:-1]), size)


@pytest.mark.parametrize("name, slip", SLIPS)
def test_a_slip_does_not(name, slip):
    (function, *arguments), options, _, wrong = statement(name)
    assert not equal(function(*arguments, **options), wrong[slip])
    valuation = by_all_masks(function, *arguments, **options).valuation
    right = OPERATORS[function](*arguments[:-1])
    assert any(valuation.value(wrong[slip], size) != valuation.value(right, size) for size in valuation.sizes)


def test_two_independent_families_of_masks():
    s = Masks(K, q, name="s")
    output = sp.Sum(w[j] * s[j] * total(W[j, i] * r[i] * x[i]), (j, 1, K))
    mean = expectation(output, (r, s))
    assert equal(mean, p * sp.Sum(w[j] * q[j] * total(W[j, i] * x[i]), (j, 1, K)))
    assert not equal(mean, sp.Sum(w[j] * q[j] * total(W[j, i] * x[i]), (j, 1, K)))


def test_indices_that_differ():
    assert covariance(r[i], r[j], r, distinct=((i, j),)) == 0
    assert equal(covariance(r[i], r[j], r), p * (1 - p) * sp.KroneckerDelta(i, j))


def test_the_package_never_imports_torch():
    code = "import sys, dropout_lab.symbolic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
