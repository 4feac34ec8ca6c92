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


def test_values_that_do_not_vary_give_a_point():
    found = compare([1.0, 1.0, 1.0], rule=Rule.above(0), unit="")
    assert found.interval == found.bootstrap_interval == (1.0, 1.0) and found.supported and found.p_value == 0


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
