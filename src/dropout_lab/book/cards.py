"""What a hover card says of a place of the book: a claim, an assumption, a rule, a term, an equation, a figure.

The text is the book's own: the claims file, the catalogue of rules, the glossary, the formula where it stands, the
caption, the bibliography. :mod:`.hover` puts the cards that a page's links need into the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from docutils import nodes
from markupsafe import Markup, escape
from pybtex.backends.plaintext import Backend as PlainText
from sphinx import addnodes
from sphinx.environment import BuildEnvironment
from sphinxcontrib.bibtex.domain import BibtexDomain

from dropout_lab.book.domain import domain_of
from dropout_lab.book.figure_list import rows
from dropout_lab.book.ledger import anchor_of, assumption_of, row_of
from dropout_lab.book.notebook import inline_math
from dropout_lab.book.renderer import RULES
from dropout_lab.book.view import VERDICT_WORDS
from dropout_lab.symbolic.rules.catalogue import catalogue

#: A place of the book: a page and an anchor on it.
Place = tuple[str, str]


@dataclass(frozen=True)
class Card:
    """A card: ``what`` names it in a link, such as ``claim 2.2``; ``verdict`` is a claim's, with its ``word``."""

    what: str
    title: Markup
    text: tuple[Markup, ...]
    verdict: str = ""
    word: str = ""
    note: str = ""


class Cards:
    """The cards of all places that have one, made when they are first asked for, once all pages have been read."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env

    def at(self, place: Place) -> Card | None:
        """The card of a place, or ``None`` if it has none."""
        return self._known.get(place)

    def all(self) -> Iterator[tuple[Place, Card]]:
        """Every place that has a card, with its card."""
        yield from self._known.items()

    @cached_property
    def _known(self) -> dict[Place, Card]:
        found: dict[Place, Card] = {}
        for part in (
            self._claims,
            self._assumptions,
            self._rules,
            self._terms,
            self._equations,
            self._figures,
            self._citations,
        ):
            found.update(part())
        return found

    def _claims(self) -> Iterator[tuple[Place, Card]]:
        domain = domain_of(self._env)
        ledger_page = domain.page_with("filter")
        for name, entry in domain.ledger.entries.items():
            strengths = dict.fromkeys(piece.strength for piece in entry.evidence)
            card = Card(
                f"claim {name}",
                Markup("Claim {}: {}").format(name, inline_math(entry.claim.title)),
                (inline_math(entry.claim.statement),),
                entry.verdict,
                VERDICT_WORDS[entry.verdict][1],
                "; ".join(strengths),
            )
            if entry.docname:
                yield (entry.docname, anchor_of(name)), card
            if ledger_page:
                yield (ledger_page, row_of(name)), card

    def _assumptions(self) -> Iterator[tuple[Place, Card]]:
        domain = domain_of(self._env)
        page = domain.page_with("map")
        for name, assumption in domain.ledger.registry.assumptions.items() if page else ():
            title = Markup("Assumption: {}").format(inline_math(assumption.name))
            yield (page, assumption_of(name)), Card("the assumption", title, (inline_math(assumption.statement),))

    def _rules(self) -> Iterator[tuple[Place, Card]]:
        if RULES not in self._env.found_docs:
            return
        assumptions = domain_of(self._env).ledger.registry.assumptions
        for entry in catalogue().values():
            names = [assumptions[name].name if name in assumptions else name for name in entry.rule.assumes]
            title = Markup("Rule: {}").format(inline_math(entry.rule.heading))
            note = inline_math(f"Needs: {'; '.join(names)}") if names else ""
            yield (RULES, entry.rule.slug), Card("the rule", title, (inline_math(entry.statement),), note=note)

    def _terms(self) -> Iterator[tuple[Place, Card]]:
        places = {place for (kind, _), place in self._env.domains["std"].data["objects"].items() if kind == "term"}
        for docname in sorted({docname for docname, _ in places}):
            for item in self._env.get_doctree(docname).findall(nodes.definition_list_item):
                definition = item.next_node(nodes.definition)
                if definition is None or not isinstance(item.parent.parent, addnodes.glossary):
                    continue
                text = tuple(prose(part) for part in definition.children)
                for term in item.findall(nodes.term):
                    card = Card("the term", prose(term), text)
                    yield from (((docname, name), card) for name in term["ids"] if (docname, name) in places)

    def _equations(self) -> Iterator[tuple[Place, Card]]:
        known = self._env.domains["math"].data["objects"]
        for docname in sorted({docname for docname, _ in known.values()}):
            for block in self._env.get_doctree(docname).findall(nodes.math_block):
                if (label := block.get("label")) in known and known[label][0] == docname:
                    anchor, number = f"equation-{nodes.make_id(label)}", known[label][1]
                    title = Markup("Equation {}").format(number)
                    yield (docname, anchor), Card("the equation", title, (displayed(block),))

    def _figures(self) -> Iterator[tuple[Place, Card]]:
        for row in rows(self._env):
            if row.number:
                card = Card("the figure", escape(row.label), (inline_math(row.figure.says),))
                yield (row.docname, row.figure.id), card

    def _citations(self) -> Iterator[tuple[Place, Card]]:
        bibtex = self._env.domains.get("cite")
        if not isinstance(bibtex, BibtexDomain):
            return
        for citation in bibtex.citations:
            if citation.tooltip_entry is not None:
                text = escape(citation.tooltip_entry.text.render(PlainText()).replace("\\url ", ""))
                place = (citation.bibliography_key.docname, citation.citation_id)
                yield place, Card("the bibliography", escape(citation.formatted_entry.label), (text,))


def displayed(block: nodes.math_block) -> Markup:
    r"""A displayed formula for MathJax, with its lines as Sphinx shows them; without its number.

    Example
    -------
    >>> displayed(nodes.math_block("", "a < b"))
    Markup('\\[a &lt; b\\]')
    """
    tex = block.astext()
    if block.get("nowrap"):
        # It brings an environment of its own, which has no number with a star.
        return escape(re.sub(r"(\\(?:begin|end)\{(?:align|equation|gather))\}", r"\1*}", tex))
    return Markup(r"\[{}\]").format(rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex else tex)


def prose(node: nodes.Node) -> Markup:
    r"""The text of a part of a page as HTML without links: formulas for MathJax, code, emphasis, and words.

    Example
    -------
    >>> prose(nodes.paragraph("", "", nodes.Text("1 < "), nodes.math("", "p")))
    Markup('1 &lt; \\(p\\)')
    """
    if isinstance(node, nodes.Text):
        return escape(node.astext())
    if isinstance(node, nodes.math):
        return Markup(r"\({}\)").format(node.astext())
    inner = Markup().join(prose(child) for child in node.children)
    tag = _TAGS.get(type(node).__name__)
    return Markup("<{0}>{1}</{0}>").format(tag, inner) if tag else inner


_TAGS = {"literal": "code", "emphasis": "em", "strong": "strong"}
