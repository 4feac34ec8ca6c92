"""The operators of a derivation, unevaluated: mean, variance, covariance, sums and products over all masks.

SymPy's own expressions say everything else. An operator here is inert: it never simplifies by itself, so that a line
of a chain stays as its author wrote it until a rule changes it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


def mentions(expression: sp.Basic, variable: sp.Expr) -> bool:
    """Tell whether a letter occurs in an expression.

    An indexed value w[k] occurs where any w[i] does, as i may be k.

    >>> w, i, k, n = sp.IndexedBase("w"), *sp.symbols("i k n")
    >>> mentions(sp.Sum(w[i], (i, 1, n)), w[k]), mentions(sp.Sum(w[i], (i, 1, n)), k)
    (True, False)
    """
    letter = variable.base.label if isinstance(variable, sp.Indexed) else variable
    return letter in expression.free_symbols


def derivative_left_alone(expression: sp.Expr, symbol: sp.Expr) -> sp.Expr:
    """The derivative of an inert expression by a letter: unevaluated, or 0 where the letter does not occur in it."""
    return sp.Derivative(expression, symbol, evaluate=False) if mentions(expression, symbol) else sp.Integer(0)


class Operator(sp.Expr):
    """The base of all inert operators on random expressions."""

    is_commutative = True

    @property
    def free_symbols(self) -> set[sp.Basic]:
        return set().union(*(argument.free_symbols for argument in self.args))

    def _eval_derivative(self, symbol: sp.Expr) -> sp.Expr:
        return derivative_left_alone(self, symbol)


class Mean(Operator):
    """The mean of an expression over everything random in it, E[X].

    >>> from sympy import IndexedBase, Symbol
    >>> r, i = IndexedBase("r"), Symbol("i", integer=True)
    >>> Mean(r[i]) + Mean(r[i])
    2*E(r[i])
    """

    def __new__(cls, expression: Any) -> Mean:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}\left[{printer._print(self.args[0])}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"E({printer._print(self.args[0])})"


class Var(Operator):
    """The variance of an expression over everything random in it, Var(X).

    >>> from sympy import IndexedBase
    >>> r = IndexedBase("r")
    >>> 2 * Var(r[1])
    2*Var(r[1])
    """

    def __new__(cls, expression: Any) -> Var:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Var}}\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"Var({printer._print(self.args[0])})"


class Cov(Operator):
    """The covariance of two expressions over everything random in them, Cov(X, Y).

    >>> from sympy import IndexedBase
    >>> r = IndexedBase("r")
    >>> Cov(r[1], r[2])
    Cov(r[1], r[2])
    """

    def __new__(cls, one: Any, other: Any) -> Cov:
        return sp.Expr.__new__(cls, sp.sympify(one), sp.sympify(other))

    def _latex(self, printer: Any) -> str:
        one, other = (printer._print(argument) for argument in self.args)
        return rf"\operatorname{{Cov}}\left({one},\ {other}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"Cov({', '.join(printer._print(argument) for argument in self.args)})"


def _bracketed(inside: sp.Expr, printer: Any) -> str:
    shown = printer._print(inside)
    return rf"\left({shown}\right)" if isinstance(inside, sp.Add) else str(shown)


class SumOverMasks(Operator):
    r"""The sum of an expression over all masks, each once: :math:`\sum_r f(r)`.

    :class:`Weight` stands for the probability of a mask in it.

    >>> from sympy import IndexedBase
    >>> SumOverMasks(Weight() * IndexedBase("r")[1])
    Sum_r(pi_r*r[1])
    """

    def __new__(cls, expression: Any) -> SumOverMasks:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\sum_{{r}} {_bracketed(self.args[0], printer)}"

    def _sympystr(self, printer: Any) -> str:
        return f"Sum_r({printer._print(self.args[0])})"


class ProductOverMasks(Operator):
    r"""The product of an expression over all masks: :math:`\prod_r f(r)`.

    >>> from sympy import IndexedBase
    >>> ProductOverMasks(IndexedBase("r")[1] + 1)
    Prod_r(r[1] + 1)
    """

    def __new__(cls, expression: Any) -> ProductOverMasks:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\prod_{{r}} {_bracketed(self.args[0], printer)}"

    def _sympystr(self, printer: Any) -> str:
        return f"Prod_r({printer._print(self.args[0])})"


class Weight(sp.Symbol):
    r"""The probability of the mask r in sums and products over all masks, :math:`\pi_r`.

    >>> Weight() + Weight()
    2*pi_r
    """

    def __new__(cls) -> Weight:
        return sp.Symbol.__xnew__(cls, "pi_r", positive=True)

    def __getnewargs_ex__(self) -> tuple[tuple, dict]:
        return (), {}

    def _latex(self, printer: Any) -> str:
        return r"\pi_r"


class ImaginaryPart(sp.Expr):
    """The imaginary part of an expression, Im(w), left as it stands.

    SymPy's own takes products and exponentials apart at once.

    >>> ImaginaryPart(sp.exp(sp.I * sp.Symbol("x", real=True)))
    Im(exp(I*x))
    """

    is_commutative = True
    is_real = True

    def __new__(cls, expression: Any) -> ImaginaryPart:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Im}}\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"Im({printer._print(self.args[0])})"
