"""The words and signs of verdicts and evidence, and the small pieces of HTML that every table of claims is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from dropout_lab.book.ledger import UNSETTLED, Entry, Ledger
from dropout_lab.book.records import assumption_of, row_of
from dropout_lab.claims import strength
from dropout_lab.claims.records import inline_math

#: A sign and a word for every verdict: color alone never says it.
VERDICT_WORDS = {
    "true": ("✓", "true"),
    "true-under": ("◐", "true under a condition"),
    "imprecise": ("≈", "imprecise"),
    "wrong": ("✗", "wrong"),
    "supported": ("▲", "supported"),
    "not-seen": ("○", "not seen at this scale"),
    "opinion": ("–", "opinion"),
    "open": ("?", "open"),
    UNSETTLED: ("…", "not settled yet"),
}
EVIDENCE_WORDS = {
    "prove": "proof",
    "enumerate": "enumeration",
    "measure": "measurement",
    "refute": "counterexample",
    "cite": "citation",
}


@dataclass(frozen=True)
class View:
    """The ledger as seen from one page: ``href(docname, anchor)`` gives the link from there.

    ``titles`` names the pages; ``ledger_page`` and ``map_page`` are the docnames of the pages that hold the whole
    ledger and the whole map, or empty.
    """

    ledger: Ledger
    docname: str
    href: Callable[[str, str], str]
    titles: Mapping[str, str]
    ledger_page: str = ""
    map_page: str = ""

    def link(self, docname: str, anchor: str, html: str) -> str:
        """A link to a place of the book around HTML; only the HTML if there is no such place."""
        if not docname:
            return html
        return f'<a class="reference internal" href="{escape(self.href(docname, anchor))}">{html}</a>'

    def claim(self, claim_id: str) -> str:
        """A claim's id with a link to its row in the ledger; to the cell that settles it where there is no ledger."""
        entry = self.ledger.entries[claim_id]
        if self.ledger_page:
            return self.link(self.ledger_page, row_of(claim_id), escape(claim_id))
        return self.link(entry.docname, entry.anchor, escape(claim_id))

    def cell(self, entry: Entry) -> str:
        """A link to the cell that settles a claim, with the page's title."""
        if not entry.docname:
            return "nowhere yet"
        return self.link(entry.docname, entry.anchor, escape(self.titles.get(entry.docname, entry.docname)))

    def assumption(self, name: str) -> str:
        """An assumption's name with a link to its row beside the map."""
        text = inline_math(self.ledger.registry.assumptions[name].name)
        return self.link(self.map_page, assumption_of(name), text)

    def used(self, names: Iterable[str]) -> str:
        """What a claim uses, as links: claims by their ids, assumptions by their names."""
        known = self.ledger.registry.assumptions
        links = [self.assumption(name) if name in known else self.claim(name) for name in names]
        return ", ".join(links) or "nothing else"


def badge(verdict: str) -> str:
    """A verdict as a word; the style sheet puts its sign before it."""
    return f'<span class="claim-badge claim-verdict-{verdict}">{VERDICT_WORDS[verdict][1]}</span>'


def strengths(entry: Entry) -> str:
    """What the evidence is worth, each kind of worth once."""
    found = dict.fromkeys(strength(record) for record in entry.evidence)
    return "<br>".join(escape(text) for text in found) or "none"


def scrolling(label: str, content: str) -> str:
    """Wide content in a container that scrolls by itself and can be reached with the keyboard."""
    attributes = f'class="claim-scroll mathjax_process" role="region" tabindex="0" aria-label="{escape(label)}"'
    return f"<div {attributes}>{content}</div>"


def table(label: str, head: Iterable[str], rows: Iterable[str], classes: str = "") -> str:
    """A table with column heads; ``rows`` are complete ``<tr>`` elements."""
    return grouped_table(label, head, [rows], classes)


def grouped_table(
    label: str, head: Iterable[str], groups: Iterable[Iterable[str]], classes: str = "", caption: str = ""
) -> str:
    """A table whose rows form groups, each a body of its own; with a caption, if there is one."""
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    bodies = "".join("<tbody>\n" + "\n".join(rows) + "\n</tbody>" for rows in groups)
    content = f"{above}<thead><tr>{columns}</tr></thead>{bodies}"
    return scrolling(label, f'<table class="{f"claim-table {classes}".strip()}">{content}</table>')


def row(cells: Iterable[str], attributes: str = "", labels: Sequence[str] = ()) -> str:
    """A row whose first cell is its head; ``labels`` name the columns for the style sheet, where it shows no head."""
    first, *others = cells
    named = [f' data-label="{escape(label)}"' for label in labels[1:]] or [""] * len(others)
    data = "".join(f"<td{label}>{cell}</td>" for label, cell in zip(named, others, strict=True))
    return f'<tr{attributes}><th scope="row">{first}</th>{data}</tr>'
