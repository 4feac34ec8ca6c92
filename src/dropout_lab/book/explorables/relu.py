"""The ReLU that breaks weight scaling: the mean over the masks, and the one pass."""

from __future__ import annotations

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

#: Contributions of four inputs to the pre-activation.
TERMS = (1.5, -2.0, 1.0, 0.5)
_AXES = Axes((-4, 4), (0, 5))
_PLACES = [round(-4 + 0.1 * step, 1) for step in range(81)]


def _both(bias: float, p: float) -> tuple[float, float]:
    terms = torch.tensor(TERMS, dtype=torch.float64)

    def unit(masks: torch.Tensor) -> torch.Tensor:
        return (masks.to(torch.float64) @ terms + bias).relu().unsqueeze(1)

    mean = float(ensemble.exact_mean(unit, len(TERMS), p, output="raw"))
    return mean, max(p * float(terms.sum()) + bias, 0.0)


def numbers(state: State) -> dict[str, float]:
    """The mean of the unit over all masks, what one pass gives, and how much that misses."""
    mean, one_pass = _both(float(state["bias"]), float(state["p"]))
    return {"mean": mean, "pass": one_pass, "missing": mean - one_pass}


def drawing(state: State) -> Markup:
    """Both as functions of the bias, and the points where the slider stands."""
    bias, p = float(state["bias"]), float(state["p"])
    curves = [_both(place, p) for place in _PLACES]
    mean, one_pass = _both(bias, p)
    return picture(
        460,
        252,
        "Mean of a rectified unit over all masks, and one pass with scaled weights, against the bias",
        _AXES.frame((-4, -2, 0, 2, 4), (0, 1, 2, 3, 4, 5), "bias", "activation"),
        _AXES.line("mean", [(x, min(curve[0], 5)) for x, curve in zip(_PLACES, curves, strict=True)], "first"),
        _AXES.line("pass", [(x, min(curve[1], 5)) for x, curve in zip(_PLACES, curves, strict=True)], "second"),
        _AXES.points("here", [(bias, min(mean, 5)), (bias, min(one_pass, 5))], "first", radius=5),
    )


EXPLORABLE = Explorable(
    id="relu",
    caption=(
        "A ReLU unit on four inputs that are dropped. The mean over all 16 masks (solid) is never below what one "
        "pass with scaled weights gives (dashed): the function is convex. Far to the right, where no mask reaches"
        " the kink, both agree."
    ),
    controls=(
        Slider("bias", "bias", -4, 4, 0.25, 0),
        Slider("p", "keep probability $p$", 0.05, 0.95, 0.05, 0.5),
    ),
    shown=(
        Shown("mean", "mean over all masks", 4),
        Shown("pass", "one pass", 4),
        Shown("missing", "what the pass misses", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"terms": TERMS, "places": _PLACES, "top": _AXES.y[1]},
)
