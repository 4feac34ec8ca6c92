"""Answers that are derivations: a chain with the right first and last line, whose lines its rules have checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from dropout_lab.exercises.answers import Formula
from dropout_lab.symbolic import Chain, Masks
from dropout_lab.symbolic.bound_names import same
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator

#: Keys of the rules by which a line rests on something from outside.
_FROM_OUTSIDE = frozenset({"given", "a cited theorem"})


@dataclass(frozen=True)
class Proof:
    """An answer that is a derivation: a :class:`dropout_lab.symbolic.Chain` to a closed form.

    The lines need no check here: a chain takes none that its rules do not lead to. What is checked is that it shows
    what was asked for: the masks and the first line, the last line, and that no line was taken as given. Where
    ``right`` makes a mean or a variance, no closed form is asked for: then the last line has to be ``right`` itself,
    but for letters and names of indices.

    Attributes
    ----------
    masks:
        The masks that the chain is about.
    start:
        The first line.
    right:
        A function that makes the closed form, whose values the last line must have.
    assumes:
        The ids of the assumptions that the chain may make; ``None`` allows any.

    >>> from dropout_lab.symbolic import Mean, rules
    >>> r, p = Masks(2, sp.Symbol("p")), sp.Symbol("p")
    >>> mean = Proof(r, Mean(r[1]), lambda: p)
    >>> mean.judge(Chain(Mean(r[1]), r))
    'it has a first line only'
    >>> mean.judge(Chain(Mean(r[1]), r).then(p, rules.mean_of_mask)) is None
    True
    """

    masks: Masks
    start: sp.Expr
    right: Callable[[], sp.Expr]
    assumes: frozenset[str] | None = None

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with a chain, or None for a right one."""
        if not isinstance(given, Chain):
            return f"a Chain is asked for, and this has the type {type(given).__name__}"
        families = given.context.families
        if [_law(family) for family in families] != [_law(self.masks)]:
            return "its masks are others than those of the question"
        if not same(_plain(given.start), _plain(self.start)):
            return "its first line is not the quantity that the question asks for"
        if len(given.lines) < 2:
            return "it has a first line only"
        if given.relation != "=":
            return f"an equality is asked for, and its lines are joined by {given.relation}"
        if any(rule.key in _FROM_OUTSIDE for line in given.lines for rule in line.rules):
            return "one of its lines is taken as given"
        if (wrong := self._wrong_end(given.end)) is not None:
            return wrong
        if self.assumes is not None and (more := sorted(set(given.assumes) - self.assumes)):
            return f"it assumes {more[0]}, and the question asks for a derivation without that"
        return None

    def _wrong_end(self, end: sp.Expr) -> str | None:
        right = self.right()
        if right.atoms(Operator):
            return None if same(_plain(end), _plain(right)) else "its last line is not what is asked for"
        if end.atoms(Operator, Named):
            return "its last line is no closed form yet: a mean, a variance or a letter is left"
        wrong = Formula(self.right).judge(end)
        return None if wrong is None else f"its last line is not what is asked for: {wrong}"


def _law(masks: Masks) -> tuple[str, ...]:
    index = [sp.Symbol(f"index{place}") for place in range(len(masks.size))]
    return (str(masks.base), *map(str, masks.size), str(masks.keep_prob(*index)))


def _plain(expression: sp.Expr) -> sp.Basic:
    """An expression with letters put in for what they stand for, and with symbols that differ by their names only."""
    meant: sp.Basic = expression
    while named := meant.atoms(Named):
        meant = meant.xreplace({part: part.meaning for part in named})
    return meant.xreplace({symbol: sp.Symbol(symbol.name) for symbol in meant.atoms(sp.Symbol)})
