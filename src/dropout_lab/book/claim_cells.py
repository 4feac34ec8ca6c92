"""Tables that cells show and that name claims: on the book's pages, ``<td data-claim="8.6">`` leads to the claim.

Such a table comes from a floor that knows neither the pages nor their links, as that of
:func:`dropout_lab.inference.audit`; in any other notebook it stays plain.
"""

from __future__ import annotations

import re

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx

from dropout_lab.book.domain import domain_of, uri_between
from dropout_lab.book.latex.plain import page_of
from dropout_lab.book.reading import Mention

_CELL = re.compile(r'(<td data-claim="([^"<>]+)">)([^<]*)(?=</td>)')


def mention(app: Sphinx, doctree: nodes.document) -> None:
    """When a page was read: note the claims that its tables name, so that one that does not exist stops the build."""
    page = domain_of(app.env).page
    place = str(app.env.doc2path(app.env.docname, base=False))
    page.mentions += [Mention(found[2], place) for node in _tables(doctree) for found in _CELL.finditer(node.astext())]


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """When a page is written: make links of the claims that its tables name."""
    domain = domain_of(app.env)
    for node in _tables(doctree):
        # For LaTeX all pages are one document.
        page = page_of(node) or docname

        def linked(found: re.Match[str], page: str = page) -> str:
            target, anchor, title = domain.place_of("claim", found[2])
            if not target:
                return found[0]
            address = uri_between(app.builder, page, target, anchor)
            made = Markup('<a class="claim-link reference internal" href="{}" title="{}">{}</a>')
            return f"{found[1]}{made.format(address, title, Markup(found[3]))}"

        node.replace_self(nodes.raw("", _CELL.sub(linked, node.astext()), format="html"))


def setup(app: Sphinx) -> None:
    """Note claims when a page was read, link them when it is written."""
    app.connect("doctree-read", mention)
    app.connect("doctree-resolved", link)


def _tables(doctree: nodes.document) -> list[nodes.raw]:
    return [node for node in doctree.findall(nodes.raw) if node.get("format") == "html" and _CELL.search(node.astext())]
