"""Chains: every refusal with its message, what a chain assumes, and how it shows itself."""

from dataclasses import replace

import pytest
import sympy as sp

from dropout_lab.symbolic import (
    Chain,
    Definition,
    Masks,
    Mean,
    NotDerived,
    Random,
    Remainder,
    Unknown,
    Var,
    attacked,
    lemmas,
)
from dropout_lab.symbolic.rules import (
    RULES,
    algebra,
    definition,
    expansion,
    given,
    idempotence,
    independence,
    jensen,
    linearity,
    mean_of_mask,
    nonnegative,
    taylor,
)
from dropout_lab.symbolic.rules.base import Rule

E, Sum = Mean, sp.Sum
n, i, j, k = sp.symbols("n i j k", integer=True, positive=True)
p, y, t = sp.Symbol("p", positive=True), sp.Symbol("y", real=True), sp.Symbol("t", real=True)
w, x = sp.IndexedBase("w"), sp.IndexedBase("x")
r = Masks(n, p)
S = Definition("S", Sum(r[i] / p * w[i], (i, 1, n)), assumes=["linear-model", "inverted-scaling"])
TOTAL = Sum(w[i], (i, 1, n))


@pytest.fixture
def mean():
    return Chain(E(S()), masks=r, definitions=[S], name="mean").then(
        Sum(E(r[i]) * w[i] / p, (i, 1, n)), definition(S), linearity
    )


def blind(monkeypatch):
    """Without the check by numbers: what refuses now is the rule."""
    monkeypatch.setattr(Chain, "_check_numbers", lambda self, line: None)


def test_a_derivation_reads_as_it_was_written(mean):
    done = mean.then(TOTAL, mean_of_mask)
    assert done.end == TOTAL
    assert done.assumes == ("linear-model", "inverted-scaling")
    assert [line.rule for line in done.lines] == ["", "definition of S + linearity of the mean", "E r = p"]
    assert (done.scope, done.relation) == ("any n", "=")
    assert len(set(map(str, done.numbers(3)))) == 1
    assert "[E r = p]" in str(done)
    assert done.latex().count(r"\\") == 2


def test_a_chain_is_not_changed_by_what_is_added(mean):
    mean.then(TOTAL, mean_of_mask)
    assert len(mean.lines) == 2


@pytest.mark.parametrize(
    ("wrong", "rules", "message"),
    [
        (
            2 * TOTAL,
            [mean_of_mask],
            r"mean, line 3 does not follow by 'E r = p': it would give Sum\(w\[i\], \(i, 1, n\)\)",
        ),
        (TOTAL, [linearity], "does not follow by 'linearity of the mean'"),
        (TOTAL, [mean_of_mask, independence], "does not need 'independence': it follows without it"),
        (TOTAL, [mean_of_mask, algebra], "does not need 'algebra'"),
        (Sum(E(r[j]) * w[j] / p, (j, 1, n)), [algebra], "mean, line 3 repeats the line before"),
        (sp.nan, [algebra], "nan is no number"),
        (sp.zoo, [algebra], "zoo is no number"),
        (sp.oo, [algebra], "oo is no number"),
    ],
)
def test_a_line_that_does_not_follow(mean, monkeypatch, wrong, rules, message):
    blind(monkeypatch)
    with pytest.raises(NotDerived, match=message):
        mean.then(wrong, *rules)


def test_wrong_numbers_are_noticed_where_a_rule_is_wrong(mean, monkeypatch):
    wrong = replace(mean_of_mask, rewrite=lambda expression, context: mean_of_mask.rewrite(expression, context) * 2)
    with pytest.raises(NotDerived, match=r"at n = 1 the line before is .* which is not ="):
        mean.then(2 * TOTAL, replace(wrong, both=False))


@pytest.mark.parametrize(
    ("reasons", "options", "error", "message"),
    [
        ([], {}, ValueError, "line 3 names no rule"),
        (["algebra"], {}, TypeError, "a reason is a rule or a chain, got str"),
        ([mean_of_mask], {"relation": "=="}, ValueError, "a relation is one of =, <=, >=, <, >, ~, <=>; got '=='"),
        ([mean_of_mask], {"relation": "~"}, ValueError, "says what it leaves out"),
        ([mean_of_mask], {"remainder": Remainder(p, 2, "small")}, ValueError, "says what it leaves out"),
    ],
)
def test_a_line_that_is_posed_wrongly(mean, reasons, options, error, message):
    with pytest.raises(error, match=message):
        mean.then(TOTAL, *reasons, **options)


def test_only_then_adds_lines(mean):
    with pytest.raises(TypeError):
        Chain(E(r[1]), masks=r, lines=mean.lines)


@pytest.mark.parametrize(
    ("start", "options", "message"),
    [
        (E(y**2), {}, "the chain has no masks"),
        (Var(y), {}, "the chain has no masks"),
        (E(y**2), {"masks": r}, "a mean of nothing random"),
        (E(r[1]) + Var(y), {"masks": r}, "a mean of nothing random"),
        (E(S()), {"masks": r}, "the letter S stands for nothing here"),
        (E(Definition("S", r[1])()), {"masks": r, "definitions": [S]}, "something else than its definition"),
        (E(r[1]), {"masks": r, "definitions": [S, Definition("S", r[1])]}, "two definitions have one letter"),
        (E(r[i] * r[j]), {"masks": r, "distinct": [(i, i)]}, "pairs of different indices"),
        (E(r[1]) / (y - y * p / p), {"masks": r}, "is no number|divides by 0"),
        (1 / (E(r[1]) - p), {"masks": r}, "divides by 0"),
    ],
)
def test_a_start_that_is_none(start, options, message):
    with pytest.raises(ValueError, match=message):
        Chain(start, **options)


def test_a_chain_starts_from_an_expression():
    with pytest.raises(TypeError, match=r"starts from a SymPy expression, got StrictLessThan"):
        Chain(y < p)
    with pytest.raises(ValueError, match=r"an equation is solved for a symbol"):
        Chain(sp.Eq(y, p))
    with pytest.raises(TypeError, match=r"masks are symbolic.Masks"):
        Chain(E(r[1]), masks="r")


def test_what_nobody_uses_is_not_assumed(mean):
    other = Definition("T", r[1], assumes=["squared-loss"])
    assert "squared-loss" not in Chain(E(S()), masks=r, definitions=[S, other]).assumes


def test_assumptions_come_from_rules_definitions_and_lemmas():
    mean = Chain(E(S()), masks=r, definitions=[S], name="mean").then(TOTAL, definition(S), linearity, mean_of_mask)
    product = (
        Chain(E(r[1] * r[2]) * E(S()), masks=r, definitions=[S])
        .then(E(r[1]) * E(r[2]) * E(S()), independence)
        .then(E(r[1]) * E(r[2]) * TOTAL, mean)
    )
    assert product.assumes == ("linear-model", "inverted-scaling", "independent-masks")
    assert product.lines[1].assumes == ("independent-masks",)
    assert idempotence.because("linear-model").assumes == ("linear-model",)


# -- inequalities -----------------------------------------------------------------------------------------------------


def test_an_inequality_and_its_reverse():
    up = Chain(E(r[1]) ** 2, masks=r).then(E(r[1] ** 2), jensen, relation="<=")
    assert up.relation == "<="
    down = Chain(E(r[1] ** 2), masks=r).then(E(r[1]) ** 2, jensen, relation=">=")
    assert down.relation == ">="
    for start, end, relation in ((E(r[1]) ** 2, E(r[1] ** 2), ">="), (E(r[1] ** 2), E(r[1]) ** 2, "<=")):
        with pytest.raises(NotDerived, match=r"Jensen"):
            Chain(start, masks=r).then(end, jensen, relation=relation)


def test_an_equation_is_no_inequality_and_an_inequality_no_equation():
    with pytest.raises(NotDerived, match=r"does not follow"):
        Chain(E(r[1] ** 2), masks=r).then(E(r[1]), idempotence, relation="<=")
    with pytest.raises(NotDerived, match=r"does not follow"):
        Chain(E(r[1]) ** 2, masks=r).then(E(r[1] ** 2), jensen)


def test_up_and_down_say_nothing():
    up = Chain(E(r[1]) ** 2, masks=r).then(E(r[1] ** 2), jensen, relation="<=")
    with pytest.raises(ValueError, match=r"has >= after <=: together they say nothing"):
        up.then(E(r[1]) ** 2, jensen, relation=">=")


def test_numbers_refuse_an_inequality_that_a_rule_let_through(monkeypatch):
    wrong = replace(jensen, rewrite=lambda expression, context: E(r[1]) ** 2 / 2)
    with pytest.raises(NotDerived, match=r"which is not <="):
        Chain(E(r[1]) ** 2, masks=r).then(E(r[1]) ** 2 / 2, wrong, relation="<=")


def test_an_inequality_as_a_lemma_goes_where_larger_is_larger(monkeypatch):
    blind(monkeypatch)
    Z = Random("Z")
    squares = Chain(E(Z) ** 2, name="squares").then(E(Z**2), jensen, relation="<=")
    assert Chain(3 + 2 * E(r[1]) ** 2, masks=r).then(3 + 2 * E(r[1] ** 2), squares, relation="<=")
    with pytest.raises(NotDerived, match=r"squares"):
        Chain(3 - E(r[1]) ** 2, masks=r).then(3 - E(r[1] ** 2), squares, relation="<=")
    with pytest.raises(NotDerived, match=r"squares"):
        Chain(3 + E(r[1]) ** 2, masks=r).then(3 + E(r[1] ** 2), squares)


def test_leaving_out_a_square():
    chain = Chain(E(r[1]) - Var(r[1]), masks=r).then(E(r[1]), nonnegative, relation="<=")
    assert chain.relation == "<="
    with pytest.raises(NotDerived):
        Chain(E(r[1]) + Var(r[1]), masks=r).then(E(r[1]), nonnegative, relation="<=")


# -- approximations ---------------------------------------------------------------------------------------------------


def test_an_approximation_says_how_large_its_remainder_is():
    chain = Chain(sp.exp(t)).then(1 + t, expansion(t, 2), relation="~", remainder=Remainder(t, 2, "the square of t"))
    assert chain.relation == "~"
    with pytest.raises(NotDerived, match=r"not of order 3"):
        Chain(sp.exp(t)).then(1 + t, expansion(t, 2), relation="~", remainder=Remainder(t, 3, "its cube"))
    with pytest.raises(NotDerived, match=r"expansion"):
        Chain(sp.exp(t)).then(1 + 2 * t, expansion(t, 2), relation="~", remainder=Remainder(t, 2, "its square"))
    with pytest.raises(NotDerived, match=r"does not follow"):
        Chain(sp.exp(t)).then(1 + t, expansion(t, 2))


def test_an_approximation_of_the_wrong_order_is_noticed_by_numbers():
    wrong = replace(expansion(t, 2), rewrite=lambda expression, context: 1 + 2 * t)
    with pytest.raises(NotDerived, match=r"halving t"):
        Chain(sp.exp(t)).then(1 + 2 * t, wrong, relation="~", remainder=Remainder(t, 2, "the square of t"))


def test_the_formula_of_taylor_under_a_mean_and_its_order():
    f = Unknown("f", lambda u: u**4, lambda u: 1 / (1 + u**2), properties=("smooth",))
    z = Definition("z", 1 + t * Sum(w[i] * r[i], (i, 1, n)))
    d = Definition("d", z() - E(z()))
    middle = E(z())
    start = Chain(E(f(middle + d())), masks=r, definitions=[z, d], unknowns=[f])
    second = E(f(middle) + f.slope(middle) * d() + f.slope(middle, 2) * d() ** 2 / 2)
    chain = start.then(second, taylor(f, middle, 3), relation="~", remainder=Remainder(t, 3, "the cube of t"))
    assert attacked(chain).survivors == []
    with pytest.raises(NotDerived, match="not of order 4"):
        start.then(second, taylor(f, middle, 3), relation="~", remainder=Remainder(t, 4, "its fourth power"))
    with pytest.raises(NotDerived, match="Taylor's formula to order 2"):
        start.then(second, taylor(f, middle, 2), relation="~", remainder=Remainder(t, 3, "the cube of t"))
    with pytest.raises(ValueError, match="f is not said to be smooth"):
        taylor(Unknown("f", abs), middle, 3)
    with pytest.raises(ValueError, match="order of 1 or more, got 0"):
        f.slope(middle, 0)


def test_a_remainder_between_a_fraction_and_a_number_with_digits():
    f = Unknown("f", lambda u: u**3, properties=("smooth",))
    chain = Chain(f(1 + t), unknowns=[f])
    remainder = Remainder(t, 2, "the square of t")
    assert chain.then(f(1) + t * f.slope(1), taylor(f, sp.Integer(1), 2), relation="~", remainder=remainder).lines


# -- signs ------------------------------------------------------------------------------------------------------------


def test_a_hyperbolic_cosine_is_at_least_one():
    u = sp.Symbol("u", nonnegative=True)
    chain = Chain(w[1] - u * (sp.cosh(t) - 1)).then(w[1], nonnegative, relation="<=")
    assert chain.relation == "<="
    with pytest.raises(NotDerived, match="does not follow"):
        Chain(w[1] - u * (sp.cosh(t) - 2)).then(w[1], nonnegative, relation="<=")
    with pytest.raises(NotDerived, match="does not follow"):
        Chain(w[1] - u * (1 - sp.cosh(t))).then(w[1], nonnegative, relation="<=")


def test_a_letter_that_is_not_negative_gets_no_negative_number():
    letters = [sp.Symbol(f"u{number}", nonnegative=True) for number in range(12)]
    assert all(min(Chain(letter).numbers(size)) >= 0 for letter in letters for size in (1, 2))


# -- letters ----------------------------------------------------------------------------------------------------------


def test_a_letter_in_a_definition_keeps_the_index_that_its_own_sum_has():
    k = sp.Symbol("k", integer=True, positive=True)
    total = Definition("T({{0}})", Sum(w[i] * w[k], (i, 1, n)), (k,))
    other = Definition("U({{0}})", w[i] * total(k), (i,))
    chain = Chain(Sum(other(i), (i, 1, n)), definitions=[total, other])
    assert chain.then(Sum(w[i] * total(k), (i, 1, n)), definition(other)).lines


# -- lemmas -----------------------------------------------------------------------------------------------------------


def test_a_lemma_about_any_variable():
    chain = Chain(E((y - S()) ** 2), masks=r, definitions=[S]).then(
        E(y - S()) ** 2 + Var(y - S()), lemmas.mean_of_square()
    )
    assert chain.lines[1].rule == "mean of a square"


def test_a_lemma_under_a_sum_keeps_its_index(monkeypatch):
    blind(monkeypatch)
    Z = Random("Z")
    n_times = Chain(Sum(E(Z), (i, 1, n)), name="n times").then(n * E(Z), algebra)
    with pytest.raises(NotDerived, match=r"n times"):
        Chain(Sum(E(r[i]), (i, 1, n)), masks=r).then(n * E(r[i]), n_times)


def test_a_lemma_about_a_positive_variable(monkeypatch):
    blind(monkeypatch)
    Z = Random("Z", positive=True)
    roots = given(E(sp.log(Z)), 2 * E(sp.log(sp.sqrt(Z))), "of roots")
    q = sp.Symbol("q", positive=True)
    assert Chain(E(sp.log(q + sp.exp(r[1]))), masks=r).then(2 * E(sp.log(sp.sqrt(q + sp.exp(r[1])))), roots)
    with pytest.raises(NotDerived, match=r"of roots"):
        Chain(E(sp.log(y - r[1] + 20)), masks=r).then(2 * E(sp.log(sp.sqrt(y - r[1] + 20))), roots)


def test_a_lemma_of_other_masks(monkeypatch):
    blind(monkeypatch)
    fair = Masks(n, sp.Rational(1, 2))
    half = Chain(E(fair[1]), masks=fair, name="half").then(sp.Rational(1, 2), mean_of_mask)
    with pytest.raises(ValueError, match=r"half was derived for the masks"):
        Chain(E(r[1]), masks=r).then(sp.Rational(1, 2), half)


def test_a_lemma_about_indices_that_differ(monkeypatch):
    blind(monkeypatch)
    two = Chain(E(r[i] * r[j]), masks=r, distinct=[(i, j)], name="two masks").then(E(r[i]) * E(r[j]), independence)
    assert Chain(E(r[i] * r[j]) ** 2, masks=r, distinct=[(i, j)]).then(E(r[i]) ** 2 * E(r[j]) ** 2, two)
    with pytest.raises(NotDerived, match=r"two masks"):
        Chain(E(r[i] * r[j]), masks=r).then(E(r[i]) * E(r[j]), two)
    double = Sum(E(r[i] * r[j]), (i, 1, n), (j, 1, n))
    with pytest.raises(NotDerived, match=r"two masks"):
        Chain(double, masks=r, distinct=[(i, j)]).then(Sum(E(r[i]) * E(r[j]), (i, 1, n), (j, 1, n)), two)


def test_a_lemma_about_another_function(monkeypatch):
    blind(monkeypatch)
    convex, any_one = Unknown("f", lambda z: z**2, properties=("convex",)), Unknown("f", lambda z: z)
    lemma = Chain(convex(E(r[1])), masks=r, unknowns=[convex], name="f").then(E(convex(r[1])), jensen, relation="<=")
    with pytest.raises(ValueError, match=r"derived for a function f that is"):
        Chain(any_one(E(r[1])), masks=r, unknowns=[any_one]).then(E(any_one(r[1])), lemma, relation="<=")


def test_a_chain_without_lines_is_no_lemma():
    with pytest.raises(ValueError, match=r"has no line yet"):
        Chain(E(r[1]), masks=r).as_rule()


def test_indices_that_differ_get_numbers_that_differ():
    chain = Chain(E(r[i] * r[j]), masks=r, distinct=[(i, j)]).then(E(r[i]) * E(r[j]), independence)
    assert min(chain.valuation.sizes) == 2
    for size in (2, 3, 4):
        draws = chain.valuation.draws(size)
        assert draws.symbol(i, "index") != draws.symbol(j, "index")


def test_every_rule_of_the_page_is_exported():
    from dropout_lab.symbolic import rules

    exported = {one.name for one in vars(rules).values() if isinstance(one, Rule)}
    assert exported == set(RULES)


def test_a_mean_in_a_sum_depends_on_an_index_in_its_inner_range():
    j = sp.Symbol("j", integer=True, positive=True)
    kept = sp.Product(r[j], (j, 1, sp.Min(i, n)))
    chain = Chain(sp.Sum(Mean(kept), (i, 1, n)), masks=r)
    chain = chain.then(sp.Sum(sp.Product(Mean(r[j]), (j, 1, sp.Min(i, n))), (i, 1, n)), independence)
    assert chain.numbers(2)[0] == chain.numbers(2)[1]
