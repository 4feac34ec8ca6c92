"""Claims as a domain of Sphinx: objects to link to, to search for and to list, and what the pages say of them.

The objects are the claims, at the cell that settles each, and the named assumptions, beside the map. What reading a
document found is kept in the domain's data, so that an unchanged chapter keeps what it settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole

from dropout_lab import claims
from dropout_lab.book.ledger import Ledger, assumption_of
from dropout_lab.book.reading import Mention, Page
from dropout_lab.claims import replications

#: What the search shows of an object before pages that only name it.
_PRIORITY = 1


class ClaimRole(XRefRole):
    """``{claim}`2.2``` or ``{claim}`this identity <2.2>```: a link to the cell that settles a claim.

    ``{claim:assumption}`linear``` links to an assumption in the same way. The build checks that the id exists.
    """

    def __init__(self) -> None:
        super().__init__(innernodeclass=nodes.inline, warn_dangling=True)

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Name the domain, which the short form leaves out, and go on as any cross reference."""
        if ":" not in self.name:
            self.name = f"claim:{self.name}"
        return super().run()

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Note that this place names the object, and say in words what it is."""
        page = domain_of(env).page
        what = self.reftype
        page.mentions.append(Mention(target, f"{env.doc2path(env.docname, base=False)}:{self.lineno}", what))
        page.widgets.add(what)
        return (title if has_explicit_title else f"{what} {target}"), target


class ClaimDomain(Domain):
    """The claims of the book and their assumptions."""

    name = "claim"
    label = "Claims"
    # Sphinx declares these as attributes of an object, and copies them for each.
    object_types = {  # noqa: RUF012
        "claim": ObjType("claim", "claim"),
        "assumption": ObjType("assumption", "assumption"),
    }
    roles = {"claim": ClaimRole(), "assumption": ClaimRole()}  # noqa: RUF012
    initial_data = {"pages": {}, "seen": "", "listed": ""}  # noqa: RUF012
    data_version = 2

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__(env)
        self._ledger: Ledger | None = None

    @property
    def pages(self) -> dict[str, Page]:
        """What each document says about claims, by docname."""
        return self.data["pages"]

    @property
    def page(self) -> Page:
        """The page of the document that is being read."""
        self._ledger = None
        return self.pages.setdefault(self.env.docname, Page())

    @property
    def ledger(self) -> Ledger:
        """The ledger of everything that has been read so far."""
        if self._ledger is None:
            self._ledger = Ledger(claims.load(), self.pages, self.reading_order(), replications.load())
        return self._ledger

    def clear_doc(self, docname: str) -> None:
        """Forget what a document said."""
        self._ledger = None
        self.pages.pop(docname, None)

    def merge_domaindata(self, docnames: list[str], otherdata: dict) -> None:
        """Take over what another process read."""
        self._ledger = None
        self.pages.update({docname: page for docname, page in otherdata["pages"].items() if docname in docnames})

    def reading_order(self) -> list[str]:
        """All documents in the order of the table of contents; those that it leaves out stand at the end."""
        found: dict[str, None] = {}

        def visit(docname: str) -> None:
            if docname not in found:
                found[docname] = None
                for child in self.env.toctree_includes.get(docname, ()):
                    visit(child)

        visit(self.env.config.root_doc)
        known = set(self.env.all_docs)
        return [*(docname for docname in found if docname in known), *sorted(known - set(found))]

    def page_with(self, widget: str) -> str:
        """The first document, in reading order, that holds a widget; empty if none does."""
        order = self.reading_order()
        return next((name for name in order if name in self.pages and widget in self.pages[name].widgets), "")

    def place_of(self, what: str, name: str) -> tuple[str, str, str]:
        """Docname, anchor and title of a claim or an assumption that exists; no docname if it has no place yet."""
        if what == "claim":
            entry = self.ledger.entries[name]
            return entry.docname, entry.anchor, f"Claim {entry.claim.id}: {entry.claim.title}"
        page = self.page_with("map")
        return page, assumption_of(name) if page else "", self.ledger.registry.assumptions[name].name

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> nodes.reference | None:
        """A link to an object; only its text where nothing settles it yet; ``None`` if it does not exist."""
        if target not in (self.ledger.entries if typ == "claim" else self.ledger.registry.assumptions):
            return None
        docname, anchor, title = self.place_of(typ, target)
        if not docname:
            return nodes.inline("", "", *contnode.children, classes=["claim-unsettled"])  # type: ignore[return-value]
        uri = uri_between(builder, fromdocname, docname, anchor)
        return nodes.reference(
            "", "", *contnode.children, refuri=uri, internal=True, reftitle=title, classes=["claim-link"]
        )

    def get_type_name(self, type: ObjType, primary: bool = False) -> str:  # noqa: A002, Sphinx calls it so
        """What the search calls an object: a claim or an assumption, of whatever domain."""
        return type.lname

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> list[tuple[str, nodes.Element]]:
        """What ``{any}`` finds under a name."""
        found = (
            (f"claim:{typ}", self.resolve_xref(env, fromdocname, builder, typ, target, node, contnode))
            for typ in self.object_types
        )
        return [(role, link) for role, link in found if link is not None]

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        """The settled claims, and the assumptions if a page shows the map: for the inventory and the search."""
        return self._objects()

    def _objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        for what, names in (("claim", self.ledger.entries), ("assumption", self.ledger.registry.assumptions)):
            for name in names:
                docname, anchor, title = self.place_of(what, name)
                if docname:
                    yield name, title, what, docname, anchor, _PRIORITY


def domain_of(env: BuildEnvironment) -> ClaimDomain:
    """The claims of an environment."""
    domain = env.get_domain("claim")
    assert isinstance(domain, ClaimDomain)
    return domain


def uri_between(builder: Builder, docname: str, target: str, anchor: str) -> str:
    """The link from one document to a place of another or of itself."""
    path = "" if target == docname and anchor else builder.get_relative_uri(docname, target)
    return f"{path}#{anchor}" if anchor else path


def setup(app: Sphinx) -> None:
    """Register the domain, and its first role under its short name as well."""
    app.add_domain(ClaimDomain)
    app.add_role("claim", ClaimRole())
