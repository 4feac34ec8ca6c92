"""Identities in symbolic parameters, and solutions of equations that were derived."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import mpmath
import sympy as sp

from dropout_lab.symbolic.derivations import Derivation
from dropout_lab.symbolic.instances import SIZES, Assignment, Instance
from dropout_lab.symbolic.intervals import between, bounds
from dropout_lab.symbolic.masks import NotProved
from dropout_lab.symbolic.numerics import METHODS, numeric
from dropout_lab.symbolic.sums import canonical, equal, rebuild

#: Random draws of the parameters at which an identity is instantiated.
DRAWS = 4

#: Decimal digits of numerical methods, and the relative difference that passes for their error.
DIGITS, QUADRATURE_ERROR, LIMIT_ERROR = 30, 1e-15, 1e-8


@dataclass(frozen=True, eq=False)
class Identity:
    """A ``definition`` with integrals, derivatives, limits or sums in it, and the ``value`` that SymPy gives it."""

    definition: sp.Expr
    value: sp.Expr
    within: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]] = field(default_factory=dict)

    scope = "symbolic parameters"

    @property
    def against(self) -> str:
        """What the instances compare the closed form with."""
        methods = [name for kind, name in METHODS.items() if self.definition.has(kind)]
        return f"the definition by {' and '.join(methods)}" if methods else "the definition, exactly, at those values"

    def latex(self) -> str:
        """LaTeX of the definition."""
        return sp.latex(self.definition)

    def equals(self, closed_form: sp.Expr) -> bool:
        """Whether the value is the closed form, by SymPy's simplification of their difference to 0.

        Raises :class:`NotProved` if the closed form is the definition itself, or has an operator left in it.
        """
        closed_form = sp.sympify(closed_form)
        if closed_form == self.definition:
            raise NotProved(f"the closed form is the definition itself, {closed_form}: nothing is proved by that")
        if closed_form.has(*METHODS):
            raise NotProved(f"the closed form {closed_form} still has an operator in it to be evaluated")
        return _vanishes(self.value - closed_form)

    def instances(self, closed_form: sp.Expr, seed: int = 0, draws: int = DRAWS) -> list[Instance]:
        """The definition and the closed form at random rationals of the parameters.

        A definition of finite sums is evaluated exactly. Integrals are evaluated by quadrature, derivatives by
        differences and limits by extrapolation, with 30 digits; they have to agree with the closed form within 1e-15
        (limits: 1e-8), relative to the larger one.
        """
        generator = random.Random(seed)
        return [self._instance(sp.sympify(closed_form), generator) for _ in range(draws)]

    def _instance(self, closed_form: sp.Expr, generator: random.Random) -> Instance:
        given = {}
        for symbol, (low, high) in self.within.items():
            given[symbol] = between(symbol, low, high, sp.Rational(generator.randint(1, 11), 12))
        draw = Assignment([self.definition, closed_form], (), given, (), generator)
        definition = draw(_at_points(self.definition))
        if not self.definition.has(*METHODS):
            return Instance(draw.describe(), definition, draw(closed_form))
        tolerance = LIMIT_ERROR if self.definition.has(sp.Limit) else QUADRATURE_ERROR
        with mpmath.workdps(DIGITS):
            found = numeric(definition)
        return Instance(draw.describe(), found, sp.N(draw(closed_form), DIGITS), tolerance)


def identity(definition: sp.Expr, *, within: Mapping[sp.Symbol, tuple] | None = None) -> Identity:
    """An identity in symbolic parameters: SymPy evaluates the definition, the author's closed form has to be the same.

    Gradients of sums (:func:`~dropout_lab.symbolic.gradient`) count among them: there k lies in the range of the sum.

    Parameters
    ----------
    definition:
        An expression with unevaluated :class:`sympy.Integral`, :class:`sympy.Derivative`, :class:`sympy.Limit` or
        :class:`sympy.Sum` in it, or a sum over finitely many outcomes written out.
    within:
        For parameters that are restricted, a pair of finite bounds, such as ``{p: (0, 1)}``: the instances are drawn
        between them. What a symbol assumes (positive, integer) is respected without that.

    Raises :class:`NotProved` if SymPy leaves something unevaluated, or if the value holds under a condition only.
    """
    definition = sp.sympify(definition)
    bound = {limit[0] for part in definition.atoms(sp.Integral, sp.Sum) for limit in part.limits}
    if bound & definition.free_symbols:
        raise ValueError(f"{sorted(map(str, bound & definition.free_symbols))} are bound and free at once; rename one")
    for part in definition.atoms(sp.Derivative):
        if not all(variable.is_Symbol for variable, _ in part.variable_count):
            raise NotProved(f"{part} is a derivative by something else than a symbol")
    limits = bounds(within or {}, definition.free_symbols)
    # SymPy turns a sum over a Kronecker delta, as gradients have it, into a case distinction on the range of its index.
    deltas = definition.has(sp.KroneckerDelta)
    value = rebuild(canonical(definition)) if deltas else sp.simplify(definition.doit())
    if value.has(sp.Piecewise) and not definition.has(sp.Piecewise):
        raise NotProved(
            f"the value of {definition} is a case distinction, {value}; give its symbols the assumptions that they need"
        )
    if value.has(*METHODS):
        raise NotProved(f"SymPy leaves {value} of {definition} unevaluated")
    return Identity(definition, value, limits)


def _at_points(definition: sp.Expr) -> sp.Expr:
    """Write a derivative by x as one by a variable of its own, taken at x: so that x can get a value."""

    def taken_at(part: sp.Derivative) -> sp.Expr:
        own = {variable: sp.Dummy(variable.name) for variable, _ in part.variable_count}
        return sp.Subs(part.xreplace(own), tuple(own.values()), tuple(own))

    return definition.replace(lambda part: isinstance(part, sp.Derivative), taken_at)


def _vanishes(difference: sp.Expr) -> bool:
    ways: tuple[Callable[[sp.Expr], sp.Expr], ...] = (
        sp.simplify,
        lambda expression: sp.simplify(sp.expand_log(expression)),
        lambda expression: sp.simplify(expression.rewrite(sp.exp)),
    )
    if difference.has(sp.Sum, sp.Indexed):
        return equal(difference, sp.Integer(0))
    return any(way(difference) == 0 for way in ways)


@dataclass(frozen=True, eq=False)
class Solution:
    """The only solution of an equation that was itself derived: ``equation.value`` = 0 for ``unknown``."""

    equation: Derivation
    unknown: sp.Basic
    value: sp.Expr

    #: What the instances compare the closed form with.
    against = "the equation, enumerated with the closed form put in"

    @property
    def scope(self) -> str:
        """The scope of the equation."""
        return self.equation.scope

    def latex(self) -> str:
        """LaTeX of the unknown."""
        return sp.latex(self.unknown)

    def equals(self, closed_form: sp.Expr) -> bool:
        """Whether the closed form is the solution."""
        return equal(self.value, closed_form)

    def instances(self, closed_form: sp.Expr, seed: int = 0, sizes: Sequence[int] = SIZES) -> list[Instance]:
        """Put the closed form into the definition of the equation, average over all masks, and compare with 0."""
        statistic, insert = self.equation.statistic, _inserter(self.unknown, sp.sympify(closed_form))
        inserted = replace(
            self.equation,
            definition=insert(self.equation.definition),
            statistic=lambda E: statistic(lambda expression: E(insert(expression))),
        )
        return inserted.instances(sp.Integer(0), seed, sizes)


def solution(equation: Derivation, unknown: sp.Basic) -> Solution:
    """Solve an equation that was derived, such as the stationarity of an expected loss, E[∂L/∂w_k] = 0.

    Parameters
    ----------
    equation:
        A derivation whose value has to be 0, linear in the unknown: for example
        ``expectation(sp.diff(loss, w[k]), masks)``.
    unknown:
        A symbol; an indexed value ``w[k]`` with a free index, which the equation may hold under this index only; or an
        :class:`sympy.IndexedBase` ``w``, for a solution in which all w are equal.

    Raises :class:`NotProved` if the equation does not fix the unknown.
    """
    if not isinstance(equation, Derivation):
        raise TypeError(f"the equation is a derivation whose value has to be 0, got {type(equation).__name__}")
    if not isinstance(unknown, (sp.Symbol, sp.Indexed, sp.IndexedBase)):
        raise TypeError(f"unknown is a symbol, an indexed value or an IndexedBase, got {type(unknown).__name__}")
    letter = sp.Dummy("u")
    # Of indexed values only w[k] itself is the unknown here; another w[j] left in the equation is refused below.
    put_letter = _inserter(unknown, letter) if not isinstance(unknown, sp.Indexed) else _replacing(unknown, letter)
    left = rebuild(canonical(put_letter(equation.value)))
    slope, constant = (rebuild(canonical(part)) for part in (sp.diff(left, letter), left.subs(letter, 0)))
    if letter in slope.free_symbols or slope == 0:
        raise NotProved(f"the equation {equation.value} = 0 is not linear in {unknown}, or does not hold it at all")
    if isinstance(unknown, sp.Indexed) and any(part.base == unknown.base for part in left.atoms(sp.Indexed)):
        raise NotProved(f"the equation {equation.value} = 0 holds other values of {unknown.base} than {unknown}")
    return Solution(equation, unknown, sp.factor(sp.cancel(sp.together(-constant / slope))))


def _replacing(part: sp.Basic, value: sp.Expr) -> Callable[[sp.Expr], sp.Expr]:
    return lambda expression: expression.xreplace({part: value})


def _inserter(unknown: sp.Basic, value: sp.Expr) -> Callable[[sp.Expr], sp.Expr]:
    """A function that puts ``value`` in place of the unknown: of every w[j], with j for k, if the unknown is w[k]."""
    if isinstance(unknown, sp.Symbol):
        return _replacing(unknown, value)
    base = unknown if isinstance(unknown, sp.IndexedBase) else unknown.base

    def entry(part: sp.Indexed) -> sp.Expr:
        if isinstance(unknown, sp.IndexedBase):
            return value
        return value.xreplace(dict(zip(unknown.indices, part.indices, strict=True)))

    return lambda expression: expression.replace(lambda part: isinstance(part, sp.Indexed) and part.base == base, entry)
