"""Pixel, channel and block masks on the feature maps of a real image, with the true keep rate."""

from __future__ import annotations

from functools import cache

import torch
from markupsafe import Markup
from sklearn.datasets import load_digits

from dropout_lab import functional
from dropout_lab.book.explorables.parts import Choice, Explorable, Shown, Slider, State
from dropout_lab.book.svg import element, picture
from dropout_lab.functional.blocks import dilated

#: Edge filters: what a first layer of convolutions usually learns.
_FILTERS = (
    ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
    ((2, 1, 0), (1, 0, -1), (0, -1, -2)),
    ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
)
_SIZE, _DRAWS, _BLOCKS = 8, 8, (1, 2, 3, 5, 7)
_P = Slider("p", "keep probability $p$", 0.5, 0.95, 0.05, 0.8)


@cache
def _maps() -> list[list[list[float]]]:
    """The rectified edges of the first digit of the data, as shares of the largest: channels, rows, columns."""
    image = torch.tensor(load_digits().images[0], dtype=torch.float32)[None, None]
    edges = torch.nn.functional.conv2d(image, torch.tensor(_FILTERS, dtype=torch.float32)[:, None], padding=1)[0].relu()
    return [[[round(float(v), 2) for v in row] for row in channel] for channel in edges / edges.max()]


@cache
def _levels() -> list[list[list[float]]]:
    """Uniform numbers for each draw and channel: one a pixel, and a last one for the channel."""
    draw = torch.Generator().manual_seed(0)
    levels = torch.rand(_DRAWS, len(_FILTERS), _SIZE**2 + 1, generator=draw, dtype=torch.float64)
    return [[[round(float(v), 4) for v in channel] for channel in one] for one in levels]


def _mask(state: State) -> torch.Tensor:
    """1 where kept: (channels, rows, columns)."""
    p, block = float(state["p"]), int(state["block"])
    levels = torch.tensor(_levels()[int(state["draw"]) - 1], dtype=torch.float64)
    if state["kind"] == "channel":
        return (levels[:, -1:, None] < p).to(torch.int8).expand(-1, _SIZE, _SIZE)
    pixels = levels[:, :-1].reshape(-1, _SIZE, _SIZE)
    if state["kind"] == "pixel":
        return (pixels < p).to(torch.int8)
    room = _SIZE - block + 1
    seeds = (pixels[:, :room, :room] < _gamma(state)).to(torch.int8)
    return 1 - dilated(seeds, (_SIZE, _SIZE), block).view(-1, _SIZE, _SIZE)


def _gamma(state: State) -> float:
    return functional.block_gamma((_SIZE, _SIZE), float(state["p"]), int(state["block"]), rule="published")


def numbers(state: State) -> dict[str, float]:
    """The share kept in this draw, the expected share, and the extremes of the positions' keep probabilities."""
    kept = _mask(state).to(torch.float64)
    p = float(state["p"])
    chances = torch.full((_SIZE, _SIZE), p, dtype=torch.float64)
    if state["kind"] == "block":
        chances = functional.block_keep_probs((_SIZE, _SIZE), int(state["block"]), _gamma(state))
    return {
        "kept": float(kept.mean()),
        "expected": float(chances.mean()),
        "corner": float(chances[0, 0]),
        "center": float(chances[_SIZE // 2, _SIZE // 2]),
    }


def drawing(state: State) -> Markup:
    """The maps, dark where a feature is strong; dropped positions are hatched."""
    mask, cells = _mask(state), []
    for channel, rows in enumerate(_maps()):
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                x, y = 6 + 116 * channel + 13 * j, 8 + 13 * i
                kept = bool(mask[channel, i, j])
                cells.append(
                    element(
                        "rect",
                        x=x,
                        y=y,
                        width=12,
                        height=12,
                        class_="cell" if kept else "cell gone",
                        style=f"--strength:{value:g}",
                    )
                )
    words = [
        element("text", f"channel {channel + 1}", x=58.0 + 116 * channel, y=130.0, class_="tick middle")
        for channel in range(len(_FILTERS))
    ]
    pattern = element(
        "pattern",
        element("path", d="M0 6L6 0", class_="hatch"),
        id="feature-map-hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    return picture(476, 138, "Four feature maps of a digit under a mask", element("defs", pattern), *cells, *words)


EXPLORABLE = Explorable(
    id="feature-map",
    caption=(
        "Four edge filters on the first digit of the data; hatched positions are dropped. Blocks grow from seeds "
        "that are drawn with the published $\\gamma$: it counts overlapping blocks twice, and it serves every "
        "position with the same seeds, so that the share that is kept is not $p$, and a corner is kept more often"
        " than the center."
    ),
    controls=(
        Choice("kind", "what is dropped", {"pixel": "pixels", "channel": "channels", "block": "blocks"}, "block"),
        _P,
        Choice("block", "block size", {str(size): str(size) for size in _BLOCKS}, "3"),
        Slider("draw", "draw", 1, _DRAWS, 1, 1),
    ),
    shown=(
        Shown("kept", "kept in this draw", 4),
        Shown("expected", "kept on average", 4),
        Shown("corner", "a corner is kept with probability", 4),
        Shown("center", "the center is kept with probability", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"levels": _levels(), "size": _SIZE},
)
