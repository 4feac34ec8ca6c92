"""The map: claims and named assumptions, drawn as a graph of what rests on what, and written out as tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from html import escape

from dropout_lab.book.graph import HEIGHT, WIDTH, Drawing, Point, draw
from dropout_lab.book.records import assumption_of
from dropout_lab.book.words import VERDICT_WORDS, View, badge, row, scrolling, table
from dropout_lab.claims.records import inline_math

_MARGIN = 4
#: What fits into a box where a verdict's own words do not.
_SHORT = {"true-under": "true, if …", "not-seen": "not seen", "unsettled": "not settled"}


def claim_map(view: View, section: str = "") -> str:
    """The graph of the whole book, or of a section and all that its claims rest on; then the same as a table."""
    shown = _shown(view, section)
    if not shown:
        return ""
    of = f" of section {section}" if section else ""
    picture = scrolling(f"Map of the claims{of}", _svg(view, draw(shown), section))
    claims = table(
        f"The map{of} as a table",
        ["Claim", "Verdict", "Rests on", "Used by"],
        [
            row(
                [
                    f"{view.claim(name)} {inline_math(view.ledger.entries[name].claim.title)}",
                    badge(view.ledger.entries[name].verdict),
                    view.used(view.ledger.registry[name].uses),
                    view.used(used_by) if (used_by := _users(name, shown)) else "none",
                ]
            )
            for name in shown
            if name in view.ledger.entries
        ],
    )
    text = f"<details><summary>The same as a table</summary>{claims}</details>"
    # The page with the whole map is the place where assumptions are looked up.
    return picture + text + ("" if section else _assumptions(view, shown))


def _shown(view: View, section: str) -> dict[str, list[str]]:
    """What each shown node uses: first the assumptions, then the claims, both in the order of the claims file."""
    registry = view.ledger.registry
    own = [entry.claim.id for entry in view.ledger.of_section(section)] if section else list(registry)
    needed = set(own).union(*(registry.rests_on(name) for name in own))
    assumptions = [name for name in registry.assumptions if name in needed]
    return {name: [] for name in assumptions} | {name: list(registry[name].uses) for name in registry if name in needed}


def _users(name: str, shown: Mapping[str, Sequence[str]]) -> list[str]:
    return [user for user, used in shown.items() if name in used]


def _assumptions(view: View, shown: Mapping[str, Sequence[str]]) -> str:
    known = view.ledger.registry.assumptions
    rows = [
        row(
            [inline_math(known[name].name), inline_math(known[name].statement), view.used(_users(name, shown))],
            f' id="{assumption_of(name)}"',
        )
        for name in shown
        if name in known
    ]
    return table("The named assumptions", ["Assumption", "What it says", "Used by"], rows) if rows else ""


def _svg(view: View, drawing: Drawing, section: str) -> str:
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    edges = "".join(_edge(path) for _, _, path in drawing.edges)
    nodes = "".join(_node(view, name, point, section) for name, point in drawing.boxes.items())
    return (
        f'<svg class="claim-graph" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}" role="group" '
        'aria-label="Arrows lead from what is used to what uses it; the table below says the same.">'
        f'<g class="claim-graph-edges" aria-hidden="true">{edges}</g>{nodes}</svg>'
    )


def _edge(path: Sequence[Point]) -> str:
    start, *others = path
    curve = [f"M{start.x:.0f} {start.y:.0f}"]
    last = start
    for point in others:
        middle = (last.x + point.x) / 2
        curve.append(f"C{middle:.0f} {last.y:.0f} {middle:.0f} {point.y:.0f} {point.x:.0f} {point.y:.0f}")
        last = point
    tip = f"M{last.x - 7:.0f} {last.y - 4:.0f}L{last.x:.0f} {last.y:.0f}L{last.x - 7:.0f} {last.y + 4:.0f}Z"
    return f'<path d="{"".join(curve)}"/><path class="claim-graph-tip" d="{tip}"/>'


def _node(view: View, name: str, left: Point, section: str) -> str:
    if name in view.ledger.entries:
        return _claim(view, name, left, section)
    text = textwrap.wrap(view.ledger.registry.assumptions[name].name, 18, max_lines=2, placeholder=" …")
    body = _box(left, HEIGHT / 2) + _lines(left, [("", line) for line in text])
    target = (view.map_page, assumption_of(name)) if view.map_page else None
    return _linked(view, target, f'<g class="claim-graph-assumption">{body}</g>')


def _claim(view: View, name: str, left: Point, section: str) -> str:
    entry = view.ledger.entries[name]
    sign, word = VERDICT_WORDS[entry.verdict]
    inside = not section or entry in view.ledger.of_section(section)
    classes = f"claim-graph-claim claim-verdict-{entry.verdict}{'' if inside else ' claim-graph-elsewhere'}"
    lines = [("claim-graph-id", name), ("claim-graph-verdict", f"{sign} {_SHORT.get(entry.verdict, word)}")]
    body = f"<title>{escape(f'Claim {name}: {entry.claim.title}')}</title>{_box(left, 4)}{_lines(left, lines)}"
    return _linked(view, (entry.docname, entry.anchor) if entry.docname else None, f'<g class="{classes}">{body}</g>')


def _box(left: Point, radius: float) -> str:
    top = left.y - HEIGHT / 2
    return f'<rect x="{left.x:.0f}" y="{top:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="{radius:.0f}"/>'


def _lines(left: Point, lines: Sequence[tuple[str, str]]) -> str:
    base = left.y + 5 - 9 * (len(lines) - 1)
    return "".join(
        f'<text class="{style}" x="{left.x + WIDTH / 2:.0f}" y="{base + 18 * number:.0f}">{escape(text)}</text>'
        for number, (style, text) in enumerate(lines)
    )


def _linked(view: View, target: tuple[str, str] | None, svg: str) -> str:
    return f'<a href="{escape(view.href(*target))}">{svg}</a>' if target else svg
