"""The claims file: what the source says, what we expect of it, and what each claim rests on.

The file is ``claims.yaml`` beside this module; the environment variable ``DROPOUT_LAB_CLAIMS`` names another one. It is
read once and validated as a whole: an unknown id, a duplicate, or a cycle is an error that names the claims concerned.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

VERDICTS = ("true", "true-under", "imprecise", "wrong", "supported", "not-seen", "opinion", "open")
KINDS = {
    "I": "identity",
    "Th": "theorem",
    "A": "approximation",
    "E": "empirical",
    "H": "history or attribution",
    "D": "definition",
    "O": "opinion",
}
DEFAULT_PATH = Path(__file__).with_name("claims.yaml")


class ClaimsFileError(ValueError):
    """The claims file contradicts itself; the message names the claims and says what is expected."""


@dataclass(frozen=True)
class Assumption:
    """A named condition under which claims hold."""

    id: str
    name: str
    statement: str


@dataclass(frozen=True)
class Claim:
    """One checkable statement: ``statement`` is what the source says, ``note`` the better statement where there is one."""

    id: str
    section: str
    title: str
    kind: str
    statement: str
    expected: str
    uses: tuple[str, ...] = ()
    note: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The single letters of ``kind``: ``"Th+E"`` gives ``("Th", "E")``."""
        return tuple(self.kind.split("+"))

    @property
    def kind_name(self) -> str:
        """The kind in words."""
        return " and ".join(KINDS[letter] for letter in self.kinds)


class Registry(Mapping[str, Claim]):
    """All claims by id, in the order of the file, with the assumptions that they name."""

    def __init__(self, claims: list[Claim], assumptions: list[Assumption]):
        self._claims = _by_id(claims, "claim")
        self.assumptions = _by_id(assumptions, "assumption")
        self._validate()

    def __getitem__(self, claim_id: str) -> Claim:
        try:
            return self._claims[claim_id]
        except KeyError:
            raise ClaimsFileError(
                f"there is no claim {claim_id!r} in the claims file; ids look like '2.2' or 'B1'"
            ) from None

    def __contains__(self, claim_id: object) -> bool:
        return claim_id in self._claims

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def assumptions_of(self, claim_id: str) -> tuple[str, ...]:
        """The ids of the assumptions that a claim names itself, in the order of the file."""
        return tuple(used for used in self[claim_id].uses if used in self.assumptions)

    def rests_on(self, claim_id: str) -> tuple[str, ...]:
        """Every claim and assumption that a claim uses, directly or through others, nearest first."""
        found: dict[str, None] = {}
        queue = list(self[claim_id].uses)
        while queue:
            used = queue.pop(0)
            if used not in found:
                found[used] = None
                queue.extend(self._claims[used].uses if used in self._claims else ())
        return tuple(found)

    def _validate(self) -> None:
        for claim in self._claims.values():
            if claim.expected not in VERDICTS:
                raise ClaimsFileError(
                    f"claim {claim.id} expects {claim.expected!r}; a verdict is one of {', '.join(VERDICTS)}"
                )
            if unknown := [letter for letter in claim.kinds if letter not in KINDS]:
                raise ClaimsFileError(
                    f"claim {claim.id} has kind {claim.kind!r}; {unknown[0]!r} is none of {', '.join(KINDS)}"
                )
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


def _by_id(entries: list, what: str) -> dict:
    found: dict[str, object] = {}
    for entry in entries:
        if entry.id in found:
            raise ClaimsFileError(f"{what} {entry.id} stands twice in the claims file")
        found[entry.id] = entry
    return found


def _entry(kind: type, fields: dict):
    if not isinstance(fields, dict) or not isinstance(fields.get("id"), str):
        raise ClaimsFileError(f"each entry of the claims file is a mapping with a quoted id, found {fields!r}")
    try:
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
    except TypeError as error:
        raise ClaimsFileError(f"the entry {fields['id']} of the claims file is not well formed: {error}") from None


def load(path: str | Path | None = None) -> Registry:
    """Read and validate a claims file; without ``path`` the one that ``DROPOUT_LAB_CLAIMS`` names, else the package's own."""
    return _load(Path(path or os.environ.get("DROPOUT_LAB_CLAIMS") or DEFAULT_PATH))


@lru_cache(maxsize=8)
def _load(path: Path) -> Registry:
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return Registry(
        [_entry(Claim, fields) for fields in document["claims"]],
        [_entry(Assumption, fields) for fields in document["assumptions"]],
    )
