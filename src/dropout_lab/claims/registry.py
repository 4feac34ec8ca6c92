"""What the source claims: claims, the assumptions that they name, the grades that they can get, what rests on what.

The entries themselves stand in ``claims.yaml``; :mod:`dropout_lab.claims.claims_file` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeVar

#: The claims file of the package.
DEFAULT_PATH = Path(__file__).with_name("claims.yaml")

KINDS = {
    "I": "identity",
    "Th": "theorem",
    "A": "approximation",
    "E": "empirical",
    "H": "history or attribution",
    "D": "definition",
    "O": "opinion",
}

#: What sort of sentence a claim is: it decides which evidence can refute it.
QUANTIFIERS = {
    "always": "said of every case",
    "typically": "said of the typical case",
    "somewhere": "said of some case",
    "others found": "said of what others found or use",
}
#: How much a sentence that has to be corrected would mislead its reader, the worst first.
MISLEADS = ("much", "somewhat", "little")
#: A sentence has the reading that is judged, and at most one other.
MOST_READINGS = 2

_ID = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")


class ClaimsFileError(ValueError):
    """The claims file contradicts itself; the message names the file and the entry, and says what is expected."""


class Grade(StrEnum):
    """The book's judgment of a claim, or what one piece of evidence says of it.

    Example
    -------
    >>> Grade("true-under") is Grade.TRUE_UNDER
    True
    """

    #: The sentence holds as it stands.
    TRUE = "true"
    #: The sentence holds under a condition that it leaves unsaid.
    TRUE_UNDER = "true-under"
    #: One sensible reading of the sentence holds, and another one misleads.
    IMPRECISE = "imprecise"
    #: No sensible reading of the sentence holds.
    WRONG = "wrong"
    #: The measurements met the rules that were fixed beforehand.
    SUPPORTED = "supported"
    #: The measurements did not show the effect at this scale.
    NOT_SEEN = "not-seen"
    #: The sentence is an opinion, which no evidence settles.
    OPINION = "opinion"
    #: Nothing settles the sentence yet.
    OPEN = "open"


#: Verdicts that one piece of evidence gives whatever the others say, the heaviest first.
HEAVIEST = (Grade.WRONG, Grade.IMPRECISE, Grade.OPEN, Grade.OPINION)
#: Grades of a statement that holds as it stands: what a correction has to have.
SOUND = frozenset({Grade.TRUE, Grade.TRUE_UNDER, Grade.SUPPORTED})
#: Grades of a sentence in which something has to be changed, the worst first.
CORRECTED = (Grade.WRONG, Grade.IMPRECISE, Grade.TRUE_UNDER)
#: Grades that establish something: the claim itself, or the better statement that takes its place.
ESTABLISHED = SOUND | {Grade.IMPRECISE, Grade.WRONG}


@dataclass(frozen=True)
class Assumption:
    """A named condition under which claims hold.

    Attributes
    ----------
    id:
        The id by which claims and rules name it.
    name:
        The name in print.
    statement:
        What is assumed, in a sentence.

    Example
    -------
    >>> Assumption("fair-masks", "fair masks", "The keep probability is 1/2.").name
    'fair masks'
    """

    id: str
    name: str
    statement: str


@dataclass(frozen=True)
class Claim:
    """One checkable statement of the source or of the book, with the grade that is expected of it.

    Attributes
    ----------
    id:
        The id, such as ``2.2``, by which cells settle the claim.
    section:
        The number and the heading of the section that makes the claim.
    title:
        A few words that name it in lists.
    kind:
        The letters of its kinds, such as ``Th+E``.
    statement:
        What the source says, in our own words.
    expected:
        The value of the :class:`Grade` that the evidence has to give.
    quantifier:
        What sort of sentence it is: a key of ``QUANTIFIERS``.
    reason:
        Why the grade is that one, in a sentence.
    readings:
        The reading that was judged, and a second one where the sentence has two.
    uses:
        The ids of the claims and assumptions that it rests on.
    note:
        The better statement, where there is one.
    change:
        What to change in the sentence, where it has to be corrected.
    misleads:
        How much the sentence would mislead as it stands: one of ``MISLEADS``, where it has to be corrected.

    Example
    -------
    >>> claim = Claim("1.1", "1 Setup", "a sum", "Th+E", "One and one is two.", "true", "always", "It is counted.")
    >>> claim.kind_name, claim.of_source
    ('theorem and empirical', True)
    """

    id: str
    section: str
    title: str
    kind: str
    statement: str
    expected: str
    quantifier: str
    reason: str
    readings: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    note: str = ""
    change: str = ""
    misleads: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The single letters of ``kind``: ``"Th+E"`` gives ``("Th", "E")``."""
        return tuple(self.kind.split("+"))

    @property
    def kind_name(self) -> str:
        """The kind of the claim in words."""
        return " and ".join(KINDS[letter] for letter in self.kinds)

    @property
    def is_corrected(self) -> bool:
        """Whether this is a sentence of the source in which something has to be changed."""
        return self.of_source and self.expected in CORRECTED

    @property
    def of_source(self) -> bool:
        """Whether the source makes the claim: its sections have numbers, and what lies beyond it has none."""
        return self.section[:1].isdigit()


def slug(name: str) -> str:
    """A claim's or an assumption's id as part of an anchor.

    Example
    -------
    >>> slug("2.2"), slug("B1")
    ('2-2', 'b1')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Registry(Mapping[str, Claim]):
    """All claims by id, in the order of the file, with the assumptions that they name.

    Raises :class:`ClaimsFileError` for an id that stands twice, that no anchor can be made of, or that shares its
    anchor with another one; for an unknown grade, kind, quantifier or ``uses``; for a quantifier that does not fit the
    kind, a blank reason, and more readings than two; and for claims that rest on each other in a circle.

    Example
    -------
    >>> said = ("1.1", "1 Setup", "a sum", "I", "One and one is two.", "true", "always", "It is counted.")
    >>> claim = Claim(*said, uses=("fair",))
    >>> registry = Registry([claim], [Assumption("fair", "fair masks", "The keep probability is 1/2.")])
    >>> registry.rests_on("1.1")
    ('fair',)
    """

    def __init__(self, claims: Sequence[Claim], assumptions: Sequence[Assumption]):
        self._claims = _by_id(claims, "claim")
        self.assumptions = _by_id(assumptions, "assumption")
        self._validate()

    def __getitem__(self, claim_id: str) -> Claim:
        try:
            return self._claims[claim_id]
        except (KeyError, TypeError):
            raise ClaimsFileError(
                f"there is no claim {claim_id!r} in the claims file; ids are text like '2.2' or 'B1'"
            ) from None

    def __contains__(self, claim_id: object) -> bool:
        return claim_id in self._claims

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def assumptions_of(self, claim_id: str) -> tuple[str, ...]:
        """Return the ids of the assumptions that a claim names itself, in the order of the file."""
        return tuple(used for used in self[claim_id].uses if used in self.assumptions)

    def rests_on(self, claim_id: str) -> tuple[str, ...]:
        """Return every claim and assumption that a claim uses, directly or through others, nearest first."""
        found: dict[str, None] = {}
        queue = list(self[claim_id].uses)
        while queue:
            used = queue.pop(0)
            if used not in found:
                found[used] = None
                queue.extend(self._claims[used].uses if used in self._claims else ())
        return tuple(found)

    def _validate(self) -> None:
        if both := [name for name in self.assumptions if name in self._claims]:
            raise ClaimsFileError(f"{both[0]!r} is the id of a claim and of an assumption; uses could mean either")
        for claim in self._claims.values():
            if claim.expected not in list(Grade):
                raise ClaimsFileError(
                    f"claim {claim.id} expects {claim.expected!r}; a verdict is one of {', '.join(Grade)}"
                )
            if unknown := [letter for letter in claim.kinds if letter not in KINDS]:
                raise ClaimsFileError(
                    f"claim {claim.id} has kind {claim.kind!r}; {unknown[0]!r} is none of {', '.join(KINDS)}"
                )
            if len(set(claim.kinds)) < len(claim.kinds):
                raise ClaimsFileError(f"claim {claim.id} has kind {claim.kind!r}, which names a kind twice")
            if problem := _misgraded(claim):
                raise ClaimsFileError(f"claim {claim.id} {problem}")
            if twice := [used for used in claim.uses if claim.uses.count(used) > 1]:
                raise ClaimsFileError(f"claim {claim.id} uses {twice[0]!r} twice")
            for used in claim.uses:
                if used not in self._claims and used not in self.assumptions:
                    raise ClaimsFileError(f"claim {claim.id} uses {used!r}, which is neither a claim nor an assumption")
        graph = {claim.id: [used for used in claim.uses if used in self._claims] for claim in self._claims.values()}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            raise ClaimsFileError(
                f"claims rest on each other in a circle: {' → '.join(reversed(error.args[1]))}"
            ) from None


def _misgraded(claim: Claim) -> str:
    """What is wrong with the account that a claim gives of its grade, as the end of a sentence; else nothing."""
    if claim.quantifier not in QUANTIFIERS:
        return f"has the quantifier {claim.quantifier!r}; expected one of {', '.join(QUANTIFIERS)}"
    if "H" in claim.kinds and claim.quantifier != "others found":
        return f"is of kind {claim.kind_name}, so its quantifier is 'others found', got {claim.quantifier!r}"
    if claim.kinds == ("D",) and claim.quantifier != "always":
        return f"is a definition, so its quantifier is 'always', got {claim.quantifier!r}"
    if not claim.reason.strip():
        return f"has no reason for its grade, {claim.expected!r}"
    if len(claim.readings) > MOST_READINGS:
        return f"has {len(claim.readings)} readings; expected the one that is judged, and at most one other"
    if bool(claim.change) != bool(claim.misleads):
        return "says what to change in the sentence, or how much it misleads, and not both"
    if claim.misleads and claim.misleads not in MISLEADS:
        return f"misleads {claim.misleads!r}; expected one of {', '.join(MISLEADS)}"
    return ""


_Entry = TypeVar("_Entry", Claim, Assumption)


def _by_id(entries: Iterable[_Entry], what: str) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    anchors: dict[str, str] = {}
    for entry in entries:
        if not _ID.fullmatch(entry.id):
            raise ClaimsFileError(
                f"{what} {entry.id!r}: an id is made of letters and digits, with single dots or hyphens between them"
            )
        if entry.id in found:
            raise ClaimsFileError(f"{what} {entry.id} stands twice in the claims file")
        if (anchor := slug(entry.id)) in anchors:
            raise ClaimsFileError(f"{what} {entry.id} would have the same anchor on the page as {anchors[anchor]}")
        found[entry.id] = entry
        anchors[anchor] = entry.id
    return found
