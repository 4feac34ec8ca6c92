"""The value of a line at given numbers, from the definitions alone: by going through all masks, and by no rule.

An expression is compiled once to nested Python functions. In exact arithmetic they compute with fractions; where a line
holds a logarithm, an integral or a root, with 50 digits; for the attack on a chain, where only a difference counts,
with floating point numbers. Nothing here knows of the rules of :mod:`dropout_lab.symbolic.rules`: a slip there shows
here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mpmath
import sympy as sp

from dropout_lab.symbolic import calculus  # noqa: F401  (compiles integrals, derivatives and limits)
from dropout_lab.symbolic.arithmetic import DIGITS, Arithmetic
from dropout_lab.symbolic.compiler import Compiler, Point
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.letters import Unknown
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.parts import everywhere


class Evaluator:
    """Compiles expressions for one law of the masks."""

    def __init__(self, families: tuple[Masks, ...], unknowns: Iterable[Unknown] = (), instance: int = 0) -> None:
        self.families = families
        self.unknowns = {str(one.function): one.instances[instance % len(one.instances)] for one in unknowns}
        self._compilers: dict[Any, Compiler] = {}

    def value(self, expression: sp.Expr, draws: Draws, arithmetic: Arithmetic) -> Any:
        """The value of an expression at the draws, in one kind of arithmetic."""
        expression = sp.sympify(expression)
        roles = self._roles(expression)
        key = arithmetic.name, *roles
        if key not in self._compilers:
            self._compilers[key] = Compiler(self.families, self.unknowns, arithmetic, *roles)
        with mpmath.workdps(DIGITS):
            return self._compilers[key].compile(expression)(Point(draws, arithmetic))

    def _roles(self, expression: sp.Basic) -> tuple[frozenset[sp.Symbol], frozenset[sp.Symbol]]:
        """The symbols that are numbers of things (ends of sums, numbers of masks), and those that are indices."""
        sizes: set[sp.Basic] = set()
        indices: set[sp.Basic] = set()
        for part in everywhere(expression):
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
        return found, frozenset(symbol for symbol in indices if isinstance(symbol, sp.Symbol)) - found
