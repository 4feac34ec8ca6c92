"""A block that unfolds by the browser's own means, without a script; in print a line in bold opens it."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator
from sphinx.writers.latex import LaTeXTranslator


class Folded(nodes.General, nodes.Element):
    """The block; its first child is a :class:`FoldedSummary`."""


class FoldedSummary(nodes.General, nodes.TextElement):
    """What is seen of the block while it is closed."""


def _open_block(translator: HTML5Translator, node: Folded) -> None:
    translator.body.append(translator.starttag(node, "details", CLASS="folded"))


def _close_block(translator: HTML5Translator, node: Folded) -> None:
    translator.body.append("</details>\n")


def _open_summary(translator: HTML5Translator, node: FoldedSummary) -> None:
    translator.body.append(translator.starttag(node, "summary", ""))


def _close_summary(translator: HTML5Translator, node: FoldedSummary) -> None:
    translator.body.append("</summary>\n")


def _bold(translator: LaTeXTranslator, node: FoldedSummary) -> None:
    translator.body.append("\n\n\\textbf{")


def _not_bold(translator: LaTeXTranslator, node: FoldedSummary) -> None:
    translator.body.append("}\n\n")


def plain(translator: object, node: nodes.Element) -> None:
    """Write nothing around the children of a node."""


def setup(app: Sphinx) -> None:
    """Register the nodes for HTML and LaTeX."""
    app.add_node(Folded, html=(_open_block, _close_block), latex=(plain, plain))
    app.add_node(
        FoldedSummary,
        html=(_open_summary, _close_summary),
        latex=(_bold, _not_bold),
    )
