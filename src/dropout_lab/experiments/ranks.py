"""Do two quantities put ways of training into one order? The unit is the way of training, and seeds are averaged over.

More seeds tell more exactly where one way of training stands. They do not tell how another one would have come out, so
the interval and the p-value are taken over the ways of training alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dropout_lab.experiments.statistics import ALPHA, Comparison, Rule, compare


def agreement(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Kendall's τ of two quantities over ways of training; the rule is that it lies above 0.

    ``first`` and ``second`` are (seeds, ways of training); each way stands for itself by its mean over seeds. The
    effect is τ. The interval is Student's over the jackknife's pseudo-values, one for each way of training (Efron and
    Stein 1981), and ends at ±1. ``p_value`` is the jackknife's, or twice the exact probability of so large a τ when all orders are equally
    likely, whichever is larger; the rule is met where it lies below 0.05. ``seeds`` counts seeds, as everywhere. Raises
    ValueError for arrays of different shapes, fewer than five ways of training, two with the same mean, or means in one
    order or its reverse throughout, where the jackknife sees no spread.

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
    if len(set(one)) < ways or len(set(two)) < ways:
        raise ValueError("two ways of training have the same mean, and cannot be put into an order")
    tau = stats.kendalltau(one, two, method="exact", alternative="greater")
    if abs(tau.statistic) > 1 - 1e-9:
        raise ValueError("all ways of training stand in one order, and the jackknife gives an interval of width 0")
    others = [np.delete(np.arange(ways), left_out) for left_out in range(ways)]
    without = np.array([stats.kendalltau(one[rest], two[rest]).statistic for rest in others])
    rule = Rule.above(0.0)
    pseudo = ways * tau.statistic - (ways - 1) * without
    found = compare(pseudo, rule=rule, unit=f"(Kendall's tau over {ways} ways of training)")
    p_value = max(found.p_value, min(1.0, 2 * float(tau.pvalue)))
    low, high = found.interval
    return replace(
        found,
        interval=(max(-1.0, low), min(1.0, high)),
        seeds=seeds,
        p_value=p_value,
        supported=p_value < ALPHA,
        smallest_detectable=None,
    )
