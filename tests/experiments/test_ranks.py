"""Agreement of two quantities over ways of training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from dropout_lab.experiments.ranks import agreement


def test_the_effect_is_kendalls_tau_of_the_means_over_seeds():
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 4, 9))
    found = agreement(first, second)
    assert found.effect == pytest.approx(stats.kendalltau(first.mean(0), second.mean(0)).statistic)
    assert found.seeds == 4 and "9 ways" in found.unit
    assert found.interval[0] < found.effect < found.interval[1]


def test_the_p_value_counts_orders():
    """All 720 orders of six ways of training, by hand; twice the one-sided probability, where it is the larger one."""
    second = np.array([1.0, 2, 3, 4, 6, 5])
    pairs = list(itertools.combinations(range(6), 2))

    def concordant(order):
        return sum((order[j] - order[i]) > 0 for i, j in pairs)

    at_least = sum(concordant(order) >= concordant(second) for order in itertools.permutations(range(6)))
    assert agreement(np.arange(6.0)[None], second[None]).p_value == pytest.approx(2 * at_least / 720)


def test_more_seeds_of_the_same_ways_prove_no_more():
    random = np.random.default_rng(1)
    first = random.standard_normal((1, 8))
    second = first + random.standard_normal((1, 8)) / 2
    once, often = agreement(first, second), agreement(np.repeat(first, 50, 0), np.repeat(second, 50, 0))
    assert (once.interval, once.p_value) == (pytest.approx(often.interval), pytest.approx(often.p_value))


def test_both_the_interval_and_the_exact_p_value_have_to_meet_the_rule():
    """One swap among five ways has an interval that includes 0; among eight it has not, and 8 of 40320 orders agree so
    well.
    """
    few = agreement(np.arange(5.0)[None], np.array([[0.0, 1, 3, 2, 4]]))
    assert few.interval[0] < 0 and few.p_value == pytest.approx(2 * 5 / 120) and not few.supported
    more = agreement(np.arange(8.0)[None], np.array([[0.0, 1, 3, 2, 4, 5, 6, 7]]))
    assert (
        0 < more.interval[0] < more.interval[1] == 1 and more.supported and more.p_value == pytest.approx(2 * 8 / 40320)
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_one_order_throughout_has_no_jackknife(sign):
    with pytest.raises(ValueError, match="width 0"):
        agreement(np.arange(6.0)[None], sign * np.arange(6.0)[None] ** 3)


@pytest.mark.parametrize("shapes", [((2, 4), (2, 4)), ((2, 6), (3, 6)), ((6,), (6,))])
def test_what_cannot_be_compared_is_refused(shapes):
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="five ways or more"):
        agreement(*(random.random(shape) for shape in shapes))


def test_equal_means_have_no_order():
    with pytest.raises(ValueError, match="same mean"):
        agreement([[1.0, 1, 2, 3, 4]], [[1.0, 2, 3, 4, 5]])
