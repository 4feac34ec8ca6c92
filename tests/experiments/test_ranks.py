"""Agreement of two quantities over ways of training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from dropout_lab.experiments.ranks import agreement


def test_the_effect_is_kendalls_tau_of_the_means_over_seeds():
    """τ without ties is a mean over pairs, for which the jackknife has no bias."""
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 4, 9))
    found = agreement(first, second)
    assert found.effect == pytest.approx(stats.kendalltau(first.mean(0), second.mean(0)).statistic)
    assert found.seeds == 4 and "9 ways" in found.unit
    assert found.interval[0] < found.effect < found.interval[1]


@pytest.mark.parametrize("second", [(1, 2, 4, 3, 6, 5), (1, 2, 3, 3, 6, 5), (3, 1, 2, 6, 5, 4)])
def test_the_p_value_counts_orders(second):
    """All 720 orders of six ways of training, by hand, with a tie in one case."""
    pairs = list(itertools.combinations(range(6), 2))

    def concordant(order):
        return sum(np.sign(order[j] - order[i]) for i, j in pairs)

    reached = np.mean([concordant(order) >= concordant(second) for order in itertools.permutations(second)])
    assert agreement([[0, 1, 2, 3, 4, 5]], [second]).p_value == pytest.approx(2 * reached, abs=0.025)


def test_more_seeds_of_the_same_ways_prove_no_more():
    random = np.random.default_rng(1)
    first = random.standard_normal((1, 8))
    second = first + random.standard_normal((1, 8)) / 2
    once, often = agreement(first, second), agreement(np.repeat(first, 50, 0), np.repeat(second, 50, 0))
    assert (once.interval, once.p_value) == (pytest.approx(often.interval), pytest.approx(often.p_value))


def test_both_the_jackknife_and_the_random_orders_have_to_meet_the_rule():
    """One swap among five ways: the interval includes 0. Two among six: it does not, but many orders agree so well."""
    few = agreement([[0, 1, 2, 3, 4]], [[0, 1, 3, 2, 4]])
    assert few.interval[0] < 0 and not few.supported
    two = agreement([[0, 1, 2, 3, 4, 5]], [[1, 2, 4, 3, 6, 5]])
    assert two.interval[0] > 0 and two.p_value > 0.05 and not two.supported
    more = agreement([[0, 1, 2, 3, 4, 5, 6, 7]], [[0, 1, 3, 2, 4, 5, 6, 7]])
    assert 0 < more.interval[0] < more.interval[1] == 1 and more.supported and more.p_value < 0.002


@pytest.mark.parametrize("second", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (1, 1, 1, 1, 1)])
def test_one_order_throughout_and_none_have_no_jackknife(second):
    with pytest.raises(ValueError, match="no jackknife"):
        agreement([[0, 1, 2, 3, 4]], [second])


@pytest.mark.parametrize("shapes", [((2, 4), (2, 4)), ((2, 6), (3, 6)), ((6,), (6,))])
def test_what_cannot_be_compared_is_refused(shapes):
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="five ways or more"):
        agreement(*(random.random(shape) for shape in shapes))
