"""The pre-activation of a unit under all masks, and the normal distribution that it is compared with."""

from __future__ import annotations

import math

import numpy as np
import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

_MOST = 12
_BINS = 32
_AXES = Axes((-3.2, 3.2), (0, 0.8))
_WIDTH = (_AXES.x[1] - _AXES.x[0]) / _BINS
#: Contributions w x of the inputs, drawn once.
TERMS = np.round(np.random.default_rng(0).normal(size=_MOST), 3).tolist()


def _values(state: State) -> tuple[torch.Tensor, torch.Tensor]:
    n, p = int(state["n"]), float(state["p"])
    table, probabilities = ensemble.masks(n, p)
    terms = torch.tensor(TERMS[:n], dtype=torch.float64)
    # In units of the terms' root mean square, about their mean, so that every n fits one picture.
    return (table - p) @ terms / terms.square().mean().sqrt() / math.sqrt(n), probabilities


def numbers(state: State) -> dict[str, float]:
    """Mean, standard deviation and skewness, and the largest gap between the distribution functions."""
    values, probabilities = _values(state)
    mean = float(probabilities @ values)
    sd = float((probabilities @ (values - mean) ** 2).sqrt())
    third = float(probabilities @ (values - mean) ** 3)
    order = values.argsort()
    steps = probabilities[order].cumsum(0)
    normal = torch.special.ndtr((values[order] - mean) / sd)
    gap = torch.maximum((steps - normal).abs(), (steps - probabilities[order] - normal).abs()).max()
    return {"masks": float(len(values)), "mean": mean, "sd": sd, "skewness": third / sd**3, "gap": float(gap)}


def _heights(state: State) -> list[float]:
    values, probabilities = _values(state)
    heights, _ = np.histogram(values.numpy(), _BINS, _AXES.x, weights=probabilities.numpy())
    return (heights / _WIDTH).tolist()


def drawing(state: State) -> Markup:
    """The histogram and the normal density."""
    found = numbers(state)
    places = np.linspace(*_AXES.x, 129).tolist()
    density = [
        math.exp(-(((x - found["mean"]) / found["sd"]) ** 2) / 2) / found["sd"] / math.sqrt(2 * math.pi) for x in places
    ]
    lefts = [_AXES.x[0] + place * _WIDTH for place in range(_BINS)]
    return picture(
        460,
        252,
        "Histogram of a pre-activation under all masks, with a normal density",
        _AXES.frame((-3, -2, -1, 0, 1, 2, 3), (0, 0.2, 0.4, 0.6, 0.8), "pre-activation, about its mean", "density"),
        _AXES.bars("histogram", _heights(state), lefts, _WIDTH, "first"),
        _AXES.line("normal", [(x, min(y, _AXES.y[1])) for x, y in zip(places, density, strict=True)], "second"),
    )


EXPLORABLE = Explorable(
    id="preactivation",
    caption=(
        "The pre-activation $\\sum_i w_i x_i r_i$ under all $2^n$ masks (bars) and the normal density of the same "
        "mean and variance (line), in units of $\\sqrt{\\sum_i (w_i x_i)^2}$. The gap is the largest difference "
        "between the two distribution functions."
    ),
    controls=(
        Slider("n", "inputs $n$", 1, _MOST, 1, 6),
        Slider("p", "keep probability $p$", 0.05, 0.95, 0.05, 0.5),
    ),
    shown=(
        Shown("masks", "masks", 0),
        Shown("mean", "mean", 3),
        Shown("sd", "standard deviation", 4),
        Shown("skewness", "skewness", 4),
        Shown("gap", "largest gap to the normal", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"terms": TERMS, "bins": _BINS, "range": _AXES.x, "top": _AXES.y[1]},
)
