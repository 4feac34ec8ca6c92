"""A network and what a mask leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from dropout_lab.book.svg import arrow, element, picture, text

#: The mask of each layer; inputs and outputs are never dropped.
MASKS = ((1, 1, 1), (1, 0, 1, 1, 0), (0, 1, 1, 0, 1), (1, 1))
_STEP, _DOWN, _RADIUS, _MIDDLE = 78.0, 44.0, 14.0, 116.0


def whole_and_thinned() -> Markup:
    """The same network twice: with all of its units, and with those that one mask keeps."""
    whole = [[1] * len(layer) for layer in MASKS]
    return picture(
        640,
        250,
        "A network with two hidden layers of five units, and the same network with the units that a mask drops crossed "
        "out and their connections gone",
        *_network(34, whole),
        arrow((296, _MIDDLE), (344, _MIDDLE)),
        text("mask r", 318, _MIDDLE - 68),
        *_network(372, MASKS),
        text("all units: how it is used", 34 + 1.5 * _STEP, 246),
        text("one mask: one training example", 372 + 1.5 * _STEP, 246),
    )


def _network(left: float, kept: Sequence[Sequence[int]]) -> list[Markup]:
    """Connections first, so that the units lie on top."""
    places = [
        [(left + layer * _STEP, _MIDDLE + _DOWN * (unit - (len(bits) - 1) / 2)) for unit in range(len(bits))]
        for layer, bits in enumerate(kept)
    ]
    nodes = [list(zip(column, bits, strict=True)) for column, bits in zip(places, kept, strict=True)]
    edges = [
        element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="edge" if one and other else "edge gone")
        for before, after in pairwise(nodes)
        for (x1, y1), one in before
        for (x2, y2), other in after
    ]
    return edges + [_unit(x, y, bool(bit)) for column in nodes for (x, y), bit in column]


def _unit(x: float, y: float, kept: bool) -> Markup:
    cross = element("path", d=f"M{x - 8:g} {y - 8:g}l16 16m0 -16l-16 16", class_="cross")
    circle = element("circle", cx=x, cy=y, r=_RADIUS)
    return element("g", circle, "" if kept else cross, class_="unit" if kept else "unit gone")
