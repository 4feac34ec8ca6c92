"""The book in the order of paper: its first page is a chapter like the others, and parts have their own headings."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.texescape import escape

#: The heading of the first page, whose own title is that of the book.
FIRST = "About this book"


def setup(app: Sphinx) -> None:
    """Order the pages when they have become one document."""
    app.connect("doctree-resolved", put_in_order)


def put_in_order(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make a chapter of the first page, and put a heading before the first page of each part of the contents."""
    if app.builder.format != "latex":
        return
    root = next(iter(doctree.findall(nodes.section)), None)
    if root is None:
        return
    _make_chapter(root)
    captions = _captions(app)
    for page in list(root.findall(addnodes.start_of_file)):
        if caption := captions.pop(page["docname"], ""):
            heading = nodes.raw("", f"\n\\part{{{escape(caption, 'xelatex')}}}\n", format="latex")
            page.parent.insert(page.parent.index(page), heading)


def _make_chapter(root: nodes.section) -> None:
    """Gather under a heading what stands below the book's title and is no other page."""
    own = [child for child in root.children[1:] if next(iter(child.findall(addnodes.start_of_file)), None) is None]
    for child in own:
        root.remove(child)
    if own:
        root.insert(1, nodes.section("", nodes.title("", FIRST), *own, ids=[nodes.make_id(FIRST)]))


def _captions(app: Sphinx) -> dict[str, str]:
    """What each part is called, by its first page."""
    found = {}
    for tree in app.env.get_doctree(app.config.root_doc).findall(addnodes.toctree):
        if (caption := tree.get("caption")) and tree["includefiles"]:
            found[tree["includefiles"][0]] = caption
    return found
