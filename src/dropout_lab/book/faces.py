"""What the directive ``claims`` shows, by name: statement boxes, tables of claims, the ledger, the errata, the map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from dropout_lab.book.ledger import Entry
from dropout_lab.book.maps import assumption_table, claim_map, claim_table, page_map, section_map
from dropout_lab.book.view import VERDICT_WORDS, View
from dropout_lab.claims import EVIDENCE, Grade
from dropout_lab.claims.registry import CORRECTED, MISLEADS

#: The parts of the errata, by how much a sentence misleads.
ERRATA = dict(zip(MISLEADS, ("What misleads most", "What misleads in some cases", "Small print"), strict=True))
#: The tables that say in words what the whole map shows, by their names among the faces.
MAP_TABLES = {"map-claims": "Claim by claim", "map-assumptions": "Assumption by assumption"}


def statement(view: View, claim_id: str) -> str:
    """The box with which a chapter introduces a claim."""
    if claim_id not in view.ledger.entries:
        return ""
    entry = view.ledger.entries[claim_id]
    registry = view.ledger.registry
    return view.render(
        "claim-statement",
        entry=entry,
        where=f"source, section {entry.claim.section}" if entry.claim.of_source else entry.claim.section,
        under=[(name, registry.assumptions[name].statement) for name in registry.assumptions_of(claim_id)],
        earlier=[used for used in entry.claim.uses if used in view.ledger.entries],
    )


def settled(view: View, _: str) -> str:
    """The table of the claims that a page settles."""
    return view.render("claims-settled", entries=view.ledger.of_page(view.docname))


def counts(view: View, _: str) -> str:
    """How many claims there are, by verdict and by kind of evidence, and how many are fully established."""
    entries = list(view.ledger.entries.values())
    kinds = Counter(kind for entry in entries for kind in entry.kinds)
    derivations = [piece for entry in entries for piece in entry.derivations]
    scopes = Counter(piece.scope for piece in derivations)
    return view.render(
        "claim-counts",
        entries=entries,
        verdicts=_by_verdict(entries),
        kinds=[(kind.noun, kinds[name]) for name, kind in EVIDENCE.items() if kinds[name]],
        without=sum(not entry.kinds for entry in entries),
        lines=sum(len(piece.lines) for piece in derivations),
        scopes=sorted(scopes.items(), key=lambda item: (-item[1], item[0])),
    )


def state(view: View, _: str) -> str:
    """The claims of each section as marks by verdict, the whole as one figure."""
    rows = []
    for section, entries in view.ledger.sections().items():
        docname = next((entry.docname for entry in entries if entry.docname), "")
        rows.append((section, docname, _by_verdict(entries)))
    return view.render("claim-state", rows=rows, totals=_by_verdict(view.ledger.entries.values()))


def _by_verdict(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """How many entries have each verdict, in the order in which verdicts are listed, without those that none has."""
    found = Counter(entry.verdict for entry in entries)
    return [(verdict, found[verdict]) for verdict in VERDICT_WORDS if found[verdict]]


def finding(view: View, claim_id: str) -> str:
    """A sentence that the book corrects, with the number that speaks against it; empty while nothing does."""
    entry = view.ledger.entries.get(claim_id)
    piece = entry.against if entry else None
    return view.render("claim-finding", entry=entry, piece=piece) if entry and piece else ""


def ledger_filter(view: View, _: str) -> str:
    """The controls that narrow the ledger; hidden until the script that serves them runs."""
    entries = view.ledger.entries.values()
    given, used = {entry.verdict for entry in entries}, {kind for entry in entries for kind in entry.kinds}
    verdicts = [(verdict, word) for verdict, (_, word) in VERDICT_WORDS.items() if verdict in given]
    kinds = [(name, kind.noun) for name, kind in EVIDENCE.items() if name in used]
    return view.render("claim-filter", choices=[("Verdict", "verdict", verdicts), ("Evidence", "evidence", kinds)])


def ledger_section(view: View, section: str) -> str:
    """The rows of one section of the source."""
    return view.render("claim-ledger", section=section, entries=view.ledger.sections().get(section, []))


def errata(view: View, misleads: str) -> str:
    """The corrections of sentences that mislead by so much, the worst grade first."""
    entries = view.ledger.entries.values()
    found = [entry for entry in entries if entry.claim.misleads == misleads and entry.verdict in CORRECTED]
    found.sort(key=lambda entry: CORRECTED.index(Grade(entry.verdict)))
    return view.render("claim-errata", entries=found)


def empirical(view: View, _: str) -> str:
    """A group of rows for each empirical claim, every measurement in one, and a sentence that counts them."""
    entries = view.ledger.empirical()
    found = [piece for entry in entries for piece in entry.measurements]
    return view.render(
        "empirical-claims",
        entries=entries,
        nouns={name: kind.noun for name, kind in EVIDENCE.items()},
        measured=len(found),
        met=sum(piece.supported for piece in found),
        without=sum(not entry.measurements for entry in entries),
    )


def rule(view: View, anchor: str) -> str:
    """The claims that a rule of derivation serves."""
    return view.render("rule-claims", entries=view.ledger.derived_by(anchor))


#: What a placeholder is filled with: a function of the view and of the placeholder's argument.
FACES: dict[str, Callable[[View, str], str]] = {
    "statement": statement,
    "settled": settled,
    "counts": counts,
    "state": state,
    "finding": finding,
    "filter": ledger_filter,
    "ledger-section": ledger_section,
    "errata": errata,
    "empirical": empirical,
    "rule": rule,
    "map": claim_map,
    "map-claims": claim_table,
    "map-assumptions": assumption_table,
    "section-map": section_map,
    "page-map": page_map,
}
