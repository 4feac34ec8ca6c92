"""The table of all empirical claims: every measurement of the book, and the claims that nothing measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dropout_lab.book.ledger import Entry
from dropout_lab.book.words import EVIDENCE_WORDS, View, badge, grouped_table, row
from dropout_lab.claims import strength
from dropout_lab.claims.records import inline_math, number

_HEAD = ("Measured", "Effect", "95 % interval", "Seeds", "Decision rule", "Smallest effect it could have seen")


def empirical_claims(view: View) -> str:
    """A group of rows for each empirical claim, in the order of the claims file, and a sentence that counts them."""
    entries = view.ledger.empirical()
    if not entries:
        return "<p>No claim is empirical.</p>"
    groups = [[_claim_row(view, entry), *_rows(entry)] for entry in entries]
    caption = "All empirical claims: what was measured for each, and what was found"
    return _counted(entries) + grouped_table("The empirical claims", _HEAD, groups, "claim-measured", caption)


def _counted(entries: Sequence[Entry]) -> str:
    records = [record for entry in entries for record in entry.of_kind("measure")]
    met = sum(record["supported"] for record in records)
    without = sum("measure" not in entry.kinds for entry in entries)
    return (
        f"<p>Claims: {len(entries)}. Measurements: {len(records)}, of which {met} met the rule and {len(records) - met} "
        f"did not. Claims without a measurement: {without}.</p>"
    )


def _claim_row(view: View, entry: Entry) -> str:
    """The head of a claim's rows: the link to the cell that settles it, title, verdict, evidence of other kinds."""
    claim = entry.claim
    link = view.link(entry.docname, entry.anchor, f"Claim {escape(claim.id)}")
    others = ", ".join(EVIDENCE_WORDS[kind] for kind in entry.kinds if kind != "measure")
    also = f' <span class="claim-strength">also {others}</span>' if others and "measure" in entry.kinds else ""
    title = f'<span class="claim-id">{link}</span> {inline_math(claim.title)} {badge(entry.verdict)}{also}'
    return f'<tr><th scope="rowgroup" colspan="{len(_HEAD)}">{title}</th></tr>'


def _rows(entry: Entry) -> list[str]:
    return [_measured(record) for record in entry.of_kind("measure")] or [_not_measured(entry)]


def _measured(record: Mapping[str, Any]) -> str:
    low, high = record["interval"]
    cells = [
        inline_math(record["says"]),
        f"{number(record['effect'])} {escape(record['unit'])}".strip(),
        f"{number(low)} to {number(high)}",
        str(record["seeds"]),
        f"{escape(record['rule'])}: <strong>{'met' if record['supported'] else 'not met'}</strong>",
        number(record["smallest_detectable"]),
    ]
    return row(cells, labels=_HEAD)


def _not_measured(entry: Entry) -> str:
    said = [f"{escape(strength(record))}: {inline_math(record['says'])}" for record in entry.evidence]
    note = [f'<p class="claim-note">{inline_math(entry.claim.note)}</p>'] if entry.claim.note else []
    reasons = "<br>".join(said) or "no evidence yet"
    return f'<tr><th scope="row">Not measured</th><td colspan="{len(_HEAD) - 1}">{reasons}{"".join(note)}</td></tr>'
