"""Blocks of networks, with the places where dropout stands."""

from __future__ import annotations

from markupsafe import Markup

from dropout_lab.book.svg import arrow, box, element, picture, text


def residual_block() -> Markup:
    """A branch with two layers and a factor, beside a shortcut."""
    return picture(
        480,
        170,
        "A residual block: a branch of layers times a random factor, added to a shortcut",
        text("x", 16, 105),
        arrow((28, 100), (450, 100)),
        element("path", d="M60 100V40", class_="wire"),
        arrow((60, 40), (100, 40)),
        box(100, 24, 86, "layer"),
        arrow((186, 40), (210, 40)),
        box(210, 24, 86, "layer"),
        arrow((296, 40), (326, 40)),
        box(326, 24, 60, "× r / p", "noise"),
        element("path", d="M386 40H416", class_="wire"),
        arrow((416, 40), (416, 88)),
        element("circle", cx=416.0, cy=100.0, r=11.0, class_="sum"),
        text("+", 416, 105),
        text("shortcut", 220, 122, "tick"),
        text("branch", 143, 78, "tick"),
        text("y", 464, 105),
    )


def unrolled_rnn() -> Markup:
    """Three steps; the masks on inputs and state are marked alike at each."""
    parts = []
    for step in range(3):
        x = 60 + step * 140
        parts += [
            box(x, 70, 74, f"t = {step + 1}"),
            text(f"x_{step + 1}", x + 37, 176),
            arrow((x + 37, 162), (x + 37, 148)),
            box(x + 13, 122, 48, "z_x", "noise"),
            arrow((x + 37, 122), (x + 37, 102)),
            arrow((x + 37, 70), (x + 37, 40)),
            text(f"h_{step + 1}", x + 37, 32),
        ]
        if step < 2:
            parts += [
                arrow((x + 74, 86), (x + 87, 86)),
                box(x + 87, 70, 40, "z_h", "noise second"),
                arrow((x + 127, 86), (x + 140, 86)),
            ]
    return picture(
        480, 186, "A recurrent layer unrolled over three steps, with the same two masks at each step", *parts
    )


def transformer_block() -> Markup:
    """The order of a pre-norm block, from the bottom to the top, with its six places."""
    column = (
        ("layer norm", ""),
        ("attention: attention_dropout", "noise"),
        ("projection_dropout", "noise"),
        ("attention_path", "noise second"),
        ("+", "sum"),
        ("layer norm", ""),
        ("linear, GELU, hidden_dropout", "noise"),
        ("linear, output_dropout", "noise"),
        ("mlp_path", "noise second"),
        ("+", "sum"),
    )
    parts, y = [text("x", 150, 442), arrow((150, 428), (150, 414))], 382
    for name, kind in column:
        if kind == "sum":
            parts += [element("circle", cx=150.0, cy=y + 16.0, r=11.0, class_="sum"), text("+", 150, y + 21)]
            parts.append(arrow((150, y + 5), (150, y - 8)) if y > 60 else arrow((150, y + 5), (150, y - 12)))
        else:
            parts += [box(30, y, 240, name, kind), arrow((150, y), (150, y - 8))]
        y -= 40
    # The two shortcuts leave before the normalization and come back at the sum.
    for start, end in ((420, 238), (221, 38)):
        parts.append(element("path", d=f"M150 {start}H300V{end}", class_="wire"))
        parts.append(arrow((300, end), (162, end)))
    return picture(330, 452, "An encoder block with the places where something can be dropped", *parts)
