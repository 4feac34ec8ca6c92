"""The penalty of dropout against that of ridge regression, and where SGD with masks ends up."""

from __future__ import annotations

import math
from functools import cache

import torch
from markupsafe import Markup

from dropout_lab import functional
from dropout_lab.book.explorables.parts import Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture

_AXES = Axes((-2.2, 2.2), (-2.2, 2.2), left=46, width=280, height=280)
_P = Slider("p", "keep probability $p$", 0.3, 1, 0.1, 0.5)
_STEPS, _CLOUD, _RATE = 4000, 80, 0.05


@cache
def _data() -> tuple[torch.Tensor, torch.Tensor]:
    """Forty examples with a large and a small feature, and their targets."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(40, 2, generator=draw, dtype=torch.float64) * torch.tensor([1.5, 0.5], dtype=torch.float64)
    y = x @ torch.tensor([1.0, 1.5], dtype=torch.float64)
    return x, y + 0.2 * torch.randn(40, generator=draw, dtype=torch.float64)


def _moments() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = _data()
    return x.mT @ x / len(x), x.mT @ y / len(x)


def _minimum(penalty: torch.Tensor) -> list[float]:
    second, with_target = _moments()
    found: list[float] = torch.linalg.solve(second + torch.diag(penalty), with_target).tolist()
    return found


@cache
def _cloud(p: float) -> list[tuple[float, float]]:
    """Weights along a run of SGD with a fresh mask for each example and step, one every so many steps."""
    x, y = _data()
    draw, weight = torch.Generator().manual_seed(1), torch.zeros(2, dtype=torch.float64)
    visited = []
    for step in range(1, _STEPS + 1):
        rows = torch.randint(len(x), (8,), generator=draw)
        masked = functional.dropout(x[rows], p, generator=draw)
        weight = weight - _RATE * masked.mT @ (masked @ weight - y[rows]) / len(rows)
        if step > _STEPS // 4 and step % (3 * _STEPS // 4 // _CLOUD) == 0:
            visited.append((round(float(weight[0]), 3), round(float(weight[1]), 3)))
    return visited


def _penalties(state: State) -> tuple[torch.Tensor, torch.Tensor]:
    """The two diagonal penalties: that of dropout, and ridge's."""
    p, strength = float(state["p"]), float(state["strength"])
    own = (1 - p) / p * _moments()[0].diagonal()
    return own, torch.full((2,), strength, dtype=torch.float64)


def numbers(state: State) -> dict[str, float]:
    """The penalties on each weight, and the minima."""
    own, even = _penalties(state)
    dropout, ridge = _minimum(own), _minimum(even)
    cloud = _cloud(float(state["p"]))
    return {
        "penalty1": float(own[0]),
        "penalty2": float(own[1]),
        "dropout1": dropout[0],
        "dropout2": dropout[1],
        "ridge1": ridge[0],
        "ridge2": ridge[1],
        "sgd1": sum(w for w, _ in cloud) / len(cloud),
        "sgd2": sum(w for _, w in cloud) / len(cloud),
    }


def _contour(penalty: torch.Tensor) -> list[tuple[float, float]]:
    """Where the penalty is as large as it is on average at a weight of 1; a point where there is none."""
    level = float(penalty.mean())
    if level == 0:
        return [(0.0, 0.0), (0.0, 0.0)]
    wide, high = (math.sqrt(level / float(part)) for part in penalty)
    turns = [2 * math.pi * step / 64 for step in range(65)]
    return [(wide * math.cos(turn), high * math.sin(turn)) for turn in turns]


def drawing(state: State) -> Markup:
    """Contours of both penalties, both minima, and the cloud."""
    p, found = float(state["p"]), numbers(state)
    own, even = _penalties(state)
    return picture(
        340,
        332,
        "Contours of the penalties of dropout and of ridge regression, their minima, and weights visited by SGD",
        _AXES.frame((-2, -1, 0, 1, 2), (-2, -1, 0, 1, 2), "weight of the large feature", "weight of the small feature"),
        _AXES.line("dropout-contour", _contour(own), "first"),
        _AXES.line("ridge-contour", _contour(even), "second"),
        _AXES.points("cloud", _cloud(p), "muted", radius=2),
        _AXES.points("dropout", [(found["dropout1"], found["dropout2"])], "first", radius=6),
        _AXES.points("ridge", [(found["ridge1"], found["ridge2"])], "second", radius=6),
    )


def _for_script() -> dict[str, object]:
    second, with_target = _moments()
    return {
        "second": second.tolist(),
        "target": with_target.tolist(),
        "clouds": {f"{p:g}": _cloud(float(p)) for p in _P.values()},
    }


EXPLORABLE = Explorable(
    id="penalty",
    caption=(
        "A linear model with a large and a small feature. Dropout's penalty (solid contour) is stronger on the "
        "weight of the large feature, ridge's (dashed) is even. The small dots are weights that SGD with masks "
        "visits: they scatter about dropout's minimum. No strength takes ridge's minimum there."
    ),
    controls=(_P, Slider("strength", "strength of ridge", 0, 3, 0.1, 1)),
    shown=(
        Shown("penalty1", "dropout's penalty on the first weight", 4),
        Shown("penalty2", "on the second weight", 4),
        Shown("dropout1", "dropout's minimum, first weight", 4),
        Shown("dropout2", "second weight", 4),
        Shown("ridge1", "ridge's minimum, first weight", 4),
        Shown("ridge2", "second weight", 4),
        Shown("sgd1", "mean of SGD, first weight", 4),
        Shown("sgd2", "second weight", 4),
    ),
    numbers=numbers,
    drawing=drawing,
    data=_for_script,
)
