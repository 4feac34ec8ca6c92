"""The faces of what cells say to the book: claims, passports, answers. myst-nb hands a record over; it is noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.environment import BuildEnvironment

from dropout_lab import claims, passports
from dropout_lab.book.domain import domain_of
from dropout_lab.book.exercises import ANSWER_TYPE, verdict
from dropout_lab.book.explorables.directive import from_cell
from dropout_lab.book.ledger import anchor_of
from dropout_lab.book.notebook import html
from dropout_lab.book.passports import PassportNode
from dropout_lab.book.reading import Settled
from dropout_lab.claims import Evidence, Settlement
from dropout_lab.figures import HANDED

#: The page that states the rules of derivations.
RULES = "chapters/back/rules"


class ClaimRenderer:
    """Renders what cells say to the book: claims, measured numbers and answers, in place of all else that an output
    offers, and passports, beside it.

    In LaTeX figures are drawn from SVG, and HTML is told in nodes (:mod:`dropout_lab.book.latex`).
    """

    mime_priority_overrides: Sequence[tuple[str, str, int | None]] = [
        ("*", claims.MIME_TYPE, 1),
        ("*", HANDED, 1),
        ("*", ANSWER_TYPE, 1),
        ("latex", "image/svg+xml", 15),
        ("latex", "text/html", 35),
    ]

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Note the evidence and return its face; ``None`` for other MIME types, and for what stops the build anyway.

        A passport leaves a placeholder, for the page has to be read to its end to know its rules.
        """
        env = renderer.renderer.sphinx_env
        if not inline and data.mime_type == passports.MIME_TYPE:
            return [PassportNode("", content=data.content)]
        if not inline and data.mime_type == HANDED:
            return _handed(renderer, data)
        if not inline and data.mime_type == ANSWER_TYPE:
            return [verdict(env, data.content)]
        if inline or data.mime_type != claims.MIME_TYPE:
            return None
        page = domain_of(env).page
        place = f"{env.doc2path(env.docname, base=False)}:{data.line}"
        try:
            claim_id, evidence = _read(data.content)
        except (TypeError, ValueError) as error:
            page.unreadable.append(f"{place}: the cell's output holds no evidence: {error}")
            return None
        first = all(settled.claim != claim_id for settled in page.settled)
        anchor = anchor_of(claim_id) if first else ""
        page.settled.append(Settled(claim_id, evidence, anchor, place))

        registry = claims.load()
        if claim_id not in registry:
            return None
        rules_page = _rules_page(env)
        card = html(Settlement(registry[claim_id], evidence, registry), rules_page)
        # The class makes MathJax look inside: the face brings its formulas as text.
        face = nodes.container("", nodes.raw("", card, format="html"), classes=["claim-cell", "mathjax_process"])
        if first:
            face["ids"].append(anchor)
            renderer.renderer.document.set_id(face)
        return [face, *_sources(renderer, evidence, data.line or 0)]


def _handed(renderer: NbElementRenderer, data: MimeData) -> list[nodes.Element] | None:
    """The figure that moves; what does not fit stops the build with the page's other problems."""
    try:
        return [from_cell(data.content)]
    except ValueError as error:
        env = renderer.renderer.sphinx_env
        place = f"{env.doc2path(env.docname, base=False)}:{data.line}"
        domain_of(env).page.unexplained.append(f"{place}: {error}")
        return None


def _rules_page(env: BuildEnvironment) -> str:
    if RULES not in env.found_docs:
        return ""
    # For LaTeX all pages are one document, whose builder knows its pages only when it writes.
    return f"%{RULES}" if env.app.builder.format == "latex" else env.app.builder.get_relative_uri(env.docname, RULES)


def _read(content: object) -> tuple[str, tuple[Evidence, ...]]:
    """The claim's id and the evidence in a cell's output, validated as when a cell makes it."""
    if not isinstance(content, Mapping) or set(content) != {"claim", "evidence"}:
        raise TypeError("expected an object with the fields claim and evidence")
    claim_id, records = content["claim"], content["evidence"]
    if not isinstance(claim_id, str) or not isinstance(records, list) or not records:
        raise TypeError(f"expected the id of a claim and a list of records, got {claim_id!r} and {records!r}")
    return claim_id, tuple(claims.from_json(record) for record in records)


def _sources(renderer: NbElementRenderer, evidence: Sequence[Evidence], line: int) -> list[nodes.Element]:
    """A line with links into the bibliography, if the evidence cites anything."""
    cited = [source for piece in evidence for source in piece.sources]
    if not cited:
        return []
    links = [f"{{cite:p}}`{key}{f'{{{locator}}}' if locator else ''}`" for key, locator in cited]
    paragraph = nodes.paragraph(classes=["claim-sources"])
    with renderer.renderer.current_node_context(paragraph):
        renderer.renderer.nested_render_text("Source: " + "; ".join(links), line, inline=True)
    return [paragraph]
