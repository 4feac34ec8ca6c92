"""The numbers of a chain: the sizes and draws at which its lines are evaluated, and the values there, each kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from dropout_lab.symbolic.arithmetic import EXACT, PRECISE, NotExact, difference
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.equations import value_of
from dropout_lab.symbolic.rules.base import Context
from dropout_lab.symbolic.values import Evaluator

#: Sizes at which every line is evaluated, as long as that makes no more masks than so many, all families together.
SIZES = (1, 2, 3, 4)
MOST_MASKS = 10


class Valuation:
    """Values of the formulas of one chain, which begins with ``start``; see :class:`~dropout_lab.symbolic.Chain`."""

    def __init__(
        self,
        start: sp.Expr,
        context: Context,
        distinct: tuple[tuple[sp.Expr, sp.Expr], ...] = (),
        within: Mapping[sp.Basic, tuple[Any, Any]] | None = None,
        tied: Mapping[sp.Basic, Callable[[Draws], Any]] | None = None,
        solve_for: sp.Symbol | None = None,
    ) -> None:
        self._context = context
        self._distinct = distinct
        self._within = within
        self._tied = tied
        self._solve_for = solve_for
        self._seed = len(str(start))
        self._draws: dict[int, Draws] = {}
        self._evaluators: dict[int, Evaluator] = {}
        self._values: dict[tuple[sp.Expr, int, int], Any] = {}
        self.sizes = self._sizes(start)

    @property
    def instances(self) -> int:
        """How many times a line is compared at each size: once for each instance of the unknown functions."""
        return max([1, *(len(one.instances) for one in self._context.unknowns)])

    def draws(self, size: int) -> Draws:
        """The numbers at which the lines are evaluated, for ``size`` masks."""
        if size not in self._draws:
            families = self._context.families
            self._draws[size] = Draws(self._seed, size, families, self._within, None, self._tied, self._distinct)
        return self._draws[size]

    def evaluator(self, instance: int = 0) -> Evaluator:
        """What computes values, with one instance of each unknown function."""
        if instance not in self._evaluators:
            self._evaluators[instance] = Evaluator(self._context.families, self._context.unknowns, instance)
        return self._evaluators[instance]

    def value(self, expression: sp.Expr, size: int, instance: int = 0) -> Any:
        """The value for ``size`` masks: a fraction where there is one, else with 50 digits."""
        key = expression, size, instance
        if key not in self._values:
            self._values[key] = self._exact_or_precise(expression, self.draws(size), instance)
        return self._values[key]

    def gap(self, one: sp.Expr, other: sp.Expr, given: Mapping[sp.Basic, sp.Rational], instance: int = 0) -> Any:
        """How far two expressions are apart for two masks, with these values for some symbols."""
        draws = self.draws(2).with_values(given)
        return abs(difference(*(self._exact_or_precise(side, draws, instance) for side in (one, other))))

    def _exact_or_precise(self, expression: sp.Expr, draws: Draws, instance: int) -> Any:
        try:
            return value_of(self.evaluator(instance), expression, draws, EXACT, self._solve_for)
        except NotExact:
            return value_of(self.evaluator(instance), expression, draws, PRECISE, self._solve_for)

    def _sizes(self, start: sp.Expr) -> tuple[int, ...]:
        """No fewer masks than the first line names, as in r[2], nor too many."""
        bases = {family.base for family in self._context.families}
        parts = [part for part in start.atoms(sp.Indexed) if part.base in bases]
        least = max((int(index) for part in parts for index in part.indices if index.is_Integer), default=1)
        least = max(least, 2 if self._distinct else 1)
        few = (size for size in SIZES if size >= least and self._masks_at(size) <= MOST_MASKS)
        return tuple(few) or (least,)

    def _masks_at(self, size: int) -> int:
        draws, families = self.draws(size), self._context.families
        symbols = {symbol for family in families for extent in family.size for symbol in extent.free_symbols}
        values = {symbol: sp.Rational(draws.symbol(symbol, "size")) for symbol in symbols}
        return sum(math.prod(int(extent.xreplace(values)) for extent in family.size) for family in families)
