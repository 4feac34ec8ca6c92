"""A line of a derivation, and the relation in which it stands to the line before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy as sp

from dropout_lab.symbolic.arithmetic import closeness, difference
from dropout_lab.symbolic.printing import in_text, printed
from dropout_lab.symbolic.rules.base import RELATIONS, SIGNS, Rule

#: The difference that counts as none where numbers are not exact.
TOLERANCE = 1e-15
#: Differences up to this are rounding, of which no order can be seen.
_NO_GAP = 1e-30
#: The key of the rule that a statement holds for n.
HYPOTHESIS = "induction hypothesis"


class NotDerived(ValueError):
    """A line does not follow by the rules that it names, or has another value; the message says which line, and why."""


@dataclass(frozen=True)
class Remainder:
    """What an approximation leaves out: a term of a given order in a small letter.

    The build halves the small letter and checks that the difference of the two sides shrinks by 2 to the power of the
    order.

    Attributes
    ----------
    small:
        The letter that is small.
    order:
        The order of the term that is left out, 1 or more.
    says:
        How large that term is, in words.

    >>> Remainder(sp.Symbol("t"), 3, "of third order in t").order
    3
    """

    small: sp.Symbol
    order: int
    says: str

    def broken(self, gap: Callable[[sp.Rational], Any]) -> tuple[Any, Any] | None:
        """Return two differences that do not shrink as they should, or None if they do.

        ``gap`` gives the difference of the two sides at a value of the small letter. The pair returned is the
        difference at a value and at half of it.
        """
        gaps = [gap(sp.Rational(1, 2**halvings)) for halvings in (4, 5, 6)]
        too_large = (
            (one, other) for one, other in pairwise(gaps) if one > _NO_GAP and other > one / 2 ** (self.order - 0.5)
        )
        return next(too_large, None)


@dataclass(frozen=True)
class Line:
    """One line of a derivation: a formula, and how it follows from the line before.

    :meth:`Chain.then` makes the lines of a chain.

    Attributes
    ----------
    formula:
        The formula.
    relation:
        The relation of the line before to this one: ``=``, ``<=``, ``>=``, ``<``, ``>``, ``<=>`` or ``~``.
    rules:
        The rules that lead to the line, in their order.
    why:
        Why one would take this step, in a sentence; empty where nothing needs to be said.
    remainder:
        What is left out, for a line with ``~``.

    >>> Line(sp.Symbol("p")).relation
    '='
    """

    formula: sp.Expr
    relation: str = "="
    rules: tuple[Rule, ...] = ()
    why: str = ""
    remainder: Remainder | None = None

    @property
    def reasons(self) -> tuple[Rule, ...]:
        """The rules in their order, each once: what was used twice in a line is named once."""
        return tuple({rule.title: rule for rule in self.rules}.values())

    @property
    def rule(self) -> str:
        """The names of the rules in plain text, in their order, each once, joined by " + "."""
        return " + ".join(rule.name for rule in self.reasons)

    @property
    def assumes(self) -> tuple[str, ...]:
        """The ids of the assumptions that the rules of this line need."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.assumes))


def joined(one: str, other: str) -> str | None:
    """What two relations say together, one after the other: a < b ≤ c says a < c; a ≤ b ≥ c says nothing, None."""
    for weak, strict in (("<=", "<"), (">=", ">")):
        if {one, other} <= {"=", weak, strict}:
            return strict if strict in (one, other) else weak if weak in (one, other) else "="
    return one if other in ("=", one) else other if one == "=" else None


def agrees(before: Any, after: Any, relation: str) -> bool:
    """Whether two values stand in a relation, exactly for fractions, else within the tolerance of quadrature."""
    exact = isinstance(before, (int, Fraction)) and isinstance(after, (int, Fraction))
    if relation == "~":
        return True
    if relation in ("<=", ">="):
        gap = difference(after, before) if relation == "<=" else difference(before, after)
        return bool(gap >= (0 if exact else -TOLERANCE))
    if relation in ("<", ">"):
        return bool((difference(after, before) if relation == "<" else difference(before, after)) > 0)
    return bool(before == after) if exact else closeness(before, after) <= TOLERANCE


def aligned(lines: Sequence[Line]) -> str:
    """Lines as an aligned LaTeX environment, each with its reason."""
    rows = [rf"& {printed(lines[0].formula)}"]
    for line in lines[1:]:
        reason = ", ".join(rule.title for rule in line.reasons)
        rows.append(rf"{RELATIONS[line.relation]}\; & {printed(line.formula)} && \text{{{reason}}}")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def in_columns(lines: Sequence[Line]) -> str:
    """Lines as plain text: relation, formula, rules, and beneath what one does it for, where a line says so."""
    width = max(len(in_text(line.formula)) for line in lines)
    shown = [f"  {'':2} {in_text(lines[0].formula)}"]
    for line in lines[1:]:
        shown.append(f"  {SIGNS[line.relation]:2} {in_text(line.formula):{width}}  [{line.rule}]")
        if line.why:
            shown.append(f"       {line.why}")
    return "\n".join(shown)
