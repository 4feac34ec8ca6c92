"""The two means of the members of a softmax, and the one pass with scaled weights."""

from __future__ import annotations

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, element, picture

#: What each of four units adds to the logits of three classes, and the bias.
PARTS = ((2.0, -1.0, 0.0), (-1.5, 1.0, 0.5), (0.5, -0.5, 1.5), (1.0, 1.5, -2.0))
BIAS = (0.2, 0.0, -0.2)
_MEANS = ("arithmetic", "geometric", "pass")
_AXES = Axes((0, 12), (0, 1))


def _predictions(state: State) -> dict[str, torch.Tensor]:
    parts = torch.tensor(PARTS, dtype=torch.float64) * float(state["scale"])
    bias, p = torch.tensor(BIAS, dtype=torch.float64), float(state["p"])

    def logits(masks: torch.Tensor) -> torch.Tensor:
        return masks.to(torch.float64) @ parts + bias

    return {
        "arithmetic": ensemble.exact_mean(logits, len(parts), p, output="softmax"),
        "geometric": ensemble.exact_geometric_mean(logits, len(parts), p, output="softmax"),
        "pass": (p * parts.sum(0) + bias).softmax(-1),
    }


def numbers(state: State) -> dict[str, float]:
    """Each prediction, class by class, and how far the pass lies from either mean."""
    found = _predictions(state)
    shown = {f"{name}{place}": float(value) for name in _MEANS for place, value in enumerate(found[name], 1)}
    for name in ("arithmetic", "geometric"):
        shown[f"to-{name}"] = float((found["pass"] - found[name]).abs().max())
    return shown


def drawing(state: State) -> Markup:
    """Three bars for each class."""
    found = _predictions(state)
    bars = [
        _AXES.bars(name, found[name].tolist(), [4 * place + 0.5 + which for place in range(3)], 0.9, style)
        for which, (name, style) in enumerate(zip(_MEANS, ("first", "second", "third"), strict=True))
    ]
    words = [
        element("text", f"class {place}", x=_AXES.at(4 * place - 2, 0)[0], y=228.0, class_="tick middle")
        for place in (1, 2, 3)
    ]
    legend = [
        element("text", name, x=10 + 150.0 * which, y=262.0, class_=f"tick legend {style}")
        for which, (name, style) in enumerate(
            zip(("■ arithmetic mean", "■ geometric mean", "■ one pass"), ("first", "second", "third"), strict=True)
        )
    ]
    frame = _AXES.frame((), (0, 0.25, 0.5, 0.75, 1), "", "probability")
    return picture(
        460,
        272,
        "Probabilities of three classes: two means over all masks, and one pass",
        frame,
        *bars,
        *words,
        *legend,
    )


EXPLORABLE = Explorable(
    id="two-means",
    caption=(
        "A softmax on four units that are dropped. Over all 16 masks the normalized geometric mean of the members"
        " is what one pass with scaled weights gives, whatever the numbers are; the arithmetic mean, which an "
        "ensemble would use, is another."
    ),
    controls=(
        Slider("p", "keep probability $p$", 0.05, 0.95, 0.05, 0.5),
        Slider("scale", "size of the weights", 0.25, 5, 0.25, 1),
    ),
    shown=(
        *(Shown(f"arithmetic{k}", f"arithmetic mean, class {k}", 4) for k in (1, 2, 3)),
        *(Shown(f"geometric{k}", f"geometric mean, class {k}", 4) for k in (1, 2, 3)),
        *(Shown(f"pass{k}", f"one pass, class {k}", 4) for k in (1, 2, 3)),
        Shown("to-arithmetic", "one pass from the arithmetic mean", 4),
        Shown("to-geometric", "one pass from the geometric mean", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"parts": PARTS, "bias": BIAS},
)
