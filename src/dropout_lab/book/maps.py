"""The map: what each claim rests on and what falls with it, as tables, and as chips that a script joins by arrows."""

from __future__ import annotations

from dataclasses import dataclass

from dropout_lab.book.graph import closure, layers, needs, turned
from dropout_lab.book.ledger import assumption_of, row_on_map
from dropout_lab.book.reading import Falsifier
from dropout_lab.book.view import View


@dataclass(frozen=True)
class Node:
    """A claim or an assumption on the map: what it rests on itself and through others, and what falls with it."""

    name: str
    title: str
    verdict: str
    href: str
    uses: tuple[str, ...]
    through: tuple[str, ...]
    needs: tuple[str, ...]
    falls: tuple[str, ...]
    elsewhere: bool = False


def claim_map(view: View, _: str = "") -> str:
    """Every claim and every assumption as chips to choose from; the first choice is made by the page itself."""
    claims, assumptions = _claims(view, view.docname), _assumptions(view)
    if not claims:
        return ""
    assumptions.sort(key=lambda node: -len(node.falls))
    # The one that shows most: with claims above it and below it, as many as there are on the poorer side.
    start = max(claims.values(), key=lambda node: min(len(node.uses) + len(node.through), len(node.falls)))
    return view.render("claim-map", sections=_by_section(view, claims), assumptions=assumptions, start=start.name)


def claim_table(view: View, _: str = "") -> str:
    """What each claim needs, what it rests on, and what falls with it, in words."""
    return view.render("claim-map-claims", sections=_by_section(view, _claims(view, view.docname)))


def assumption_table(view: View, _: str = "") -> str:
    """What falls with each assumption, and what shows that it is needed."""
    return view.render("claim-map-assumptions", assumptions=_assumptions(view), falsifiers=_falsifiers(view))


def section_map(view: View, section: str) -> str:
    """The claims of a section and all that they rest on, in layers: each stands below what it uses."""
    return _small_map(view, [entry.claim.id for entry in view.ledger.of_section(section)], f"of section {section}")


def page_map(view: View, _: str = "") -> str:
    """The claims that a page settles and all that they rest on, in layers."""
    return _small_map(view, [entry.claim.id for entry in view.ledger.of_page(view.docname)], "settled on this page")


def _small_map(view: View, own: list[str], which: str) -> str:
    known = view.ledger.registry
    claims = _claims(view, "", own)
    shown = {name for one in own for name in (one, *claims[one].uses, *claims[one].through)}
    uses = {name: node.uses for name, node in claims.items()}
    needed = {name for one in own for name in claims[one].needs}
    found = [node for node in _assumptions(view) if node.name in needed]
    rows = [[claims[name] for name in row] for row in layers(uses, [name for name in known if name in shown])]
    rows = [found, *rows] if found else rows
    # Claims that rest on nothing are in the list already.
    return view.render("claim-map-small", which=which, rows=rows) if len(rows) > 1 else ""


def _by_section(view: View, claims: dict[str, Node]) -> dict[str, list[Node]]:
    return {
        section: [claims[entry.claim.id] for entry in entries] for section, entries in view.ledger.sections().items()
    }


def _claims(view: View, page: str, own: list[str] | None = None) -> dict[str, Node]:
    """All claims; their links lead to the rows of the ``page`` with the whole map, or to the cells that settle them."""
    registry, entries = view.ledger.registry, view.ledger.entries
    uses = {name: tuple(used for used in registry[name].uses if used in registry) for name in registry}
    users, needed = turned(uses), needs(view.ledger)
    return {
        name: Node(
            name,
            entry.claim.title,
            entry.verdict,
            f"#{row_on_map(name)}" if page else view.href(entry.docname, entry.anchor) if entry.docname else "",
            uses[name],
            tuple(other for other in closure(name, uses) if other not in uses[name]),
            needed[name],
            closure(name, users),
            own is not None and name not in own,
        )
        for name, entry in entries.items()
    }


def _assumptions(view: View) -> list[Node]:
    """The assumptions that some claim needs."""
    needed = needs(view.ledger)
    page = "" if view.docname == view.map_page else view.map_page
    found = []
    for name, one in view.ledger.registry.assumptions.items():
        falls = tuple(claim for claim, names in needed.items() if name in names)
        href = view.href(page, assumption_of(name)) if page else f"#{assumption_of(name)}" if view.map_page else ""
        if falls:
            found.append(Node(name, one.statement, "assumption", href, (), (), (), falls))
    return found


def _falsifiers(view: View) -> dict[str, list[Falsifier]]:
    """The falsifiers of each assumption, in reading order."""
    found: dict[str, list[Falsifier]] = {}
    for one in view.ledger.falsifiers:
        found.setdefault(one.assumption, []).append(one)
    return found
