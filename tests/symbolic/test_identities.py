"""Identities in symbolic parameters, and solutions of derived equations."""

import pytest
import sympy as sp

from dropout_lab import claims
from dropout_lab.claims import NotEstablished
from dropout_lab.symbolic import Masks, NotProved, expectation, identity, solution

n, copies = sp.symbols("n k", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
p, s, x = sp.symbols("p s x", positive=True)
t, mu, y = sp.symbols("t mu y", real=True)
w, c, D = sp.IndexedBase("w"), sp.IndexedBase("c"), sp.IndexedBase("D")

IDENTITIES = {
    "integral": (
        identity(sp.Integral(t * sp.exp(-(t**2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi)), (t, 0, sp.oo))),
        s / sp.sqrt(2 * sp.pi),
        s / sp.sqrt(sp.pi),
        "the definition by quadrature",
    ),
    "derivative": (
        identity(sp.Derivative(sp.log(1 + sp.exp(mu)), mu)),
        1 / (1 + sp.exp(-mu)),
        1 / (1 + sp.exp(mu)),
        "the definition by difference quotients",
    ),
    "limit": (identity(sp.Limit((sp.exp(s * t) - 1) / t, t, 0)), s, -s, "the definition by extrapolation"),
    "finite sum": (
        identity(sp.Sum(p**i * (1 - p), (i, 1, 3)), within={p: (0, 1)}),
        p - p**4,
        p - p**3,
        "the definition, exactly, at those values",
    ),
    "two outcomes": (
        identity(p * (1 - p) ** 2 + (1 - p) * p**2, within={p: (0, 1)}),
        p * (1 - p),
        p * (1 + p),
        "the definition, exactly, at those values",
    ),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_is_proved_and_a_slip_rejected_both_ways(name):
    found, closed_form, wrong, against = IDENTITIES[name]
    record = claims.prove("1", found, closed_form, says="An identity.").record
    assert (record["scope"], record["against"]) == ("symbolic parameters", against)
    assert not found.equals(wrong)
    assert not all(instance.agrees for instance in found.instances(wrong))


def test_the_instances_do_not_rest_on_the_value():
    # A wrong value, as a bug in SymPy's integration would give, equals itself, but not what quadrature gives.
    found = identity(sp.Integral(sp.exp(-s * t), (t, 0, sp.oo)))
    broken = type(found)(found.definition, 2 * found.value)
    with pytest.raises(NotEstablished, match="quadrature gives"):
        claims.prove("1", broken, 2 / s, says="Wrong.")


def test_parameters_stay_within_their_bounds():
    for instance in identity(sp.Derivative(sp.log(1 - p), p), within={p: (0, 1)}).instances(-1 / (1 - p)):
        assert 0 < sp.Rational(instance.values.removeprefix("p = ")) < 1
        assert instance.agrees


def test_a_definition_is_not_proved_by_itself():
    with pytest.raises(NotProved, match="the definition itself"):
        identity(p * (1 - p)).equals(p * (1 - p))
    with pytest.raises(NotProved, match="still has an operator"):
        identity(sp.Derivative(p**2, p)).equals(sp.Derivative(p**2, p, evaluate=False) + 0 * p + 1)


def test_what_sympy_cannot_do_is_said():
    with pytest.raises(NotProved, match="unevaluated"):
        identity(sp.Integral(sp.exp(sp.sin(sp.exp(t))), (t, 0, 1)))
    with pytest.raises(NotProved, match="case distinction"):
        identity(sp.Integral(sp.exp(-mu * t), (t, 0, sp.oo)))
    with pytest.raises(ValueError, match="bound and free"):
        identity(sp.Integral(t, (t, 0, 1)) + t)
    with pytest.raises(ValueError, match="pair of finite bounds"):
        identity(p**2 + p, within={p: (1, 0)})


def test_the_gradient_of_a_sum():
    found = identity(sp.diff((y - sp.Sum(w[i] * c[i], (i, 1, n))) ** 2 + s * sp.Sum(w[i] ** 2, (i, 1, n)), w[k]))
    closed_form = -2 * (y - sp.Sum(w[i] * c[i], (i, 1, n))) * c[k] + 2 * s * w[k]
    claims.prove("1", found, closed_form, says="The gradient of ridge regression.")
    for wrong in (closed_form - 4 * s * w[k], closed_form.subs(y, 0)):
        assert not found.equals(wrong)
        assert not all(instance.agrees for instance in found.instances(wrong))


def test_an_orthogonal_design_shrinks_every_coefficient_by_p():
    r = Masks(n, p)
    gram = sp.Sum(r[i] * r[j] * w[i] * w[j] * D[i] * sp.KroneckerDelta(i, j) / p**2, (i, 1, n), (j, 1, n))
    loss = gram - 2 * sp.Sum(r[i] / p * w[i] * c[i], (i, 1, n))
    found = solution(expectation(sp.diff(loss, w[k]), r), w[k])
    claims.prove("1", found, p * c[k] / D[k], says="Least squares, times p.")
    for wrong in (c[k] / D[k], (1 - p) * c[k] / D[k], c[k] / (D[k] + 1 - p)):
        assert not found.equals(wrong)
        assert not all(instance.agrees for instance in found.instances(wrong))


def test_duplicated_columns_share_the_weight_equally():
    r = Masks(copies, p)
    loss = (y * x - x * sp.Sum(w[i] * r[i] / p, (i, 1, copies))) ** 2
    found = solution(expectation(sp.diff(loss, w[j]), r), w)
    claims.prove("1", found, y * p / (copies * p - p + 1), says="Each copy.")
    for wrong in (y * p / (copies * p + p + 1), y / copies, y / (copies * p - p + 1)):
        assert not found.equals(wrong)
        assert not all(instance.agrees for instance in found.instances(wrong))


def test_an_equation_that_does_not_fix_the_unknown_is_refused():
    r = Masks(n, p)
    loss = (y - sp.Sum(w[i] * r[i], (i, 1, n))) ** 2
    gradient = expectation(sp.diff(loss, w[k]), r)
    with pytest.raises(NotProved, match="holds other values of w"):
        solution(gradient, w[k])
    with pytest.raises(NotProved, match="not linear"):
        solution(expectation(loss, r), w)
    with pytest.raises(NotProved, match="does not hold it at all"):
        solution(gradient, s)
    with pytest.raises(TypeError, match="a derivation"):
        solution(loss, w[k])
    with pytest.raises(TypeError, match="unknown is a symbol"):
        solution(gradient, w[k] + 1)
