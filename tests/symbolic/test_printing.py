"""Formulas in print: brackets where they are needed, and no others."""

import sympy as sp

from dropout_lab.symbolic import Definition, Mean
from dropout_lab.symbolic.printing import printed

n, i = sp.symbols("n i", integer=True, positive=True)
a, y = sp.IndexedBase("a"), sp.Symbol("y", positive=True)
S = Definition("S", sp.Sum(a[i], (i, 1, n)))


def test_a_quotient_of_something_large_is_no_product():
    total = sp.Sum(sp.exp(a[i]), (i, 1, n))
    assert printed(1 / total) == r"\frac{1}{\sum_{i=1}^{n} e^{a_{i}}}"
    assert printed(Mean(a[1]) / total) == r"\frac{1}{\sum_{i=1}^{n} e^{a_{i}}} \mathbb{E}\left[a_{1}\right]"


def test_what_a_letter_stands_for_asks_for_no_brackets():
    assert printed(y * S()) == "y S"
    assert printed(S() / y) == r"\frac{S}{y}"
    assert printed(sp.exp(S()) / (1 + sp.exp(S()))) == r"\frac{e^{S}}{e^{S} + 1}"


def test_a_factor_behind_a_logarithm_stands_outside():
    assert printed(a[1] * sp.log(y)) == r"\left(\log y\right) a_{1}"
    assert printed(-sp.log(y)) == r"- \log y"


def test_a_letter_with_a_prime_has_no_second_superscript():
    u = Definition("u'_{{{0}}}", a[i], (i,))
    assert printed(u(i) ** 2) == "{u'_{i}}^{2}"
    assert printed(1 / u(i) ** 2) == r"\frac{1}{{u'_{i}}^{2}}"
    assert printed(S() ** 2) == "S^{2}"


def test_a_derivative_stands_last_or_in_brackets_so_that_it_takes_no_other_factor_in():
    inner, slope = sp.Derivative(y * a[1], y, evaluate=False), sp.Function("f")(y)
    assert printed(slope * inner) == r"f{\left(y \right)} \frac{\partial}{\partial y} y a_{1}"
    both = printed(sp.Mul(inner, sp.Derivative(y**2, y, evaluate=False), evaluate=False))
    assert both.startswith(r"\left(\frac{") and both.count(r"\right)") == 1
