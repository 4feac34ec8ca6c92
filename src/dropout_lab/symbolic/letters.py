"""The letters of a derivation: names for expressions, unknown functions, and arbitrary random variables.

A letter is as inert as an operator: it stays in the lines of a chain until a rule puts in its place what it stands for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp

from dropout_lab.symbolic.binding import put
from dropout_lab.symbolic.operators import derivative_left_alone

#: Letters of the parameters of a definition: no reader writes such a symbol, and no other definition has it.
_PARAMETER = "⟨{} of {}⟩"


class Random(sp.Symbol):
    """A random variable of which only one thing is known: it has finitely many values.

    It serves lemmas about any variable. Two of them may depend on each other in any way. ``assumptions`` are SymPy's;
    the variable is real unless they say otherwise.

    >>> Random("Z").is_real
    True
    """

    def __new__(cls, letter: str, **assumptions: bool) -> Random:
        return sp.Symbol.__xnew__(cls, letter, **{"real": True, **assumptions})


class SlopeAt(sp.Expr):
    """A derivative of an unknown function at an expression, f′(u), made by :meth:`Unknown.slope`.

    f″ has the order 2.
    """

    is_commutative = True

    def __new__(cls, function: Any, argument: Any, order: Any = 1) -> SlopeAt:
        return sp.Expr.__new__(cls, sp.Symbol(str(function)), sp.sympify(argument), sp.Integer(order))

    def _latex(self, printer: Any) -> str:
        return rf"{printer._print(self.args[0])}{self._primes}\left({printer._print(self.args[1])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"{printer._print(self.args[0])}{self._primes}({printer._print(self.args[1])})"

    @property
    def _primes(self) -> str:
        return "'" * int(self.args[2])


class Named(sp.Expr):
    """A letter that stands for an expression, taken at arguments. A call of a :class:`Definition` makes it."""

    is_commutative = True

    def __new__(cls, label: sp.Basic, meaning: sp.Lambda, *arguments: Any) -> Named:
        return sp.Expr.__new__(cls, label, meaning, *map(sp.sympify, arguments))

    @property
    def label(self) -> str:
        """The letter, with places for its arguments."""
        return str(self.args[0])

    @property
    def meaning(self) -> sp.Expr:
        """The expression that the letter stands for, at its arguments.

        A sum in it gets another index where an argument has that letter.
        """
        return _meaning(self)

    @property
    def free_symbols(self) -> set[sp.Basic]:
        return set().union(*(argument.free_symbols for argument in self.args[1:]))

    def _eval_derivative(self, symbol: sp.Expr) -> sp.Expr:
        return derivative_left_alone(self, symbol)

    def _printed(self, printer: Any) -> str:
        arguments = [printer._print(argument) for argument in self.args[2:]]
        if "{{" in self.label:
            return re.sub(r"\{\{(\d)\}\}", lambda place: arguments[int(place[1])], self.label)
        return f"{self.label}({', '.join(arguments)})" if arguments else self.label

    def _latex(self, printer: Any) -> str:
        return self._printed(printer)

    def _sympystr(self, printer: Any) -> str:
        return plain(self._printed(printer))


_ACCENTS = {"tilde": "\N{COMBINING TILDE}", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}", "bar": "\N{COMBINING MACRON}"}
_GREEK = (  # noqa: SIM905
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
).split()


def plain(latex: str) -> str:
    r"""A letter of LaTeX as plain text.

    >>> print(plain(r"\tilde{h}_i"), plain(r"\tilde{\eta}'"))
    h̃_i η̃'
    """
    text = latex.replace(r"\ell", "ℓ").replace(r"\Lambda", "Λ").replace(r"\var", "\\")
    for name in _GREEK:
        text = text.replace(rf"\{name}", unicodedata.lookup("GREEK SMALL LETTER " + name.replace("lambda", "lamda")))
    accent = re.compile(r"\\(tilde|hat|bar)(?:\{(\w)\}|\s*(\w))")
    text = accent.sub(lambda found: (found[2] or found[3]) + _ACCENTS[found[1]], text)
    return text.replace("\\", "")


@lru_cache(maxsize=1 << 12)
def _meaning(letter: Named) -> sp.Expr:
    law = letter.args[1]
    return put(law.expr, dict(zip(law.signature, letter.args[2:], strict=True)))


class Definition:
    """A letter for an expression, with the assumptions that the expression makes, such as a linear model.

    Parameters
    ----------
    label:
        The letter in LaTeX; ``{{0}}`` in it is the place of the first argument, as in ``S_{{{0}}}``.
    expression:
        What the letter stands for.
    parameters:
        The symbols in it that the letter depends on. With parameters the definition is called with arguments; without
        any, :attr:`symbol` is the letter.
    says:
        What it is, in words.
    assumes:
        The ids of the assumptions, in the claims file, that whoever starts from this definition makes.

    Raises TypeError for a string in the place of a sequence of ids, and for a call with another number of arguments.

    >>> from sympy import IndexedBase, Sum, symbols
    >>> n, i = symbols("n i", integer=True, positive=True)
    >>> w, x = IndexedBase("w"), IndexedBase("x")
    >>> S = Definition("S", Sum(w[i] * x[i], (i, 1, n)), assumes=["linear-model"])
    >>> S.symbol.meaning
    Sum(w[i]*x[i], (i, 1, n))
    """

    def __init__(
        self,
        label: str,
        expression: Any,
        parameters: tuple[sp.Symbol, ...] = (),
        *,
        says: str = "",
        assumes: tuple[str, ...] | list[str] = (),
    ) -> None:
        if isinstance(assumes, str):
            raise TypeError(f"assumes is a sequence of assumption ids, got the string {assumes!r}")
        own = {one: sp.Symbol(_PARAMETER.format(one.name, label), **one.assumptions0) for one in parameters}
        self.label = sp.Symbol(label)
        self.says = says
        self.assumes = tuple(assumes)
        # An index of that name in a sum, or in the meaning of a letter, is another one.
        self._meaning = sp.Lambda(tuple(own.values()), put(sp.sympify(expression), own))

    @property
    def letter(self) -> str:
        r"""The letter by itself, without its arguments, in plain text.

        >>> print(Definition(r"\mathrm{KL}(G \Vert P_{{0}})", sp.Integer(1), (sp.Symbol("s"),)).letter)
        KL(G ‖ P)
        """
        upright = re.sub(r"\\math\w+\{(\w+)\}", r"\1", self.latex).replace(r"\Vert", "‖").replace(r"\|", "‖")
        return re.sub(r"(?<=_)\{(\w+)\}", r"\1", plain(upright))

    @property
    def latex(self) -> str:
        """The letter by itself, without its arguments, in LaTeX.

        >>> Definition("S_{{{0}}}", sp.Integer(1), (sp.Symbol("n"),)).latex
        'S'
        """
        without = re.sub(r"\{\{\d\}\}", "", str(self.label))
        return re.sub(r"_(\{[, ]*\})?(?=$|\))|\([, ]*\)$", "", without)

    @property
    def symbol(self) -> Named:
        """The letter of a definition without parameters."""
        return self()

    def __call__(self, *arguments: Any) -> Named:
        expected = len(self._meaning.signature)
        if len(arguments) != expected:
            raise TypeError(f"{self.label} takes {expected} arguments, got {len(arguments)}")
        return Named(self.label, self._meaning, *arguments)

    def names(self, expression: sp.Basic) -> bool:
        """Tell whether an expression is this definition's letter, at any arguments."""
        return isinstance(expression, Named) and expression.args[:2] == (self.label, self._meaning)

    def __repr__(self) -> str:
        return f"Definition({self.label})"


class Unknown:
    """A function of which only certain properties are known: an activation, a loss, what a network computes.

    Parameters
    ----------
    label:
        The letter of the function.
    instances:
        Functions with these properties, exact on fractions. The numbers of a line are checked with each of them.
    properties:
        Words that rules ask for: ``convex``, ``homogeneous`` (of degree one, for positive factors), ``odd``,
        ``nonnegative``, ``differentiable``, and ``smooth`` (differentiable as often as one likes).
    assumes:
        The ids of the assumptions that the use of the function brings in.

    Raises ValueError without an instance.

    >>> f = Unknown("f", lambda u: u**2, properties=("convex", "smooth"))
    >>> f(sp.Symbol("z")), f.slope(sp.Symbol("z"))
    (f(z), f'(z))
    """

    def __init__(
        self,
        label: str,
        *instances: Callable[[Any], Any],
        properties: tuple[str, ...] = (),
        assumes: tuple[str, ...] = (),
    ) -> None:
        if not instances:
            raise ValueError(f"the function {label} needs at least one instance, or nothing checks its numbers")
        self.function = sp.Function(label, real=True)
        self.instances = instances
        self.properties = frozenset(properties)
        self.assumes = tuple(assumes)

    def __call__(self, *arguments: Any) -> sp.Expr:
        return self.function(*map(sp.sympify, arguments))

    def slope(self, argument: Any, order: int = 1) -> SlopeAt:
        """Return the derivative of the function at ``argument``; ``order`` 2 is the second derivative, and so on."""
        if order < 1:
            raise ValueError(f"a derivative has an order of 1 or more, got {order}")
        return SlopeAt(self.function, argument, order)

    def __repr__(self) -> str:
        return f"Unknown({self.function})"
