"""A layered drawing of what rests on what: every node stands to the right of all that it uses.

Pure and deterministic: longest-path layers, barycenter sweeps for the order in a layer, and heights that draw each node
as near to its neighbors as the order allows. Edges that pass over layers run along reserved lanes and cross no box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from scipy.optimize import isotonic_regression

WIDTH, HEIGHT = 136, 46
GAP_X, GAP_Y = 56, 14
LANE = 8
_SWEEPS = 8


@dataclass(frozen=True)
class Point:
    """A place in the drawing, in pixels, x to the right and y downwards."""

    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Where everything goes: the middle of the left side of each node's box, and the points that each edge passes."""

    width: float
    height: float
    boxes: Mapping[str, Point]
    edges: tuple[tuple[str, str, tuple[Point, ...]], ...]


def layers(uses: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The layer of every node: 0 if it uses nothing, otherwise one more than the highest that it uses. No cycles.

    Example
    -------
    >>> layers({"a": [], "b": ["a"], "c": ["a", "b"]})
    {'a': 0, 'b': 1, 'c': 2}
    """
    found: dict[str, int] = {}

    def layer(node: str) -> int:
        if node not in found:
            found[node] = 1 + max((layer(used) for used in uses[node]), default=-1)
        return found[node]

    for node in uses:
        layer(node)
    return found


def draw(uses: Mapping[str, Sequence[str]]) -> Drawing:
    """Lay out a graph: ``uses`` gives for every node, in a fixed order, the nodes that it uses (each of them a key).

    Example
    -------
    >>> draw({"a": [], "b": ["a"]}).boxes["b"]
    Point(x=192, y=23.0)
    """
    touched = {name for node, targets in uses.items() if targets for name in (node, *targets)}
    linked = {node: targets for node, targets in uses.items() if node in touched}
    alone = [node for node in uses if node not in touched]
    own = layers(linked)
    columns, before = _columns(linked)
    _order(columns, before)
    heights = _heights(columns, before)

    boxes: dict[str, Point] = {}
    lanes: dict[tuple[str, int], Point] = {}
    for number, column in enumerate(columns):
        for lane in column:
            point = Point(number * (WIDTH + GAP_X), heights[lane])
            lanes[lane] = point
            if number == own[lane[0]]:
                boxes[lane[0]] = point
    bottom = max((point.y + HEIGHT / 2 for point in boxes.values()), default=-3 * GAP_Y)
    across = max(len(columns), min(len(alone), 4))
    for number, node in enumerate(alone):
        row, place = divmod(number, across)
        boxes[node] = Point(place * (WIDTH + GAP_X), bottom + 3 * GAP_Y + HEIGHT / 2 + row * (HEIGHT + GAP_Y))
    edges = tuple((used, node, _path(used, node, boxes, lanes)) for node in uses for used in uses[node])
    lowest = max((point.y + HEIGHT / 2 for point in boxes.values()), default=0.0)
    return Drawing(across * (WIDTH + GAP_X) - GAP_X, lowest, boxes, edges)


# A lane is a node in a layer: (node, own layer) is its box, (node, later layer) a lane along which its edges pass.
_Lane = tuple[str, int]


def _columns(uses: Mapping[str, Sequence[str]]) -> tuple[list[list[_Lane]], dict[_Lane, list[_Lane]]]:
    layer = layers(uses)
    reach = dict(layer)
    for node, targets in uses.items():
        for used in targets:
            reach[used] = max(reach[used], layer[node] - 1)
    columns: list[list[_Lane]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    before: dict[_Lane, list[_Lane]] = {}
    for node in uses:
        for number in range(layer[node], reach[node] + 1):
            columns[number].append((node, number))
            before[node, number] = [(node, number - 1)] if number > layer[node] else []
    for node, targets in uses.items():
        before[node, layer[node]] = [(used, layer[node] - 1) for used in targets]
    return columns, before


def _order(columns: list[list[_Lane]], before: Mapping[_Lane, list[_Lane]]) -> None:
    after = _after(before)
    for sweep in range(_SWEEPS):
        neighbors, order = (before, columns[1:]) if sweep % 2 == 0 else (after, columns[-2::-1])
        for column in order:
            rank = {lane: place for other in columns for place, lane in enumerate(other)}
            middle = {lane: _mean([rank[n] for n in neighbors[lane]], rank[lane]) for lane in column}
            column.sort(key=lambda lane: (middle[lane], rank[lane]))


def _heights(columns: list[list[_Lane]], before: Mapping[_Lane, list[_Lane]]) -> dict[_Lane, float]:
    after = _after(before)
    boxes = {lane for lane in before if all(used[0] != lane[0] for used in before[lane])}
    heights: dict[_Lane, float] = {}
    for column in columns:
        heights.update(zip(column, _spread([0.0] * len(column), _separations(column, boxes)), strict=True))
    for sweep in range(_SWEEPS):
        neighbors, order = (before, columns[1:]) if sweep % 2 == 0 else (after, columns[-2::-1])
        for column in order:
            wanted = [_mean([heights[n] for n in neighbors[lane]], heights[lane]) for lane in column]
            heights.update(zip(column, _spread(wanted, _separations(column, boxes)), strict=True))
    top = min((heights[lane] - (HEIGHT / 2 if lane in boxes else LANE / 2) for lane in heights), default=0.0)
    return {lane: height - top for lane, height in heights.items()}


def _after(before: Mapping[_Lane, list[_Lane]]) -> dict[_Lane, list[_Lane]]:
    after: dict[_Lane, list[_Lane]] = {lane: [] for lane in before}
    for lane, earlier in before.items():
        for other in earlier:
            after[other].append(lane)
    return after


def _separations(column: Sequence[_Lane], boxes: set[_Lane]) -> list[float]:
    sizes = [HEIGHT if lane in boxes else LANE for lane in column]
    return [0.0, *((one + other) / 2 + GAP_Y for one, other in pairwise(sizes))]


def _spread(wanted: Sequence[float], separations: Sequence[float]) -> list[float]:
    """The heights nearest to the wanted ones (least squares) that keep the separations."""
    if not wanted:
        return []
    # Without the room that each needs beside the one before it, heights need only not to fall.
    offsets = list(accumulate(separations))
    level = isotonic_regression([height - offset for height, offset in zip(wanted, offsets, strict=True)]).x
    return [float(base) + offset for base, offset in zip(level, offsets, strict=True)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _path(used: str, node: str, boxes: Mapping[str, Point], lanes: Mapping[_Lane, Point]) -> tuple[Point, ...]:
    start, end = boxes[used], boxes[node]
    between = [point for (name, _), point in lanes.items() if name == used and start.x < point.x < end.x]
    passing = [corner for point in between for corner in (point, Point(point.x + WIDTH, point.y))]
    return (Point(start.x + WIDTH, start.y), *passing, end)
