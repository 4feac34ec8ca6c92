"""Stochastic depth: how many residual blocks a pass goes through."""

from __future__ import annotations

import torch
from markupsafe import Markup

from dropout_lab import ensemble, functional
from dropout_lab.book.explorables.parts import Choice, Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

_MOST = 16
_AXES = Axes((-0.5, _MOST + 0.5), (0, 1))


def _keep_probs(state: State) -> list[float]:
    depth, last = int(state["depth"]), float(state["last"])
    if state["rule"] == "same":
        return [last] * depth
    return functional.linear_decay(depth, last)


def _chances(state: State) -> list[float]:
    """The probability of each number of blocks, by enumeration of all masks."""
    keep_probs = _keep_probs(state)
    masks, chance = ensemble.masks(len(keep_probs), keep_probs)
    found = torch.zeros(_MOST + 1, dtype=torch.float64)
    return found.index_add(0, masks.sum(1).long(), chance).tolist()


def numbers(state: State) -> dict[str, float]:
    """Mean and deviation of the depth, and the probability that all blocks are there."""
    chances = torch.tensor(_chances(state), dtype=torch.float64)
    depths = torch.arange(_MOST + 1, dtype=torch.float64)
    mean = float(chances @ depths)
    return {
        "first": _keep_probs(state)[0],
        "mean": mean,
        "sd": float((chances @ (depths - mean) ** 2).sqrt()),
        "all": float(chances[int(state["depth"])]),
    }


def drawing(state: State) -> Markup:
    """The distribution of the depth."""
    lefts = [place - 0.4 for place in range(_MOST + 1)]
    return picture(
        460,
        252,
        "Distribution of the number of residual blocks in a pass",
        _AXES.frame(range(0, _MOST + 1, 2), (0, 0.25, 0.5, 0.75, 1), "blocks in a pass", "probability"),
        _AXES.bars("depths", _chances(state), lefts, 0.8, "first"),
    )


EXPLORABLE = Explorable(
    id="depth",
    caption=(
        "Residual blocks that are dropped sample by sample. With linear decay the keep probability falls from the"
        " first block to the last, so that early blocks, which all later ones read, are there more often."
    ),
    controls=(
        Slider("depth", "blocks", 1, _MOST, 1, 12),
        Slider("last", "keep probability of the last block", 0.05, 1, 0.05, 0.5),
        Choice("rule", "keep probabilities", {"decay": "linear decay", "same": "the same in all blocks"}, "decay"),
    ),
    shown=(
        Shown("first", "keep probability of the first block", 4),
        Shown("mean", "expected depth", 4),
        Shown("sd", "standard deviation", 4),
        Shown("all", "probability of the whole network", 6),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"most": _MOST},
)
