"""Where the chapters drop an assumption: the role ``{falsifier}``, and what the map shows of such a place.

``{falsifier}`One mask for all <uncorrelated-masks>``` stands at the head of a paragraph before the cell that computes
the counterexample. It links to the assumption on the map; the map shows the paragraph and what the cell printed.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole

from dropout_lab.book.domain import domain_of
from dropout_lab.book.reading import Falsifier, Mention
from dropout_lab.claims.registry import slug

#: What a reference says on another page, where its number or its title is not known.
_ELSEWHERE = {"eq": "the formula there", "doc": "another page", "ref": "another place", "numref": "the figure there"}


class FalsifierRole(ReferenceRole):
    """The head of a place that drops an assumption, as a link to it; the build checks that the id exists."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The head, with an anchor that no other place of the page has."""
        page = domain_of(self.env).page
        page.mentions.append(Mention(self.target, self.get_location(), "falsifier"))
        page.widgets.add("assumption")
        earlier = sum(found.what == "falsifier" and found.name == self.target for found in page.mentions)
        anchor = f"breaks-{slug(self.target)}" + (f"-{earlier}" if earlier > 1 else "")
        link = pending_xref(
            "",
            nodes.emphasis(self.title, self.title),
            refdomain="claim",
            reftype="assumption",
            reftarget=self.target,
            refdoc=self.env.docname,
            refexplicit=True,
            refwarn=True,
        )
        return [nodes.inline("", "", link, ids=[anchor], falsifier=self.target)], []


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Note for the map what the text says at each head, and what the next cell printed."""
    for head in doctree.findall(nodes.inline):
        if "falsifier" in head:
            paragraph = head.parent
            while paragraph.parent is not None and not isinstance(paragraph, nodes.paragraph):
                paragraph = paragraph.parent
            found = Falsifier(
                head["falsifier"],
                app.env.docname,
                head["ids"][0],
                head.astext(),
                _text(paragraph),
                _printed_after(paragraph),
            )
            domain_of(app.env).page.falsifiers.append(found)


def _text(node: nodes.Node) -> str:
    """What a node says, with its formulas between dollars."""
    if isinstance(node, nodes.math):
        return f"${node.astext()}$"
    if isinstance(node, pending_xref) and node["reftype"] in _ELSEWHERE and not node["refexplicit"]:
        return _ELSEWHERE[node["reftype"]]
    return "".join(map(_text, node.children)) if node.children else node.astext()


def _printed_after(paragraph: nodes.Node) -> str:
    """What the first cell after a paragraph printed; nothing if there is none, or if it shows a card."""
    for node in paragraph.findall(nodes.container, include_self=False, descend=False, siblings=True):
        if node.get("nb_element") == "cell_code":
            inside = list(node.findall(nodes.container))
            if any("claim-cell" in found["classes"] for found in inside):
                return ""
            outputs = [found for found in inside if found.get("nb_element") == "cell_code_output"]
            blocks = [block.astext() for output in outputs for block in output.findall(nodes.literal_block)]
            return "\n".join(blocks).rstrip()
    return ""


def setup(app: Sphinx) -> None:
    """Register the role, and collect when a page has been read."""
    app.add_role("falsifier", FalsifierRole())
    app.connect("doctree-read", collect)
