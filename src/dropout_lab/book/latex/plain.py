"""In a build for LaTeX, nodes take the place of all that stands in the book as HTML."""

from __future__ import annotations

import hashlib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from dropout_lab.book.folding import kind_of, with_code
from dropout_lab.book.latex.from_html import FromHtml, Unknown
from dropout_lab.book.latex.pictures import standalone, to_pdf
from dropout_lab.book.latex.tables import shares

#: Tables with more rows than that break across pages.
_SHORT = 12
#: The ways in which an author has a cell folded that fold its code.
_HIDES_CODE = frozenset({"input", "input+output", "all"})
_log = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    """Replace the HTML after the faces of the ledger have been filled in."""
    app.connect("doctree-resolved", replace_html, priority=800)


def replace_html(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put nodes in place of HTML; what cannot be told on paper is a warning, which fails a strict build."""
    if app.builder.format != "latex":
        return
    _fit_tables(doctree)
    _leave_out_folded(doctree)
    for container in list(doctree.findall(nodes.container)):
        if ids := container["ids"]:
            # The writer has no place for the ids of a container.
            container["ids"] = []
            container.insert(0, nodes.target("", "", ids=ids))
            # The writer would leave the target to a heading that comes next.
            container.insert(1, nodes.inline())
    for inline in doctree.findall(nodes.inline):
        # Nor for those of a part of a line.
        if ids := inline["ids"]:
            inline["ids"] = []
            inline.insert(0, nodes.target("", "", ids=ids))
    for node in list(doctree.findall(nodes.raw)):
        if "html" not in node.get("format", "").split():
            continue
        page = page_of(node) or docname

        def picture(svg: str, alt: str, page: str = page) -> nodes.Node:
            return _picture(app, svg, alt, page)

        try:
            found = FromHtml(page, picture).told(node.astext())
        except Unknown as error:
            _log.warning("HTML has no form on paper: %s", error, location=node)
            continue
        if isinstance(node.parent, nodes.TextElement):
            found = [part for block in found for part in (block.children if isinstance(block, nodes.paragraph) else [])]
        node.replace_self(found)


def _fit_tables(doctree: nodes.document) -> None:
    """Give tables of Markdown columns that fit the page, and let long ones break across pages."""
    for table in doctree.findall(nodes.table):
        if "colwidths-given" in table["classes"]:
            continue
        rows = [list(row.children) for row in table.findall(nodes.row)]
        specs = list(table.findall(nodes.colspec))
        for spec, share in zip(
            specs, shares([[cell.astext() for cell in row] for row in rows], len(specs)), strict=True
        ):
            spec["colwidth"] = share
        table["classes"] += ["colwidths-given", *(["longtable"] if len(rows) > _SHORT else [])]


def _leave_out_folded(doctree: nodes.document) -> None:
    """Take away the code of the cells that are folded on the site; what they show stays."""
    for cell, source in with_code(doctree):
        if cell.get("hide_mode") in _HIDES_CODE or kind_of(source.astext(), cell["cell_metadata"]):
            cell.remove(source)


def page_of(node: nodes.Node) -> str:
    """The page on which a node stands, in the one document that LaTeX is made from; empty if it is the first page.

    The sections of other pages know theirs. (That document's nodes do not all know what they were put into.)
    """
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section) and "docname" in node:
            return str(node["docname"])
    return ""


def _picture(app: Sphinx, svg: str, alt: str, page: str) -> nodes.Node:
    text = standalone(svg)
    folder = Path(app.doctreedir, "drawings")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.svg"
    source.write_text(text, encoding="utf-8")
    target = source.with_suffix(".pdf")
    to_pdf(source, target)
    app.env.images.add_file(page, str(target))
    return nodes.image("", uri=str(target), candidates={"*": str(target)}, alt=alt, align="center")
