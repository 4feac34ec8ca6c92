"""The variance shift: what batch normalization remembers of the training, and what it meets at test time."""

from __future__ import annotations

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

#: Activations of one unit over the examples: half of them one standard deviation below the mean, half above.
_AXES = Axes((0, 1), (0, 1))
_PLACES = [round(0.02 * step, 2) for step in range(1, 51)]


def _variances(mean: float, p: float) -> tuple[float, float]:
    activations = torch.tensor([mean - 1, mean + 1], dtype=torch.float64)
    masks, chance = ensemble.masks(1, p)
    masked = masks.to(torch.float64) / p * activations
    weights = chance[:, None] / 2
    center = (weights * masked).sum()
    return float((weights * (masked - center) ** 2).sum()), float(activations.var(correction=0))


def numbers(state: State) -> dict[str, float]:
    """The variance in training, at test time, their ratio, and what the normalized unit's deviation becomes."""
    training, test = _variances(float(state["mean"]), float(state["p"]))
    return {"training": training, "test": test, "ratio": test / training, "sd": (test / training) ** 0.5}


def _ratio(mean: float, p: float) -> float:
    training, test = _variances(mean, p)
    return test / training


def drawing(state: State) -> Markup:
    """The ratio against the keep probability."""
    mean, p = float(state["mean"]), float(state["p"])
    return picture(
        460,
        252,
        "Ratio of the test variance to the training variance, against the keep probability",
        _AXES.frame((0, 0.25, 0.5, 0.75, 1), (0, 0.5, 1), "keep probability", "ratio of variances"),
        _AXES.line("ratio", [(place, _ratio(mean, place)) for place in _PLACES], "first"),
        _AXES.points("here", [(p, _ratio(mean, p))], "first", radius=5),
    )


EXPLORABLE = Explorable(
    id="variance-shift",
    caption=(
        "Inverted dropout before batch normalization. The normalization divides by the standard deviation of the "
        "training, in which the masks take part; at test time the variance is smaller. The mean of the unit, in "
        "units of its deviation over the examples, makes it worse."
    ),
    controls=(
        Slider("p", "keep probability $p$", 0.1, 1, 0.05, 0.5),
        Slider("mean", "mean of the unit", 0, 4, 0.25, 1),
    ),
    shown=(
        Shown("training", "variance in training", 4),
        Shown("test", "variance at test time", 4),
        Shown("ratio", "ratio", 4),
        Shown("sd", "deviation after the normalization, at test time", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"places": _PLACES},
)
