"""The ledger: from all evidence of the book to one verdict a claim, and to everything that is amiss."""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dropout_lab.book.reading import Mention, Page
from dropout_lab.claims import (
    EVIDENCE,
    Claim,
    Derivation,
    Evidence,
    Measurement,
    Refutation,
    Registry,
    VerdictError,
    replications,
    settle,
    verdict,
)
from dropout_lab.claims.derivations import weakest
from dropout_lab.claims.records import Json
from dropout_lab.claims.registry import ESTABLISHED, MOST_READINGS, QUANTIFIERS, Grade, slug
from dropout_lab.claims.replications import Replications

#: The verdict of a claim that has no evidence yet; only a draft gets so far.
UNSETTLED = "unsettled"


@dataclass(frozen=True)
class Entry:
    """One claim with its verdict, all evidence of the book for it, and the place that settles it (empty: nowhere)."""

    claim: Claim
    verdict: str
    evidence: tuple[Evidence, ...] = ()
    docname: str = ""
    anchor: str = ""
    replicated: Replications | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of evidence, each once, in the order of :data:`~dropout_lab.claims.records.EVIDENCE`."""
        given = {piece.kind for piece in self.evidence if piece.is_evidence}
        return tuple(kind for kind in EVIDENCE if kind in given)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured for the claim."""
        return tuple(piece for piece in self.evidence if isinstance(piece, Measurement))

    @property
    def at_edge(self) -> bool:
        """Whether other seeds may well turn what the measurements come to: if each that speaks against is at its edge.

        Where none does, one is enough.
        """
        against = [piece.at_edge for piece in self.measurements if not piece.supported]
        return all(against) if against else any(piece.at_edge for piece in self.measurements)

    @property
    def outcome(self) -> Grade | None:
        """What the measurements come to, or None if there are none."""
        return replications.outcome(self.evidence)

    @property
    def counted(self) -> Replications | None:
        """What fresh seeds gave, if they were given to the recipes that the book uses."""
        found = self.replicated
        return found if found and found.recipes == replications.recipes(self.evidence) else None

    @property
    def against(self) -> Refutation | Measurement | None:
        """The piece that speaks against the sentence in numbers: a counterexample, or a measurement that missed."""
        missed = next((piece for piece in self.measurements if not piece.supported), None)
        return next((piece for piece in self.evidence if isinstance(piece, Refutation)), missed)

    @property
    def derivations(self) -> list[Derivation]:
        """The chains that derive the claim."""
        return [piece for piece in self.evidence if isinstance(piece, Derivation)]

    @property
    def under(self) -> tuple[str, ...]:
        """The assumptions that the derivations need, each once."""
        return weakest(self.derivations)


class Ledger:
    """All claims of the registry as the book settles them.

    ``pages`` holds what reading found, by docname; ``order`` the docnames as they are read. Evidence for a claim that
    the registry lacks has no entry, and evidence that cannot settle its claim gives no verdict: :meth:`problems` names
    both. ``replicated`` holds what fresh seeds gave, by claim.

    Example
    -------
    >>> claim = Claim("1.1", "1 Setup", "a sum", "I", "One and one is two.", "true", "always", "It is counted.")
    >>> Ledger(Registry([claim], []), {}, []).entries["1.1"].verdict
    'unsettled'
    """

    def __init__(
        self,
        registry: Registry,
        pages: Mapping[str, Page],
        order: Sequence[str],
        replicated: Mapping[str, Replications] | None = None,
    ):
        self.registry = registry
        self.replicated = replicated or {}
        self._pages = {docname: pages[docname] for docname in order if docname in pages}
        self.falsifiers = [found for page in self._pages.values() for found in page.falsifiers]
        self.evidence: dict[str, list[Evidence]] = {}
        first: dict[str, tuple[str, str]] = {}
        for docname, page in self._pages.items():
            for settled in page.settled:
                self.evidence.setdefault(settled.claim, []).extend(settled.evidence)
                first.setdefault(settled.claim, (docname, settled.anchor))
        self.entries = {
            claim.id: Entry(
                claim,
                self._verdict(claim),
                tuple(self.evidence.get(claim.id, ())),
                *first.get(claim.id, ("", "")),
                self.replicated.get(claim.id),
            )
            for claim in registry.values()
        }

    def _verdict(self, claim: Claim) -> str:
        try:
            return str(verdict(claim, self.evidence.get(claim.id, ())))
        except VerdictError:
            return UNSETTLED

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

    def derived_by(self, anchor: str) -> list[Entry]:
        """The entries in whose derivations a rule is named, by the rule's place on the page of rules."""
        return [
            entry
            for entry in self.entries.values()
            if any(
                anchor == reason.anchor for one in entry.derivations for line in one.lines for reason in line.reasons
            )
        ]

    def empirical(self) -> list[Entry]:
        """The entries of all claims about experience, and of others that a measurement speaks of."""
        return [entry for entry in self.entries.values() if "E" in entry.claim.kinds or entry.measurements]

    def problems(self, bibliography: Collection[str], cited: Container[str], draft: bool = False) -> list[str]:
        """Everything that must stop the build, a line each.

        ``bibliography`` holds the keys of its entries, ``cited`` those that some page shows as cited. In a draft a
        claim may be without evidence, an entry without a citation, an assumption without a use, a verdict at the edge
        without replications, and replications of another recipe are left aside.
        """
        left_out = self.without_evidence() if draft else []
        registry = self._without(left_out) if left_out else self.registry
        evidence = {claim_id: pieces for claim_id, pieces in self.evidence.items() if claim_id not in left_out}
        found = [sentence for page in self._pages.values() for sentence in page.unreadable]
        if not draft:
            unused = "is used by no derivation and named by no claim: what nothing needs is no assumption"
            found.extend(f"assumption {name!r} {unused}" for name in self.unused_assumptions())
        try:
            settle(registry, evidence)
        except VerdictError as error:
            found.extend(str(problem) for problem in error.problems)
        for page in self._pages.values():
            found.extend(filter(None, map(self._missing, page.mentions)))
            for settled in page.settled:
                for key in (key for piece in settled.evidence for key, _ in piece.sources if key not in bibliography):
                    where = f"claim {settled.claim} ({settled.place})"
                    found.append(f"{where} cites {key!r}, which is not in the bibliography")
        if not draft:
            found.extend(self._misreplicated())
        if not draft and (idle := [key for key in bibliography if key not in cited]):
            found.append(f"no page cites these entries of the bibliography: {', '.join(idle)}")
        return found

    def _misreplicated(self) -> Iterator[str]:
        """What is wrong with the replications, a sentence each."""
        for claim_id in self.replicated:
            if claim_id not in self.entries or not self.entries[claim_id].measurements:
                yield f"{replications.FILE} has an entry for claim {claim_id}, which no cell measures; remove it"
        for claim_id, entry in self.entries.items():
            who = f"claim {claim_id} ({entry.claim.title})"
            if len(pages := self._measured_on(claim_id)) > 1:
                yield f"{who} is measured on {' and '.join(pages)}; a replication runs one page, so measure it on one"
            elif pages and not entry.counted and (entry.replicated or entry.at_edge):
                why = "was replicated by another recipe than the book's"
                if not entry.replicated:
                    why = "is measured at the edge of its rule, where other seeds may say something else"
                yield f"{who} {why}; run make replicate RUNS=10 PAGE={pages[0]}.md"

    def _measured_on(self, claim_id: str) -> list[str]:
        """The docnames of the pages with a measurement of a claim."""
        return [
            docname
            for docname, page in self._pages.items()
            if any(
                isinstance(piece, Measurement)
                for settled in page.settled
                if settled.claim == claim_id
                for piece in settled.evidence
            )
        ]

    def _missing(self, mention: Mention) -> str:
        if mention.what == "section":
            known = bool(self.of_section(mention.name))
            lacks = f"no claim of the claims file stands in section {mention.name!r}"
        elif mention.what == "finding" and mention.name in self.registry:
            known = self.entries[mention.name].against is not None or mention.name in self.without_evidence()
            lacks = f"claim {mention.name} is shown as a finding, but no counterexample or missed rule is against it"
        else:
            of_assumption = mention.what in ("assumption", "falsifier")
            known = mention.name in (self.registry.assumptions if of_assumption else self.registry)
            lacks = f"the prose names {mention.what} {mention.name!r}, which the claims file lacks"
        return "" if known else f"{mention.place}: {lacks}"

    def unused_assumptions(self) -> list[str]:
        """The ids of the assumptions that no claim names and no chain of the book needs."""
        named = {used for claim in self.registry.values() for used in claim.uses}
        needed = {used for entry in self.entries.values() for chain in entry.derivations for used in chain.assumes}
        return [name for name in self.registry.assumptions if name not in named | needed]

    def without_evidence(self) -> list[str]:
        """The ids of the claims that no cell of the book gives evidence for; what only illustrates is none."""
        return [
            claim_id
            for claim_id, entry in self.entries.items()
            if not any(piece.can_settle(entry.claim) or piece.misjudges(entry.claim) for piece in entry.evidence)
        ]

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
                "reason": entry.claim.reason,
                # A claim of our own is meant as it stands.
                "readings": list(entry.claim.readings or (entry.claim.statement,)),
                "quantifier": entry.claim.quantifier,
                "uses": list(entry.claim.uses),
                "page": entry.docname + suffix if entry.docname else "",
                "anchor": entry.anchor,
                "replications": _count_of(entry),
                "evidence": [piece.to_json() for piece in entry.evidence if piece.is_evidence],
            }
            for entry in self.entries.values()
        ]
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"

    def _without(self, left_out: Sequence[str]) -> Registry:
        """The registry without some claims, for judging a draft."""
        kept = [
            replace(claim, uses=tuple(used for used in claim.uses if used not in left_out))
            for claim in self.registry.values()
            if claim.id not in left_out
        ]
        return Registry(kept, list(self.registry.assumptions.values()))


def _count_of(entry: Entry) -> Json:
    """The replications of a claim, and how many of them came out as in the book; nothing if there are none."""
    found = entry.counted
    return {"runs": found.runs, "same": found.same_as(entry.outcome)} if found else None


def schema() -> dict[str, Json]:
    """The JSON schema of :meth:`Ledger.as_json`, made from the kinds of evidence.

    Example
    -------
    >>> schema()["type"]
    'array'
    """
    text: dict[str, Json] = {"type": "string"}
    said: dict[str, Json] = {"type": "string", "pattern": r"\S"}
    kinds: list[Json] = [kind.schema() for kind in EVIDENCE.values() if kind.is_evidence]
    grades: list[Json] = [str(grade) for grade in Grade]
    properties: dict[str, Json] = {
        **dict.fromkeys(("id", "section", "statement", "kind"), said),
        "expected": {"enum": grades},
        "verdict": {"enum": [*grades, UNSETTLED]},
        "reason": said,
        "readings": {"type": "array", "items": said, "minItems": 1, "maxItems": MOST_READINGS},
        "quantifier": {"enum": list(QUANTIFIERS)},
        "uses": {"type": "array", "items": text, "uniqueItems": True},
        "page": text,
        "anchor": text,
        "replications": {
            "type": ["object", "null"],
            "properties": {"runs": {"type": "integer", "minimum": 1}, "same": {"type": "integer", "minimum": 0}},
            "required": ["runs", "same"],
            "additionalProperties": False,
        },
        "evidence": {"type": "array", "items": {"oneOf": kinds}},
    }
    required: list[Json] = list(properties)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The claims of the dropout book, with their verdicts and their evidence",
        "type": "array",
        "items": {"type": "object", "properties": properties, "required": required, "additionalProperties": False},
    }


def anchor_of(claim_id: str) -> str:
    """The id of the element that settles a claim: ``claim-2-2`` for claim 2.2."""
    return f"claim-{slug(claim_id)}"


def row_of(claim_id: str) -> str:
    """The id of a claim's row in the ledger."""
    return f"ledger-{slug(claim_id)}"


def assumption_of(name: str) -> str:
    """The id of an assumption's row beside the map."""
    return f"assumption-{slug(name)}"


def row_on_map(claim_id: str) -> str:
    """The id of a claim's row beside the map."""
    return f"map-{slug(claim_id)}"


def in_section(claim: Claim, number: str) -> bool:
    """Whether a claim stands in the section with this number or in one of its subsections."""
    own = claim.section.split(maxsplit=1)[0].rstrip(".:")
    return own == number or own.startswith(f"{number}.")
