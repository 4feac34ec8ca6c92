"""What reading a page found about claims: evidence, places that name one, places that drop an assumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dropout_lab.claims import Evidence


@dataclass(frozen=True)
class Settled:
    """A cell's evidence for a claim. ``anchor`` is empty if an earlier cell of the page already carries the claim's."""

    claim: str
    evidence: tuple[Evidence, ...]
    anchor: str
    place: str


@dataclass(frozen=True)
class Mention:
    """A place in the prose that names a claim, an assumption (also to drop it) or a section, or shows a ``finding``."""

    name: str
    place: str
    what: str = "claim"


@dataclass(frozen=True)
class Falsifier:
    """A place that drops an assumption: its head, what the text says there, and what the cell behind it printed."""

    assumption: str
    docname: str
    anchor: str
    title: str
    says: str
    shown: str


@dataclass(frozen=True)
class Drawn:
    """What a figure's passport says, for the list of figures.

    ``cell`` is the number of the cell that drew it, ``runs`` describes its experiments, ``seeds`` are the calls for
    reported seeds that its cells make without one. ``random`` says whether its cells draw random numbers, ``rows`` how
    many rows of numbers there are.
    """

    cell: int
    runs: tuple[Mapping[str, Any], ...]
    seeds: tuple[str, ...]
    random: bool
    rows: int
    digest: str


@dataclass(frozen=True)
class Figure:
    """A figure: its ``id`` on its page, the first sentence of its caption, its ``kind`` (a key of ``figured.KINDS``).

    ``numbered`` says whether Sphinx gives it a number, ``cell`` is the number of the cell that makes it (0: none),
    ``name`` that of its file of numbers, ``drawn`` what its passport says, and ``command`` what else makes it.
    """

    id: str
    says: str
    kind: str
    numbered: bool = False
    cell: int = 0
    name: str = ""
    drawn: Drawn | None = None
    command: str = ""


@dataclass
class Page:
    """All that one document says about claims.

    ``widgets`` names what is filled at the end; ``unreadable`` has a sentence for each record that is none.
    ``numbers`` are those of its figures, by the name of their files, and ``drawn`` what their passports say, by the
    same name; ``unexplained`` says which lacks its passport. ``figures`` are all of its figures, ``unlisted`` says
    which of them nobody could make again.
    """

    settled: list[Settled] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    falsifiers: list[Falsifier] = field(default_factory=list)
    widgets: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, Drawn] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
