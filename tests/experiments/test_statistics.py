import numpy as np
import pytest
from scipy import stats

from dropout_lab.experiments.statistics import Rule, compare, holm, order_agrees

RANDOM = np.random.default_rng(0)
CONTROL = RANDOM.normal(10, 2, 12)
TREATED = CONTROL - 1 + RANDOM.normal(0, 0.5, 12)


def test_the_interval_and_the_p_value_are_students():
    found = compare(TREATED, CONTROL, rule=Rule.below(0), unit="points")
    reference = stats.ttest_rel(TREATED, CONTROL)
    np.testing.assert_allclose(found.interval, reference.confidence_interval(0.95), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, reference.pvalue, rtol=1e-9)
    assert found.effect == pytest.approx((TREATED - CONTROL).mean()) and found.seeds == 12
    assert found.bootstrap_interval[0] < found.effect < found.bootstrap_interval[1]


def test_the_rule_is_met_exactly_when_the_p_value_says_so():
    """Thresholds on both sides of each end of the interval."""
    low, high = compare(TREATED, CONTROL, rule=Rule.below(0), unit="points").interval
    for value in (high - 1e-6, high + 1e-6):
        found = compare(TREATED, CONTROL, rule=Rule.below(value), unit="points")
        assert found.supported == (value > high) == (found.p_value < 0.05)
    for value in (low - 1e-6, low + 1e-6):
        found = compare(TREATED, CONTROL, rule=Rule.above(value), unit="points")
        assert found.supported == (value < low) == (found.p_value < 0.05)
    assert compare(TREATED, CONTROL, rule=Rule.within(low - 1, high + 1), unit="points").supported
    for rule in (Rule.within(low - 1, high - 1e-6), Rule.within(low + 1e-6, high + 1)):
        found = compare(TREATED, CONTROL, rule=rule, unit="points")
        assert not found.supported and found.p_value > 0.05


def test_the_rule_reads_as_a_sentence():
    assert str(Rule.below(0.0)) == "the 95 % interval lies below 0"
    assert str(Rule.above(1.5)) == "the 95 % interval lies above 1.5"
    assert str(Rule.within(-0.5, 0.5)) == "the 95 % interval lies between -0.5 and 0.5"
    several = compare(TREATED, CONTROL, rule=Rule.below(0), unit="points", comparisons=4)
    assert str(several.rule) == "the 95 % interval lies below 0, Bonferroni over 4 comparisons"


def test_a_number_can_be_judged_by_itself():
    found = compare(TREATED, 5.0, rule=Rule.above(0), unit="points")
    expected = np.subtract(stats.ttest_1samp(TREATED, 5.0).confidence_interval(0.95), 5.0)
    np.testing.assert_allclose(found.interval, expected)


def test_more_comparisons_widen_the_interval():
    one, four = (compare(TREATED, CONTROL, rule=Rule.below(0), unit="", comparisons=m) for m in (1, 4))
    np.testing.assert_allclose(
        four.interval, stats.ttest_rel(TREATED, CONTROL).confidence_interval(1 - 0.05 / 4), rtol=1e-12
    )
    assert four.p_value == pytest.approx(4 * one.p_value)
    assert four.smallest_detectable > one.smallest_detectable


def test_the_smallest_detectable_effect_is_detected_four_times_in_five():
    """20 000 simulated experiments; the tolerance is 4.4 standard errors: a false alarm in 100 000."""
    random = np.random.default_rng(1)
    differences = random.normal(size=(20_000, 10))
    shift = compare(differences[0], rule=Rule.below(0), unit="").smallest_detectable / differences[0].std(ddof=1)
    found = stats.ttest_1samp(differences - shift, 0.0, axis=1)
    share = ((found.pvalue < 0.05) & (found.statistic < 0)).mean()
    assert abs(share - 0.8) < 4.4 * np.sqrt(0.8 * 0.2 / 20_000)


def test_holm_is_the_step_down_procedure():
    shifts = {"strong": 2.0, "middle": 0.5, "weak": 0.25}
    sweep = {
        name: compare(TREATED - CONTROL + 1 - shift, rule=Rule.below(0), unit="points")
        for name, shift in shifts.items()
    }
    found = holm(sweep)
    raw = np.array([sweep[name].p_value for name in shifts])
    assert (np.diff(raw) > 0).all()
    expected = np.maximum.accumulate(np.minimum(1, raw * [3, 2, 1]))
    np.testing.assert_allclose([found[name].p_value for name in shifts], expected)
    assert [found[name].supported for name in shifts] == (expected < 0.05).tolist()
    assert str(found["weak"].rule).endswith("Holm over 3 comparisons")
    assert found["strong"].interval == sweep["strong"].interval
    with pytest.raises(ValueError, match="strong was already corrected"):
        holm(found)


@pytest.mark.parametrize("seeds", [3, 12, 40])
def test_equal_values_have_the_interval_of_clopper_and_pearson(seeds):
    """All of n seeds gave the event: SciPy's exact interval and p-value of n successes in n trials."""
    found = compare(np.ones(seeds), rule=Rule.above(0.8), unit="of the seeds", bounds=(0, 1))
    binomial = stats.binomtest(seeds, seeds, 0.8, alternative="greater")
    np.testing.assert_allclose(found.interval, stats.binomtest(seeds, seeds).proportion_ci(0.95, "exact"), rtol=1e-12)
    assert found.p_value == pytest.approx(min(1, 2 * binomial.pvalue))
    assert found.supported == (found.p_value < 0.05) == (seeds == 40)
    assert found.exact and found.effect == 1 and found.bootstrap_interval == found.interval
    assert found.smallest_detectable is None
    several = compare(np.ones(seeds), rule=Rule.above(0.5), unit="of the seeds", bounds=(0, 1), comparisons=3)
    exact = stats.binomtest(seeds, seeds).proportion_ci(1 - 0.05 / 3, "exact")
    np.testing.assert_allclose(several.interval, exact, rtol=1e-12)


@pytest.mark.parametrize("value", [-1.0, 0.25, 2.0])
@pytest.mark.parametrize(
    "rule", [Rule.below(0), Rule.above(-1), Rule.within(-0.9, 1.1), Rule.above(-2), Rule.below(0.25)]
)
def test_the_p_value_of_equal_values_is_the_largest_chance_of_them(value, rule):
    """Against a search over all two-point laws: the value with probability 1 − x, else the end of the bounds."""
    low, high = bounds = (-1.0, 2.0)
    found = compare([value] * 4, rule=rule, unit="", bounds=bounds)
    others = np.linspace(0, 1, 300_001)
    chances = [0.0]
    for end, extreme, side in ((rule.low, low, -1), (rule.high, high, 1)):
        beyond = side * (value + others * (extreme - value) - end) >= 0
        chances.append(max((1 - others[beyond]) ** 4, default=0))
    assert found.p_value == pytest.approx(min(1, 2 * max(chances)), abs=1e-4)
    assert found.supported == (found.p_value < 0.05)
    assert low <= found.interval[0] <= value <= found.interval[1] <= high


@pytest.mark.parametrize("seeds", [3, 4, 6])
def test_equal_values_miss_the_mean_as_rarely_as_is_said(seeds):
    """Every law on four points in steps of 1/30, by addition: the chance of equal values that miss, on each side.

    The value is whichever comes, not one that was named beforehand.
    """
    points = np.array([0.0, 0.1, 0.6, 1.0])
    ends = [compare([point] * seeds, rule=Rule.above(0), unit="", bounds=(0, 1)).interval for point in points]
    low, high = np.array(ends).T
    steps = np.array([law for law in np.ndindex(31, 31, 31) if sum(law) <= 30]) / 30
    laws = np.column_stack([steps, 1 - steps.sum(1)]).clip(0)
    means, chances = laws @ points, laws**seeds
    too_low = (chances * (means[:, None] > high + 1e-12)).sum(1)
    too_high = (chances * (means[:, None] < low - 1e-12)).sum(1)
    assert 0.015 < too_low.max() <= 0.025 and 0.015 < too_high.max() <= 0.025


def test_equal_values_cover_the_mean_in_simulated_experiments():
    """20 000 experiments with four seeds, the mean just outside the bound of equal values; 4.4 standard errors allow a
    false alarm in 100 000."""
    share = 0.025**0.25 - 1e-6
    drawn = np.random.default_rng(2).random((20_000, 4)) < share
    missed = 0
    for values in drawn[drawn.all(1) | ~drawn.any(1)]:
        low, high = compare(values, rule=Rule.above(0), unit="", bounds=(0, 1)).interval
        missed += not low <= share <= high
    assert abs(missed / 20_000 - 0.025) < 4.4 * np.sqrt(0.025 * 0.975 / 20_000)


def test_equal_values_need_bounds_and_say_so():
    for values, control in (([1.0] * 3, 0.0), ([0.1 + 0.2, 0.3, 0.3], 0.0), ([1.3, 2.3, 0.3], [1.0, 2.0, 0.0])):
        with pytest.raises(ValueError, match=r"all 3 seeds gave .*: without any spread .* give bounds=\(lo, hi\)"):
            compare(values, control, rule=Rule.above(0), unit="")
    rounded = compare([1.3, 2.3, 0.3], [1.0, 2.0, 0.0], rule=Rule.above(0), unit="", bounds=(0, 1))
    assert rounded.exact and rounded.interval[0] <= rounded.effect <= rounded.interval[1]
    nearly = compare([1.0, 1.0, 1.0 + 1e-9], rule=Rule.above(0), unit="", bounds=(0, 2))
    assert not nearly.exact and nearly.interval[1] - nearly.interval[0] < 1e-8


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ((0, 0), "lo below hi"),
        ((1, 0), "lo below hi"),
        ((0, np.inf), "two finite numbers"),
        ((np.nan, 1), "two finite numbers"),
        ((0, 0.9), "the values run from 0.5 to 1 and do not all lie within the bounds 0 to 0.9"),
        ((0.6, 1), "do not all lie within the bounds"),
    ],
)
def test_bounds_are_bounds(bounds, said):
    with pytest.raises(ValueError, match=said):
        compare([1.0, 1.0, 0.5], rule=Rule.above(0), unit="", bounds=bounds)


def test_an_exact_bound_says_so_in_words():
    found = compare([0.0] * 12, rule=Rule.below(50), unit="%", bounds=(0, 100))
    assert str(found).startswith("+0 %, 95 % interval +0 to +26.5, exact bound, all 12 seeds equal; the 95 % interval")
    assert "Holm over 1 comparisons" in str(holm({"one": found})["one"])


def test_only_a_rule_about_zero_has_a_smallest_detectable_effect():
    for rule in (Rule.below(0.5), Rule.above(-1), Rule.within(-1, 1), Rule.within(0, 1)):
        found = compare(TREATED, CONTROL, rule=rule, unit="points")
        assert found.smallest_detectable is None and "detectable" not in str(found)
    for rule in (Rule.below(0), Rule.above(0.0)):
        assert compare(TREATED, CONTROL, rule=rule, unit="points").smallest_detectable > 0


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        ([1.0, 2.0], 0.0, "three seeds or more"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "two arrays"),
        ([1.0, np.nan, 3.0], 0.0, r"not finite for seeds number \[1\]"),
    ],
)
def test_bad_input_is_refused(treated, control, said):
    with pytest.raises(ValueError, match=said):
        compare(treated, control, rule=Rule.below(0), unit="")


def test_an_empty_rule_and_an_empty_sweep_are_refused():
    with pytest.raises(ValueError, match="low < high"):
        Rule.within(1, 1)
    with pytest.raises(ValueError, match="at least one"):
        holm({})


def test_the_order_of_ours_and_theirs():
    assert order_agrees([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]) == pytest.approx(1)
    assert order_agrees([3.0, 2.0, 1.0], [10.0, 20.0, 30.0]) == pytest.approx(-1)


def test_an_interval_that_ends_on_the_rules_bound_does_not_meet_it():
    below, above, within = Rule.below(0), Rule.above(0), Rule.within(-1, 1)
    assert below.met_by((-2, -1e-9)) and not below.met_by((-2, 0))
    assert above.met_by((1e-9, 2)) and not above.met_by((0, 2))
    assert within.met_by((-0.9, 0.9)) and not within.met_by((-1, 0.9)) and not within.met_by((-0.9, 1))


@pytest.mark.parametrize("swapped", [False, True])
def test_rounding_is_measured_by_the_larger_of_the_two_arrays(swapped):
    """Values that differ by the rounding of large numbers are equal, though the other arm be 0."""
    large, nothing = 1e6 + 1e-9 * np.arange(4), np.zeros(4)
    pair = (nothing, large) if swapped else (large, nothing)
    assert compare(*pair, rule=Rule.above(0), unit="points", bounds=(-2e6, 2e6)).exact
    assert not compare(large - 1e6, nothing, rule=Rule.above(0), unit="points", bounds=(-1, 1)).exact
