"""Both conventions of dropout side by side through one step of an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Choice, Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, element, picture

_OPTIMIZERS: Mapping[str, Callable[..., Any]] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
#: By which power of p the learning rate of the original convention has to be divided.
_POWER = {"sgd": 2, "adam": 1}
_START, _TARGET = 1.0, 3.0
_AXES = Axes((0, 4), (0, 4), left=152, width=288, height=130)


def _after(state: State, *, rescale: bool, translated: bool = False) -> float:
    """The weight after a step on the mean loss over all masks, as the inverted convention would write it."""
    p, kind = float(state["p"]), str(state["optimizer"])
    scale = 1 / p if rescale else 1.0
    weight = torch.tensor([_START if rescale else _START / p], dtype=torch.float64, requires_grad=True)
    rate = float(state["rate"]) / (p ** _POWER[kind] if translated else 1.0)
    optimizer = _OPTIMIZERS[kind]([weight], lr=rate)
    masks, chance = ensemble.masks(1, p)
    loss = chance @ (weight * masks.to(torch.float64)[:, 0] * scale - _TARGET) ** 2 / 2
    loss.backward()
    optimizer.step()
    return float(weight.detach()) * (1.0 if rescale else p)


def numbers(state: State) -> dict[str, float]:
    """The effective weight at the start and after a step: inverted, original, original with its own learning rate."""
    return {
        "start": _START,
        "inverted": _after(state, rescale=True),
        "original": _after(state, rescale=False),
        "translated": _after(state, rescale=False, translated=True),
    }


_ROWS = {"start": 3.5, "inverted": 2.5, "original": 1.5, "translated": 0.5}
_WORDS = ("before", "inverted", "original", "original, other rate")


def drawing(state: State) -> Markup:
    """The weights on one line each."""
    found = numbers(state)
    words = [
        element("text", word, x=_AXES.left - 8, y=_AXES.at(0, row)[1] + 4, class_="tick end")
        for word, row in zip(_WORDS, _ROWS.values(), strict=True)
    ]
    points = [
        _AXES.points(name, [(found[name], row)], style, radius=6)
        for (name, row), style in zip(_ROWS.items(), ("muted", "first", "second", "third"), strict=True)
    ]
    frame = _AXES.frame((0, 1, 2, 3, 4), (), "weight that the test pass uses", "")
    return picture(460, 186, "Effective weight after one step, in both conventions", frame, *words, *points)


EXPLORABLE = Explorable(
    id="conventions",
    caption=(
        "One weight, input 1, target 3, squared loss over both masks. The original convention keeps the weight "
        "$W$ and uses $pW$ at test time. With the same learning rate it takes another step; with the rate divided"
        " by $p^2$ (SGD) or $p$ (Adam) the same one."
    ),
    controls=(
        Choice("optimizer", "optimizer", {"sgd": "SGD", "adam": "Adam"}, "sgd"),
        Slider("p", "keep probability $p$", 0.3, 1, 0.05, 0.5),
        Slider("rate", "learning rate", 0.05, 0.5, 0.05, 0.25),
    ),
    shown=(
        Shown("start", "before the step", 4),
        Shown("inverted", "inverted", 4),
        Shown("original", "original, the same rate", 4),
        Shown("translated", "original, its own rate", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"start": _START, "target": _TARGET, "rows": _ROWS, "power": _POWER},
)
