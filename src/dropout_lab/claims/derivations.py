"""The evidence of a derivation: a chain of lines, each with the rule that leads to it, and what attacks made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dropout_lab.claims.records import Evidence, Part
from dropout_lab.claims.registry import Claim, Grade, Registry
from dropout_lab.symbolic.printing import in_words
from dropout_lab.symbolic.rules.base import RELATIONS, SIGNS


@dataclass(frozen=True)
class Reason(Part):
    """A rule as it is named beside a line: its title with formulas between dollars, its anchor on the page of rules,
    and, if it is a chain that was shown before, the name of that chain and the id of the claim that the chain settles
    (else empty)."""

    title: str
    anchor: str
    chain: str
    claim: str


@dataclass(frozen=True)
class Line(Part):
    """One line of a derivation, as its record keeps it."""

    #: The formula in LaTeX.
    formula: str
    #: The relation of the line before to this one; empty for a first line.
    relation: str
    #: The names of the rules that lead to the line, joined by " + ".
    rule: str
    #: The ids of the assumptions that these rules need.
    assumes: tuple[str, ...]
    #: The rules that lead to the line, one by one.
    reasons: tuple[Reason, ...]
    #: Why one would take this step.
    why: str
    #: The value of the line at small numbers.
    value: str
    #: The heading of the part that begins here; empty for most lines.
    heading: str
    #: The name of the chain that begins here; empty for most lines.
    name: str
    #: The formula in plain text.
    text: str


@dataclass(frozen=True)
class Slips(Part):
    """How many altered lines were tried, and how many of them were refused."""

    #: How many altered lines were tried.
    tried: int
    #: How many of them the rules refused.
    by_rule: int
    #: How many of them the numbers refused.
    by_numbers: int
    #: How many of them either refused.
    refused: int


@dataclass(frozen=True)
class Swaps(Part):
    """How many rules were tried in the place of those that a line names, and how many of them were refused."""

    #: How many other rules were tried.
    tried: int
    #: How many of them do not lead to the line.
    refused: int


@dataclass(frozen=True, kw_only=True)
class Derivation(
    Evidence, kind="derive", noun="derivation", done="Derived", grades="true true-under", settles="I Th A D"
):
    """The evidence of a derivation: a chain from a definition to a closed form, in which each line was checked.

    :func:`derive` makes it.

    Attributes
    ----------
    scope:
        What the chain holds for: ``any n``, a number of masks, or ``symbolic parameters``.
    left:
        The first line's formula in LaTeX.
    right:
        The last line's formula in LaTeX.
    relation:
        The relation of the first line to the last.
    assumes:
        The ids of the assumptions of the definitions and of the rules of all lines, computed from the chain.
    lines:
        The lines of the chain.
    slips:
        What became of the altered lines.
    swaps:
        What became of the exchanged rules.
    at:
        The numbers at which the lines have the values given.
    part:
        The part of the claim that the chain shows. Chains of one part are alternatives to each other.
    stated:
        The assumptions that the claim's own sentence makes. A claim that leaves no other unsaid is true.
    cites:
        The keys of the bibliography for the theorems of the literature among the rules.

    Example
    -------
    >>> from dropout_lab import claims, symbolic
    >>> import sympy
    >>> i, n, p = sympy.Symbol("i", integer=True), sympy.Symbol("n", integer=True), sympy.Symbol("p", positive=True)
    >>> r = symbolic.Masks(n, p)
    >>> chain = symbolic.Chain(symbolic.Mean(r[i]), masks=r).then(p, symbolic.rules.mean_of_mask)
    >>> found = claims.derive("2.2", chain, says="The mean of a mask is p.").main
    >>> found.lines[1].rule, found.slips.refused == found.slips.tried
    ('E r = p', True)
    """

    scope: str
    left: str
    right: str
    relation: str
    assumes: tuple[str, ...]
    lines: tuple[Line, ...]
    slips: Slips
    swaps: Swaps
    at: str
    part: str = field(default="", metadata={"blank": True})
    stated: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()

    def _check(self) -> None:
        if needless := set(self.stated) - set(self.assumes):
            raise ValueError(f"the claim is said to state {', '.join(sorted(needless))}, which no line assumes")
        unsaid = tuple(name for name in self.assumes if name not in self.stated)
        if (self.verdict is Grade.TRUE_UNDER) != bool(unsaid):
            raise ValueError(
                "a derivation is true-under if it assumes what the claim leaves unsaid, "
                f"got {self.verdict} under {unsaid}"
            )
        if len([line for line in self.lines if line.relation]) < 1:
            raise ValueError("a derivation has at least one line beside its first")
        if any(bool(line.relation) != bool(line.rule) for line in self.lines):
            raise ValueError("each line but the first of a chain has a relation and a rule")
        union = {name for line in self.lines for name in line.assumes}
        if not union <= set(self.assumes):
            raise ValueError(f"the rules of the lines assume {', '.join(sorted(union - set(self.assumes)))} as well")
        if not self.slips.refused <= self.slips.tried or not self.swaps.refused <= self.swaps.tried:
            raise ValueError("more attacks were refused than tried")

    @property
    def strength(self) -> str:
        """The scope and the number of lines, in words."""
        return f"derived, {self.scope}, {len(self.lines)} lines"

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return the assumptions, and what attacks made of the chain, as (label, text) pairs."""
        named = ", ".join(registry.assumptions[used].name for used in self.assumes if used in registry.assumptions)
        slips, swaps = self.slips, self.swaps
        attacks = (
            f"of {slips.tried} altered lines the rules refused {slips.by_rule}, the numbers {slips.by_numbers}, "
            f"either {slips.refused}; of {swaps.tried} other rules {swaps.refused} were refused"
        )
        return [*([("assumes", named)] if named else []), *([("attacked", attacks)] if slips.tried else [])]

    @property
    def plain(self) -> str:
        """The chain as plain text, line by line."""
        shown = []
        for line in self.lines:
            if line.heading:
                shown.append(in_words(line.heading))
            sign = SIGNS.get(line.relation, line.relation)
            shown.append(f"  {sign:2} {line.text}" + (f"  [{line.rule}]" if line.rule else ""))
        return "\n".join(shown)

    @property
    def equation(self) -> str:
        """The chain as an aligned environment of LaTeX, for a notebook that is printed."""
        rows = [
            rf"{RELATIONS.get(line.relation, '')} & {line.formula} && "
            rf"\text{{{', '.join(reason.title for reason in line.reasons)}}}"
            for line in self.lines
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """The theorems of the literature that the chain uses, as (key, place) pairs."""
        return tuple((key, "") for key in self.cites)

    @property
    def formula(self) -> str:
        """The last line's formula in LaTeX."""
        return self.right

    def problems(self, claim: Claim, registry: Registry) -> list[str]:
        """Return a sentence for each assumption that the claims file lacks."""
        return super().problems(claim, registry) + [
            f"claim {claim.id} is derived under {assumption!r}, which is no assumption of the claims file"
            for assumption in self.assumes
            if assumption not in registry.assumptions
        ]


def weakest(derivations: list[Derivation]) -> tuple[str, ...]:
    """The assumptions that a claim needs: of each part those of the chain that needs least, together."""
    needed: dict[str, None] = {}
    for part in dict.fromkeys(one.part for one in derivations):
        least = min((one for one in derivations if one.part == part), key=lambda one: len(one.assumes))
        needed.update(dict.fromkeys(least.assumes))
    return tuple(needed)


def problems_of(claim: Claim, derivations: list[Derivation], registry: Registry) -> list[str]:
    """What is wrong with all derivations of a claim together.

    Assumptions too few or too many, another claim's chain in a line although the entry does not use it, a chain twice.
    """
    found = []
    if derivations:
        named, needed = set(registry.assumptions_of(claim.id)), set(weakest(derivations))
        if missing := sorted(needed - named):
            found.append(
                f"claim {claim.id} ({claim.title}) is derived under {', '.join(map(repr, missing))}, "
                "which its entry in the claims file does not use"
            )
        if needless := sorted(named - needed):
            found.append(
                f"claim {claim.id} ({claim.title}) names {', '.join(map(repr, needless))} in the claims file, "
                "which no line of its derivation needs"
            )
        taken = {reason.claim for one in derivations for line in one.lines for reason in line.reasons if reason.claim}
        if unsaid := sorted(taken - {claim.id, *claim.uses}):
            found.append(
                f"claim {claim.id} ({claim.title}) has the chain of claim {unsaid[0]} in a line of its derivation, "
                "which its entry in the claims file does not use"
            )
    seen: dict[tuple[str, ...], Derivation] = {}
    for one in derivations:
        lines = tuple(line.formula for line in one.lines)
        if lines in seen:
            found.append(
                f"claim {claim.id} ({claim.title}) has one derivation twice: two chains must differ in their lines"
            )
        seen[lines] = one
    return found
