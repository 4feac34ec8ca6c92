"""The value of a line at given numbers, from the definitions alone: by going through all masks, and by no rule.

An expression is compiled once to nested Python functions. In exact arithmetic they compute with fractions; where a line
holds a logarithm, an integral or a root, with 50 digits; for the attack on a chain, where only a difference counts, with
floating point numbers. Nothing here knows of the rules of :mod:`dropout_lab.symbolic.rules`: a slip there shows here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import sympy as sp

from dropout_lab.symbolic.intervals import between
from dropout_lab.symbolic.kinks import quadrature
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import (
    Cov,
    Mean,
    Named,
    ProductOverMasks,
    Random,
    SlopeAt,
    SumOverMasks,
    Unknown,
    Var,
    Weight,
)

#: Decimal digits of everything that has no exact value.
DIGITS = 50
#: Random variables of which nothing is known take a value at each of so many outcomes.
_OUTCOMES = 3

Compiled = Callable[["Point"], Any]


class NotExact(ArithmeticError):
    """A line has no value in exact fractions."""


class Arithmetic:
    """Numbers of one kind: how constants become such numbers, and the functions that exist for them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def number(self, value: sp.Expr | Fraction) -> Any:
        """A constant as a number of this kind."""
        if isinstance(value, Fraction):
            rational = value
        elif value in (sp.oo, -sp.oo):
            return mpmath.inf if value > 0 else -mpmath.inf
        elif value.is_Rational:
            rational = Fraction(int(value.p), int(value.q))
        elif self.name == "exact":
            raise NotExact(f"{value} is no fraction")
        elif self.name == "float":
            constant = complex(value)
            return constant.real if constant.imag == 0 else constant
        else:
            constant = mpmath.mpmathify(sp.N(value, DIGITS + 10))
            return constant
        if self.name == "exact":
            return rational
        if self.name == "float":
            return rational.numerator / rational.denominator
        return mpmath.mpf(rational.numerator) / rational.denominator

    def function(self, name: str) -> Callable[..., Any]:
        """An elementary function."""
        if name in _PIECEWISE:
            return _PIECEWISE[name]
        if self.name == "exact":
            raise NotExact(f"{name} has no exact values")
        found = getattr(mpmath, name, None)
        if found is None:
            raise NotImplementedError(f"there is no way to compute {name}")
        if self.name == "float" and hasattr(math, name):
            plain = getattr(math, name)

            def quick(*arguments: Any) -> Any:
                if any(isinstance(argument, complex) for argument in arguments):
                    return complex(found(*arguments))
                try:
                    return plain(*arguments)
                except (ValueError, OverflowError):
                    return _as_python(found(*arguments))

            return quick
        if self.name == "float":
            return lambda *arguments: _as_python(found(*arguments))
        return found

    def power(self, base: Any, exponent: Any) -> Any:
        """A power; exact for integer exponents only."""
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            exponent = exponent.numerator
        if isinstance(exponent, int):
            return base**exponent
        if self.name == "exact":
            raise NotExact("a root or a power of fractions is no fraction")
        if self.name == "float":
            if (isinstance(base, float) and base < 0) or isinstance(base, complex) or isinstance(exponent, complex):
                return complex(base) ** exponent
            return base**exponent
        return mpmath.power(base, exponent)


def _as_python(value: Any) -> Any:
    return complex(value) if isinstance(value, mpmath.mpc) else float(value)


_PIECEWISE: dict[str, Callable[..., Any]] = {
    "Abs": abs,
    "Max": max,
    "Min": min,
    "sign": lambda value: (value > 0) - (value < 0),
    "Heaviside": lambda value, *at_zero: 1 if value > 0 else (Fraction(1, 2) if value == 0 else 0),
    "re": lambda value: value.real if isinstance(value, (complex, mpmath.mpc)) else value,
    "im": lambda value: value.imag if isinstance(value, (complex, mpmath.mpc)) else 0,
}
EXACT, FLOAT, PRECISE = (Arithmetic(name) for name in ("exact", "float", "precise"))


class Draws:
    """Random fractions for every symbol and indexed value, the same one each time it is asked for, whoever asks first."""

    def __init__(
        self,
        seed: int,
        size: int,
        families: tuple[Masks, ...] = (),
        within: Mapping[sp.Basic, tuple[Any, Any]] | None = None,
        given: Mapping[sp.Basic, Any] | None = None,
        tied: Mapping[sp.Basic, Callable[[Draws], Any]] | None = None,
        distinct: tuple[tuple[sp.Expr, sp.Expr], ...] = (),
    ) -> None:
        self.seed = seed
        self.size = size
        self.extents = {extent for family in families for extent in family.size if extent.is_Symbol}
        self.distinct = distinct
        self.within = dict(within or {})
        self.given = dict(given or {})
        self._tied = {str(getattr(letter, "label", letter)): make for letter, make in (tied or {}).items()}
        self._made: dict[str, Any] = {}
        self.probabilities = set().union(*(_letters(family) for family in families)) if families else set()

    def _random(self, key: object) -> random.Random:
        return random.Random(f"{self.seed}/{self.size}/{key}")

    def _tied_to(self, letter: str) -> Any:
        """What an assumption makes of a letter: its value, or its values by index; None if it is free."""
        if letter in self._tied and letter not in self._made:
            self._made[letter] = self._tied[letter](self)
        return self._made.get(letter)

    def symbol(self, symbol: sp.Symbol, role: str) -> Fraction:
        """A value for a symbol; ``role`` is "size", "index" or "number"."""
        if (value := self._tied_to(symbol.name)) is not None:
            return Fraction(value)
        if symbol in self.given:
            return Fraction(self.given[symbol])
        source = self._random(symbol.name)
        if symbol in self.within:
            low, high = (sp.Rational(end) for end in self.within[symbol])
            value = between(symbol, low, high, sp.Rational(source.randint(1, 12), 13))
            return Fraction(int(value.p), int(value.q))
        if role == "size" or (role == "number" and symbol.is_integer):
            # The end of a sum in one line is a factor in the next: it has one value in both. The number of masks is what
            # it is said to be, if there is but one; other numbers may be larger by one, so that a wrong one shows.
            alone = symbol in self.extents and len(self.extents) == 1
            return Fraction(self.size if alone or source.random() < 0.6 else self.size + 1)
        if role == "index":
            return Fraction(self._index(symbol))
        if symbol.name in self.probabilities:
            return Fraction(source.randint(1, 10), 11)
        return self._number(source, positive=bool(symbol.is_positive))

    def _index(self, symbol: sp.Symbol) -> int:
        """An index in the range of every sum, another one than those that it is said to differ from."""
        others = [one for pair in self.distinct if symbol in pair for one in pair if one != symbol]
        # The one with the smaller name is drawn first.
        taken = {
            int(one) if one.is_Integer else self._index(one)  # type: ignore[arg-type]
            for one in others
            if one.is_Integer or (one.is_Symbol and one.name < symbol.name)  # type: ignore[attr-defined]
        }
        free = [place for place in range(1, self.size + 1) if place not in taken]
        if not free:
            raise ValueError(
                f"there are no {self.size} different values for {symbol} and {', '.join(map(str, others))}"
            )
        # Where there is room, neighbors in the alphabet differ: a wrong index shows.
        return free[sum(map(ord, symbol.name)) % len(free)]

    def entry(self, base: str, indices: tuple[int, ...], positive: bool = False) -> Fraction:
        """A value for an indexed value."""
        if (values := self._tied_to(base)) is not None:
            if indices not in values:
                raise ValueError(f"{base} has no value at {indices}")
            return Fraction(values[indices])
        source = self._random((base, indices))
        if base in self.probabilities:
            return Fraction(source.randint(1, 10), 11)
        return self._number(source, positive)

    def outcome(self, letter: str, outcome: int) -> Fraction:
        """The value of an unknown random variable at one outcome."""
        return self._number(self._random((letter, outcome)), positive=False)

    def chance(self) -> list[Fraction]:
        """The probabilities of the outcomes of all unknown random variables."""
        source = self._random("chance")
        weights = [Fraction(source.randint(1, 5)) for _ in range(_OUTCOMES)]
        return [weight / sum(weights) for weight in weights]

    @staticmethod
    def _number(source: random.Random, positive: bool) -> Fraction:
        value = Fraction(source.randint(1, 9), source.choice((1, 2, 3, 4, 5)))
        return value if positive or source.random() < 0.6 else -value


def _letters(family: Masks) -> set[str]:
    sample = family.keep_prob(*[sp.Dummy(integer=True) for _ in family.size])
    symbols = {symbol.name for symbol in sample.free_symbols if isinstance(symbol, sp.Symbol)}
    return symbols - {symbol.name for symbol in sample.atoms(sp.Dummy)}


class Point:
    """Where an expression is evaluated: the draws, the indices in force, and the outcome in force."""

    def __init__(self, draws: Draws, arithmetic: Arithmetic) -> None:
        self.draws = draws
        self.arithmetic = arithmetic
        self.symbols: dict[sp.Symbol, Any] = {}
        self.entries: dict[tuple[str, tuple[int, ...]], Any] = {}
        self.masks: dict[tuple[str, tuple[int, ...]], int] = {}
        self.outcome = 0
        self.weight: Any = None
        self.moved = 0
        self.means: dict[Any, Any] = {}


class Evaluator:
    """Compiles expressions for one law of the masks."""

    def __init__(self, families: tuple[Masks, ...], unknowns: Iterable[Unknown] = (), instance: int = 0) -> None:
        self.families = families
        self.bases = {str(family.base.label): family for family in families}
        self.unknowns = {str(one.function): one.instances[instance % len(one.instances)] for one in unknowns}

    def value(self, expression: sp.Expr, draws: Draws, arithmetic: Arithmetic) -> Any:
        """The value of an expression at the draws, in one kind of arithmetic."""
        expression = sp.sympify(expression)
        sizes, indices = self._roles(expression)
        with mpmath.workdps(DIGITS):
            return _Compiler(self, arithmetic, sizes, indices).compile(expression)(Point(draws, arithmetic))

    def _roles(self, expression: sp.Basic) -> tuple[frozenset[sp.Symbol], set[sp.Symbol]]:
        """The symbols that are numbers of things (ends of sums, numbers of masks), and those that are indices."""
        sizes: set[sp.Basic] = set()
        indices: set[sp.Basic] = set()
        for part in _everywhere(expression):
            if isinstance(part, (sp.Sum, sp.Product)):
                bound = {limit[0] for limit in part.limits}
                indices |= bound
                sizes |= set().union(*(limit[2].free_symbols | limit[1].free_symbols for limit in part.limits)) - bound
            elif isinstance(part, sp.Indexed):
                indices |= set().union(*(index.free_symbols for index in part.indices))
            elif isinstance(part, sp.KroneckerDelta):
                indices |= part.free_symbols
        for family in self.families:
            sizes |= set().union(*(extent.free_symbols for extent in family.size))
        found = frozenset(symbol for symbol in sizes if isinstance(symbol, sp.Symbol))
        return found, {symbol for symbol in indices if isinstance(symbol, sp.Symbol)} - found


def _everywhere(expression: sp.Basic) -> Iterable[sp.Basic]:
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


class _Compiler:
    def __init__(
        self, evaluator: Evaluator, arithmetic: Arithmetic, sizes: frozenset[sp.Symbol], indices: set[sp.Symbol]
    ) -> None:
        self.evaluator = evaluator
        self.arithmetic = arithmetic
        self.sizes = sizes
        self.indices = indices
        self._known: dict[sp.Basic, Compiled] = {}

    def compile(self, expression: sp.Basic) -> Compiled:
        if expression not in self._known:
            self._known[expression] = self._compiled(expression)
        return self._known[expression]

    def _compiled(self, expression: sp.Basic) -> Compiled:
        if isinstance(expression, Weight):
            return lambda at: at.weight
        if isinstance(expression, Random):
            return self._random(expression)
        if isinstance(expression, sp.Symbol):
            return self._symbol(expression)
        if (expression.is_number and not expression.args) or expression.is_Rational:
            constant = self.arithmetic.number(expression)
            return lambda at: constant
        for kind, method in _METHODS.items():
            if isinstance(expression, kind):
                return getattr(self, method)(expression)
        if isinstance(expression, (sp.Function, sp.Max, sp.Min)):
            return self._function(expression)
        raise NotImplementedError(f"there is no way to compute {type(expression).__name__}: {expression}")

    def _symbol(self, symbol: sp.Symbol) -> Compiled:
        role = "size" if symbol in self.sizes else "index" if symbol in self.indices else "number"

        def value(at: Point) -> Any:
            if symbol not in at.symbols:
                at.symbols[symbol] = self.arithmetic.number(at.draws.symbol(symbol, role))
            return at.symbols[symbol]

        return value

    def _indexed(self, part: sp.Indexed) -> Compiled:
        base = str(part.base.label)
        places = [self.compile(index) for index in part.indices]
        family = self.evaluator.bases.get(base)
        positive = bool(getattr(part.base.label, "is_positive", False))
        number = self.arithmetic.number

        def entry(at: Point) -> Any:
            where = (base, tuple(int(place(at)) for place in places))
            if where in at.entries:
                return at.entries[where]
            if family is not None:
                if where not in at.masks:
                    raise ValueError(f"the mask {part} has no value outside a mean, at index {where[1]}")
                return number(Fraction(at.masks[where]))
            at.entries[where] = number(at.draws.entry(base, where[1], positive))
            return at.entries[where]

        return entry

    def _random(self, variable: Random) -> Compiled:
        letter, number = variable.name, self.arithmetic.number

        def value(at: Point) -> Any:
            return number(at.draws.outcome(letter, at.outcome))

        return value

    def _add(self, expression: sp.Add) -> Compiled:
        parts = [self.compile(argument) for argument in expression.args]

        def total(at: Point) -> Any:
            value = parts[0](at)
            for part in parts[1:]:
                value = value + part(at)
            return value

        return total

    def _mul(self, expression: sp.Mul) -> Compiled:
        parts = [self.compile(argument) for argument in expression.args]

        def value(at: Point) -> Any:
            result = parts[0](at)
            for part in parts[1:]:
                result = result * part(at)
            return result

        return value

    def _pow(self, expression: sp.Pow) -> Compiled:
        base, power = self.compile(expression.base), self.arithmetic.power
        if expression.exp.is_Integer:
            exponent = int(expression.exp)
            return lambda at: base(at) ** exponent
        inner = self.compile(expression.exp)
        return lambda at: power(base(at), inner(at))

    def _sum(self, expression: sp.Sum) -> Compiled:
        return self._folded(expression, lambda one, other: one + other, Fraction(0))

    def _product(self, expression: sp.Product) -> Compiled:
        return self._folded(expression, lambda one, other: one * other, Fraction(1))

    def _folded(self, expression: Any, fold: Callable[[Any, Any], Any], start: Fraction) -> Compiled:
        (index, lower, upper), rest = expression.limits[-1], expression.limits[:-1]
        function = expression.func(expression.function, *rest) if rest else expression.function
        inner = self.compile(function)
        low, high = self.compile(lower), self.compile(upper)
        first, number = self.arithmetic.number(start), self.arithmetic.number

        def value(at: Point) -> Any:
            saved, total = at.symbols.get(index), first
            end = high(at)
            if end == mpmath.inf:
                return self._infinite(inner, index, low(at), at)
            for step in range(int(low(at)), int(end) + 1):
                at.symbols[index] = number(Fraction(step))
                total = fold(total, inner(at))
            if saved is None:
                at.symbols.pop(index, None)
            else:
                at.symbols[index] = saved
            return total

        return value

    def _infinite(self, inner: Compiled, index: sp.Symbol, low: Any, at: Point) -> Any:
        if self.arithmetic.name == "exact":
            raise NotExact("an infinite sum has no exact value here")

        def term(step: Any) -> Any:
            at.symbols[index] = step
            return inner(at)

        return mpmath.nsum(term, [int(low), mpmath.inf])

    def _delta(self, expression: sp.KroneckerDelta) -> Compiled:
        one, other = (self.compile(index) for index in expression.args[:2])
        yes, no = self.arithmetic.number(Fraction(1)), self.arithmetic.number(Fraction(0))
        return lambda at: yes if one(at) == other(at) else no

    # -- operators ----------------------------------------------------------------------------------------------------

    def _outcomes(self, expression: sp.Basic) -> Callable[[Point], Any]:
        """A generator of all outcomes of what is random in an expression, each with its probability."""
        parts = list(_everywhere(expression))
        used = {str(part.base.label) for part in parts if isinstance(part, sp.Indexed)}
        families = [family for label, family in self.evaluator.bases.items() if label in used]
        if any(isinstance(part, Weight) for part in parts) or isinstance(expression, (SumOverMasks, ProductOverMasks)):
            families = list(self.evaluator.families)
        unknown = any(isinstance(part, Random) for part in parts)
        compiled = []
        for family in families:
            indices = [sp.Dummy(f"i{place}", integer=True) for place in range(len(family.size))]
            self.indices |= set(indices)
            extents = [self.compile(extent) for extent in family.size]
            compiled.append((str(family.base.label), indices, extents, self.compile(family.keep_prob(*indices))))
        number = self.arithmetic.number
        one = number(Fraction(1))

        def outcomes(at: Point) -> Any:
            masks: list[tuple[tuple[str, tuple[int, ...]], Any]] = []
            for label, indices, extents, keep in compiled:
                for place in product(*(range(1, int(extent(at)) + 1) for extent in extents)):
                    for index, value in zip(indices, place, strict=True):
                        at.symbols[index] = number(Fraction(value))
                    chance = keep(at)
                    # While a difference quotient moves p, it may step a little too far.
                    if not at.moved and not (
                        isinstance(chance, (int, Fraction, float, mpmath.mpf)) and 0 <= chance <= 1
                    ):
                        raise ValueError(f"the mask {label}{list(place)} needs a probability, got {chance}")
                    masks.append(((label, place), chance))
            if len(masks) > 12:
                raise ValueError(f"{len(masks)} masks have 2^{len(masks)} outcomes, too many to go through; at most 12")
            chances = at.draws.chance() if unknown else [Fraction(1)]
            for outcome, chance in enumerate(chances):
                for bits in product((0, 1), repeat=len(masks)):
                    weight = one if len(chances) == 1 else number(chance)
                    for bit, (_, keep) in zip(bits, masks, strict=True):
                        weight = weight * (keep if bit else one - keep)
                    yield weight, outcome, {where: bit for bit, (where, _) in zip(bits, masks, strict=True)}

        return outcomes

    def _averaged(self, expression: sp.Expr, fold: str) -> Compiled:
        """``expression`` over all outcomes: its mean, or its sum or product over masks."""
        outcomes, inner = self._outcomes(expression), self.compile(expression)
        own = sorted({part for part in _everywhere(expression) if isinstance(part, sp.Symbol)}, key=sp.default_sort_key)
        zero, one = self.arithmetic.number(Fraction(0)), self.arithmetic.number(Fraction(1))

        def value(at: Point) -> Any:
            key = None
            if not at.moved:
                key = (expression, fold, tuple(at.symbols.get(symbol) for symbol in own if symbol in self.indices))
                if key in at.means:
                    return at.means[key]
            saved = at.masks, at.outcome, at.weight
            total = one if fold == "product" else zero
            for weight, outcome, masks in list(outcomes(at)):
                if fold == "mean" and weight == 0:
                    continue
                at.masks, at.outcome, at.weight = masks, outcome, weight
                found = inner(at)
                if fold == "product":
                    total = total * found
                else:
                    total = total + (weight * found if fold == "mean" else found)
            at.masks, at.outcome, at.weight = saved
            if key is not None:
                at.means[key] = total
            return total

        return value

    def _mean(self, expression: Mean) -> Compiled:
        return self._averaged(expression.args[0], "mean")

    def _over_masks(self, expression: SumOverMasks) -> Compiled:
        return self._averaged(expression.args[0], "sum")

    def _product_over_masks(self, expression: ProductOverMasks) -> Compiled:
        return self._averaged(expression.args[0], "product")

    def _cov(self, expression: Cov | Var) -> Compiled:
        one, other = expression.args if isinstance(expression, Cov) else expression.args * 2
        return self.compile(Mean(one * other) - Mean(one) * Mean(other))

    def _named(self, expression: Named) -> Compiled:
        return self.compile(expression.meaning)

    # -- calculus -----------------------------------------------------------------------------------------------------

    def _derivative(self, expression: sp.Derivative) -> Compiled:
        inner = self.compile(expression.expr)
        if self.arithmetic.name == "exact":
            raise NotExact("derivatives are taken by differences of 50 digits")
        variables = [(variable, int(count)) for variable, count in expression.variable_count]
        orders = tuple(count for _, count in variables)
        places = [self._place(variable) for variable, _ in variables]

        def value(at: Point) -> Any:
            where = [place(at) for place in places]
            start = [self.compile(variable)(at) for variable, _ in variables]
            return self._differences(inner, where, start, orders, at)

        return value

    def _slope(self, expression: SlopeAt) -> Compiled:
        if self.arithmetic.name == "exact":
            raise NotExact("derivatives are taken by differences of 50 digits")
        function, inner = self.evaluator.unknowns[str(expression.args[0])], self.compile(expression.args[1])
        if self.arithmetic.name == "float":
            step = 1e-5
            return lambda at: (function(inner(at) + step) - function(inner(at) - step)) / (2 * step)
        return lambda at: mpmath.diff(function, mpmath.mpmathify(inner(at)))

    def _place(self, variable: sp.Expr) -> Callable[[Point], Any]:
        if isinstance(variable, sp.Indexed):
            base, indices = str(variable.base.label), [self.compile(index) for index in variable.indices]
            return lambda at: (base, tuple(int(index(at)) for index in indices))
        return lambda at: variable

    def _differences(
        self, inner: Compiled, where: list[Any], start: list[Any], orders: tuple[int, ...], at: Point
    ) -> Any:
        def moved(*values: Any) -> Any:
            saved = dict(at.symbols), dict(at.entries)
            at.moved += 1
            try:
                for place, value in zip(where, values, strict=True):
                    (at.entries if isinstance(place, tuple) else at.symbols)[place] = value
                return inner(at)
            finally:
                at.moved -= 1
                at.symbols, at.entries = saved

        if self.arithmetic.name == "float" and sum(orders) == 1:
            step = 1e-5
            return (moved(start[0] + step) - moved(start[0] - step)) / (2 * step)
        with mpmath.workdps(DIGITS):
            return mpmath.diff(moved, tuple(map(mpmath.mpmathify, start)), orders)

    def _integral(self, expression: sp.Integral) -> Compiled:
        (variable, low, high), rest = expression.limits[-1], expression.limits[:-1]
        inner = self.compile(sp.Integral(expression.function, *rest) if rest else expression.function)
        if self.arithmetic.name == "exact":
            raise NotExact("an integral is taken by quadrature")
        ends = [self.compile(low), self.compile(high)]

        def value(at: Point) -> Any:
            lower, upper = (mpmath.mpmathify(end(at)) for end in ends)

            def integrand(x: Any) -> Any:
                saved = at.symbols.get(variable)
                at.symbols[variable] = x
                at.moved += 1
                try:
                    return inner(at)
                finally:
                    at.moved -= 1
                    if saved is None:
                        at.symbols.pop(variable, None)
                    else:
                        at.symbols[variable] = saved

            return quadrature(integrand, lower, upper, precise=self.arithmetic.name == "precise")

        return value

    def _limit(self, expression: sp.Limit) -> Compiled:
        function, variable, point, side = expression.args
        inner, target = self.compile(function), self.compile(point)
        if self.arithmetic.name == "exact":
            raise NotExact("a limit is taken by extrapolation")
        direction = -1 if str(side) == "-" else 1

        def value(at: Point) -> Any:
            def near(x: Any) -> Any:
                at.symbols[variable] = x
                at.moved += 1
                try:
                    return inner(at)
                finally:
                    at.moved -= 1
                    at.symbols.pop(variable, None)

            return mpmath.limit(near, target(at), direction=direction)

        return value

    def _subs(self, expression: sp.Subs) -> Compiled:
        inner = self.compile(expression.expr)
        points = [
            (variable, self.compile(point))
            for variable, point in zip(expression.variables, expression.point, strict=True)
        ]

        def value(at: Point) -> Any:
            saved = dict(at.symbols)
            values = {variable: point(at) for variable, point in points}
            at.moved += 1
            try:
                at.symbols.update(values)
                return inner(at)
            finally:
                at.moved -= 1
                at.symbols = saved

        return value

    def _piecewise(self, expression: sp.Piecewise) -> Compiled:
        pieces = [(self.compile(value), self._condition(condition)) for value, condition in expression.args]

        def value(at: Point) -> Any:
            return next(piece(at) for piece, holds in pieces if holds(at))

        return value

    def _condition(self, condition: sp.Basic) -> Callable[[Point], bool]:
        if condition in (sp.true, sp.false):
            return lambda at: bool(condition)
        compare = _COMPARISONS[type(condition)]
        one, other = (self.compile(side) for side in condition.args)
        return lambda at: compare(one(at), other(at))

    def _function(self, expression: sp.Function) -> Compiled:
        name = type(expression).__name__
        arguments = [self.compile(argument) for argument in expression.args]
        if name in self.evaluator.unknowns:
            instance = self.evaluator.unknowns[name]
            return lambda at: instance(*(argument(at) for argument in arguments))
        function = self.arithmetic.function(_MPMATH_NAMES.get(name, name))
        return lambda at: function(*(argument(at) for argument in arguments))


_METHODS: dict[type, str] = {
    sp.Add: "_add",
    sp.Mul: "_mul",
    sp.Pow: "_pow",
    sp.Sum: "_sum",
    sp.Product: "_product",
    sp.Indexed: "_indexed",
    sp.KroneckerDelta: "_delta",
    Mean: "_mean",
    Var: "_cov",
    Cov: "_cov",
    SumOverMasks: "_over_masks",
    ProductOverMasks: "_product_over_masks",
    Named: "_named",
    sp.Derivative: "_derivative",
    SlopeAt: "_slope",
    sp.Integral: "_integral",
    sp.Limit: "_limit",
    sp.Subs: "_subs",
    sp.Piecewise: "_piecewise",
}
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    sp.StrictLessThan: lambda one, other: one < other,
    sp.LessThan: lambda one, other: one <= other,
    sp.StrictGreaterThan: lambda one, other: one > other,
    sp.GreaterThan: lambda one, other: one >= other,
    sp.Eq: lambda one, other: one == other,
    sp.Ne: lambda one, other: one != other,
}
_MPMATH_NAMES = {"Abs": "Abs", "loggamma": "loggamma", "conjugate": "conj"}


def pretty(value: Any) -> str:
    """A value for the page: a fraction as it is, anything else with eight digits."""
    if isinstance(value, (int, Fraction)):
        return str(value)
    return mpmath.nstr(mpmath.mpmathify(value), 8)


def closeness(one: Any, other: Any) -> float:
    """The difference of two values relative to the larger one (to 1 for small ones)."""
    with mpmath.workdps(DIGITS):
        first, second = _widened(one), _widened(other)
        return float(abs(first - second) / max(1, abs(first), abs(second)))


def difference(one: Any, other: Any) -> Any:
    """``one`` − ``other``, exact for two fractions."""
    if isinstance(one, (int, Fraction)) and isinstance(other, (int, Fraction)):
        return one - other
    with mpmath.workdps(DIGITS):
        return _widened(one) - _widened(other)


def _widened(value: Any) -> Any:
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / value.denominator
    return mpmath.mpmathify(value)
