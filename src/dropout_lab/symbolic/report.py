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
    for heading, one in parts:
        lines += _lines(one, heading)
        attack = attacked(one)
        total.add(attack)
        left_open += open_ends(one, attack)
    return Report(
        printed(chain.start),
        printed(chain.end),
        lines,
        {"tried": total.tried, "by_rule": total.by_rule, "by_numbers": total.by_numbers, "refused": total.refused},
        {"tried": total.swaps, "refused": total.swaps_refused},
        _place(chain, parts[-1][1]),
        tuple(left_open),
    )


@dataclass(frozen=True)
class Shown:
    """The lines of a chain alone, without its lemmas and without an attack, and where they have the values given."""

    lines: list[dict[str, Any]]
    at: str


def shown(chain: Chain | Induction) -> Shown:
    """What a chain shows of itself."""
    own = list(chain.parts) if isinstance(chain, Induction) else [("", chain)]
    return Shown([line for heading, one in own for line in _lines(one, heading)], _place(chain, own[-1][1]))


def _lines(chain: Chain, heading: str) -> list[dict[str, Any]]:
    """The lines of a chain in print, each with its value; the first one has the heading."""
    values = chain.numbers(_size(chain))
    return [
        {
            "formula": printed(line.formula),
            "relation": line.relation if place else "",
            "rule": line.rule,
            "assumes": line.assumes,
            "rules": tuple(rule.name for rule in line.rules),
            "anchors": tuple(rule.slug for rule in line.rules),
            "why": line.why,
            "value": pretty(value),
            "heading": "" if place else heading,
            "text": in_text(line.formula),
        }
        for place, (line, value) in enumerate(zip(chain.lines, values, strict=True))
    ]


def _place(chain: Chain | Induction, last: Chain) -> str:
    """Where the values shown are taken, in words."""
    return f"n = {_size(last)}" if chain.scope == "any n" else "random numbers"


def _parts(chain: Chain | Induction) -> list[tuple[str, Chain]]:
    """The chains that are shown, each with its heading: first the lemmas of this claim, then the chain itself."""
    lemmas = [
        (f"First: {one.name}" if not place else f"Then: {one.name}", one) for place, one in enumerate(chain.lemmas)
    ]
    own = list(chain.parts) if isinstance(chain, Induction) else [(f"So: {chain.name}" if lemmas else "", chain)]
    found: list[tuple[str, Chain]] = []
    for heading, one in [*lemmas, *own]:
        found += (
            [(f"{heading}, {name}", part) for name, part in one.parts]
            if isinstance(one, Induction)
            else [(heading, one)]
        )
    return found


def _size(chain: Chain) -> int:
    """The number of masks at which the page shows values: 2, or what the chain needs."""
    sizes = chain.valuation.sizes
    return 2 if 2 in sizes else sizes[0]
