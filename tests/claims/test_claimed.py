"""What a counterexample claims is computed from a formula of free symbols; a literal is refused, wrapped or not."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch

from dropout_lab import claims, symbolic
from dropout_lab.claims import NotEstablished
from dropout_lab.claims.claimed import claimed_at

n, i = sp.symbols("n i", integer=True, positive=True)
p, a, b = sp.symbols("p a b", real=True)
w, x = sp.IndexedBase("w"), sp.IndexedBase("x")
half = sp.Rational(1, 2)


def total(term):
    return sp.Sum(term, (i, 1, n))


FORMULAS = [
    (2**n, {n: 8}, 256),
    ((n - 1) / n, {n: 2}, half),
    (p * (1 - p), {p: half}, sp.Rational(1, 4)),
    (p * sp.sqrt(total(x[i] ** 2)), {p: half, n: 2, x: [3, 4]}, sp.Rational(5, 2)),
    (sp.Max(0, total(p * w[i])), {p: half, n: 2, w: [1, -1]}, 0),
    (total(w[i]) - w[1], {n: 1, w: [5]}, 0),
    (total(x[i] ** 2) / n - (total(x[i]) / n) ** 2, {n: 2, x: [1, 1]}, 0),
    (sp.diff((a - b) ** 2, a), {a: 1, b: 1}, 0),
    (a * b, {a: 0.5, b: Fraction(1, 2)}, 0.25),
    (a * b, {a: np.float64(0.5), b: Decimal("0.5")}, 0.25),
    (total(w[i] ** 2), {n: 2, w: np.array([1, 2])}, 5),
    (total(w[i] ** 2), {n: 2, w: torch.tensor([1.0, 2.0])}, 5.0),
    (a / (1 + sp.exp(-b)), {a: 0, b: 1}, 0),
    (sp.Max(0, a - 5), {a: 2}, 0),
    (sp.Max(0, -a - 5), {a: 2}, 0),
    (sp.Max(0, total(w[i]) - 5), {n: 2, w: [0, 0]}, 0),
    (sp.Heaviside(a - sp.Rational(5, 2)), {a: 2}, 0),
    ([a * b, a - b], {a: 2, b: 1}, [2, 1]),
    (sp.Matrix([[a * b, a - b]]), {a: 2, b: 1}, [[2, 1]]),
    (np.array([a * b, a - b]), {a: 2, b: 1}, [2, 1]),
    ((a * b, (a - b, a**2)), {a: 2, b: 1}, [2, [1, 4]]),
    (w[1, 2] * w[2, 1], {w: [[1, 2], [3, 4]]}, 6),
]


@pytest.mark.parametrize("formula, at, value", FORMULAS, ids=str)
def test_a_formula_is_evaluated_at_the_case(formula, at, value):
    assert claimed_at(formula, at).value == value


LITERALS = [
    0,
    40,
    0.5,
    -0.0,
    True,
    Fraction(1, 2),
    Decimal("0.5"),
    np.float32(0.5),
    np.int64(3),
    np.array([3, -2]),
    torch.tensor(1.0),
    torch.tensor([3.0, -2.0]),
    sp.Integer(0),
    half,
    sp.sqrt(2),
    sp.Float(0.5),
    sp.Integer(2) ** 8,
    sp.Pow(2, 8, evaluate=False),
    sp.UnevaluatedExpr(sp.Integer(3)),
    sp.Sum(i, (i, 1, 3)),
    sp.exp(0, evaluate=False),
    0 * a,
    a - a,
    a + 2 - a,
    (a * b).subs({a: 1, b: 2}),
    [3, -2],
    [a * b, 3],
    [[a * b, a - b], [0, a**2]],
    sp.Matrix([a * b, 1]),
    np.array([a * b, 1]),
]


@pytest.mark.parametrize("literal", LITERALS, ids=str)
def test_a_literal_is_refused_in_whatever_type_and_at_whatever_place(literal):
    with pytest.raises(ValueError, match=r"claimed is the literal .*; give what the source says as a formula"):
        claimed_at(literal, {})


WRAPPED = [
    sp.Mul(0, a, evaluate=False),
    sp.Add(3, sp.Mul(0, a, evaluate=False), evaluate=False),
    sp.Add(a, 2, -a, evaluate=False),
    sp.sin(a) ** 2 + sp.cos(a) ** 2,
    (a + 1) ** 2 - a**2 - 2 * a + 39,
    sp.Max(0, -(a**2)),
    sp.Pow(1, a, evaluate=False),
    sp.Pow(a, 0, evaluate=False),
    sp.Piecewise((3, a > 0), (3.0, True)),
    a**2 / (a * sp.Abs(a)) * sp.sign(a),
    sp.UnevaluatedExpr(a) - a + 40,
    sp.exp(sp.log(a**2 + 1)) / (a**2 + 1) * 7,
]


@pytest.mark.parametrize("formula", WRAPPED, ids=str)
def test_a_formula_that_depends_on_no_symbol_is_a_literal(formula):
    for wrapped in (formula, [a**2, formula]):
        with pytest.raises(ValueError, match=r"is a literal|is the literal|by another name"):
            claimed_at(wrapped, {a: 2})


@pytest.mark.parametrize("formula", [a, -a, 2 * a, a / 3, a + 1, 3 - a, w[1], 2 * w[1] - 1], ids=str)
def test_a_symbol_alone_is_a_number_by_another_name(formula):
    for named in (formula, [a * w[1], formula]):
        with pytest.raises(ValueError, match="a number by another name"):
            claimed_at(named, {a: 40, w: [40]})


@pytest.mark.parametrize("formula, at", [(a * b, {a: 1}), (w[1] * a, {a: 1}), (total(w[i]), {n: 3, w: [1, 2]})])
def test_a_value_that_is_missing_is_named(formula, at):
    with pytest.raises(ValueError, match=r"no value|not among the values"):
        claimed_at(formula, at)


def test_a_formula_holds_no_mask():
    masks = symbolic.Masks(size=n, keep_prob=p)
    with pytest.raises(ValueError, match="no values for r"):
        claimed_at(total(masks[i] * w[i]), {n: 2, w: [1, 2]})


@pytest.mark.parametrize("needless", [{p: 1}, {x: [1]}, {sp.Symbol("a"): 1}])
def test_a_value_that_is_not_needed_is_named(needless):
    with pytest.raises(ValueError, match=f"does not depend on {next(iter(needless))}"):
        claimed_at(a * b, {a: 1, b: 2, **needless})


@pytest.mark.parametrize(
    "formula", [None, "2**n", b"1", {1: 2}, object(), sp.Eq(a, b), a > b, [a * b, None], []], ids=str
)
def test_what_is_no_formula_is_refused(formula):
    with pytest.raises((TypeError, ValueError), match="claimed is"):
        claimed_at(formula, {a: 1, b: 2})


@pytest.mark.parametrize(
    "at", [None, [(a, 1)], {"a": 1}, {a * b: 1}, {w[1]: 1}, {a: "1", b: 1}, {a: None, b: 1}], ids=str
)
def test_values_are_numbers_by_symbol(at):
    with pytest.raises(TypeError):
        claimed_at(a * b, at)


@pytest.mark.parametrize(
    "formula, at", [(a / b, {a: 1, b: 0}), (sp.log(a * b), {a: 1, b: 0}), (a * b, {a: 1, b: sp.oo})]
)
def test_a_claim_that_gives_no_number_refutes_nothing(formula, at):
    right = claims.enumerate("2.4", 1, 1, masks=1, says="Right.")
    with pytest.raises(NotEstablished, match=r"claim 2\.4: .* NaN or infinite"):
        claims.refute(
            "2.4",
            claimed=formula,
            at=at,
            actual=2,
            counterexample="It is x.",
            correction=right,
            degree="wrong",
            says="No.",
        )


def test_the_card_shows_the_formula_and_where_it_was_evaluated():
    right = claims.enumerate("2.4", 1, 1, masks=1, says="Right.")
    found = claims.refute(
        "2.4",
        claimed=p * sp.sqrt(total(x[i] ** 2)),
        at={p: sp.Rational(1, 4), n: 2, x: [3, 4]},
        actual=sp.Rational(5, 2),
        counterexample="There are two units.",
        correction=right,
        degree="imprecise",
        says="The amplitude keeps the root of p.",
    )
    assert found.record["claimed"] == "5/4"
    assert found.record["claimed_formula"] == r"p \sqrt{\sum_{i=1}^{n} x_{i}^{2}}"
    assert found.record["claimed_at"] == r"p = \frac{1}{4}, n = 2, x = \left(3, 4\right)"
    assert (
        "by the sentence",
        r"5/4, which is $p \sqrt{\sum_{i=1}^{n} x_{i}^{2}}$ at $p = \frac{1}{4}, n = 2, x = "
        r"\left(3, 4\right)$",
    ) in found.main.details(claims.load())
    assert r"\(p \sqrt{\sum_{i=1}^{n} x_{i}^{2}}\)" in found._repr_mimebundle_()["text/html"]


def test_long_sequences_are_not_written_out():
    assert claimed_at(total(x[i] ** 2), {n: 40, x: list(range(1, 41))}).at.endswith(r"\left(1, 2, 3, \dots, 40\right)")
    assert claimed_at(total(x[i] ** 2), {n: 1, x: [0.123456]}).at == r"n = 1, x = \left(0.1235\right)"
