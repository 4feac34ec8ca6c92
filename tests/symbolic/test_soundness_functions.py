"""False derivations about functions, integrals and inequalities, which the rule named has to refuse by itself."""

import pytest
import sympy as sp
from soundness import (
    E,
    S,
    Sum,
    a,
    accepted,
    b,
    der,
    half,
    i,
    k,
    n,
    p,
    plain,
    r,
    square,
    t,
    u,
    w,
    x,
    y,
)

from dropout_lab.symbolic import (
    Definition,
    ProductOverMasks,
    Random,
    SumOverMasks,
    Var,
    Weight,
)
from dropout_lab.symbolic.rules import (
    algebra,
    cauchy_schwarz,
    derivative,
    derivative_of_sum,
    exponential_below_one,
    integral,
    jensen,
    limit,
    linearity_of_integral,
    logarithm,
    nonnegative,
    symmetry,
    theorem,
)

Z = Random("Z")
OF_SQUARES = theorem("of squares", E(Z) ** 2, E(Z**2), key="none", statement="", relation="<=")

FALSE = {
    # logarithms
    "a logarithm of a turning exponential": (sp.log(sp.exp(sp.I * t)), sp.I * t, logarithm, {}),
    "a product with a turning exponential": (
        sp.log(u * sp.exp(sp.I * t)),
        sp.log(u) + sp.log(sp.exp(sp.I * t)),
        logarithm,
        {},
    ),
    "a logarithm of what may be negative": (sp.log(x * y), sp.log(x) + sp.log(y), logarithm, {}),
    "a square under a logarithm": (sp.log(x**2), 2 * sp.log(x), logarithm, {}),
    "a turning exponent": (sp.log(u ** (sp.I * t)), sp.I * t * sp.log(u), logarithm, {}),
    "a product over what may be negative": (
        sp.log(sp.Product(a[i], (i, 1, n))),
        Sum(sp.log(a[i]), (i, 1, n)),
        logarithm,
        {},
    ),
    "a product of masks under a logarithm": (
        sp.log(ProductOverMasks(r[1])),
        SumOverMasks(sp.log(r[1])),
        logarithm,
        {},
    ),
    "a sum that may be empty under a logarithm": (
        sp.log(u * Sum(sp.exp(a[i]), (i, 2, n))),
        sp.log(u) + sp.log(Sum(sp.exp(a[i]), (i, 2, n))),
        logarithm,
        {},
    ),
    "half of a turning exponential": (
        Sum(a[i] * sp.exp(sp.I * b[i] / 2), (i, 1, n)),
        Sum(a[i] * sp.sqrt(sp.exp(sp.I * b[i])), (i, 1, n)),
        algebra,
        {},
    ),
    # derivatives
    "through a mean over its index": (der(E(Sum(w[i] * r[i], (i, 1, n))), w[k]), 0, derivative, {}),
    "through a letter over its index": (der(E(S()), w[k]), 0, derivative, {}),
    "through a letter": (der(S() ** 2, w[k]), 0, derivative, {}),
    "through a mean": (der(E(y**2 * r[1]), y), 2 * y * E(r[1]), derivative, {}),
    "by the keep probability": (der(p * E(r[1]), p), E(r[1]), derivative, {}),
    "by the keep probability, inside": (
        der(SumOverMasks(Weight() * p * r[1]), p),
        SumOverMasks(Weight() * der(p * r[1], p)),
        derivative_of_sum,
        {},
    ),
    "by the index of the sum": (
        der(Sum(w[k] ** 2, (k, 1, n)), w[k]),
        Sum(der(w[k] ** 2, w[k]), (k, 1, n)),
        derivative_of_sum,
        {},
    ),
    "of an infinite sum": (
        der(Sum(sp.sin(k**2 * x) / k**2, (k, 1, sp.oo)), x),
        Sum(der(sp.sin(k**2 * x) / k**2, x), (k, 1, sp.oo)),
        derivative_of_sum,
        {},
    ),
    # integrals and limits
    "an integral over a mean": (sp.Integral(E(y * r[1]), (y, 0, 1)), E(y * r[1]), integral, {}),
    "an integral taken apart": (
        sp.Integral(y * r[1], (y, 0, 1)) ** 2,
        sp.Integral(y**2 * r[1], (y, 0, 1)),
        linearity_of_integral,
        {},
    ),
    "a limit of a mean": (sp.Limit(E(y * r[1]), y, 0), E(y * r[1]), limit, {}),
    # inequalities
    "Jensen's inequality for a function that is not convex": (
        plain(E(r[1])),
        E(plain(r[1])),
        jensen,
        {"relation": "<="},
    ),
    "Jensen's inequality the other way": (E(square(r[1])), square(E(r[1])), jensen, {"relation": "<="}),
    "Jensen's inequality, read as an equation": (square(E(r[1])), E(square(r[1])), jensen, {"relation": "="}),
    "Jensen's inequality in what is subtracted": (
        3 - square(E(r[1])),
        3 - E(square(r[1])),
        jensen,
        {"relation": "<="},
    ),
    "Jensen's inequality for a concave function": (-(E(r[1]) ** 2), E(-(r[1] ** 2)), jensen, {"relation": "<="}),
    "Jensen's inequality for a step": (
        sp.Piecewise((1, E(r[1]) < sp.Rational(1, 2)), (0, True)),
        E(sp.Piecewise((1, r[1] < sp.Rational(1, 2)), (0, True))),
        jensen,
        {"relation": "<="},
    ),
    "Jensen's inequality for an odd power": (E(r[1]) ** 3, E(r[1] ** 3), jensen, {"relation": "<="}),
    "Cauchy and Schwarz with imaginary numbers": (
        Sum(sp.I * b[i], (i, 1, n)) ** 2,
        Sum(-1, (i, 1, n)) * Sum(b[i] ** 2, (i, 1, n)),
        cauchy_schwarz,
        {"relation": "<="},
    ),
    "what is added, left out": (E(r[1]) ** 2 + Var(r[1]), E(r[1]) ** 2, nonnegative, {"relation": "<="}),
    "a square of an imaginary number": (y - (sp.I * t + y) ** 2, y, nonnegative, {"relation": "<="}),
    "an exponential of any sign": (sp.exp(x), 1, exponential_below_one, {"relation": "<="}),
    "a subtracted exponential": (-sp.exp(-u), -1, exponential_below_one, {"relation": "<="}),
    "an exponential of a complex number": (sp.exp(-sp.I * u), 1, exponential_below_one, {"relation": "<="}),
    "an integral that may run backwards": (
        sp.Integral(sp.exp(-(t**2)), (t, x, y)),
        sp.Integral(1, (t, x, y)),
        exponential_below_one,
        {"relation": "<="},
    ),
    "an integral that runs backwards": (
        sp.Integral(sp.exp(-(t**2)), (t, u, 0)),
        sp.Integral(1, (t, u, 0)),
        exponential_below_one,
        {"relation": "<="},
    ),
    # a theorem with ≤ where a larger part makes the whole smaller
    "an inequality in what is subtracted": (3 - E(r[1]) ** 2, 3 - E(r[1] ** 2), OF_SQUARES, {"relation": "<="}),
    "an inequality under a division": (1 / (1 + E(r[1]) ** 2), 1 / (1 + E(r[1] ** 2)), OF_SQUARES, {"relation": "<="}),
    "an inequality times what may be negative": (y * E(r[1]) ** 2, y * E(r[1] ** 2), OF_SQUARES, {"relation": "<="}),
    "an inequality inside a square": (
        (y + E(r[1]) ** 2) ** 2,
        (y + E(r[1] ** 2)) ** 2,
        OF_SQUARES,
        {"relation": "<="},
    ),
    # symmetry
    "masks that are not fair": (E(2 ** r[1]), E((2 ** r[1] + 2 ** (1 - r[1])) / 2), symmetry, {}),
    "half of the masks turned": (
        E(half[1] * half[2]),
        E((half[1] * half[2] + (1 - half[1]) * half[2]) / 2),
        symmetry,
        {"masks": half},
    ),
    "fair masks in a letter": (
        E(Definition("H", half[1])()),
        E(Definition("H", 1 - half[1])() / 2 + Definition("H", half[1])() / 2),
        symmetry,
        {"masks": half},
    ),
}


@pytest.mark.parametrize("case", FALSE)
def test_what_does_not_hold_is_refused(case):
    before, after, rules, options = FALSE[case]
    rules = rules if isinstance(rules, tuple) else (rules,)
    assert not accepted(before, after, *rules, **options)
