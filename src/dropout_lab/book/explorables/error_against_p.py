"""Test error against the keep probability, as a chapter measured it: any two points, and any number of seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from scipy.special import stdtrit

from dropout_lab.book.explorables.parts import Choice, Explorable, Shown, Slider, State
from dropout_lab.book.svg import Axes, picture
from dropout_lab.figures import mean_and_interval

#: An interval needs two seeds, and one of two says nothing.
_FEWEST = 3
#: The drawing ends at so many times the median of the means: what lies far above would flatten the rest.
_ROOM = 2.0

#: What is drawn of a mean with its interval.
_Ends = tuple[float, float, float]


def explorable(data: Mapping[str, Any]) -> Explorable:
    """The figure of measured errors.

    ``data["sweeps"]`` holds for each sweep, by its name, the test errors in percent of each keep probability (as text,
    such as ``"0.5"``): a list with one number a seed. All sweeps have the same keep probabilities and seeds. Raises
    ValueError for other data.

    >>> errors = {"1": [8.0, 9.0, 8.5], "0.5": [6.0, 7.5, 7.0]}
    >>> found = explorable({"sweeps": {"hidden units": errors}})
    >>> round(found.numbers(found.start())["change"], 3)
    -1.667
    """
    sweeps: Mapping[str, Mapping[str, Sequence[float]]] = data["sweeps"]
    # A notebook's file has no order of its entries.
    keeps = sorted(next(iter(sweeps.values()), {}), key=float, reverse=True)
    seeds = {len(errors) for sweep in sweeps.values() for errors in sweep.values()}
    if any(set(sweep) != set(keeps) for sweep in sweeps.values()) or len(seeds) != 1 or len(keeps) < 2:
        raise ValueError("sweeps must have the same keep probabilities, two or more, and the same number of seeds")
    (most,) = seeds
    if most < _FEWEST:
        raise ValueError(f"an interval is shown for {_FEWEST} seeds or more, got {most}")
    median = float(np.median([np.mean(errors) for sweep in sweeps.values() for errors in sweep.values()]))
    axes = Axes((min(map(float, keeps)) - 0.05, 1.05), (0, float(math.ceil(_ROOM * median))))

    def ends(state: State, keep: str) -> _Ends:
        return _mean(sweeps[str(state["sweep"])][keep][: int(state["seeds"])])

    def numbers(state: State) -> dict[str, float]:
        chosen, other = (np.array(sweeps[str(state["sweep"])][str(state[name])]) for name in ("p", "other"))
        (mean, low, high), (against, _, _) = ends(state, str(state["p"])), ends(state, str(state["other"]))
        change, least, largest = _mean((chosen - other)[: int(state["seeds"])])
        named = {"mean": mean, "low": low, "high": high, "against": against}
        return named | {"change": change, "least": least, "most": largest}

    def drawing(state: State) -> Markup:
        found = {keep: ends(state, keep) for keep in keeps}
        along = [[(float(keep), min(found[keep][part], axes.y[1])) for keep in keeps] for part in range(3)]
        chosen = [[(float(keep), min(found[keep][0], axes.y[1]))] for keep in (str(state["p"]), str(state["other"]))]
        return picture(
            460,
            252,
            "Test error against the keep probability, with 95 % intervals",
            axes.frame(
                [float(keep) for keep in reversed(keeps)], _ticks(axes.y[1]), "keep probability", "test error (%)"
            ),
            axes.line("low", along[1], "bound"),
            axes.line("high", along[2], "bound"),
            axes.line("mean", along[0], "first"),
            axes.points("other", chosen[1], "second", radius=7),
            axes.points("chosen", chosen[0], "first", radius=7),
        )

    return Explorable(
        id="error-against-p",
        caption=(
            "Test error of the networks that this section trained, against the keep probability: the mean over the "
            "seeds, between the ends of its 95 % interval at each point; what lies above the frame is drawn at its "
            "upper edge. The two dots are the points compared below, seed by seed. With few seeds the intervals are "
            "wide. Whoever looks for the best point first and compares it then has chosen it on the same seeds, and "
            "the interval does not know that."
        ),
        controls=(
            Choice("sweep", "what is masked", {name: name for name in sweeps}, next(iter(sweeps))),
            Choice("p", "keep probability $p$", {keep: keep for keep in keeps}, "0.5" if "0.5" in keeps else keeps[-1]),
            Choice("other", "compared with", {keep: keep for keep in keeps}, keeps[0]),
            Slider("seeds", "seeds", _FEWEST, most, 1, most),
        ),
        shown=(
            Shown("mean", "test error at $p$ (%)", 2),
            Shown("low", "its 95 % interval from", 2),
            Shown("high", "its 95 % interval to", 2),
            Shown("against", "test error of the other (%)", 2),
            Shown("change", "paired difference", 2),
            Shown("least", "its 95 % interval from", 2),
            Shown("most", "its 95 % interval to", 2),
        ),
        numbers=numbers,
        drawing=drawing,
        data=lambda: {"sweeps": sweeps, "quantiles": _quantiles(most), "keeps": keeps, "top": axes.y[1]},
    )


def _mean(values: Sequence[float] | np.ndarray) -> _Ends:
    mean, low, high = mean_and_interval(values)
    return float(mean), float(low), float(high)


def _quantiles(most: int) -> list[float]:
    """Student's 97.5 % quantile for each number of seeds, from none on; 0 where there is no interval."""
    return [0.0] * _FEWEST + [float(stdtrit(seeds - 1, 0.975)) for seeds in range(_FEWEST, most + 1)]


def _ticks(top: float) -> list[float]:
    """About five numbers from 0 to the top."""
    step = next(step for step in (1, 2, 5, 10, 20, 50) if top / step <= 6)
    return [float(step * place) for place in range(int(top // step) + 1)]
