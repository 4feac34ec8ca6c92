"""The thinned network: click units, and see which paths are left."""

from __future__ import annotations

from itertools import pairwise

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State, Switches
from dropout_lab.book.svg import element, picture

#: Units in each layer; those of the two in the middle can be dropped.
LAYERS = (3, 4, 4, 2)
_FIRST, _LAST = (LAYERS[0], LAYERS[0] + LAYERS[1]), (LAYERS[0] + LAYERS[1], LAYERS[0] + LAYERS[1] + LAYERS[2])


def _hidden(state: State) -> torch.Tensor:
    return torch.tensor([[float(bit) for bit in f"{state['first']}{state['second']}"]], dtype=torch.float64)


def _outputs(masks: torch.Tensor) -> torch.Tensor:
    """What a network without biases and with positive weights, drawn once, gives under these masks."""
    draw = torch.Generator().manual_seed(0)
    weights = [torch.rand(one, other, dtype=torch.float64, generator=draw) + 0.5 for one, other in pairwise(LAYERS)]
    first, second = masks.split(LAYERS[1:3], dim=-1)
    hidden = (torch.ones(len(masks), LAYERS[0], dtype=torch.float64) @ weights[0]).relu() * first
    return ((hidden @ weights[1]).relu() * second) @ weights[2]


def numbers(state: State) -> dict[str, float]:
    """Units kept, the probability of the mask, paths that are left, members, and functions among them."""
    mask, keep_prob = _hidden(state), float(state["p"])
    table, probabilities = ensemble.masks(LAYERS[1] + LAYERS[2], keep_prob)
    own = (table == mask).all(1)
    # A path is a product of ones along it: the network of ones counts them.
    first, second = mask[0].split(LAYERS[1:3])
    paths = LAYERS[0] * first.sum() * second.sum() * LAYERS[3]
    functions = torch.unique(_outputs(table).round(decimals=9), dim=0)
    return {
        "kept": float(mask.sum()),
        "probability": float(probabilities[own].sum()),
        "paths": float(paths),
        "members": float(len(table)),
        "functions": float(len(functions)),
    }


def _places() -> list[list[tuple[float, float]]]:
    return [
        [(60 + 120.0 * layer, 125 + 52.0 * (unit - (count - 1) / 2)) for unit in range(count)]
        for layer, count in enumerate(LAYERS)
    ]


def drawing(state: State) -> Markup:
    """The network; a dropped unit is crossed out, and so is every path through it."""
    kept = ["1" * LAYERS[0], str(state["first"]), str(state["second"]), "1" * LAYERS[3]]
    places, edges, units = _places(), [], []
    for layer, (left, right) in enumerate(pairwise(places)):
        for i, (x1, y1) in enumerate(left):
            for j, (x2, y2) in enumerate(right):
                gone = "0" in (kept[layer][i], kept[layer + 1][j])
                name = f"edge-{layer}-{i}-{j}"
                edges.append(
                    element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="edge gone" if gone else "edge", data_part=name)
                )
    for layer, column in enumerate(places):
        for unit, (x, y) in enumerate(column):
            switch = {1: f"first-{unit + 1}", 2: f"second-{unit + 1}"}.get(layer)
            cross = element("path", d=f"M{x - 9:g} {y - 9:g}l18 18m0 -18l-18 18", class_="cross") if switch else ""
            units.append(
                element(
                    "g",
                    element("circle", cx=x, cy=y, r=16.0),
                    cross,
                    class_="unit" + (" gone" if kept[layer][unit] == "0" else "") + (" switch" if switch else ""),
                    data_switch=switch,
                    data_part=f"unit-{layer}-{unit}",
                )
            )
    names = ("inputs", "hidden", "hidden", "outputs")
    words = [
        element("text", name, x=column[0][0], y=246.0, class_="label middle")
        for name, column in zip(names, places, strict=True)
    ]
    return picture(480, 256, "A network with two hidden layers; dropped units are crossed out", *edges, *units, *words)


EXPLORABLE = Explorable(
    id="thinned-network",
    caption=(
        "A mask leaves a thinned network. Click hidden units, or use the boxes, to drop them: every path through "
        "a dropped unit is gone. The functions are counted for a network without biases, in which a layer that is"
        " dropped whole leaves only 0."
    ),
    controls=(
        Switches("first", "first hidden layer", LAYERS[1], "1011"),
        Switches("second", "second hidden layer", LAYERS[2], "1101"),
        Slider("p", "keep probability $p$", 0.05, 0.95, 0.05, 0.5),
    ),
    shown=(
        Shown("kept", "units kept, of 8", 0),
        Shown("probability", "probability of this mask", 6),
        Shown("paths", "paths from input to output, of 96", 0),
        Shown("members", "masks", 0),
        Shown("functions", "different functions among them", 0),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"layers": LAYERS},
)
