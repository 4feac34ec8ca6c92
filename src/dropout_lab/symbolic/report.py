"""What a chain leaves behind for a record: its lines in print, their values, and what attacks made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dropout_lab.symbolic.arithmetic import pretty
from dropout_lab.symbolic.attack import Attack, attacked
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.exceptions import open_ends
from dropout_lab.symbolic.induction import Induction
from dropout_lab.symbolic.printing import in_text, printed
from dropout_lab.symbolic.rules.base import LEMMA, Rule


@dataclass(frozen=True)
class Report:
    """The record's figures; ``open_ends`` are sentences about attacks that were not refused and stand in no list."""

    left: str
    right: str
    lines: list[dict[str, Any]]
    slips: dict[str, int]
    swaps: dict[str, int]
    at: str
    open_ends: tuple[str, ...] = ()


def report(chain: Chain | Induction) -> Report:
    """Print a chain, evaluate it at small numbers, and attack it."""
    parts = _parts(chain)
    lines: list[dict[str, Any]] = []
    total = Attack()
    left_open: list[str] = []
    for part in parts:
        lines += _lines(part)
        attack = attacked(part.chain)
        total.add(attack)
        left_open += open_ends(part.chain, attack)
    return Report(
        printed(chain.start),
        printed(chain.end),
        lines,
        {"tried": total.tried, "by_rule": total.by_rule, "by_numbers": total.by_numbers, "refused": total.refused},
        {"tried": total.swaps, "refused": total.swaps_refused},
        _place(chain, parts[-1].chain),
        tuple(left_open),
    )


@dataclass(frozen=True)
class Shown:
    """The lines of a chain alone, without its lemmas and without an attack, and where they have the values given.

    A chain that has a name has it as its heading.
    """

    lines: list[dict[str, Any]]
    at: str


def shown(chain: Chain | Induction) -> Shown:
    """What a chain shows of itself."""
    title = chain.statement.name if isinstance(chain, Induction) else chain.name
    own = _in_parts(_capitalized(title), title, chain)
    return Shown([line for part in own for line in _lines(part)], _place(chain, own[-1].chain))


@dataclass(frozen=True)
class _Part:
    """A chain that is shown: its heading, and the name by which lines refer to it; either may be empty."""

    heading: str
    name: str
    chain: Chain


def _lines(part: _Part) -> list[dict[str, Any]]:
    """The lines of a chain in print, each with its value; the first one has the heading."""
    chain = part.chain
    values = chain.numbers(_size(chain))
    return [
        {
            "formula": printed(line.formula),
            "relation": line.relation if place else "",
            "rule": line.rule,
            "assumes": line.assumes,
            "reasons": tuple(map(_reason, line.reasons)),
            "why": line.why,
            "value": pretty(value),
            "heading": "" if place else part.heading,
            "name": "" if place else part.name,
            "text": in_text(line.formula),
        }
        for place, (line, value) in enumerate(zip(chain.lines, values, strict=True))
    ]


def _reason(rule: Rule) -> dict[str, str]:
    """A rule as it is named beside a line, and the chain or the claim's chain that it is, if it is one."""
    source = rule.sources[0] if rule.key == LEMMA else None
    return {
        "title": rule.title,
        "anchor": rule.slug,
        "chain": source.name if source else "",
        "claim": source.claim if source else "",
    }


def _place(chain: Chain | Induction, last: Chain) -> str:
    """Where the values shown are taken, in words."""
    return f"n = {_size(last)}" if chain.scope == "any n" else "random numbers"


def _parts(chain: Chain | Induction) -> list[_Part]:
    """The chains that are shown, each with its heading: first the lemmas of this claim, then the chain itself."""
    lemmas = chain.lemmas
    found: list[_Part] = []
    for place, one in enumerate(lemmas):
        found += _in_parts(f"{'Then' if place else 'First'}: {one.name}", one.name, one)
    own = "" if isinstance(chain, Induction) else chain.name
    so = f"So: {own}" if own else "So"
    return found + _in_parts(so if lemmas and isinstance(chain, Chain) else "", own, chain)


def _in_parts(heading: str, name: str, chain: Chain | Induction) -> list[_Part]:
    """One chain, or base and step of an induction, of which the first has heading and name."""
    if isinstance(chain, Chain):
        return [_Part(heading, name, chain)]
    (base, _), (step, _) = chain.parts
    return [_Part(f"{heading}. {base}" if heading else base, name, chain.base), _Part(step, "", chain.step)]


def _capitalized(title: str) -> str:
    """A title at the head of a line; one that begins with a formula stays as it is."""
    return title[:1].upper() + title[1:]


def _size(chain: Chain) -> int:
    """The number of masks at which the page shows values: 2, or what the chain needs."""
    sizes = chain.valuation.sizes
    return 2 if 2 in sizes else sizes[0]
