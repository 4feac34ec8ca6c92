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
    """A line does not follow by the rules that it names, or its numbers are others; the message says which and why."""


@dataclass(frozen=True)
class Remainder:
    """What an ≈ leaves out: a term of order ``order`` in ``small``, and in words how large it is.

    The build halves ``small`` and sees the difference of the two sides shrink by 2 to the ``order``.
    """

    small: sp.Symbol
    order: int
    says: str

    def broken(self, gap: Callable[[sp.Rational], Any]) -> tuple[Any, Any] | None:
        """Two differences, at a value of ``small`` and at half of it, of which the second is too large; ``None`` if
        they shrink as they should. ``gap`` gives the difference of the two sides at a value."""
        gaps = [gap(sp.Rational(1, 2**halvings)) for halvings in (4, 5, 6)]
        too_large = (
            (one, other) for one, other in pairwise(gaps) if one > _NO_GAP and other > one / 2 ** (self.order - 0.5)
        )
        return next(too_large, None)


@dataclass(frozen=True)
class Line:
    """One line: its formula, its relation to the line before, the rules that lead to it, and why one would do that."""

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
        """The names of the rules in plain text, in their order, each once."""
        return " + ".join(rule.name for rule in self.reasons)

    @property
    def assumes(self) -> tuple[str, ...]:
        """The assumptions that the rules of this line need."""
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
