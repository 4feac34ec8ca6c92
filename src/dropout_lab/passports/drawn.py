"""The numbers that a matplotlib figure shows, read from what was drawn, as a table of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.ticker import FixedLocator

#: The columns of the table: ``x2`` and ``y2`` end a bar, a band or a segment; names are those of the nearest tick.
COLUMNS = ("panel", "mark", "series", "color", "x", "x name", "x2", "y", "y name", "y2", "value")
#: Significant digits: more than a figure shows, and the same on processors that round a sum differently.
_DIGITS = 6

_Row = dict[str, object]


def table(figure: Figure) -> str:
    """Return every mark of every panel as a table of comma-separated values, a row for each point.

    The columns are :data:`COLUMNS`; lines end in a newline alone. Text, grids and axes are no numbers of the figure. A
    line across the whole panel has one coordinate.

    >>> figure = Figure()
    >>> _ = figure.subplots().plot([1, 2], [0.5, 0.25], label="loss")
    >>> print(table(figure), end="")
    panel,mark,series,color,x,x name,x2,y,y name,y2,value
    1,line,loss,#1f77b4,1,,,0.5,,,
    1,line,loss,#1f77b4,2,,,0.25,,,
    """
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for panel, axes in enumerate(figure.axes, 1):
        x_names, y_names = _named(axes.xaxis), _named(axes.yaxis)
        for row in _marks(axes):
            own = {"panel": panel, "x name": _name(x_names, row.get("x")), "y name": _name(y_names, row.get("y"))}
            writer.writerow({name: _text(value) for name, value in (own | row).items()})
    return written.getvalue()


def panels(figure: Figure) -> list[dict[str, str]]:
    """Return the names of each panel's axes.

    >>> figure = Figure()
    >>> _ = figure.subplots().set(xlabel="step", ylabel="loss")
    >>> panels(figure)
    [{'x': 'step', 'y': 'loss'}]
    """
    return [{"x": axes.get_xlabel(), "y": axes.get_ylabel()} for axes in figure.axes]


def _marks(axes: Axes) -> Iterator[_Row]:
    for artist in axes.get_children():
        if not artist.get_visible() or artist is axes.patch:
            continue
        if isinstance(artist, Line2D):
            yield from _line(axes, artist)
        elif isinstance(artist, Rectangle):
            (x, y), wide, high = artist.get_xy(), artist.get_width(), artist.get_height()
            yield _row(artist, "rectangle", artist.get_facecolor(), x=x, x2=x + wide, y=y, y2=y + high)
        elif isinstance(artist, StepPatch):
            yield from _stairs(artist)
        elif isinstance(artist, AxesImage):
            yield from _cells(artist, np.asarray(artist.get_array()))
        elif isinstance(artist, Collection):
            yield from _collection(artist)


def _stairs(stairs: StepPatch) -> Iterator[_Row]:
    """The bars of a histogram that was drawn as one outline."""
    heights, edges, foot = stairs.get_data()
    feet = np.broadcast_to(np.nan if foot is None else np.asarray(foot), np.shape(heights))
    for height, left, right, low in zip(heights, edges, edges[1:], feet, strict=False):
        yield _row(stairs, "rectangle", stairs.get_facecolor(), x=left, x2=right, y=low, y2=height)


def _line(axes: Axes, line: Line2D) -> Iterator[_Row]:
    xs, ys = np.asarray(line.get_xdata(orig=False)), np.asarray(line.get_ydata(orig=False))
    color = line.get_color()
    if not line.is_transform_set() or line.get_transform() == axes.transData:
        mark = "points" if line.get_linestyle() == "None" or len(xs) == 1 else "line"
        for x, y in zip(xs, ys, strict=True):
            yield _row(line, mark, color, x=x, y=y)
    elif len(xs) == 2 and xs[0] == xs[1]:
        yield _row(line, "vertical", color, x=xs[0])
    elif len(ys) == 2 and ys[0] == ys[1]:
        yield _row(line, "horizontal", color, y=ys[0])


def _collection(found: Collection) -> Iterator[_Row]:
    color = _first(found.get_facecolor()) if len(found.get_facecolor()) else _first(found.get_edgecolor())
    if isinstance(found, ContourSet):
        for level, path in zip(found.levels, found.get_paths(), strict=False):
            for x, y in np.asarray(path.vertices):
                yield _row(found, "contour", color, x=x, y=y, value=level)
    elif isinstance(found, QuadMesh):
        yield from _cells(found, np.asarray(found.get_array()))
    elif isinstance(found, LineCollection):
        for part in map(np.asarray, found.get_segments()):
            (x, y), (x2, y2) = part[0], part[-1]
            yield _row(found, "segment", color, x=x, y=y, x2=x2, y2=y2)
    elif isinstance(found, PathCollection):
        for x, y in np.asarray(found.get_offsets()):
            yield _row(found, "points", color, x=x, y=y)
    elif isinstance(found, PolyCollection):
        for path in found.get_paths():
            yield from _polygon(found, np.asarray(path.vertices), color)


def _polygon(found: PolyCollection, corners: np.ndarray, color: object) -> Iterator[_Row]:
    """A band between two lines as matplotlib closes it: one line, the other backwards, and a corner at each end."""
    points, rest = divmod(len(corners) - 3, 2)
    below, above = corners[1 : points + 1], corners[points + 2 : -1][::-1]
    if rest == 0 and points > 0 and np.array_equal(below[:, 0], above[:, 0]):
        for (x, y), (_, y2) in zip(below, above, strict=True):
            yield _row(found, "band", color, x=x, y=y, y2=y2)
    else:
        for x, y in corners:
            yield _row(found, "polygon", color, x=x, y=y)


def _cells(artist: Artist, values: np.ndarray) -> Iterator[_Row]:
    """The values of a picture, a row for each pixel: ``x`` is its column and ``y`` its row."""
    for place in np.ndindex(values.shape[:2] if values.ndim > 1 else values.shape):
        row, column = place if len(place) == 2 else (0, place[0])
        value = values[place]
        shown: Any = value
        if np.ndim(value):
            shown = to_hex(tuple((value / 255 if values.dtype == np.uint8 else value).tolist()))
        yield _row(artist, "pixel", None, x=column, y=row, value=shown)


def _row(artist: Artist, mark: str, color: Any, **numbers: object) -> _Row:
    label = str(artist.get_label())
    series = "" if label.startswith("_") else label.replace("\n", " ")
    return {"mark": mark, "series": series, "color": "" if color is None else to_hex(color), **numbers}


def _first(colors: Any) -> Any:
    return colors[0] if len(colors) else None


def _named(axis: Axis) -> list[tuple[float, str]]:
    """The ticks of an axis that were given names."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    places = [float(place) for place in axis.get_majorticklocs()]
    # Not the labels that were drawn: of axes that share theirs, only the outer ones have any. They may be numbers.
    texts = [str(text).replace("\n", " ") for text in axis.get_major_formatter().format_ticks(places)]
    return [(place, text) for place, text in zip(places, texts, strict=True) if text and not _is_number(text)]


def _is_number(text: str) -> bool:
    try:
        float(text.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return False
    return True


def _name(ticks: Sequence[tuple[float, str]], place: Any) -> str:
    """The name of the tick nearest to a place, where one is nearer than half the way to the next tick."""
    if not ticks or place is None:
        return ""
    gaps = np.diff(sorted(tick for tick, _ in ticks))
    reach = float(gaps.min()) / 2 if len(gaps) else 0.5
    tick, name = min(ticks, key=lambda one: abs(one[0] - float(place)))
    return name if abs(tick - float(place)) < reach else ""


def _text(value: object) -> object:
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.{_DIGITS}g}"
    return value
