"""The ledger: from all records of the book to one verdict a claim, and to everything that is amiss."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dropout_lab.book.records import Page
from dropout_lab.claims import Claim, Registry, VerdictError, settle, verdict

#: The verdict of a claim that has no evidence yet; only a draft gets so far.
UNSETTLED = "unsettled"
#: Verdicts that establish something: the claim itself, or the better statement that takes its place.
ESTABLISHED = frozenset({"true", "true-under", "imprecise", "wrong", "supported"})
EVIDENCE_KINDS = ("prove", "enumerate", "measure", "refute", "cite")


@dataclass(frozen=True)
class Entry:
    """One claim with its verdict, all records of the book for it, and the place that settles it (empty: nowhere)."""

    claim: Claim
    verdict: str
    evidence: tuple[Mapping[str, Any], ...] = ()
    docname: str = ""
    anchor: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of evidence, each once, in the order of :data:`EVIDENCE_KINDS`."""
        given = {record["kind"] for record in self.evidence}
        return tuple(kind for kind in EVIDENCE_KINDS if kind in given)

    def of_kind(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The records of one kind of evidence."""
        return tuple(record for record in self.evidence if record["kind"] == kind)


class Ledger:
    """All claims of the registry as the book settles them.

    ``pages`` holds what reading found, by docname; ``order`` the docnames as they are read. Evidence for a claim that
    the registry lacks has no entry: :meth:`problems` names it.
    """

    def __init__(self, registry: Registry, pages: Mapping[str, Page], order: Sequence[str]):
        self.registry = registry
        self._pages = {docname: pages[docname] for docname in order if docname in pages}
        self.evidence: dict[str, list[Mapping[str, Any]]] = {}
        first: dict[str, tuple[str, str]] = {}
        for docname, page in self._pages.items():
            for settled in page.settled:
                self.evidence.setdefault(settled.claim, []).extend(settled.evidence)
                first.setdefault(settled.claim, (docname, settled.anchor))
        self.entries = {
            claim.id: Entry(
                claim,
                verdict(claim, self.evidence[claim.id]) if claim.id in self.evidence else UNSETTLED,
                tuple(self.evidence.get(claim.id, ())),
                *first.get(claim.id, ("", "")),
            )
            for claim in registry.values()
        }

    @cached_property
    def fully_established(self) -> frozenset[str]:
        """The claims that are established, and so is everything that they rest on."""
        return frozenset(claim_id for claim_id in self.entries if not self.lacking(claim_id))

    def lacking(self, claim_id: str) -> tuple[str, ...]:
        """What keeps a claim from being fully established: itself, or claims that it rests on."""
        claims = [used for used in (claim_id, *self.registry.rests_on(claim_id)) if used in self.entries]
        return tuple(used for used in claims if self.entries[used].verdict not in ESTABLISHED)

    def of_page(self, docname: str) -> list[Entry]:
        """The claims that a page gives evidence for, in the order of the page."""
        settled = self._pages[docname].settled if docname in self._pages else []
        return [self.entries[name] for name in dict.fromkeys(s.claim for s in settled) if name in self.entries]

    def sections(self) -> dict[str, list[Entry]]:
        """The entries by section of the source, in the order of the claims file."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries.values():
            found.setdefault(entry.claim.section, []).append(entry)
        return found

    def of_section(self, number: str) -> list[Entry]:
        """The entries of a section and of its subsections: ``"7"`` finds ``7 Variants`` and ``7.1 DropConnect``."""
        return [entry for entry in self.entries.values() if in_section(entry.claim, number)]

    def empirical(self) -> list[Entry]:
        """The entries of all claims about experience, and of others that a measurement speaks of."""
        return [entry for entry in self.entries.values() if "E" in entry.claim.kinds or "measure" in entry.kinds]

    def problems(self, bibliography: Container[str], draft: bool = False) -> list[str]:
        """Everything that must stop the build, a line each; in a draft a claim may be without evidence."""
        registry = self._settled_part() if draft else self.registry
        found = []
        try:
            settle(registry, self.evidence)
        except VerdictError as error:
            found.extend(line.removeprefix("  - ") for line in str(error).splitlines()[1:])
        for page in self._pages.values():
            for mention in page.mentions:
                if mention.what == "section" and not self.of_section(mention.name):
                    found.append(f"{mention.place}: no claim of the claims file stands in section {mention.name!r}")
                elif mention.what == "claim" and mention.name not in self.registry:
                    missing = f"the prose names claim {mention.name!r}, which the claims file lacks"
                    found.append(f"{mention.place}: {missing}")
            for settled in page.settled:
                for record in settled.evidence:
                    if record["kind"] == "cite" and record["key"] not in bibliography:
                        where = f"claim {settled.claim} ({settled.place})"
                        found.append(f"{where} cites {record['key']!r}, which is not in the bibliography")
        return found

    def without_evidence(self) -> list[str]:
        """The ids of the claims that no cell of the book gives evidence for."""
        return [claim_id for claim_id, entry in self.entries.items() if entry.verdict == UNSETTLED]

    def as_json(self, suffix: str = ".html") -> str:
        """The ledger as data: a list of objects, one a claim, with its own figures for each piece of evidence."""
        rows = [
            {
                "id": entry.claim.id,
                "section": entry.claim.section,
                "statement": entry.claim.statement,
                "kind": entry.claim.kind,
                "expected": entry.claim.expected,
                "verdict": entry.verdict,
                "uses": list(entry.claim.uses),
                "page": entry.docname + suffix if entry.docname else "",
                "anchor": entry.anchor,
                "evidence": [dict(record) for record in entry.evidence if record["kind"] in EVIDENCE_KINDS],
            }
            for entry in self.entries.values()
        ]
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Write the ledger as data."""
        path.write_text(self.as_json(), encoding="utf-8")

    def _settled_part(self) -> Registry:
        """The registry without the claims that have no evidence, for judging a draft."""
        left_out = set(self.without_evidence())
        kept = [
            replace(claim, uses=tuple(used for used in claim.uses if used not in left_out))
            for claim in self.registry.values()
            if claim.id not in left_out
        ]
        return Registry(kept, list(self.registry.assumptions.values()))


def of_source(claim: Claim) -> bool:
    """Whether the source makes the claim: its sections have numbers, and what lies beyond it has none."""
    return claim.section[:1].isdigit()


def in_section(claim: Claim, number: str) -> bool:
    """Whether a claim stands in the section with this number or in one of its subsections."""
    own = claim.section.split(maxsplit=1)[0].rstrip(".:")
    return own == number or own.startswith(f"{number}.")
