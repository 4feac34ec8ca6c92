"""The map: claims and named assumptions, drawn as a graph of what rests on what, and written out as tables."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from dropout_lab.book.graph import HEIGHT, WIDTH, Point, draw
from dropout_lab.book.ledger import assumption_of
from dropout_lab.book.view import View

_MARGIN = 4
#: What fits into a box where a verdict's own words do not.
_SHORT = {"true-under": "true, if …", "not-seen": "not seen", "unsettled": "not settled"}


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: its corner, the radius of its corners, lines of text (class, x, y, text), and its link."""

    classes: str
    title: str
    x: float
    y: float
    radius: float
    lines: tuple[tuple[str, float, float, str], ...]
    href: str


def claim_map(view: View, section: str = "") -> str:
    """The graph of the whole book, or of a section and all that its claims rest on; then the same as a table."""
    uses = _shown(view, section)
    if not uses:
        return ""
    drawing = draw(uses)
    return view.render(
        "claim-map",
        section=section,
        uses=uses,
        users={name: [user for user, used in uses.items() if name in used] for name in uses},
        width=drawing.width + 2 * _MARGIN,
        height=drawing.height + 2 * _MARGIN,
        margin=_MARGIN,
        box_width=WIDTH,
        box_height=HEIGHT,
        edges=[_edge(path) for _, _, path in drawing.edges],
        boxes=[_box(view, name, point, section) for name, point in drawing.boxes.items()],
    )


def _shown(view: View, section: str) -> dict[str, list[str]]:
    """What each shown node uses: first the assumptions, then the claims, both in the order of the claims file."""
    registry = view.ledger.registry
    own = [entry.claim.id for entry in view.ledger.of_section(section)] if section else list(registry)
    needed = set(own).union(*(registry.rests_on(name) for name in own))
    assumptions = [name for name in registry.assumptions if name in needed]
    return {name: [] for name in assumptions} | {name: list(registry[name].uses) for name in registry if name in needed}


def _edge(path: Sequence[Point]) -> tuple[str, str]:
    """The curve of an edge and its tip, as the data of SVG paths."""
    start, *others = path
    curve = [f"M{start.x:.0f} {start.y:.0f}"]
    last = start
    for point in others:
        middle = (last.x + point.x) / 2
        curve.append(f"C{middle:.0f} {last.y:.0f} {middle:.0f} {point.y:.0f} {point.x:.0f} {point.y:.0f}")
        last = point
    tip = f"M{last.x - 7:.0f} {last.y - 4:.0f}L{last.x:.0f} {last.y:.0f}L{last.x - 7:.0f} {last.y + 4:.0f}Z"
    return "".join(curve), tip


def _box(view: View, name: str, left: Point, section: str) -> Box:
    if name not in view.ledger.entries:
        words = textwrap.wrap(view.ledger.registry.assumptions[name].name, 18, max_lines=2, placeholder=" …")
        href = view.href(view.map_page, assumption_of(name)) if view.map_page else ""
        lines = _lines(left, [("", line) for line in words])
        return Box("claim-graph-assumption", "", left.x, left.y - HEIGHT / 2, HEIGHT / 2, lines, href)
    entry = view.ledger.entries[name]
    elsewhere = bool(section) and entry not in view.ledger.of_section(section)
    classes = f"claim-graph-claim claim-verdict-{entry.verdict}{' claim-graph-elsewhere' if elsewhere else ''}"
    verdict = f"{view.sign(entry.verdict)} {_SHORT.get(entry.verdict, view.word(entry.verdict))}"
    lines = _lines(left, [("claim-graph-id", name), ("claim-graph-verdict", verdict)])
    href = view.href(entry.docname, entry.anchor) if entry.docname else ""
    return Box(classes, f"Claim {name}: {entry.claim.title}", left.x, left.y - HEIGHT / 2, 4, lines, href)


def _lines(left: Point, lines: Sequence[tuple[str, str]]) -> tuple[tuple[str, float, float, str], ...]:
    base = left.y + 5 - 9 * (len(lines) - 1)
    return tuple((style, left.x + WIDTH / 2, base + 18 * number, text) for number, (style, text) in enumerate(lines))
