"""Expressions as nested Python functions, which go through all masks and know none of the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import sympy as sp

from dropout_lab.symbolic.arithmetic import Arithmetic, NotExact
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.letters import Named, Random
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Cov, Mean, ProductOverMasks, SumOverMasks, Var, Weight
from dropout_lab.symbolic.parts import everywhere

Compiled = Callable[["Point"], Any]
#: Masks of which all outcomes can be gone through.
MOST_MASKS = 12


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

    def with_arithmetic(self, arithmetic: Arithmetic) -> Point:
        """The same place, for a compiler to numbers of 50 digits."""
        other = Point(self.draws, arithmetic)
        number = mpmath.mpmathify
        other.symbols = {symbol: number(value) for symbol, value in self.symbols.items()}
        other.entries = {where: number(value) for where, value in self.entries.items()}
        other.masks, other.outcome, other.moved = self.masks, self.outcome, self.moved
        other.weight = None if self.weight is None else number(self.weight)
        return other


class Compiler:
    """Turns expressions into nested functions of a :class:`Point`, with parts that several of them have made once."""

    def __init__(
        self,
        families: tuple[Masks, ...],
        unknowns: Mapping[str, Callable[..., Any]],
        arithmetic: Arithmetic,
        sizes: frozenset[sp.Symbol],
        indices: frozenset[sp.Symbol],
    ) -> None:
        self.families = families
        self.bases = {str(family.base.label): family for family in families}
        self.unknowns = unknowns
        self.arithmetic = arithmetic
        self.sizes = sizes
        self.indices = set(indices)
        self._known: dict[sp.Basic, Compiled] = {}

    def with_arithmetic(self, arithmetic: Arithmetic) -> Compiler:
        """A compiler to the same masks, functions and indices, in another arithmetic."""
        indices = frozenset(self.indices)
        return Compiler(self.families, self.unknowns, arithmetic, self.sizes, indices)

    def compile(self, expression: sp.Basic) -> Compiled:
        """A function that gives the expression its value at a point."""
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
        for kind, compiled in _COMPILERS.items():
            if isinstance(expression, kind):
                return compiled(self, expression)
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
        family = self.bases.get(base)
        positive = bool(getattr(part.base.label, "is_nonnegative", False))
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
        positive = bool(variable.is_nonnegative)

        def value(at: Point) -> Any:
            return number(at.draws.outcome(letter, at.outcome, positive))

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
        parts = list(everywhere(expression))
        used = {str(part.base.label) for part in parts if isinstance(part, sp.Indexed)}
        families = [family for label, family in self.bases.items() if label in used]
        if any(isinstance(part, Weight) for part in parts) or isinstance(expression, (SumOverMasks, ProductOverMasks)):
            families = list(self.families)
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
            if len(masks) > MOST_MASKS:
                raise ValueError(
                    f"{len(masks)} masks have 2^{len(masks)} outcomes, too many to go through; at most {MOST_MASKS}"
                )
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
        own = sorted({part for part in everywhere(expression) if isinstance(part, sp.Symbol)}, key=sp.default_sort_key)
        zero, one = self.arithmetic.number(Fraction(0)), self.arithmetic.number(Fraction(1))

        def value(at: Point) -> Any:
            key = None
            means = at.draws.means.setdefault(self, {})
            if not at.moved:
                key = (expression, fold, tuple(map(at.symbols.get, own)))
                if key in means:
                    return means[key]
            saved = at.masks, at.outcome, at.weight
            total = one if fold == "product" else zero
            for weight, outcome, masks in list(outcomes(at)):
                if fold == "mean" and weight == 0:
                    continue
                at.masks, at.outcome, at.weight = masks, outcome, weight
                found = inner(at)
                if fold == "mean":
                    found = weight * found
                total = total * found if fold == "product" else total + found
            at.masks, at.outcome, at.weight = saved
            if key is not None:
                means[key] = total
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

    def _function(self, expression: sp.Function) -> Compiled:
        name = type(expression).__name__
        arguments = [self.compile(argument) for argument in expression.args]
        if name in self.unknowns:
            instance = self.unknowns[name]
            return lambda at: instance(*(argument(at) for argument in arguments))
        function = self.arithmetic.function(_MPMATH_NAMES.get(name, name))
        return lambda at: function(*(argument(at) for argument in arguments))


#: Functions that mpmath calls otherwise.
_MPMATH_NAMES = {"conjugate": "conj"}
#: How each kind of expression is compiled; :mod:`dropout_lab.symbolic.calculus` adds integrals and the like.
_COMPILERS: dict[type, Callable[[Compiler, Any], Compiled]] = {
    sp.Add: Compiler._add,
    sp.Mul: Compiler._mul,
    sp.Pow: Compiler._pow,
    sp.Sum: Compiler._sum,
    sp.Product: Compiler._product,
    sp.Indexed: Compiler._indexed,
    sp.KroneckerDelta: Compiler._delta,
    Mean: Compiler._mean,
    Var: Compiler._cov,
    Cov: Compiler._cov,
    SumOverMasks: Compiler._over_masks,
    ProductOverMasks: Compiler._product_over_masks,
    Named: Compiler._named,
}


def compiles(kind: type) -> Callable[[Callable[[Compiler, Any], Compiled]], Callable[[Compiler, Any], Compiled]]:
    """Have a function compile expressions of one kind."""

    def registered(function: Callable[[Compiler, Any], Compiled]) -> Callable[[Compiler, Any], Compiled]:
        _COMPILERS[kind] = function
        return function

    return registered
