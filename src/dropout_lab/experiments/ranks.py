"""A test of whether two quantities put ways of training into one order, with the way of training as the unit.

Seeds are averaged over: more of them tell more exactly where one way of training stands. They do not tell how another
one would have come out, so the interval and the p-value are taken over the ways of training alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dropout_lab.experiments.statistics import ALPHA, Comparison, Rule, compare

#: Random orders that an observed one is compared with.
_ORDERS = 20_000


def agreement(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Compute Kendall's rank correlation τ of two quantities over ways of training, and judge whether it is above 0.

    ``first`` and ``second`` are (seeds, ways of training); each way stands for itself by its mean over seeds. Ties are
    allowed (τ-b). The effect is the jackknife's τ, and the interval Student's over its pseudo-values, one for each way
    of training (Efron and Stein 1981); both end at ±1. ``p_value`` is the jackknife's, or twice the share of random
    orders that agree as well or better, whichever is larger; the rule is met where it lies below 0.05. ``seeds`` counts
    seeds, as everywhere. Raises ValueError for arrays of different shapes, fewer than five ways of training, means that
    are all equal, or means in one order or its reverse throughout, where the jackknife sees no spread.

    >>> found = agreement([[1, 2, 3, 4, 5, 6]], [[1, 3, 2, 4, 5, 6]])
    >>> round(found.effect, 2), found.seeds, found.unit
    (0.87, 1, "(Kendall's tau over 6 ways of training)")
    """
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.ndim != 2 or one.shape != two.shape or one.shape[1] < 5:
        raise ValueError(
            f"expected two arrays (seeds, ways of training) with five ways or more, got {one.shape} and {two.shape}"
        )
    seeds, ways = one.shape
    one, two = one.mean(0), two.mean(0)
    tau = float(stats.kendalltau(one, two).statistic)
    if not abs(tau) < 1 - 1e-9:
        raise ValueError(f"Kendall's tau over the ways of training is {tau:g}, of which no jackknife gives an interval")
    others = [np.delete(np.arange(ways), left_out) for left_out in range(ways)]
    without = np.array([stats.kendalltau(one[rest], two[rest]).statistic for rest in others])
    unit = f"(Kendall's tau over {ways} ways of training)"
    found = compare(ways * tau - (ways - 1) * without, rule=Rule.above(0.0), unit=unit)
    p_value = max(found.p_value, min(1.0, 2 * _as_well_or_better(one, two)))
    low, high = found.interval
    return replace(
        found,
        effect=float(np.clip(found.effect, -1, 1)),
        interval=(max(-1.0, low), min(1.0, high)),
        seeds=seeds,
        p_value=p_value,
        supported=p_value < ALPHA,
        smallest_detectable=None,
    )


def _as_well_or_better(one: np.ndarray, two: np.ndarray) -> float:
    """The share of random orders in which as many pairs agree, minus those that disagree; the observed one counts."""
    signs = [np.sign(values[:, None] - values) for values in (one, two)]
    # Fixed: a p-value that is printed must not change from run to run.
    random = np.random.default_rng(0)
    observed, reached = (signs[0] * signs[1]).sum(), 1
    for _ in range(_ORDERS):
        order = random.permutation(len(one))
        reached += (signs[0] * signs[1][np.ix_(order, order)]).sum() >= observed
    return float(reached / (_ORDERS + 1))
