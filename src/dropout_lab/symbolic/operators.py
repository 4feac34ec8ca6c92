"""The operators of a derivation, unevaluated: mean, variance, covariance, sums over all masks, and names for
expressions.

SymPy's own expressions say everything else. An operator here is inert: it never simplifies by itself, so that a line
of a chain stays as its author wrote it until a rule changes it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import sympy as sp

from dropout_lab.symbolic.binding import put

#: Letters of the parameters of a definition: no reader writes such a symbol, and no other definition has it.
_PARAMETER = "⟨{} of {}⟩"


def mentions(expression: sp.Basic, variable: sp.Expr) -> bool:
    """Whether a letter occurs in an expression; of an indexed value w[k], any w[i], as i may be k.

    >>> w, i, k, n = sp.IndexedBase("w"), *sp.symbols("i k n")
    >>> mentions(sp.Sum(w[i], (i, 1, n)), w[k]), mentions(sp.Sum(w[i], (i, 1, n)), k)
    (True, False)
    """
    letter = variable.base.label if isinstance(variable, sp.Indexed) else variable
    return letter in expression.free_symbols


def _left_alone(expression: sp.Expr, symbol: sp.Expr) -> sp.Expr:
    return sp.Derivative(expression, symbol, evaluate=False) if mentions(expression, symbol) else sp.Integer(0)


class Operator(sp.Expr):
    """An inert operator on random expressions."""

    is_commutative = True

    @property
    def free_symbols(self) -> set[sp.Basic]:
        return set().union(*(argument.free_symbols for argument in self.args))

    def _eval_derivative(self, symbol: sp.Expr) -> sp.Expr:
        return _left_alone(self, symbol)


class Mean(Operator):
    """E[X]: the mean of an expression over everything random in it.

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
    """Var(X): the variance of an expression over everything random in it."""

    def __new__(cls, expression: Any) -> Var:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Var}}\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"Var({printer._print(self.args[0])})"


class Cov(Operator):
    """Cov(X, Y): the covariance of two expressions over everything random in them."""

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
    """Σ_r f(r): the sum of an expression over all masks r, each once; :class:`Weight` is the probability of a mask."""

    def __new__(cls, expression: Any) -> SumOverMasks:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\sum_{{r}} {_bracketed(self.args[0], printer)}"

    def _sympystr(self, printer: Any) -> str:
        return f"Sum_r({printer._print(self.args[0])})"


class ProductOverMasks(Operator):
    """Π_r f(r): the product of an expression over all masks r."""

    def __new__(cls, expression: Any) -> ProductOverMasks:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\prod_{{r}} {_bracketed(self.args[0], printer)}"

    def _sympystr(self, printer: Any) -> str:
        return f"Prod_r({printer._print(self.args[0])})"


class Weight(sp.Symbol):
    """π_r: the probability of the mask r, in sums and products over all masks."""

    def __new__(cls) -> Weight:
        return sp.Symbol.__xnew__(cls, "pi_r", positive=True)

    def __getnewargs_ex__(self) -> tuple[tuple, dict]:
        return (), {}

    def _latex(self, printer: Any) -> str:
        return r"\pi_r"


class Random(sp.Symbol):
    """A random variable of which nothing is known but that it has finitely many values: for lemmas about any variable.

    Two of them may depend on each other in any way.
    """

    def __new__(cls, letter: str, **assumptions: bool) -> Random:
        return sp.Symbol.__xnew__(cls, letter, **{"real": True, **assumptions})


class SlopeAt(sp.Expr):
    """f′(u): a derivative of an unknown function at an expression, by :meth:`Unknown.slope`; f″ has the order 2."""

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


class ImaginaryPart(sp.Expr):
    """Im w, left as it stands: SymPy's own takes products and exponentials apart at once."""

    is_commutative = True
    is_real = True

    def __new__(cls, expression: Any) -> ImaginaryPart:
        return sp.Expr.__new__(cls, sp.sympify(expression))

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Im}}\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"Im({printer._print(self.args[0])})"


class Named(sp.Expr):
    """A letter that stands for an expression, taken at arguments: made by calling a :class:`Definition`."""

    is_commutative = True

    def __new__(cls, label: sp.Basic, meaning: sp.Lambda, *arguments: Any) -> Named:
        return sp.Expr.__new__(cls, label, meaning, *map(sp.sympify, arguments))

    @property
    def label(self) -> str:
        """The letter, with places for its arguments."""
        return str(self.args[0])

    @property
    def meaning(self) -> sp.Expr:
        """What it stands for; sums in it whose index an argument has get another one."""
        return _meaning(self)

    @property
    def free_symbols(self) -> set[sp.Basic]:
        return set().union(*(argument.free_symbols for argument in self.args[1:]))

    def _eval_derivative(self, symbol: sp.Expr) -> sp.Expr:
        return _left_alone(self, symbol)

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


def everywhere(expression: sp.Basic) -> Iterable[sp.Basic]:
    """All parts of an expression, those of what its letters mean included."""
    stack, seen = [expression], set()
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, Named):
            if part in seen:
                continue
            seen.add(part)
            stack.append(part.meaning)
        stack.extend(argument for argument in part.args if isinstance(argument, sp.Basic))


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
    """A letter for an expression, and the assumptions that the expression makes: a linear model, a squared loss.

    Without parameters ``definition.symbol`` stands for the expression in the lines of a chain; with parameters the
    definition is called. ``label`` is LaTeX; ``{{0}}`` in it is the place of the first argument, as in ``S_{{{0}}}``.
    ``assumes`` names the assumptions of the claims file that whoever starts from this definition makes.

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
        """The letter by itself, without its arguments, in plain text.

        >>> print(Definition(r"\\mathrm{KL}(G \\Vert P_{{0}})", sp.Integer(1), (sp.Symbol("s"),)).letter)
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
        """Whether an expression is this definition's letter, at any arguments."""
        return isinstance(expression, Named) and expression.args[:2] == (self.label, self._meaning)

    def __repr__(self) -> str:
        return f"Definition({self.label})"


class Unknown:
    """A function of which only the properties named are known: an activation, a loss, what a network computes.

    ``instances`` are functions of as many numbers as it is called with, with these properties, exact on fractions:
    numbers are checked with each.
    ``properties`` are words that rules ask for: ``convex``, ``homogeneous`` (of degree one, for positive factors),
    ``odd``, ``nonnegative``, ``differentiable``, ``smooth`` (as often as one
    likes). ``assumes`` are assumption ids that its use brings in.
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
        """The derivative of the function, taken at ``argument``; with ``order`` 2 the second, and so on."""
        if order < 1:
            raise ValueError(f"a derivative has an order of 1 or more, got {order}")
        return SlopeAt(self.function, argument, order)

    def __repr__(self) -> str:
        return f"Unknown({self.function})"


def walk(expression: sp.Basic, change: Callable[[sp.Basic], sp.Basic]) -> sp.Basic:
    """Rebuild an expression from its leaves up, with ``change`` applied to each part; what a letter means is left
    alone."""
    if isinstance(expression, (sp.Lambda, sp.Indexed, sp.Tuple)) or not expression.args:
        return change(expression) if isinstance(expression, sp.Expr) else expression
    if isinstance(expression, Named):
        arguments = [walk(argument, change) for argument in expression.args[2:]]
        return change(Named(*expression.args[:2], *arguments))
    arguments = [walk(argument, change) for argument in expression.args]
    if any(new is not old for new, old in zip(arguments, expression.args, strict=True)):
        expression = rebuilt(expression, arguments)
    return change(expression)


def rebuilt(expression: sp.Basic, arguments: list[sp.Basic]) -> sp.Basic:
    """The same operation on other arguments, left unevaluated where SymPy would evaluate it."""
    if isinstance(expression, sp.Derivative):
        # SymPy makes 0 of the derivative of a mean by a letter that stands in the law of the masks alone.
        if arguments[0].has(Operator) and not all(mentions(arguments[0], one) for one, _ in arguments[1:]):
            return expression
        return sp.Derivative(*arguments, evaluate=False)
    if isinstance(expression, sp.Eq):
        return sp.Eq(*arguments, evaluate=False)
    return expression.func(*arguments)
