"""The ledger as seen from one page, for templates: words for verdicts and evidence, and the links between places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from markupsafe import Markup

from dropout_lab.book.ledger import UNSETTLED, Entry, Ledger, assumption_of, row_of, row_on_map
from dropout_lab.book.notebook import inline_math, render
from dropout_lab.claims import Claim, Grade
from dropout_lab.claims.kinds import readable
from dropout_lab.claims.registry import QUANTIFIERS

#: A sign and a word for every verdict: color alone never says it.
VERDICT_WORDS = {
    str(Grade.TRUE): ("✓", "true"),
    str(Grade.TRUE_UNDER): ("◐", "true under a condition"),
    str(Grade.IMPRECISE): ("≈", "imprecise"),
    str(Grade.WRONG): ("✗", "wrong"),
    str(Grade.SUPPORTED): ("▲", "supported"),
    str(Grade.NOT_SEEN): ("○", "not seen at this scale"),
    str(Grade.OPINION): ("–", "opinion"),
    str(Grade.OPEN): ("?", "open"),
    UNSETTLED: ("…", "not settled yet"),
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

    def render(self, template: str, **context: object) -> Markup:
        """The HTML of a template that speaks of claims, as it reads on this page."""
        return render(template, view=self, row_of=row_of, row_on_map=row_on_map, assumption_of=assumption_of, **context)

    def word(self, verdict: str) -> str:
        """A verdict in words."""
        return VERDICT_WORDS[verdict][1]

    def quantifier(self, claim: Claim) -> str:
        """What sort of sentence a claim is, in words."""
        return QUANTIFIERS[claim.quantifier]

    def decimal(self, value: str) -> str:
        """A recorded value as a decimal number of three digits, or as a whole number; as it stands if it is none."""
        try:
            exact = Fraction(value.strip())
        except (ValueError, ZeroDivisionError):
            return value
        return f"{exact.numerator:,}".replace("-", "−") if exact.denominator == 1 else readable(float(exact))

    def sign(self, verdict: str) -> str:
        """The sign of a verdict."""
        return VERDICT_WORDS[verdict][0]

    def link(self, docname: str, anchor: str, text: str) -> Markup | str:
        """A link to a place of the book around a text; only the text if there is no such place."""
        if not docname:
            return text
        return Markup('<a class="reference internal" href="{}">{}</a>').format(self.href(docname, anchor), text)

    def claim(self, claim_id: str) -> Markup | str:
        """A claim's id with a link to its row in the ledger; to the cell that settles it where there is no ledger."""
        entry = self.ledger.entries[claim_id]
        if self.ledger_page:
            return self.link(self.ledger_page, row_of(claim_id), claim_id)
        return self.link(entry.docname, entry.anchor, claim_id)

    def cell(self, entry: Entry) -> Markup | str:
        """A link to the cell that settles a claim, with the page's title."""
        if not entry.docname:
            return "nowhere yet"
        return self.link(entry.docname, entry.anchor, self.titles.get(entry.docname, entry.docname))

    def cell_of(self, claim_id: str) -> Markup | str:
        """A claim's id with a link to the cell that settles it."""
        entry = self.ledger.entries[claim_id]
        return self.link(entry.docname, entry.anchor, claim_id)

    def assumption(self, name: str) -> Markup | str:
        """An assumption's name with a link to its row beside the map."""
        return self.link(self.map_page, assumption_of(name), inline_math(self.ledger.registry.assumptions[name].name))

    def used(self, names: Iterable[str]) -> Markup | str:
        """What a claim uses, as links: claims by their ids, assumptions by their names."""
        known = self.ledger.registry.assumptions
        links = [self.assumption(name) if name in known else self.claim(name) for name in names]
        return Markup(", ").join(links) or "nothing else"

    def replicated(self, entry: Entry) -> str:
        """How often fresh seeds gave what the book found, as a sentence; empty if nobody tried."""
        found, outcome = entry.counted, entry.outcome
        if found is None or outcome is None:
            return ""
        same, judged = found.same_as(outcome), entry.verdict == outcome
        what = "the same verdict" if judged else "its measurements came out the same"
        said = f"On fresh seeds: {what} in {same} of {found.runs} replications"
        other = "not seen" if outcome is Grade.SUPPORTED else "supported"
        return f"{said} ({other} in {found.runs - same})" if judged and same < found.runs else said

    def strengths(self, entry: Entry) -> list[str]:
        """What the evidence is worth, each kind of worth once."""
        return list(dict.fromkeys(piece.strength for piece in entry.evidence)) or ["none"]
