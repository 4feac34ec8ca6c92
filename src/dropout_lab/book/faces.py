"""What the directives show: statement boxes, tables of settled claims, the ledger, the errata, what chapters cost."""

from __future__ import annotations

from collections import Counter
from html import escape

from dropout_lab.book.ledger import EVIDENCE_KINDS, Entry, of_source
from dropout_lab.book.records import row_of
from dropout_lab.book.words import EVIDENCE_WORDS, VERDICT_WORDS, View, badge, row, strengths, table
from dropout_lab.claims import strength
from dropout_lab.claims.records import inline_math

#: The verdicts that the errata list, the most misleading first.
ERRATA = {
    "wrong": "Wrong",
    "imprecise": "Imprecise",
    "true-under": "True only under a condition that the source leaves out",
}


def statement(view: View, claim_id: str) -> str:
    """The box with which a chapter introduces a claim."""
    if claim_id not in view.ledger.entries:
        return ""
    entry = view.ledger.entries[claim_id]
    claim = entry.claim
    where = f"source, section {claim.section}" if of_source(claim) else claim.section
    foot = [escape(claim.kind_name), escape(where)]
    if entry.docname:
        foot.append(view.link(entry.docname, entry.anchor, "evidence"))
    if view.ledger_page:
        foot.append(view.link(view.ledger_page, row_of(claim_id), "ledger"))
    under = "".join(
        f"<dt>{view.assumption(name)}</dt><dd>{inline_math(view.ledger.registry.assumptions[name].statement)}</dd>"
        for name in view.ledger.registry.assumptions_of(claim_id)
    )
    earlier = [used for used in claim.uses if used in view.ledger.entries]
    return (
        f'<div class="claim-statement mathjax_process claim-verdict-{entry.verdict}">'
        f'<p class="claim-statement-head"><strong>Claim {escape(claim.id)}</strong> {inline_math(claim.title)} '
        f"{badge(entry.verdict)}</p><p>{inline_math(claim.statement)}</p>"
        + (f'<dl class="claim-assumptions" aria-label="Assumptions">{under}</dl>' if under else "")
        + (f'<p class="claim-statement-foot">Rests on claims {view.used(earlier)}</p>' if earlier else "")
        + f'<p class="claim-statement-foot">{" · ".join(foot)}</p></div>'
    )


def settled(view: View) -> str:
    """The table of the claims that a page settles."""
    rows = [
        row(
            [
                f"{view.claim(entry.claim.id)} {inline_math(entry.claim.title)}",
                badge(entry.verdict),
                strengths(entry),
                view.link(entry.docname, entry.anchor, f"evidence for {escape(entry.claim.id)}"),
            ]
        )
        for entry in view.ledger.of_page(view.docname)
    ]
    if not rows:
        return "<p>This page settles no claim.</p>"
    return table("Claims settled on this page", ["Claim", "Verdict", "Evidence", "Cell"], rows)


def counts(view: View) -> str:
    """How many claims there are, by verdict and by kind of evidence, and how many are fully established."""
    entries = list(view.ledger.entries.values())
    verdicts = Counter(entry.verdict for entry in entries)
    kinds = Counter(kind for entry in entries for kind in entry.kinds)
    kinds["none"] = sum(not entry.kinds for entry in entries)
    worth = Counter(strength(record) for entry in entries for record in entry.evidence if record["kind"] == "prove")
    by_verdict = [row([badge(verdict), str(verdicts[verdict])]) for verdict in VERDICT_WORDS if verdicts[verdict]]
    by_kind = [row([EVIDENCE_WORDS[kind], str(kinds[kind])]) for kind in EVIDENCE_KINDS if kinds[kind]]
    if kinds["none"]:
        by_kind.append(row(["none: opinion or open", str(kinds["none"])]))
    commonest = sorted(worth.items(), key=lambda item: (-item[1], item[0]))
    proofs = "; ".join(f"{number} {escape(text)}" for text, number in commonest)
    established = len(view.ledger.fully_established)
    return (
        f"<p>{len(entries)} claims, {established} of them fully established: settled (the wrong and the imprecise ones "
        "by a better statement), and so is every claim that they rest on.</p>"
        '<div class="claim-counts">'
        + table("Claims by verdict", ["Verdict", "Claims"], by_verdict)
        + table("Claims by kind of evidence; a claim can have several", ["Evidence", "Claims"], by_kind)
        + "</div>"
        + (f"<p>Proofs: {proofs}.</p>" if proofs else "")
    )


def ledger_filter(view: View) -> str:
    """The controls that narrow the ledger; hidden until the script that serves them runs."""
    entries = view.ledger.entries.values()
    given = {entry.verdict for entry in entries}
    verdicts = "".join(f'<option value="{v}">{word}</option>' for v, (_, word) in VERDICT_WORDS.items() if v in given)
    used = {kind for entry in entries for kind in entry.kinds}
    kinds = "".join(f'<option value="{k}">{EVIDENCE_WORDS[k]}</option>' for k in EVIDENCE_KINDS if k in used)
    return (
        '<form class="claim-filter" id="claim-filter" role="search" aria-label="Filter the claims" hidden>'
        f'<label>Verdict <select name="verdict"><option value="">all</option>{verdicts}</select></label>'
        f'<label>Evidence <select name="evidence"><option value="">all</option>{kinds}</select></label>'
        '<label>Search <input type="search" name="words" autocomplete="off"></label>'
        '<output aria-live="polite"></output></form>'
    )


def ledger_section(view: View, section: str) -> str:
    """The rows of one section of the source."""
    rows = [_ledger_row(view, entry) for entry in view.ledger.sections().get(section, ())]
    head = ["Claim", "Verdict and evidence", "Rests on"]
    return table(f"Claims of section {section}", head, rows, "claim-ledger")


def errata(view: View, verdict: str) -> str:
    """The corrections of one degree: what the source says, what was computed, and what is right."""
    found = [entry for entry in view.ledger.entries.values() if entry.verdict == verdict and of_source(entry.claim)]
    return "\n".join(_erratum(view, entry) for entry in found) or "<p>None.</p>"


def _ledger_row(view: View, entry: Entry) -> str:
    claim = entry.claim
    rests = view.used(claim.uses)
    lacking = [view.claim(used) for used in view.ledger.lacking(claim.id) if used != claim.id]
    if lacking:
        rests += f'<br><span class="claim-lacking">not fully established: {", ".join(lacking)}</span>'
    note = f'<p class="claim-note">{inline_math(claim.note)}</p>' if claim.note else ""
    return row(
        [
            f'<span class="claim-id">{escape(claim.id)}</span> {inline_math(claim.title)} '
            f'<span class="claim-strength">{escape(claim.kind_name)}</span><p>{inline_math(claim.statement)}</p>{note}',
            f"{badge(entry.verdict)}<br>{strengths(entry)}<br>{view.cell(entry)}",
            rests,
        ],
        f' id="{row_of(claim.id)}" data-verdict="{entry.verdict}" data-evidence="{" ".join(entry.kinds)}"',
    )


def _erratum(view: View, entry: Entry) -> str:
    claim = entry.claim
    parts = [f"<dt>The source says</dt><dd>{inline_math(claim.statement)}</dd>"]
    under = dict.fromkeys(name for record in entry.evidence for name in record.get("under", ()))
    known = view.ledger.registry.assumptions
    conditions = [f"{view.assumption(name)}: {inline_math(known[name].statement)}" for name in under if name in known]
    if conditions:
        parts.append(f"<dt>It needs</dt><dd>{'<br>'.join(conditions)}</dd>")
    for record in entry.evidence:
        if record["kind"] == "refute":
            parts.append(
                f"<dt>Counterexample</dt><dd>{inline_math(record['counterexample'])}<br>Claimed: "
                f"<code>{escape(record['claimed'])}</code>. Computed: <code>{escape(record['actual'])}</code>.</dd>"
                f"<dt>Established instead</dt><dd>{inline_math(record['correction'])}</dd>"
            )
        elif record["kind"] == "cite" and record["verdict"] == entry.verdict:
            parts.append(f"<dt>According to the literature</dt><dd>{inline_math(record['says'])}</dd>")
    if claim.note:
        parts.append(f"<dt>Better</dt><dd>{inline_math(claim.note)}</dd>")
    parts.append(f"<dt>Evidence</dt><dd>{strengths(entry)}<br>{view.cell(entry)}</dd>")
    return (
        f'<div class="claim-erratum mathjax_process claim-verdict-{entry.verdict}"><p class="claim-statement-head">'
        f"<strong>Claim {view.claim(claim.id)}</strong> {inline_math(claim.title)} {badge(entry.verdict)}</p>"
        f"<dl>{''.join(parts)}</dl></div>"
    )
