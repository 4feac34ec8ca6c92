"""The forest plot of the measurements of one claim: a small picture for each row of their table.

The table says all in numbers. The pictures show, on one axis for what has one unit, the effect, its interval, and where
the decision rule wants the whole interval to lie. They carry their own ink, so a notebook without the book's style
sheet shows them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from dropout_lab.book.svg import element, number
from dropout_lab.claims import Measurement
from dropout_lab.claims.kinds import readable, rule_bounds

#: The size of a row's picture, the room that it leaves at its sides, and the height of the picture of an axis.
WIDTH, HEIGHT, SIDE, AXIS = 230.0, 30.0, 14.0, 36.0
#: Rows of one unit and one rule share an axis, unless one of them spans this many times more of it than another.
_FAR = 25.0
_TICKS = 4


@dataclass(frozen=True)
class Panel:
    """Rows on one axis: each measurement with its picture; the picture of the axis, the unit, and the rule of all."""

    rows: tuple[tuple[Measurement, Markup], ...]
    axis: Markup
    unit: str
    rule: str


@dataclass(frozen=True)
class Plot:
    """All rows by their axes; ``seeds`` is their number if it is that of all, or 0; ``supported`` if all are."""

    panels: tuple[Panel, ...]
    seeds: int
    supported: bool


def plot(measurements: Sequence[Measurement]) -> Plot:
    """The forest plot of measurements, in their order; those of one unit and rule that stand together share an axis."""
    seeds = {piece.seeds for piece in measurements}
    panels = [
        _panel(rows)
        for _, same in groupby(measurements, key=lambda piece: (piece.unit, piece.rule))
        for rows in _of_one_scale(list(same))
    ]
    return Plot(tuple(panels), seeds.pop() if len(seeds) == 1 else 0, all(piece.supported for piece in measurements))


def ticks(low: float, high: float) -> list[float]:
    """At most five round numbers between two bounds, two at least; raises ValueError if the first is not the lower.

    Example
    -------
    >>> ticks(-2.1, 0.4)
    [-2.0, -1.0, 0.0]
    """
    if not low < high:
        raise ValueError(f"an axis runs from a lower to a higher number, got {low} and {high}")
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [factor * power for factor in (1, 2, 5, 10) if factor * power >= rough]
    step = steps[0] if _count(low, high, steps[0]) > 1 else rough / 2
    return [round(index * step, 12) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _count(low: float, high: float, step: float) -> int:
    return math.floor(high / step) - math.ceil(low / step) + 1


def _of_one_scale(rows: list[Measurement]) -> list[list[Measurement]]:
    """The rows of one unit, cut where an interval would be a dot beside another."""
    groups: list[list[Measurement]] = []
    for piece in rows:
        if groups and _spread([*groups[-1], piece]) < _FAR * min(map(_reach, [*groups[-1], piece])):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _ends(piece: Measurement) -> list[float]:
    """The numbers that a row has to show: its interval, and the bounds of its rule."""
    return [*piece.interval, *(bound for bound in rule_bounds(piece.rule) if math.isfinite(bound))]


def _spread(rows: Sequence[Measurement]) -> float:
    ends = [end for piece in rows for end in _ends(piece)]
    return max(ends) - min(ends)


def _reach(piece: Measurement) -> float:
    return _spread([piece])


def _panel(rows: Sequence[Measurement]) -> Panel:
    ends = [end for piece in rows for end in _ends(piece)]
    margin = 0.06 * (max(ends) - min(ends))
    low, high = min(ends) - margin, max(ends) + margin
    pictures = tuple((piece, _row(piece, low, high)) for piece in rows)
    return Panel(pictures, _axis(low, high, rows[0].unit), rows[0].unit, rows[0].rule)


def _at(value: float, low: float, high: float) -> float:
    """Where a number lies; what lies beyond the axis lies at the edge of the picture."""
    if not low <= value <= high:
        return 0.0 if value < low else WIDTH
    return SIDE + (value - low) / (high - low) * (WIDTH - 2 * SIDE)


def _row(piece: Measurement, low: float, high: float) -> Markup:
    least, most = (_at(bound, low, high) for bound in rule_bounds(piece.rule))
    middle, start, end = HEIGHT / 2, _at(piece.interval[0], low, high), _at(piece.interval[1], low, high)
    effect = _at(piece.effect, low, high)
    whiskers = "".join(f"M{number(x)} {number(middle - 5)}V{number(middle + 5)}" for x in (start, end))
    bounds = "".join(f"M{number(x)} 0V{number(HEIGHT)}" for x in (least, most) if 0 < x < WIDTH)
    fill = "currentColor" if piece.supported else "none"
    return _picture(
        HEIGHT,
        element(
            "rect", x=least, y=0.0, width=most - least, height=HEIGHT, fill="currentColor", opacity="0.1", class_="zone"
        ),
        element("path", d=bounds, stroke="currentColor", stroke_dasharray="3 3", opacity="0.7", class_="bound"),
        element(
            "path",
            d=f"M{number(start)} {number(middle)}H{number(end)}{whiskers}",
            stroke="currentColor",
            stroke_width=1.8,
            fill="none",
            class_="interval",
        ),
        element(
            "rect",
            x=effect - 4.5,
            y=middle - 4.5,
            width=9.0,
            height=9.0,
            fill=fill,
            stroke="currentColor",
            stroke_width=1.6,
            class_="effect" if piece.supported else "effect missed",
        ),
    )


def _axis(low: float, high: float, unit: str) -> Markup:
    marks = ticks(low, high)
    line = f"M0 0.5H{number(WIDTH)}" + "".join(f"M{number(_at(mark, low, high))} 0V4" for mark in marks)
    words = [
        element("text", readable(mark), x=_at(mark, low, high), y=15.0, text_anchor="middle", font_size=12)
        for mark in marks
    ]
    words.append(element("text", unit, x=WIDTH / 2, y=31.0, text_anchor="middle", font_size=12) if unit else Markup())
    return _picture(
        AXIS if unit else AXIS / 2,
        element("path", d=line, stroke="currentColor", fill="none"),
        element("g", *words, fill="currentColor"),
    )


def _picture(height: float, *content: Markup) -> Markup:
    """A picture beside its numbers: who hears the table does not need it."""
    return element(
        "svg",
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        width=WIDTH,
        class_="forest",
        aria_hidden="true",
    )
