"""Paired differences with 95 % intervals, judged by a rule that was fixed before the numbers were seen.

The interval speaks of what varies from seed to seed: the training subset, the initial weights, the order of the batches
and the masks. Splits of one data set share examples, so it does not speak of other digits than these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

#: One minus the confidence of every interval, and the level of every test.
ALPHA = 0.05
#: With this probability an effect of the smallest detectable size would have met the rule against zero.
POWER = 0.8
_RESAMPLES = 9999
#: Values whose spread is less than this part of what was subtracted are equal, but for rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Rule:
    """A decision rule: where the whole 95 % interval of the effect must lie for the claim to count as supported.

    Attributes
    ----------
    low:
        The lower bound of the rule; −∞ for none.
    high:
        The upper bound of the rule; ∞ for none.

    >>> print(Rule.below(0.5))
    the 95 % interval lies below 0.5
    >>> Rule.within(-1, 1).met_by((-0.5, 1.5))
    False
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a rule needs low < high, got {self.low} and {self.high}")

    @classmethod
    def below(cls, value: float) -> Rule:
        """Make the rule that the interval lies below ``value``."""
        return cls(-np.inf, value)

    @classmethod
    def above(cls, value: float) -> Rule:
        """Make the rule that the interval lies above ``value``."""
        return cls(value, np.inf)

    @classmethod
    def within(cls, low: float, high: float) -> Rule:
        """Make the rule that the interval lies between two values.

        It says that the effect, whatever it is, is too small to matter.
        """
        return cls(low, high)

    def met_by(self, interval: tuple[float, float]) -> bool:
        """Tell whether an interval lies strictly inside the bounds."""
        return self.low < interval[0] and interval[1] < self.high

    def __str__(self) -> str:
        if np.isinf(self.low):
            return f"the 95 % interval lies below {self.high:g}"
        if np.isinf(self.high):
            return f"the 95 % interval lies above {self.low:g}"
        return f"the 95 % interval lies between {self.low:g} and {self.high:g}"


@dataclass(frozen=True)
class Corrected:
    """A rule with a correction for the number of comparisons that it is one of.

    Attributes
    ----------
    rule:
        The rule.
    comparisons:
        The number of comparisons.
    method:
        The name of the correction.

    >>> str(Corrected(Rule.below(0), 4, "Holm"))
    'the 95 % interval lies below 0, Holm over 4 comparisons'
    """

    rule: Rule
    comparisons: int
    method: str

    def __str__(self) -> str:
        return f"{self.rule}, {self.method} over {self.comparisons} comparisons"


@dataclass(frozen=True, eq=False)
class Comparison:
    """An effect over seeds, with its intervals and the verdict of its rule.

    Attributes
    ----------
    effect:
        The mean difference over seeds, in ``unit``.
    interval:
        The ends (low, high) of Student's 95 % interval. Where all seeds gave the same value, it is an exact bound.
    bootstrap_interval:
        The ends of the bootstrap interval, bias-corrected and accelerated (Efron 1987). Where all seeds gave the same
        value, it is the exact bound, too.
    seeds:
        The number of seeds.
    unit:
        The unit of the effect, in words.
    rule:
        The rule that was fixed beforehand.
    supported:
        Whether the rule is met.
    smallest_detectable:
        The distance from zero that so many seeds would have shown with probability 0.8. It is None for a rule that does
        not ask whether the effect lies on one side of zero, and for an exact bound.
    p_value:
        Twice the one-sided probability, which lies below 0.05 exactly where the interval meets the rule; after
        :func:`holm` the adjusted one.
    values:
        The differences themselves, (seeds,).
    exact:
        Whether all seeds gave the same value, so that the intervals are an exact bound.

    >>> found = compare([1.0, 2.0, 3.0, 2.0], rule=Rule.above(0), unit="points")
    >>> found.effect, found.seeds, found.supported
    (2.0, 4, True)
    """

    effect: float
    interval: tuple[float, float]
    bootstrap_interval: tuple[float, float]
    seeds: int
    unit: str
    rule: Rule | Corrected
    supported: bool
    smallest_detectable: float | None
    p_value: float
    values: np.ndarray
    exact: bool = False

    def __str__(self) -> str:
        low, high = self.interval
        seeds = f"exact bound, all {self.seeds} seeds equal" if self.exact else f"{self.seeds} seeds"
        verdict = "met" if self.supported else "not met"
        said = (
            f"{self.effect:+.3g} {self.unit}, 95 % interval {low:+.3g} to {high:+.3g}, {seeds}; {self.rule}: {verdict}"
        )
        seen = self.smallest_detectable
        return said if seen is None else f"{said}; smallest detectable {seen:.2g}"

    __repr__ = __str__


def compare(
    treated: ArrayLike,
    control: ArrayLike | float = 0.0,
    *,
    rule: Rule,
    unit: str,
    bounds: tuple[float, float] | None = None,
    comparisons: int = 1,
) -> Comparison:
    """Compare two arms by the mean over seeds of their paired differences, ``treated`` − ``control``.

    ``treated`` is (seeds,), and so is ``control``, with the same seeds in the same order; or ``control`` is one number,
    for a quantity that is judged by itself. ``rule`` judges the interval; ``unit`` is that of the values, in words.
    ``comparisons`` above 1 widens the intervals to 1 − 0.05/comparisons (Bonferroni), for one of several effects that
    could have been reported; for a whole sweep see :func:`holm`.

    Values that are all equal have no spread, and Student's interval would have the width 0. With ``bounds`` = (lo, hi),
    the range in which the difference of every seed must lie, the interval is exact instead: if n of n seeds gave v, at
    most a share :math:`q = 1 - 0.025^{1/n}` of all seeds gives something else (Clopper and Pearson 1934, each side at
    half the level, as in Student's), so the mean lies within v − q (v − lo) and v + q (hi − v).

    Raises ValueError for fewer than three seeds, shapes that differ, a value that is not finite or not within the
    bounds, and for values that are all equal without bounds.

    >>> compare([1.0, 2.0, 3.0, 2.0], 4.0, rule=Rule.below(0), unit="points")
    -2 points, 95 % interval -3.3 to -0.701, 4 seeds; the 95 % interval lies below 0: met; smallest detectable 1.7
    >>> compare([1.0] * 12, rule=Rule.above(0.5), unit="of the seeds", bounds=(0, 1))
    +1 of the seeds, 95 % interval +0.735 to +1, exact bound, all 12 seeds equal; the 95 % interval lies above 0.5: met
    """
    values = np.asarray(treated, dtype=float)
    other = np.asarray(control, dtype=float)
    if values.ndim != 1 or len(values) < 3 or other.shape not in ((), values.shape):
        raise ValueError(f"expected two arrays (seeds,) with three seeds or more, got {values.shape} and {other.shape}")
    if comparisons < 1:
        raise ValueError(f"comparisons is how many there are, at least 1; got {comparisons}")
    values = values - other
    if not np.isfinite(values).all():
        broken = np.flatnonzero(~np.isfinite(values)).tolist()
        raise ValueError(f"the difference is not finite for seeds number {broken}")
    if bounds is not None:
        _check_bounds(values, bounds)
    seeds, level = len(values), ALPHA / comparisons
    exact = bool(np.ptp(values) <= _ROUNDING * np.abs(np.append(treated, other)).max())
    if not exact:
        interval, p_value = _students(values, level), _p_value(values, rule)
    elif bounds is not None:
        interval, p_value = _exact(float(values[0]), bounds, rule, seeds, level)
    else:
        raise ValueError(
            f"all {seeds} seeds gave {values[0]:g}: without any spread there is no t interval; give bounds=(lo, hi), "
            "the range in which every value must lie, for an exact one"
        )
    judged: Rule | Corrected = rule if comparisons == 1 else Corrected(rule, comparisons, "Bonferroni")
    about_zero = not exact and (rule.low, rule.high) in ((-np.inf, 0), (0, np.inf))
    return Comparison(
        # The mean of equal numbers may differ from them in its last digit.
        effect=float(values[0] if exact else values.mean()),
        interval=interval,
        bootstrap_interval=interval if exact else _bootstrap(values, level),
        seeds=seeds,
        unit=unit,
        rule=judged,
        supported=rule.met_by(interval),
        smallest_detectable=_detectable(seeds, level) * float(values.std(ddof=1)) / seeds**0.5 if about_zero else None,
        p_value=min(1.0, comparisons * p_value),
        values=values,
        exact=exact,
    )


def holm(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Correct the comparisons of a sweep by Holm's method (1979).

    ``supported`` and ``p_value`` of the result are the adjusted ones. The intervals stay those of each comparison by
    itself. Raises ValueError for an empty sweep, or for comparisons that were already corrected.

    >>> sweep = {str(shift): compare(np.arange(4.0) + shift, rule=Rule.above(0), unit="points") for shift in (0, 2)}
    >>> {name: comparison.supported for name, comparison in holm(sweep).items()}
    {'0': False, '2': True}
    """
    if not comparisons:
        raise ValueError("a sweep needs at least one comparison")
    rules: dict[str, Rule] = {}
    for name, comparison in comparisons.items():
        if not isinstance(comparison.rule, Rule):
            raise ValueError(f"{name} was already corrected: {comparison.rule}")
        rules[name] = comparison.rule
    ordered = sorted(comparisons, key=lambda name: comparisons[name].p_value)
    corrected, highest = {}, 0.0
    for rank, name in enumerate(ordered):
        comparison = comparisons[name]
        highest = max(highest, min(1.0, (len(ordered) - rank) * comparison.p_value))
        corrected[name] = replace(
            comparison,
            rule=Corrected(rules[name], len(ordered), "Holm"),
            p_value=highest,
            supported=highest < ALPHA,
        )
    return {name: corrected[name] for name in comparisons}


def order_agrees(ours: Sequence[float], published: Sequence[float]) -> float:
    """Compute Kendall's rank correlation of our values and a paper's, of the same arms.

    It is 1 for the same order, and −1 for the reverse.

    >>> order_agrees([1.0, 2.0, 3.0], [0.1, 0.2, 0.5])
    1.0
    """
    return float(stats.kendalltau(ours, published).statistic)


def _check_bounds(values: np.ndarray, bounds: tuple[float, float]) -> None:
    low, high = bounds
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"bounds are two finite numbers (lo, hi), lo below hi; got {low} and {high}")
    if values.min() < low or values.max() > high:
        least, most = f"{values.min():g}", f"{values.max():g}"
        raise ValueError(
            f"the values run from {least} to {most} and do not all lie within the bounds {low:g} to {high:g}"
        )


def _students(values: np.ndarray, level: float) -> tuple[float, float]:
    found = stats.ttest_1samp(values, 0.0).confidence_interval(1 - level)
    return float(found.low), float(found.high)


def _p_value(values: np.ndarray, rule: Rule) -> float:
    """Twice the one-sided probability of the data at the nearer end of the rule; the larger one if it has two ends."""
    ends = [(end, side) for end, side in ((rule.low, "greater"), (rule.high, "less")) if np.isfinite(end)]
    return max(min(1.0, 2 * float(stats.ttest_1samp(values, end, alternative=side).pvalue)) for end, side in ends)


def _exact(
    value: float, bounds: tuple[float, float], rule: Rule, seeds: int, level: float
) -> tuple[tuple[float, float], float]:
    """The interval of the mean if all seeds gave this value, and its p-value, twice that of the nearer end.

    The interval holds the means with which a seed may give the value with probability (level/2)^(1/seeds) or more. That
    the value is not chosen beforehand costs nothing. Let the mean be m, and call a value v too low if
    m − v > q (hi − v). The values that are too low have less than 1 − q of the probability together, or else the mean
    could not be m; so the sum of their p_v^n is below (1 − q)^n = level/2.
    """
    others, (low, high) = 1 - (level / 2) ** (1 / seeds), bounds
    # How far the value is from the end of the rule, and how far the rest can lie on the other side of that end.
    sides = ((value - rule.low, value - low), (rule.high - value, high - value))
    chance = max(1.0 if gap <= 0 else max(0.0, 1 - gap / room) ** seeds if room else 0.0 for gap, room in sides)
    return (value - others * (value - low), value + others * (high - value)), min(1.0, 2 * chance)


def _detectable(seeds: int, level: float) -> float:
    """The noncentrality at which a paired t test of two sides has the power wanted."""
    critical = stats.t.ppf(1 - level / 2, seeds - 1)
    return float(optimize.brentq(lambda shift: stats.nct.sf(critical, seeds - 1, shift) - POWER, 0, 10 * critical))


def _bootstrap(values: np.ndarray, level: float) -> tuple[float, float]:
    # Fixed: an interval that is printed must not change from run to run.
    random = np.random.default_rng(0)
    found = stats.bootstrap(
        (values,), np.mean, confidence_level=1 - level, n_resamples=_RESAMPLES, method="BCa", rng=random
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
