"""Two units under one mask of their inputs, and under masks of their own weights: variances and covariance."""

from __future__ import annotations

import math

import torch
from markupsafe import Markup

from dropout_lab import ensemble
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, path, picture
from dropout_lab.book.svg import element as _element

#: Contributions of four inputs to the first unit, and a direction that is orthogonal to them and of the same length.
FIRST, ACROSS = (1.0, 0.5, -1.0, 0.5), (0.5, 1.0, 0.5, -1.0)
_AXES = Axes((-3, 3), (-3, 3), left=46, width=240, height=240)


def _second(state: State) -> list[float]:
    angle = math.radians(float(state["angle"]))
    return [math.cos(angle) * one + math.sin(angle) * other for one, other in zip(FIRST, ACROSS, strict=True)]


def _moments(state: State) -> dict[str, torch.Tensor]:
    """The covariance matrices of the two units, by enumeration of 2^4 and of 2^8 masks."""
    p, terms = float(state["p"]), torch.tensor([FIRST, _second(state)], dtype=torch.float64)
    found = {}
    for name, shared in (("dropout", True), ("dropconnect", False)):
        masks, chance = ensemble.masks(4 if shared else 8, p)
        own = masks.to(torch.float64).unflatten(1, (1 if shared else 2, 4))
        units = (own * terms).sum(-1)
        about = units - chance @ units
        found[name] = about.mT @ (chance[:, None] * about)
    return found


def numbers(state: State) -> dict[str, float]:
    """Variances, which are the same for both, and covariances, which are not."""
    found = _moments(state)
    shown = {}
    for name, matrix in found.items():
        shown[f"first-{name}"], shown[f"second-{name}"] = float(matrix[0, 0]), float(matrix[1, 1])
        shown[f"together-{name}"] = float(matrix[0, 1])
    return shown


def _ellipse(matrix: torch.Tensor) -> list[tuple[float, float]]:
    """Two standard deviations about the origin."""
    one, both, other = float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 1])
    wide, lean = math.sqrt(one), both / math.sqrt(one)
    rest = math.sqrt(max(other - lean * lean, 0.0))
    turns = [2 * math.pi * step / 64 for step in range(65)]
    return [(2 * wide * math.cos(t), 2 * (lean * math.cos(t) + rest * math.sin(t))) for t in turns]


def drawing(state: State) -> Markup:
    """The ellipse of two standard deviations for each."""
    found = _moments(state)
    return picture(
        300,
        292,
        "Ellipses of two standard deviations of two units, for dropout and for DropConnect",
        _AXES.frame((-3, 0, 3), (-3, 0, 3), "first unit, about its mean", "second unit"),
        _element("path", d=path([_AXES.at(-3, 0), _AXES.at(3, 0)]), class_="grid"),
        _AXES.line("dropout", _ellipse(found["dropout"]), "first"),
        _AXES.line("dropconnect", _ellipse(found["dropconnect"]), "second"),
    )


EXPLORABLE = Explorable(
    id="dropconnect",
    caption=(
        "Two units that read the same four inputs. Dropout of the inputs (solid) and DropConnect (dashed) give "
        "each unit the same variance. Only dropout makes them vary together: they share their masks. The ellipses"
        " are two standard deviations wide."
    ),
    controls=(
        Slider("angle", "angle between the weights, in degrees", 0, 180, 15, 45),
        Slider("p", "keep probability $p$", 0.1, 0.9, 0.05, 0.5),
    ),
    shown=(
        Shown("first-dropout", "variance of the first unit, dropout", 4),
        Shown("first-dropconnect", "the same, DropConnect", 4),
        Shown("second-dropout", "variance of the second unit, dropout", 4),
        Shown("second-dropconnect", "the same, DropConnect", 4),
        Shown("together-dropout", "covariance, dropout", 4),
        Shown("together-dropconnect", "covariance, DropConnect", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=lambda: {"first": FIRST, "across": ACROSS},
)
