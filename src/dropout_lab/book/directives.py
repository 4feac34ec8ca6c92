"""The role and the directives with which chapters speak of claims.

While a page is read nothing is known yet about verdicts, so each leaves a placeholder; :mod:`dropout_lab.book.site`
fills it once all pages have been read.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.ext.glue.roles import PasteRoleAny
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole, SphinxDirective

from dropout_lab import claims
from dropout_lab.book import records
from dropout_lab.book.faces import ERRATA


class ClaimWidget(nodes.General, nodes.Element):
    """A block to be filled: ``widget`` names what, ``argument`` is a claim, a section or a verdict."""


class ClaimLink(nodes.inline):
    """A link to be made: ``claim`` is the claim's id, the text is already there."""


class ClaimRole(ReferenceRole):
    """``{claim}`2.2``` or ``{claim}`this identity <2.2>```: a link to the cell that settles a claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        place = f"{self.env.doc2path(self.env.docname, base=False)}:{self.lineno}"
        page = records.page(self.env)
        page.mentions.append(records.Mention(self.target, place))
        page.widgets.add("claim")
        text = self.title if self.has_explicit_title else f"claim {self.target}"
        return [ClaimLink("", text, claim=self.target)], []


class Widget(SphinxDirective):
    """A directive that leaves placeholders."""

    def placeholder(self, widget: str, argument: str = "") -> ClaimWidget:
        """A placeholder, noted as standing on this page."""
        records.page(self.env).widgets.add(widget)
        node = ClaimWidget("", widget=widget, argument=argument)
        self.set_source_info(node)
        return node

    def mention(self, name: str, what: str = "claim") -> None:
        """Note that this place names a claim or a section, for the build to check."""
        place = f"{self.env.doc2path(self.env.docname, base=False)}:{self.lineno}"
        records.page(self.env).mentions.append(records.Mention(name, place, what))

    def section(self, title: str, *content: nodes.Node) -> nodes.section:
        """A section that the page's contents list."""
        heading = nodes.title(title, title)
        section = nodes.section("", heading, *content, names=[nodes.fully_normalize_name(title)])
        self.state.document.note_implicit_target(section, section)
        return section


class ClaimStatement(Widget):
    """The box that introduces a claim, by its id."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.mention(self.arguments[0])
        return [self.placeholder("claim-statement", self.arguments[0])]


class ClaimsSettled(Widget):
    """The table of the claims that the page settles."""

    def run(self) -> list[nodes.Node]:
        return [self.placeholder("claims-settled")]


class ClaimCounts(Widget):
    """How many claims there are, by verdict and by kind of evidence."""

    def run(self) -> list[nodes.Node]:
        return [self.placeholder("claim-counts")]


class ClaimLedger(Widget):
    """The whole ledger: counts, filter, and a section for each section of the source."""

    def run(self) -> list[nodes.Node]:
        names = dict.fromkeys(claim.section for claim in claims.load().values())
        sections = [self.section(name, self.placeholder("ledger-section", name)) for name in names]
        return [self.placeholder("claim-counts"), self.placeholder("claim-ledger"), *sections]


class ClaimErrata(Widget):
    """The corrections of the source, the most misleading first."""

    def run(self) -> list[nodes.Node]:
        return [self.section(title, self.placeholder("claim-errata", verdict)) for verdict, title in ERRATA.items()]


class ClaimMap(Widget):
    """The map of the whole book, or with ``:section:`` of a section of the source and all that it rests on."""

    option_spec = {"section": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        section = self.options.get("section", "").strip()
        if section:
            self.mention(section, what="section")
        return [self.placeholder("section-map" if section else "claim-map", section)]


class EmpiricalClaims(Widget):
    """The table of all empirical claims, with every measurement."""

    def run(self) -> list[nodes.Node]:
        return [self.placeholder("empirical-claims")]


def setup(app: Sphinx) -> None:
    """Register the role, the directives and their placeholders."""
    app.add_role("claim", ClaimRole())
    # myst-nb has {glue:math} as a directive only; a formula that was checked is wanted inside a sentence as well.
    app.add_role_to_domain("glue", "math", PasteRoleAny())
    app.add_directive("claim-statement", ClaimStatement)
    app.add_directive("claims-settled", ClaimsSettled)
    app.add_directive("claim-counts", ClaimCounts)
    app.add_directive("claim-ledger", ClaimLedger)
    app.add_directive("claim-errata", ClaimErrata)
    app.add_directive("claim-map", ClaimMap)
    app.add_directive("empirical-claims", EmpiricalClaims)
    app.add_node(ClaimWidget)
    app.add_node(ClaimLink)
