"""What screen readers and keyboards need and the extensions leave out: unique ids, sound lists, reachable boxes."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

#: What the theorem and exercise blocks call their content, and an unnumbered proof itself.
_SHARED_IDS = frozenset({"proof-content", "exercise-content", "solution-content", "proof"})


def setup(app: Sphinx) -> None:
    """Register the transform, the style sheets and the script of the book's pages."""
    app.add_post_transform(UniqueIds)
    for place, sheet in enumerate(("book.css", "evidence.css", "figures.css", "claims.css", "narrow.css", "print.css")):
        app.add_css_file(sheet, priority=900 + place)
    app.add_js_file("book.js", loading_method="defer")
    app.add_node(nodes.citation, override=True, html=(_visit_citation, _depart_citation))


class UniqueIds(SphinxPostTransform):
    """Take away the ids that sphinx-proof and sphinx-exercise give to every block alike; nothing links to them."""

    default_priority = 999

    def run(self, **kwargs: Any) -> None:
        for node in self.document.findall(nodes.Element):
            node.attributes["ids"] = [name for name in node.attributes["ids"] if name not in _SHARED_IDS]


def _visit_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    # docutils opens a list whose entries have a role that no list may hold.
    if not isinstance(node.previous_sibling(), nodes.citation):
        translator.body.append('<div class="citation-list" role="list">\n')
    translator.body.append(translator.starttag(node, "div", classes=["citation"], role="listitem"))


def _depart_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    translator.body.append("</div>\n")
    if not isinstance(node.next_node(descend=False, siblings=True), nodes.citation):
        translator.body.append("</div>\n")
