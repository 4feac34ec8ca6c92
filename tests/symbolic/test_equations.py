"""Chains of equations, the rule that solves them, the chain rule, a uniform number below p, and >."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Chain, Definition, Masks, Mean, NotDerived, Unknown, attacked, rules
from dropout_lab.symbolic.arithmetic import EXACT
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.equations import equivalent, value_of
from dropout_lab.symbolic.rules.base import Context, Rule
from dropout_lab.symbolic.values import Evaluator

n, i, k = sp.symbols("n i k", integer=True, positive=True)
p, q = sp.symbols("p q", positive=True)
v, a, b, u = sp.symbols("v a b u", real=True)
w = sp.IndexedBase("w")
r = Masks(n, p)


def by(variable, expression):
    return sp.Derivative(expression, variable, evaluate=False)


def scaled():
    """E[a r_i] = q for the factor a, up to the line that is linear in it."""
    start = Chain(sp.Eq(Mean(v * r[i]), q), masks=r, solve_for=v, name="factor")
    return start.then(sp.Eq(v * Mean(r[i]), q), rules.linearity, relation="<=>").then(
        sp.Eq(v * p, q), rules.mean_of_mask, relation="<=>"
    )


def test_an_equation_is_solved_and_its_value_is_its_solution():
    chain = scaled().then(sp.Eq(v, q / p), rules.linear_equation(v), relation="<=>")
    assert chain.relation == "<=>"
    assert len(set(chain.numbers(3))) == 1
    assert "v = q/p" in str(chain)


def test_a_wrong_solution_is_refused_by_the_rule_and_by_the_numbers():
    with pytest.raises(NotDerived, match=r"line 4 does not follow by 'zero of a linear expression'.*q/p"):
        scaled().then(sp.Eq(v, p / q), rules.linear_equation(v), relation="<=>")
    broken = Rule("broken", "", lambda one, context: sp.Eq(v, p / q), relation="<=>", both=False)
    with pytest.raises(NotDerived, match="at n = 1 the line before is"):
        scaled().then(sp.Eq(v, p / q), broken, relation="<=>")


def test_a_slope_that_may_vanish_is_not_divided_by():
    line = sp.Eq(a * v, q)
    with pytest.raises(ValueError, match="factor a, of which nothing says that it is not 0"):
        rules.linear_equation(v).rewrite(line, Context())
    solved = Chain(line, solve_for=v).then(
        sp.Eq(v, q / a), rules.linear_equation(v, nonzero={a: "active-unit"}), relation="<=>"
    )
    assert solved.assumes == ("active-unit",)


def test_a_slope_that_is_stated_has_to_be_the_slope():
    line = sp.Eq(2 * n * p * v + 2 * n * (1 - p) * v, 1)
    assert rules.linear_equation(v, slope=2 * n).rewrite(line, Context()).lhs == v
    with pytest.raises(ValueError, match="the slope in v is 2"):
        rules.linear_equation(v, slope=n).rewrite(line, Context())


@pytest.mark.parametrize("side", [v**2, sp.exp(v), Mean(v * r[i])])
def test_what_is_not_seen_to_be_linear_is_left_alone(side):
    equation = sp.Eq(side, q, evaluate=False)
    assert rules.linear_equation(v).rewrite(equation, Context((r,))) == equation


def test_equations_have_their_own_relation_and_an_unknown():
    with pytest.raises(ValueError, match="an equation is solved for a symbol"):
        Chain(sp.Eq(v, q))
    with pytest.raises(ValueError, match="an equation is solved for a symbol"):
        Chain(v + q, solve_for=v)
    with pytest.raises(ValueError, match="between two equations"):
        scaled().then(sp.Eq(v, q / p), rules.linear_equation(v))
    with pytest.raises(ValueError, match="between two equations"):
        Chain(v + v * q).then(v * (1 + q), rules.algebra, relation="<=>")
    for equation, reason in ((sp.Eq(v**2, 4), "is not linear in v"), (sp.Eq(0 * v + q, 4), "does not depend on v")):
        with pytest.raises(ValueError, match=reason):
            Chain(equation, solve_for=v)


def test_the_value_of_an_equation_is_exact():
    draws = Draws(1, 2, given={q: sp.Rational(3, 7), p: sp.Rational(2, 5)})
    assert value_of(Evaluator(()), sp.Eq(p * v, q), draws, EXACT, v) == sp.Rational(15, 14)
    assert draws.given == {q: sp.Rational(3, 7), p: sp.Rational(2, 5)}


def test_an_equation_times_a_constant_is_no_slip():
    assert equivalent(sp.Eq(p * v, q), sp.Eq(2 * p * v - 2 * q, 0), v)
    assert not equivalent(sp.Eq(p * v, q), sp.Eq(p * v, 2 * q), v)
    assert not equivalent(sp.Eq(p * v, q), sp.Eq(p * v**2, q * v), v)
    assert not equivalent(p * v, 2 * p * v, v)


def test_every_slip_on_an_equation_is_refused_by_both():
    attack = attacked(scaled().then(sp.Eq(v, q / p), rules.linear_equation(v), relation="<=>"))
    assert attack.tried > 20
    assert attack.by_rule == attack.by_numbers == attack.refused == attack.tried
    assert not attack.survivors
    assert not attack.overlaps


# -- chain rule -------------------------------------------------------------------------------------------------------

loss = Unknown("ell", lambda x: x**2, lambda x: x**3 - 2 * x, properties=("differentiable",))
inner = Unknown("f", lambda x: x**3, lambda x: x**2 + x, properties=("differentiable",))


def test_the_chain_rule_goes_through_functions_of_functions_and_leaves_constants():
    start = Chain(by(v, loss(a * inner(b * v))), unknowns=[loss, inner])
    slopes = loss.slope(a * inner(b * v)) * a * inner.slope(b * v)
    assert start.then(slopes * by(v, b * v), rules.chain_rule).then(slopes * b, rules.derivative).relation == "="
    with pytest.raises(NotDerived, match="does not follow by 'chain rule'"):
        start.then(slopes * by(v, b * v) / a, rules.chain_rule)


def test_the_chain_rule_needs_a_derivative_and_a_single_factor():
    kinked = Unknown("c", lambda x: abs(x))
    context = Context(unknowns=(loss, inner, kinked))
    for left_alone in (by(v, kinked(v**2)), by(v, loss(v) * inner(v)), by(v, v * loss(v))):
        assert rules.chain_rule.rewrite(left_alone, context) == left_alone


def test_the_numbers_know_the_slope():
    wrong = Rule("wrong", "", lambda one, context: loss.slope(v) if one.has(sp.Derivative) else one)
    with pytest.raises(NotDerived, match="which is not ="):
        Chain(by(v, loss(2 * v)), unknowns=[loss]).then(loss.slope(v), wrong)


# -- a uniform number below p -----------------------------------------------------------------------------------------


def test_a_uniform_number_below_p_is_an_integral_up_to_p():
    chain = Chain(sp.Integral(sp.Piecewise((a / p, u < p), (0, True)), (u, 0, 1)), within={p: (0, 1)})
    chain = chain.then(sp.Integral(a / p, (u, 0, p)), rules.below(p)).then(a, rules.integral)
    assert chain.end == a


@pytest.mark.parametrize(
    "integral",
    [
        sp.Integral(sp.Piecewise((a, u < q), (0, True)), (u, 0, 1)),
        sp.Integral(sp.Piecewise((a, u < p), (1, True)), (u, 0, 1)),
        sp.Integral(sp.Piecewise((a, u < p), (0, True)), (u, 0, 2)),
        sp.Integral(sp.Piecewise((a, u > p), (0, True)), (u, 0, 1)),
    ],
)
def test_other_integrals_are_left_alone(integral):
    assert rules.below(p).rewrite(integral, Context()) == integral


# -- > ----------------------------------------------------------------------------------------------------------------


def test_a_product_is_positive_where_each_factor_is():
    given = {1 - p: "positive-drop-probability", w[i] ** 2: "active-unit"}
    chain = Chain(p * (1 - p) * w[i] ** 2, within={p: (0, 1)}).then(0, rules.positive(given), relation=">")
    assert chain.relation == ">"
    assert chain.assumes == ("positive-drop-probability", "active-unit")
    with pytest.raises(NotDerived, match="does not follow"):
        Chain(p * (1 - p), within={p: (0, 1)}).then(0, rules.positive({}), relation=">")


def test_what_is_said_to_be_positive_is_looked_at():
    with pytest.raises(NotDerived, match="which is not >"):
        Chain(p - q, within={p: (1, 2), q: (3, 4)}).then(0, rules.positive({p - q: "active-unit"}), relation=">")


def test_letters_and_means_commute():
    S, T = Definition("S", v + 1), Definition("T", v + 2)
    assert S() * T() == T() * S()
    assert Mean(r[1]) * S() == S() * Mean(r[1])
    assert loss.slope(v) * inner.slope(v) == inner.slope(v) * loss.slope(v)
