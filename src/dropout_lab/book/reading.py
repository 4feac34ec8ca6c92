"""What reading a page found about claims: evidence, places that name one, places that drop an assumption."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class Page:
    """All that one document says about claims.

    ``widgets`` names what is filled at the end; ``unreadable`` has a sentence for each record that is none.
    ``numbers`` are those of its figures, by the name of their files; ``unexplained`` says which lacks its passport.
    """

    settled: list[Settled] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    falsifiers: list[Falsifier] = field(default_factory=list)
    widgets: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)
