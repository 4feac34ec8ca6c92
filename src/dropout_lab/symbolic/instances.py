"""Small sizes and random exact rationals for the symbols of a statement, and the comparison of two exact numbers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.sums import evaluated

#: Sizes at which a statement for general n is instantiated.
SIZES = (1, 2, 3, 4)

#: Sizes of masks with two indices: few enough to enumerate, and not square only, so that a swap of the indices shows.
PAIRS = ((1, 2), (2, 1), (2, 2), (2, 3))


@dataclass(frozen=True)
class Instance:
    """One comparison at given values: the definition's value against the closed form's.

    With ``tolerance`` 0 the two numbers are compared exactly; else they may differ by that much, relative to the
    larger.
    """

    values: str
    exact: sp.Expr
    closed_form_value: sp.Expr
    tolerance: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether both values are the same number."""
        difference = self.exact - self.closed_form_value
        if self.tolerance:
            scale = max(1, abs(sp.N(self.exact, 20)), abs(sp.N(self.closed_form_value, 20)))
            return bool(abs(sp.N(difference, 20)) <= self.tolerance * scale)
        if difference.is_Rational:
            return difference == 0
        # Roots and logarithms: a difference that can be seen is none that has to be simplified.
        if not abs(sp.N(difference, 30)) < 1e-20:
            return False
        over_one_denominator = difference.replace(sp.log, lambda argument: sp.log(sp.together(argument)))
        return sp.expand_mul(sp.expand_log(over_one_denominator)) == 0 or sp.simplify(difference) == 0


class Assignment:
    """Random rationals for every free symbol and indexed value that it meets, the same one each time it meets it again.

    ``extents`` gives the sizes of the masks. Other ranges in the ``statement`` (expressions) get a small size; an
    index that is free is drawn from the range over which its place is summed elsewhere, and pairs of ``distinct``
    indices differ.
    """

    def __init__(
        self,
        statement: Iterable[sp.Expr],
        families: tuple[Masks, ...],
        extents: Mapping[sp.Symbol, sp.Integer],
        distinct: Iterable[tuple[sp.Symbol, sp.Symbol]],
        generator: random.Random,
    ):
        self._values: dict[sp.Expr, sp.Expr] = dict(extents)
        self._families, self._distinct, self._generator = families, tuple(distinct), generator
        self._probabilities = set().union(*[_probability_symbols(family) for family in families])
        self._places: dict[tuple[sp.Expr, int], sp.Expr] = {}
        self._indices: dict[sp.Symbol, set[tuple[sp.Expr, int]]] = {}
        statement = [sp.sympify(part) for part in statement]
        for part in statement:
            self._study(part)
        for family in families:
            self._places.update({(family.base, place): extent for place, extent in enumerate(family.size)})

    def __call__(self, expression: sp.Expr, keep: tuple[Masks, ...] = ()) -> sp.Expr:
        """The expression with numbers for everything but the masks of the families in ``keep``, and no sums left."""
        expression = sp.sympify(expression)
        scalars = sorted((s for s in expression.free_symbols if is_scalar(s, expression)), key=str)
        for symbol in scalars:
            if symbol not in self._values:
                self._values[symbol] = self._draw(symbol)
        concrete = evaluated(expression.xreplace({s: self._values[s] for s in scalars}))
        for part in sorted(concrete.atoms(sp.Indexed), key=str):
            if part not in self._values and not any(part.base == family.base for family in keep):
                probability = part.base in self._probabilities or part.base.label in self._probabilities
                self._values[part] = self._rational(probability=probability)
        return concrete.xreplace({part: value for part, value in self._values.items() if isinstance(part, sp.Indexed)})

    def describe(self) -> str:
        """The sizes and the free symbols in words, for messages."""
        named = [f"{name} = {value}" for name, value in self._values.items() if not isinstance(name, sp.Indexed)]
        return ", ".join(named) or "random numbers"

    def _study(self, expression: sp.Expr) -> None:
        ranges = {}
        for total in expression.atoms(sp.Sum, sp.Product):
            for index, _, upper in total.limits:
                ranges[index] = upper
        for symbol in sorted(set().union(*[upper.free_symbols for upper in ranges.values()]), key=str):
            if symbol not in ranges and symbol not in self._values:
                self._values[symbol] = sp.Integer(self._generator.randint(2, 3))
        for part in expression.atoms(sp.Indexed):
            for place, index in enumerate(part.indices):
                if index in ranges:
                    self._places[part.base, place] = ranges[index]
                elif index.is_Symbol:
                    self._indices.setdefault(index, set()).add((part.base, place))
        for delta in expression.atoms(sp.KroneckerDelta):
            for index in delta.free_symbols:
                self._indices.setdefault(index, set())

    def _draw(self, symbol: sp.Symbol) -> sp.Expr:
        if symbol in self._probabilities:
            return self._rational(probability=True)
        if symbol in self._indices:
            return sp.Integer(self._index(symbol))
        if symbol.is_integer:
            return sp.Integer(self._generator.randint(1, 4))
        return self._rational(positive=bool(symbol.is_positive))

    def _index(self, symbol: sp.Symbol) -> int:
        known = [self._places[place] for place in self._indices[symbol] if place in self._places]
        known = known or [extent for family in self._families for extent in family.size]
        largest = min((int(upper.subs(self._values)) for upper in known), default=2)
        taken = {
            int(self._values[other])
            for pair in self._distinct
            if symbol in pair
            for other in pair
            if other != symbol and other in self._values
        }
        choices = [k for k in range(1, largest + 1) if k not in taken]
        if not choices:
            raise ValueError(f"no value is left for {symbol}, not {sorted(taken)} and at most {largest}")
        # Equal indices are allowed unless told otherwise, but a difference of two of them is 0 then and tests little.
        elsewhere = {self._values[other] for other in self._indices if other in self._values}
        fresh = [k for k in choices if k not in elsewhere]
        return self._generator.choice(fresh if fresh and self._generator.random() < 0.75 else choices)

    def _rational(self, *, probability: bool = False, positive: bool = False) -> sp.Rational:
        if probability:
            return sp.Rational(self._generator.randint(1, 10), 11)
        sign = 1 if positive else self._generator.choice((-1, 1))
        return sign * sp.Rational(self._generator.randint(1, 9), self._generator.randint(1, 9))


def is_scalar(symbol: sp.Basic, expression: sp.Expr) -> bool:
    """Whether a free symbol of the expression stands for a number, and is not the letter of indexed values."""
    labels = {label for part in expression.atoms(sp.IndexedBase) for label in (part, part.label)}
    return isinstance(symbol, sp.Symbol) and symbol not in labels


def _probability_symbols(family: Masks) -> set:
    sample = family.keep_prob(*[sp.Dummy(integer=True) for _ in family.size])
    bases = sample.atoms(sp.IndexedBase)
    return {s for s in sample.free_symbols if is_scalar(s, sample) and not isinstance(s, sp.Dummy)} | bases
