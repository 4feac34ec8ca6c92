"""The face of a settled claim on its page: myst-nb hands over the record, it is noted, and the cell gets its anchor."""

from __future__ import annotations

from collections.abc import Sequence

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer

from dropout_lab import claims
from dropout_lab.book import records


class ClaimRenderer:
    """Renders the claims' own MIME type, before any other that the cell's output offers."""

    mime_priority_overrides: Sequence[tuple[str, str, int | None]] = [("*", claims.MIME_TYPE, 1)]

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Note the evidence and return its face; ``None`` for other MIME types, and for a claim that does not exist."""
        if inline or data.mime_type != claims.MIME_TYPE:
            return None
        env = renderer.renderer.sphinx_env
        claim_id, evidence = data.content["claim"], tuple(data.content["evidence"])
        page = records.page(env)
        first = all(settled.claim != claim_id for settled in page.settled)
        anchor = records.anchor_of(claim_id) if first else ""
        place = f"{env.doc2path(env.docname, base=False)}:{data.line}"
        page.settled.append(records.Settled(claim_id, evidence, anchor, place))

        registry = claims.load()
        if claim_id not in registry:
            # The build is about to stop and to name it.
            return None
        html = claims.Evidence(registry[claim_id], evidence)._repr_mimebundle_()["text/html"]
        # The class makes MathJax look inside: the face brings its formulas as text.
        face = nodes.container("", nodes.raw("", html, format="html"), classes=["claim-cell", "mathjax_process"])
        if first:
            face["ids"].append(anchor)
            renderer.renderer.document.set_id(face)
        return [face, *_sources(renderer, evidence, data.line or 0)]


def _sources(renderer: NbElementRenderer, evidence: Sequence[dict], line: int) -> list[nodes.Element]:
    """A line with links into the bibliography, if the evidence cites anything."""
    cited = [record for record in evidence if record["kind"] == "cite"]
    if not cited:
        return []
    links = [f"{{cite}}`{record['key']}`" + (f", {record['locator']}" if record["locator"] else "") for record in cited]
    paragraph = nodes.paragraph(classes=["claim-sources"])
    with renderer.renderer.current_node_context(paragraph):
        renderer.renderer.nested_render_text("Source: " + "; ".join(links), line, inline=True)
    return [paragraph]
