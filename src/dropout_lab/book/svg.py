"""Drawings as SVG inside the page: colors come from the style sheet, so light, dark and grey are one drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from dropout_lab.claims.kinds import readable


def number(value: float) -> str:
    """A coordinate: two decimals at most, so that two builds give the same bytes.

    >>> number(3.0), number(2 / 3), number(-0.001)
    ('3', '0.67', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """An element; ``class_`` and names with underscores are written as SVG writes them, None is left out.

    >>> element("circle", r=2.0, class_="unit", stroke_width=1)
    Markup('<circle r="2" class="unit" stroke-width="1"/>')
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(number(value) if isinstance(value, float) else value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(part) for part in content)
    return Markup(f"<{tag}{written}>{inside}</{tag}>") if inside else Markup(f"<{tag}{written}/>")


def picture(width: float, height: float, title: str, *content: object) -> Markup:
    """A whole drawing, as wide as its column, with a name for those who do not see it."""
    box = f"0 0 {number(width)} {number(height)}"
    # The namespace is needed where the drawing stands in a file of its own.
    return element(
        "svg",
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=box,
        class_="drawing",
        role="img",
        aria_label=title,
        # Letters are about as large in a narrow drawing as in a wide one.
        style=f"--drawn: {number(width)}; max-width: {number(1.15 * width)}px",
    )


def path(points: Iterable[tuple[float, float]]) -> str:
    """The points as a line.

    >>> path([(0, 1), (2.5, 3)])
    'M0 1L2.5 3'
    """
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


@dataclass(frozen=True)
class Axes:
    """A plotting area: a range of numbers on each axis, and the rectangle that it fills.

    The script draws in the same area: it reads the ranges from the attributes of the group. Left of it is room for
    numbers of four characters and a label in the larger letters of a phone.

    >>> Axes((0, 1), (0, 2), left=10, top=0, width=100, height=50).at(0.5, 1)
    (60.0, 25.0)
    """

    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 62
    top: float = 12
    width: float = 384
    height: float = 200

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height

    def frame(self, across: Sequence[float], up: Sequence[float], x_label: str, y_label: str) -> Markup:
        """Axes with ticks at these numbers, and labels."""
        bottom, right = self.top + self.height, self.left + self.width
        ticks = [
            element("text", readable(value), x=self.at(value, self.y[0])[0], y=bottom + 16, class_="tick middle")
            for value in across
        ]
        for value in up:
            height = self.at(self.x[0], value)[1]
            ticks.append(element("path", d=path([(self.left, height), (right, height)]), class_="grid"))
            ticks.append(element("text", readable(value), x=self.left - 6, y=height + 4, class_="tick end"))
        lines = element("path", d=path([(self.left, self.top), (self.left, bottom), (right, bottom)]), class_="axis")
        names = [
            element("text", x_label, x=self.left + self.width / 2, y=bottom + 33, class_="label middle"),
            element(
                "text",
                y_label,
                x=0.0,
                y=0.0,
                class_="label middle",
                transform=f"translate(12 {number(self.top + self.height / 2)}) rotate(-90)",
            ),
        ]
        return element("g", *ticks, lines, *names, class_="axes")

    def group(self, name: str, *content: object, class_: str = "") -> Markup:
        """A group of marks that the script draws anew; it carries the area's numbers."""
        numbers = (*self.x, *self.y, self.left, self.top, self.width, self.height)
        area = " ".join(number(float(value)) if abs(value) >= 1 or value == 0 else repr(value) for value in numbers)
        return element("g", *content, data_marks=name, data_area=area, class_=class_ or None)

    def line(self, name: str, points: Iterable[tuple[float, float]], class_: str) -> Markup:
        """A line of data, which the script can move."""
        return self.group(name, element("path", d=path(self.at(*point) for point in points), class_=f"line {class_}"))

    def bars(self, name: str, heights: Sequence[float], lefts: Sequence[float], width: float, class_: str) -> Markup:
        """Bars that stand on 0, from each of ``lefts`` on."""
        drawn = []
        for height, left in zip(heights, lefts, strict=True):
            x, y = self.at(left, max(height, 0))
            right, foot = self.at(left + width, min(height, 0))
            drawn.append(element("rect", x=x, y=y, width=right - x, height=foot - y, class_=f"bar {class_}"))
        return self.group(name, *drawn)

    def points(self, name: str, points: Iterable[tuple[float, float]], class_: str, radius: float = 4) -> Markup:
        """Points of data."""
        drawn = []
        for point in points:
            x, y = self.at(*point)
            drawn.append(element("circle", cx=x, cy=y, r=float(radius), class_=f"point {class_}"))
        return self.group(name, *drawn)


def text(content: str, x: float, y: float, class_: str = "label") -> Markup:
    """Words about a point; a last letter behind an underscore is an index.

    >>> text("z_x", 0, 0)
    Markup('<text x="0" y="0" class="label middle">z<tspan dy="4" class="index">x</tspan></text>')
    """
    head, _, index = content.rpartition("_")
    words: tuple[object, ...] = (content,)
    if head and len(index) == 1:
        words = (head, element("tspan", index, dy=4, class_="index"))
    return element("text", *words, x=float(x), y=float(y), class_=f"{class_} middle")


def box(x: float, y: float, width: float, name: str, class_: str = "", height: float = 32) -> Markup:
    """A named box, with its upper left corner at (x, y)."""
    words = text(name, x + width / 2, y + height / 2 + 4.5)
    shape = element("rect", x=float(x), y=float(y), width=float(width), height=float(height), rx=5.0)
    return element("g", shape, words, class_=f"box {class_}".strip())


def arrow(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """A straight arrow, along one of the axes.

    >>> "wire" in arrow((0, 0), (10, 0))
    True
    """
    (x, y), (right, up) = start, end
    along, across = (right - x) / (abs(right - x) + abs(up - y)), (up - y) / (abs(right - x) + abs(up - y))
    # The head is an arrow's last six units.
    back = (right - 7 * along, up - 7 * across)
    wings = [(back[0] - 4 * across, back[1] - 4 * along), end, (back[0] + 4 * across, back[1] + 4 * along)]
    head = element("path", d=path(wings) + "Z", class_="head")
    return element("g", element("path", d=path([start, back]), class_="wire"), head)
