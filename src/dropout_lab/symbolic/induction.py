"""A derivation by induction on the number of units: a base and a step, each a chain of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from dropout_lab._faces import faces
from dropout_lab.symbolic.algebra import equal_by_algebra
from dropout_lab.symbolic.binding import put
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.lines import HYPOTHESIS, Line, NotDerived
from dropout_lab.symbolic.printing import in_words
from dropout_lab.symbolic.rules import no_terms, substitution
from dropout_lab.symbolic.rules.base import LEMMA, Context, Rule
from dropout_lab.symbolic.rules.given import one_law


@dataclass(frozen=True)
class Statement:
    """A statement to be shown for every number of units: a quantity has a closed form, both with the symbol n in them.

    Raises ValueError for a statement without n. :class:`Induction` proves it.

    Attributes
    ----------
    quantity:
        The quantity, as an expression in n.
    closed:
        Its closed form, as an expression in n.
    n:
        The symbol for the number of units.
    name:
        What the statement says, in words, with formulas between dollars.
    relation:
        The relation of the quantity to its closed form.

    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> units = Statement(sp.Sum(1, (i, 1, n)), n, n)
    >>> units.at(3)
    (Sum(1, (i, 1, 3)), 3)
    """

    quantity: sp.Expr
    closed: sp.Expr
    n: sp.Symbol
    name: str = ""
    relation: str = "="

    def __post_init__(self) -> None:
        if self.relation not in ("=", "<="):
            raise ValueError(f"a statement for induction has = or <=, got {self.relation!r}")

    @cached_property
    def hypothesis(self) -> Rule:
        """The rule that the statement holds for n units, to be used in the step."""
        return substitution(
            sp.sympify(self.quantity),
            sp.sympify(self.closed),
            "the statement for $n$",
            HYPOTHESIS,
            relation=self.relation,
        )

    def at(self, number: sp.Expr | int) -> tuple[sp.Expr, sp.Expr]:
        """Return the quantity and its closed form for another number of units."""
        values = {self.n: sp.sympify(number)}
        return tuple(put(sp.sympify(one), values) for one in (self.quantity, self.closed))


@dataclass(frozen=True)
class Induction:
    """A proof by induction of a statement for n units: its base at n = 0, and its step from n to n + 1.

    Raises :class:`NotDerived` for chains that start or end elsewhere, and for a step that does not use the statement
    for n.

    Attributes
    ----------
    statement:
        What is shown.
    base:
        The chain from the quantity at n = 0 to its closed form there.
    step:
        The chain from the quantity at n + 1 to its closed form there, by way of :attr:`Statement.hypothesis`.

    >>> from dropout_lab.symbolic import Masks, Mean, rules
    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p = sp.Symbol("p", positive=True)
    >>> r, one_more = Masks(n, p), Masks(n + 1, p)
    >>> kept = Statement(sp.Sum(Mean(r[i]), (i, 1, n)), n * p, n)
    >>> base = Chain(kept.at(0)[0], r).then(0, rules.no_terms)
    >>> step = Chain(kept.at(n + 1)[0], one_more).then(kept.quantity + Mean(r[n + 1]), rules.last_term)
    >>> step = step.then(n * p + Mean(r[n + 1]), kept.hypothesis).then(n * p + p, rules.mean_of_mask)
    >>> Induction(kept, base, step.then((n + 1) * p, rules.algebra)).end
    n*p
    """

    statement: Statement
    base: Chain
    step: Chain

    def __post_init__(self) -> None:
        plain = Context()
        for chain, number, what in ((self.base, sp.Integer(0), "base"), (self.step, self.statement.n + 1, "step")):
            quantity, closed = self.statement.at(number)
            for own, wanted, where in ((chain.start, quantity, "starts from"), (chain.end, closed, "ends in")):
                sides = (no_terms.rewrite(own, plain), no_terms.rewrite(wanted, plain))
                if not equal_by_algebra(*sides):
                    raise NotDerived(f"{self.called}: the {what} {where} {sp.sstr(own)}, expected {sp.sstr(wanted)}")
            if chain.relation not in ("=", self.statement.relation):
                raise NotDerived(
                    f"{self.called}: the {what} leads to {chain.relation}, expected {self.statement.relation}"
                )
        if not self.step.hypotheses:
            raise NotDerived(
                f"{self.called}: the step never uses the statement for n, so nothing is shown by induction"
            )
        if self.base.hypotheses or any(rule != self.statement.hypothesis for rule in self.step.hypotheses):
            raise NotDerived(f"{self.called}: only the step may use a statement for n, and only this one")
        for family in self.base.context.families:
            if not any(
                one_law(family, other, False) for other in self.step.context.families if other.base == family.base
            ):
                raise NotDerived(f"{self.called}: base and step have other masks {family.base}")

    @property
    def name(self) -> str:
        """What the proof shows, in words, with formulas between dollars."""
        return self.statement.name or "induction"

    @property
    def called(self) -> str:
        """What messages call the proof: its name in plain text."""
        return in_words(self.name)

    @property
    def claim(self) -> str:
        """No claim: one that is settled by an induction is the lemma of no other."""
        return ""

    @property
    def start(self) -> sp.Expr:
        """The quantity of the statement."""
        return self.statement.quantity

    @property
    def end(self) -> sp.Expr:
        """The closed form of the quantity."""
        return self.statement.closed

    @property
    def relation(self) -> str:
        """The relation of the quantity to its closed form."""
        return self.statement.relation

    @property
    def context(self) -> Context:
        """What the base knows: its masks and unknown functions."""
        return self.base.context

    @property
    def restricted(self) -> bool:
        """Whether the numbers of the lines are those of certain values only, or of indices that differ."""
        return self.base.restricted or self.step.restricted

    @property
    def scope(self) -> str:
        """What the proof holds for: always ``any n``."""
        return "any n"

    @cached_property
    def assumes(self) -> tuple[str, ...]:
        """The ids of all assumptions that base and step make."""
        return tuple(dict.fromkeys((*self.base.assumes, *self.step.assumes)))

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of the base, then those of the step."""
        return (*self.base.lines, *self.step.lines)

    @property
    def parts(self) -> tuple[tuple[str, Chain], ...]:
        """The base and the step, each with its heading."""
        return ("Base, $n = 0$", self.base), ("Step, from $n$ to $n + 1$", self.step)

    def as_rule(self, name: str = "") -> Rule:
        """Return the statement as a lemma, which puts the closed form in the place of the quantity."""
        return substitution(
            self.start,
            self.end,
            name or self.name,
            LEMMA,
            relation=self.relation,
            assumes=self.assumes,
            own=self.context,
            sources=(self,),
        )

    @property
    def lemmas(self) -> tuple[Any, ...]:
        """The chains that base and step use and that are shown with them."""
        # A chain with bounds or ties has no hash.
        found: list[Any] = []
        for one in (*self.base.lemmas, *self.step.lemmas):
            found += [] if one in found else [one]
        return tuple(found)

    @property
    def cites(self) -> tuple[str, ...]:
        """The keys of the bibliography that base and step cite."""
        return tuple(dict.fromkeys((*self.base.cites, *self.step.cites)))

    def latex(self) -> str:
        """Return both chains as aligned environments of LaTeX."""
        return "\n\n".join(rf"\text{{{heading}}} \\ {chain.latex()}" for heading, chain in self.parts)

    def __str__(self) -> str:
        return "\n".join(f"{in_words(heading)}\n{chain}" for heading, chain in self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        return str(faces()["chain"](self)) if "chain" in faces() else None

    def _repr_latex_(self) -> str:
        return "\n\n".join(f"{heading}\n\n$${chain.latex()}$$" for heading, chain in self.parts)

    def numbers(self, size: int = 2) -> list[Any]:
        """Return the values of all lines for ``size`` masks."""
        return [*self.base.numbers(size), *self.step.numbers(size)]
