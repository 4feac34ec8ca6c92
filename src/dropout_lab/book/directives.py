"""The directive with which chapters show claims: ``{claims} statement 2.2``, ``{claims} map``, and so on.

While a page is read nothing is known yet about verdicts, so each leaves a placeholder; :mod:`dropout_lab.book.site`
fills it once all pages have been read. The links of the prose are a role: :mod:`dropout_lab.book.domain`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.ext.glue.roles import PasteRoleAny
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from dropout_lab.book.domain import domain_of
from dropout_lab.book.faces import ERRATA, MAP_TABLES
from dropout_lab.book.reading import Mention


class ClaimWidget(nodes.General, nodes.Element):
    """A block to be filled: ``face`` names what, ``argument`` is a claim, a section or a verdict."""


@dataclass(frozen=True)
class Widget:
    """What one name of the directive shows: ``parts`` makes the placeholders, ``argument`` names what it asks for."""

    parts: Callable[[ClaimsDirective], list[nodes.Node]]
    argument: str = ""
    options: tuple[str, ...] = ()


class ClaimsDirective(SphinxDirective):
    """Shows claims. The first argument says what of them: one of :data:`WIDGETS`; a second one names a claim."""

    required_arguments = 1
    optional_arguments = 1
    option_spec: ClassVar[dict] = {"section": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The placeholders; an error of the page for an unknown name, a missing argument or one too many."""
        name, *rest = self.arguments
        widget = WIDGETS.get(name)
        if widget is None:
            raise self.error(f"claims has no {name!r} to show; expected one of {', '.join(WIDGETS)}")
        if bool(rest) != bool(widget.argument):
            wanted = f"{widget.argument} after it" if widget.argument else "nothing after it"
            raise self.error(f"claims {name} expects {wanted}, got {' '.join(rest) or 'nothing'}")
        if odd := [option for option in self.options if option not in widget.options]:
            raise self.error(f"claims {name} has no option {odd[0]!r}")
        parts = widget.parts(self)
        domain_of(self.env).page.widgets.update(node["face"] for part in parts for node in part.findall(ClaimWidget))
        return parts

    def placeholder(self, face: str, argument: str = "") -> ClaimWidget:
        """A block that a face of the finished ledger will fill."""
        node = ClaimWidget("", face=face, argument=argument)
        self.set_source_info(node)
        return node

    def mention(self, name: str, what: str = "claim") -> None:
        """Note that this place names a claim or a section, for the build to check."""
        place = f"{self.env.doc2path(self.env.docname, base=False)}:{self.lineno}"
        domain_of(self.env).page.mentions.append(Mention(name, place, what))

    def section(self, title: str, *content: nodes.Node) -> nodes.section:
        """A section that the page's contents list."""
        heading = nodes.title(title, title)
        section = nodes.section("", heading, *content, names=[nodes.fully_normalize_name(title)])
        self.state.document.note_implicit_target(section, section)
        return section


def _statement(directive: ClaimsDirective) -> list[nodes.Node]:
    claim_id = directive.arguments[1]
    directive.mention(claim_id)
    return [directive.placeholder("statement", claim_id)]


def _finding(directive: ClaimsDirective) -> list[nodes.Node]:
    claim_id = directive.arguments[1]
    directive.mention(claim_id, what="finding")
    return [directive.placeholder("finding", claim_id)]


def _ledger(directive: ClaimsDirective) -> list[nodes.Node]:
    sections = domain_of(directive.env).ledger.sections()
    rows = [directive.section(name, directive.placeholder("ledger-section", name)) for name in sections]
    return [directive.placeholder("counts"), directive.placeholder("filter"), *rows]


def _errata(directive: ClaimsDirective) -> list[nodes.Node]:
    return [directive.section(title, directive.placeholder("errata", misleads)) for misleads, title in ERRATA.items()]


def _map(directive: ClaimsDirective) -> list[nodes.Node]:
    section = directive.options.get("section", "").strip()
    if not section:
        tables = [directive.section(title, directive.placeholder(face)) for face, title in MAP_TABLES.items()]
        return [directive.placeholder("map"), *tables]
    directive.mention(section, what="section")
    return [directive.placeholder("section-map", section)]


#: What the directive can show, by the name that stands behind it.
WIDGETS = {
    "statement": Widget(_statement, argument="the id of a claim"),
    "settled": Widget(lambda directive: [directive.placeholder("settled")]),
    "counts": Widget(lambda directive: [directive.placeholder("counts")]),
    "state": Widget(lambda directive: [directive.placeholder("state")]),
    "finding": Widget(_finding, argument="the id of a claim"),
    "ledger": Widget(_ledger),
    "errata": Widget(_errata),
    "map": Widget(_map, options=("section",)),
    "page-map": Widget(lambda directive: [directive.placeholder("page-map")]),
    "rule": Widget(
        lambda directive: [directive.placeholder("rule", directive.arguments[1])], argument="the anchor of a rule"
    ),
    "empirical": Widget(lambda directive: [directive.placeholder("empirical")]),
}


def setup(app: Sphinx) -> None:
    """Register the directive and its placeholder."""
    # myst-nb has {glue:math} as a directive only; a formula that was checked is wanted inside a sentence as well.
    app.add_role_to_domain("glue", "math", PasteRoleAny())
    app.add_directive("claims", ClaimsDirective)
    app.add_node(ClaimWidget)
