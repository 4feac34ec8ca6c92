"""The statistics once more, from their definitions: intervals by NumPy, Holm's procedure by closed testing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from dropout_lab.experiments.statistics import Rule, compare, holm, order_agrees

SAMPLES = [np.random.default_rng(seed).gamma(2.0, 1.0, count) - 1.5 for seed, count in ((0, 12), (1, 5), (2, 25))]


def t_density(value, freedom):
    """Student's density, from its formula."""
    log = special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi)
    return np.exp(log - (freedom + 1) / 2 * np.log1p(value**2 / freedom))


def t_tail(value, freedom):
    return integrate.quad(t_density, value, np.inf, args=(freedom,))[0]


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("comparisons", [1, 3])
def test_the_interval_is_students_by_its_density(values, comparisons):
    """The mean, and t standard errors on either side, where the tail beyond t holds its share of 5 %."""
    found = compare(values, rule=Rule.below(0), unit="", comparisons=comparisons)
    count = len(values)
    share = 0.05 / comparisons / 2
    quantile = optimize.brentq(lambda t: t_tail(t, count - 1) - share, 0, 60)
    mean = sum(values) / count
    error = (sum((value - mean) ** 2 for value in values) / (count - 1) / count) ** 0.5
    np.testing.assert_allclose(found.interval, (mean - quantile * error, mean + quantile * error), rtol=1e-7)
    assert found.effect == pytest.approx(mean)


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("rule", [Rule.below(0.4), Rule.above(0.1), Rule.within(-0.6, 1.2)], ids=str)
def test_the_p_value_is_twice_the_tail_at_the_rules_end(values, rule):
    """With two ends, the end that the data exclude less."""
    error = values.std(ddof=1) / len(values) ** 0.5
    tails = []
    if rule.low > -np.inf:
        tails.append(t_tail((values.mean() - rule.low) / error, len(values) - 1))
    if rule.high < np.inf:
        tails.append(t_tail((rule.high - values.mean()) / error, len(values) - 1))
    found = compare(values, rule=rule, unit="")
    assert found.p_value == pytest.approx(min(1, 2 * max(tails)), rel=1e-6)
    assert found.supported == (found.p_value < 0.05)


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("comparisons", [1, 2])
def test_the_bootstrap_interval_is_efrons(values, comparisons):
    """Efron's formula (1987) on 200 000 resamples of its own.

    The level that the interval's end has among these means may differ from the formula's by four standard errors of a
    quantile of 9999 resamples and four of the estimated bias in it: a false alarm in 10 000 for each end.
    """
    found = compare(values, rule=Rule.below(0), unit="", comparisons=comparisons).bootstrap_interval
    random, count = np.random.default_rng(7), len(values)
    means = np.concatenate([random.choice(values, (20_000, count)).mean(1) for _ in range(10)])
    # Half of those that are equal count as smaller.
    bias = stats.norm.ppf(((means < values.mean()).mean() + (means <= values.mean()).mean()) / 2)
    without = np.array([np.delete(values, one).mean() for one in range(count)])
    away = without.mean() - without
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    for end, share in zip(found, (0.025 / comparisons, 1 - 0.025 / comparisons), strict=True):
        normal = bias + stats.norm.ppf(share)
        level = stats.norm.cdf(bias + normal / (1 - acceleration * normal))
        width = 4 * (level * (1 - level) / 9999) ** 0.5 + 0.1 * stats.norm.pdf(stats.norm.ppf(level))
        low, high = np.quantile(means, np.clip([level - width, level + width], 0, 1))
        assert low <= end <= high
        assert high - low < 0.3 * (found[1] - found[0])


def closed(p_values):
    """Adjusted p-values by closed testing: a hypothesis falls with every intersection, judged by Bonferroni's rule."""
    subsets = [
        subset for size in range(1, len(p_values) + 1) for subset in itertools.combinations(range(len(p_values)), size)
    ]
    return [
        max(min(1.0, len(subset) * min(p_values[one] for one in subset)) for subset in subsets if number in subset)
        for number in range(len(p_values))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_holms_procedure_is_closed_testing_with_bonferronis(seed):
    random = np.random.default_rng(seed)
    sweep = {
        f"{seed} {number}": compare(random.normal(shift, 1, 8), rule=Rule.above(0), unit="")
        for number, shift in enumerate(random.permutation([0.0, 0.4, 0.7, 1.0, 1.5]))
    }
    expected = closed([one.p_value for one in sweep.values()])
    found = holm(sweep)
    assert list(found) == list(sweep)
    np.testing.assert_allclose([one.p_value for one in found.values()], expected, rtol=1e-12)
    assert [one.supported for one in found.values()] == [value < 0.05 for value in expected]


def test_the_order_is_kendalls_by_counting_pairs():
    """τ-b: pairs in the same order less those in the other, over the roots of the pairs that are not tied."""
    random = np.random.default_rng(0)
    ours, theirs = random.integers(0, 6, 9), random.integers(0, 6, 9)
    pairs = list(itertools.combinations(range(9), 2))
    one, other = (np.array([np.sign(values[i] - values[j]) for i, j in pairs]) for values in (ours, theirs))
    expected = (one * other).sum() / ((one**2).sum() * (other**2).sum()) ** 0.5
    assert order_agrees(ours, theirs) == pytest.approx(expected)
