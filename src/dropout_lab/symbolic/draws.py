"""The numbers at which lines are evaluated: random fractions, the same for whoever asks for them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy as sp

from dropout_lab.symbolic.intervals import between
from dropout_lab.symbolic.masks import Masks

#: Random variables of which nothing is known take a value at each of so many outcomes.
_OUTCOMES = 3


class Draws:
    """Random fractions for every symbol and indexed value, the same one each time it is asked for, whoever asks
    first."""

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
        self._drawn: dict[Any, Fraction] = {}
        #: Means over the masks at these numbers, by whoever computed them.
        self.means: dict[Any, dict[Any, Any]] = {}

    def with_values(self, given: Mapping[sp.Basic, Any]) -> Draws:
        """The same numbers, but for those of some letters."""
        other = copy.copy(self)
        other.given, other._drawn, other._made, other.means = {**self.given, **given}, {}, {}, {}
        return other

    def _random(self, key: object) -> random.Random:
        return random.Random(f"{self.seed}/{self.size}/{key}")

    def _tied_to(self, letter: str) -> Any:
        """What an assumption makes of a letter: its value, or its values by index; None if it is free."""
        if letter in self._tied and letter not in self._made:
            self._made[letter] = self._tied[letter](self)
        return self._made.get(letter)

    def symbol(self, symbol: sp.Symbol, role: str) -> Fraction:
        """A value for a symbol; ``role`` is "size", "index" or "number"."""
        if (symbol, role) not in self._drawn:
            self._drawn[symbol, role] = self._symbol(symbol, role)
        return self._drawn[symbol, role]

    def _symbol(self, symbol: sp.Symbol, role: str) -> Fraction:
        if (value := self._tied_to(symbol.name)) is not None:
            return Fraction(value)
        if symbol in self.given:
            return Fraction(self.given[symbol])
        source = self._random(symbol.name)
        if symbol in self.within:
            low, high = (sp.Rational(end) for end in self.within[symbol])
            drawn = between(symbol, low, high, sp.Rational(source.randint(1, 12), 13))
            return Fraction(int(drawn.p), int(drawn.q))
        if role == "size" or (role == "number" and symbol.is_integer):
            # The end of a sum in one line is a factor in the next: it has one value in both. The number of masks is
            # what it is said to be, if there is but one; other numbers may be larger by one, so that a wrong one shows.
            alone = symbol in self.extents and len(self.extents) == 1
            return Fraction(self.size if alone or source.random() < 0.6 else self.size + 1)
        if role == "index":
            return Fraction(self._index(symbol))
        if symbol.name in self.probabilities:
            return Fraction(source.randint(1, 10), 11)
        return self._number(source, positive=bool(symbol.is_nonnegative))

    def _index(self, symbol: sp.Symbol) -> int:
        """An index in the range of every sum, another one than those that it is said to differ from."""
        others = [one for pair in self.distinct if symbol in pair for one in pair if one != symbol]
        # The one with the smaller name is drawn first.
        taken = {
            int(one) if one.is_Integer else self._index(one)
            for one in others
            if one.is_Integer or (one.is_Symbol and one.name < symbol.name)
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
        key = base, indices, positive
        if key not in self._drawn:
            self._drawn[key] = self._entry(base, indices, positive)
        return self._drawn[key]

    def _entry(self, base: str, indices: tuple[int, ...], positive: bool) -> Fraction:
        if (values := self._tied_to(base)) is not None:
            if indices not in values:
                raise ValueError(f"{base} has no value at {indices}")
            return Fraction(values[indices])
        source = self._random((base, indices))
        if base in self.probabilities:
            return Fraction(source.randint(1, 10), 11)
        return self._number(source, positive)

    def outcome(self, letter: str, outcome: int, positive: bool = False) -> Fraction:
        """The value of an unknown random variable at one outcome."""
        return self._number(self._random((letter, outcome)), positive)

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
