"""One mask for a sequence against a fresh one at each step: what becomes of a recurrent state."""

from __future__ import annotations

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

_MOST = 12
_AXES = Axes((0, _MOST), (0, 1))


def _survival(state: State) -> dict[str, list[float]]:
    """The probability that a unit of the state was never dropped, after each step, by enumeration of the masks."""
    p, steps = float(state["p"]), int(state["steps"])
    masks, chance = ensemble.masks(steps, p)
    alive = masks.to(torch.float64).cumprod(1)
    one, own = ensemble.masks(1, p)
    tied = float(own @ one.to(torch.float64)[:, 0])
    return {"fresh": [1.0, *(chance @ alive).tolist()], "tied": [1.0] + [tied] * steps}


def numbers(state: State) -> dict[str, float]:
    """Survival at the end, the mean time until a unit is dropped, and the units that are left of a hundred."""
    found, p, steps = _survival(state), float(state["p"]), int(state["steps"])
    masks, chance = ensemble.masks(steps, p)
    lasted = masks.to(torch.float64).cumprod(1).sum(1)
    return {
        "fresh": found["fresh"][-1],
        "tied": found["tied"][-1],
        "lasted-fresh": float(chance @ lasted),
        "lasted-tied": p * steps,
    }


def drawing(state: State) -> Markup:
    """Both probabilities over time."""
    found = _survival(state)
    return picture(
        460,
        252,
        "Probability that a unit of the state was never dropped, over time",
        _AXES.frame(range(0, _MOST + 1, 2), (0, 0.5, 1), "time step", "never dropped"),
        _AXES.line("fresh", list(enumerate(found["fresh"])), "first"),
        _AXES.line("tied", list(enumerate(found["tied"])), "second"),
    )


EXPLORABLE = Explorable(
    id="tied-masks",
    caption=(
        "The probability that a unit of a recurrent state has come through all steps so far. Fresh masks (solid) "
        "wipe out every unit sooner or later; with one mask for the whole sequence (dashed) a kept unit stays, "
        "and can hold its value."
    ),
    controls=(
        Slider("steps", "time steps", 1, _MOST, 1, 8),
        Slider("p", "keep probability $p$", 0.05, 0.95, 0.05, 0.8),
    ),
    shown=(
        Shown("fresh", "never dropped, fresh masks", 4),
        Shown("tied", "never dropped, one mask", 4),
        Shown("lasted-fresh", "steps survived on average, fresh masks", 4),
        Shown("lasted-tied", "steps survived on average, one mask", 4),
    ),
    numbers=numbers,
    drawing=drawing,
)
