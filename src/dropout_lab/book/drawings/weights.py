"""Masks on a matrix of weights."""

from __future__ import annotations

from markupsafe import Markup

from dropout_lab.book.svg import element, picture

_ROWS, _COLUMNS, _CELL = 4, 5, 24
#: Single weights that DropConnect drops here.
_SINGLE = frozenset({(0, 1), (0, 4), (1, 2), (2, 0), (2, 3), (2, 4), (3, 1)})


def masks_on_weights() -> Markup:
    """Three copies of one matrix: columns, rows, and single weights dropped."""
    kinds = (
        ("dropout of inputs", lambda row, column: column in (1, 3)),
        ("dropout of outputs", lambda row, column: row == 2),
        ("DropConnect", lambda row, column: (row, column) in _SINGLE),
    )
    parts = []
    for place, (name, drops) in enumerate(kinds):
        left = 14 + place * 158
        for row in range(_ROWS):
            for column in range(_COLUMNS):
                x, y = left + column * _CELL, 12 + row * _CELL
                gone = drops(row, column)
                parts.append(
                    element(
                        "rect",
                        x=x,
                        y=y,
                        width=_CELL - 3,
                        height=_CELL - 3,
                        class_="weight gone" if gone else "weight",
                    )
                )
                if gone:
                    cross = f"M{x + 5} {y + 5}l11 11m0 -11l-11 11"
                    parts.append(element("path", d=cross, class_="cross"))
        middle = left + _COLUMNS * _CELL / 2
        parts.append(element("text", name, x=middle, y=12.0 + _ROWS * _CELL + 16, class_="label middle"))
    return picture(480, 130, "A matrix of weights with columns, with a row, and with single weights dropped", *parts)
