"""The two algorithms for one dropout layer before the output, against enumeration, exact arithmetic and sampling."""

from __future__ import annotations

import math
import re

import mpmath
import pytest
import torch
from torch import Tensor

from dropout_lab import ensemble
from dropout_lab.ensemble import factorized, fourier

KEEP_PROBS = (0.2, 0.5, 0.9)


def layer(n: int, classes: int, seed: int, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((n,), (classes, n), (classes,))
    )
    return scale * hidden, weight, bias


def members(hidden: Tensor, weight: Tensor, bias: Tensor, keep_prob: float | list[float], rescale: bool) -> Tensor:
    """Σ π(r) softmax(W (r ⊙ h) + b), mask by mask."""
    table, probabilities = ensemble.masks(len(hidden), keep_prob)
    scale = 1 / torch.tensor(keep_prob, dtype=torch.float64) if rescale else 1.0
    return probabilities @ torch.softmax((table * hidden * scale) @ weight.T + bias, dim=1)


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("keep_prob", KEEP_PROBS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_the_factorized_mean_is_the_enumerated_one(n: int, keep_prob: float, rescale: bool) -> None:
    hidden, weight, bias = layer(n, 4, seed=n)
    found = ensemble.softmax_mean(hidden, weight, bias, keep_prob, rescale=rescale)
    torch.testing.assert_close(found, members(hidden, weight, bias, keep_prob, rescale), rtol=0, atol=1e-12)
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)


def test_tiles_of_both_halves_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen units have several tiles of 17 × 40; the last of each row and column are not whole."""
    hidden, weight, bias = layer(16, 10, seed=0)
    monkeypatch.setattr(factorized, "_TILE", (17, 40))
    found = ensemble.softmax_mean(hidden, weight, bias, 0.3)
    torch.testing.assert_close(found, members(hidden, weight, bias, 0.3, True), rtol=0, atol=1e-12)


def test_memory_is_bounded_by_the_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^20 masks pass through one piece of memory of at most 2^17 numbers, each mask once."""
    tiles, places = [], set()
    normalizers = factorized._normalizers

    def observed(row: Tensor, column: Tensor, memory: Tensor) -> Tensor:
        tile = normalizers(row, column, memory)
        tiles.append(tile.numel())
        places.add(tile.data_ptr())
        return tile

    monkeypatch.setattr(factorized, "_normalizers", observed)
    ensemble.softmax_mean(*layer(20, 3, seed=0))
    assert sum(tiles) == 2**20
    assert max(tiles) == 2**17
    assert len(places) == 1


def test_tiles_take_one_thread_and_give_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = torch.get_num_threads(), []
    normalizers = factorized._normalizers

    def observed(row: Tensor, column: Tensor, memory: Tensor) -> Tensor:
        seen.append(torch.get_num_threads())
        if len(seen) > 1:
            raise KeyboardInterrupt
        return normalizers(row, column, memory)

    monkeypatch.setattr(factorized, "_normalizers", observed)
    torch.set_num_threads(2)
    try:
        ensemble.softmax_mean(*layer(6, 3, seed=0))
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyboardInterrupt):
            ensemble.softmax_mean(*layer(6, 3, seed=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]


@pytest.mark.parametrize("scale", [0.0, 30.0, 1e3, 1e6])
def test_extreme_logits_neither_overflow_nor_vanish(scale: float) -> None:
    hidden, weight, bias = layer(9, 3, seed=5, scale=scale)
    found = ensemble.softmax_mean(hidden, weight, bias, 0.5)
    torch.testing.assert_close(
        found, members(hidden, weight, bias, 0.5, True), rtol=0, atol=1e-9 if scale > 1e4 else 1e-12
    )


def test_halves_that_favor_different_classes_meet_in_the_middle() -> None:
    """Each half alone rules out a class by e^800, together they do not: exponentials of the halves would give 0/0."""
    weight = torch.tensor([[800.0, 0.0], [0.0, 800.0]], dtype=torch.float64)
    found = ensemble.softmax_mean(
        torch.ones(2, dtype=torch.float64), weight, torch.tensor([0.0, math.log(3)]), 1 - 1e-9
    )
    torch.testing.assert_close(found, torch.tensor([0.25, 0.75], dtype=torch.float64), rtol=0, atol=1e-8)


def test_batches_units_without_effect_and_probabilities_of_their_own() -> None:
    hidden, weight, bias = layer(8, 3, seed=2)
    hidden[3] = 0.0
    weight[:, 5] = 7.0
    keep_prob = [0.5, 0.9, 1.0, 0.4, 0.3, 0.6, 0.7, 0.2]
    expected = members(hidden, weight, bias, keep_prob, True)
    found = ensemble.softmax_mean(hidden, weight, bias, keep_prob)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    # Three units of the eight cannot matter.
    with pytest.raises(ensemble.TooManyMasks, match=r"5 units have 2\^5 masks"):
        ensemble.softmax_mean(hidden, weight, bias, keep_prob, max_masks=31)
    both = ensemble.softmax_mean(torch.stack((hidden, -hidden)), weight, bias, keep_prob)
    assert torch.equal(both[0], found)
    torch.testing.assert_close(both[1], members(-hidden, weight, bias, keep_prob, True), rtol=0, atol=1e-12)


@pytest.mark.parametrize("keep_prob", [0.0, 1.0])
def test_the_limits_leave_one_member(keep_prob: float) -> None:
    hidden, weight, bias = layer(40, 3, seed=2)
    expected = torch.softmax(keep_prob * weight @ hidden + bias, dim=0)
    torch.testing.assert_close(ensemble.softmax_mean(hidden, weight, bias, keep_prob), expected)
    value, bound = ensemble.sigmoid_mean(hidden, weight[0], bias[0], keep_prob)
    assert abs(value - torch.sigmoid(keep_prob * weight[0] @ hidden + bias[0])) <= bound


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("keep_prob", KEEP_PROBS)
@pytest.mark.parametrize("n", [1, 4, 12, 16])
def test_the_integral_is_the_enumerated_mean(n: int, keep_prob: float, rescale: bool) -> None:
    hidden, weight, bias = layer(n, 1, seed=n)
    value, bound = ensemble.sigmoid_mean(hidden, weight, bias, keep_prob, rescale=rescale)
    table, probabilities = ensemble.masks(n, keep_prob)
    scale = 1 / keep_prob if rescale else 1.0
    expected = probabilities @ torch.sigmoid((table * hidden * scale) @ weight[0] + bias)
    assert abs(float(value - expected)) < 1e-13
    assert 0 < bound < 1e-12


@pytest.mark.parametrize(("n", "scale"), [(6, 0.01), (8, 3.0), (10, 30.0)])
def test_the_error_bound_holds_against_forty_digits(n: int, scale: float) -> None:
    """Enumeration in 40 digits, which has no rounding to hide behind."""
    hidden, weight, bias = layer(n, 1, seed=10 * n, scale=scale)
    parts = [mpmath.mpf(h) * mpmath.mpf(w) for h, w in zip(hidden.tolist(), weight[0].tolist(), strict=True)]
    with mpmath.workdps(40):
        keep = mpmath.mpf(0.7)
        exact = mpmath.mpf(0)
        for row in ensemble.masks(n)[0].int().tolist():
            logit = mpmath.mpf(bias.item()) + mpmath.fsum(a for a, kept in zip(parts, row, strict=True) if kept)
            exact += keep ** sum(row) * (1 - keep) ** (n - sum(row)) / (1 + mpmath.exp(-logit))
        value, bound = ensemble.sigmoid_mean(hidden, weight, bias, 0.7, rescale=False)
        assert abs(exact - mpmath.mpf(value.item())) <= bound.item()


@pytest.mark.parametrize(("margin", "cut"), [(3.0, 12.7), (40.0, 0.4)], ids=["step too wide", "cut too early"])
def test_the_bound_notices_too_few_nodes(monkeypatch: pytest.MonkeyPatch, margin: float, cut: float) -> None:
    """With one of the two margins cut down the value is visibly off, and the bound says so."""
    hidden, weight, bias = layer(12, 1, seed=3)
    table, probabilities = ensemble.masks(12, 0.5)
    expected = probabilities @ torch.sigmoid((table * hidden * 2) @ weight[0] + bias)
    monkeypatch.setattr(fourier, "_MARGIN", margin)
    monkeypatch.setattr(fourier, "_CUT", cut)
    value, bound = ensemble.sigmoid_mean(hidden, weight, bias, 0.5)
    assert 1e-6 < abs(float(value - expected)) <= float(bound)


def test_a_thousand_units_agree_with_sampling() -> None:
    """All 2^1000 subnetworks, against 40 000 of them drawn at random.

    The members' outputs lie in [0, 1] and are independent: the mean is within 4.9 standard errors but for a chance of
    1e-6 (normal, two-sided).
    """
    hidden, weight, bias = layer(1000, 1, seed=4, scale=0.1)
    value, bound = ensemble.sigmoid_mean(hidden, weight, bias, 0.8)
    kept = torch.rand(40_000, 1000, generator=torch.Generator().manual_seed(5)) < 0.8
    drawn = torch.sigmoid((kept.double() / 0.8) @ (hidden * weight[0]) + bias)
    assert abs(float(value - drawn.mean())) < 4.9 * float(drawn.std()) / math.sqrt(len(drawn))
    assert bound < 1e-12


def test_the_blocks_of_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ensemble.sigmoid_mean(*layer(50, 1, seed=6))
    blocks = []
    imaginary = fourier._imaginary

    def observed(parts: Tensor, probabilities: Tensor, bias: float, t: Tensor) -> Tensor:
        blocks.append(len(t) * len(parts))
        return imaginary(parts, probabilities, bias, t)

    monkeypatch.setattr(fourier, "_imaginary", observed)
    monkeypatch.setattr(fourier, "_BLOCK", 1000)
    split = ensemble.sigmoid_mean(*layer(50, 1, seed=6))
    assert max(blocks) <= 1000 < sum(blocks)
    torch.testing.assert_close(split.value, whole.value, rtol=0, atol=1e-14)


def test_no_examples_and_no_units() -> None:
    hidden, weight, bias = layer(4, 3, seed=0)
    assert ensemble.softmax_mean(hidden.expand(0, 4), weight, bias).shape == (0, 3)
    assert ensemble.sigmoid_mean(hidden.expand(0, 4), weight[0]).value.shape == (0,)
    torch.testing.assert_close(ensemble.softmax_mean(hidden[:0], weight[:, :0], bias), bias.softmax(0))
    assert float(ensemble.sigmoid_mean(hidden[:0], weight[0, :0]).value) == pytest.approx(0.5, abs=1e-15)


def test_two_classes_are_one_logit() -> None:
    hidden, weight, bias = layer(13, 2, seed=7)
    two = ensemble.softmax_mean(hidden, weight, bias, 0.6)
    one = ensemble.sigmoid_mean(hidden, weight[1] - weight[0], bias[1] - bias[0], 0.6)
    assert abs(float(two[1] - one.value)) < 1e-13


def test_requests_that_make_no_sense_name_what_is_wrong() -> None:
    hidden, weight, bias = layer(4, 3, seed=0)
    with pytest.raises(ValueError, match="n columns"):
        ensemble.softmax_mean(hidden[:3], weight, bias)
    with pytest.raises(ValueError, match="bias must have 3"):
        ensemble.softmax_mean(hidden, weight, bias[:2])
    with pytest.raises(ValueError, match="hidden must be finite"):
        ensemble.softmax_mean(hidden * math.inf, weight, bias)
    with pytest.raises(TypeError, match="weight must be a floating point tensor"):
        ensemble.softmax_mean(hidden, weight.long(), bias)
    with pytest.raises(ValueError, match="one row of weights"):
        ensemble.sigmoid_mean(hidden, weight, bias[:1])
    with pytest.raises(ValueError, match=r"1\.5"):
        ensemble.sigmoid_mean(hidden, weight[0], keep_prob=1.5)
    with pytest.raises(ValueError, match="monte_carlo"):
        ensemble.sigmoid_mean(hidden, 1e12 * weight[0])
    big, wide, _ = layer(60, 3, seed=0)
    with pytest.raises(ensemble.TooManyMasks, match=r"2\^60 masks .*years.*sigmoid_mean.*monte_carlo"):
        ensemble.softmax_mean(big, wide)


@pytest.mark.parametrize("sign", (1.0, -1.0))
@pytest.mark.parametrize("bias", (-3.0, 3.0))
@pytest.mark.parametrize("keep_prob", (0.02, 0.5, 0.98))
def test_sums_on_one_side_of_the_bias_are_met_within_the_bound(sign: float, bias: float, keep_prob: float) -> None:
    """All parts of one sign, with and against the bias: a bound on |S| that is too small would show as an error."""
    hidden = torch.full((1, 6), sign, dtype=torch.float64)
    weight = torch.tensor([5.0, 7.0, 3.0, 9.0, 4.0, 6.0], dtype=torch.float64)
    value, bound = ensemble.sigmoid_mean(
        hidden, weight, torch.tensor(bias, dtype=torch.float64), keep_prob, rescale=False
    )

    def member(masks: torch.Tensor) -> torch.Tensor:
        return (masks.double() * hidden @ weight + bias).unsqueeze(1)

    exact = ensemble.exact_mean(member, 6, keep_prob, output="sigmoid")
    assert abs(float(value - exact)) <= float(bound) <= 1e-9


@pytest.mark.parametrize("size", (100.0, 350.0, 700.0))
def test_large_logits_in_both_halves_are_enumerated_exactly(size: float) -> None:
    """Exponentials of twice these logits leave the range of float64; those of the differences do not."""
    draw = torch.Generator().manual_seed(0)
    parts = torch.randn(6, 3, dtype=torch.float64, generator=draw) + torch.tensor([size / 6, size / 6, size / 6])
    hidden, weight = torch.ones(1, 6, dtype=torch.float64), parts.T.contiguous()
    found = ensemble.softmax_mean(hidden, weight, None, 0.5, rescale=False)
    exact = ensemble.exact_mean(lambda masks: masks.double() @ parts, 6, 0.5, output="softmax")
    torch.testing.assert_close(found[0], exact, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("share", (0.3, 0.6, 2.0))
def test_contributions_whose_differences_overflow_are_refused(share: float) -> None:
    """A quarter of the range is the most, for sums are subtracted from one another."""
    hidden = torch.full((1, 2), share / 2 * torch.finfo(torch.float64).max, dtype=torch.float64)
    with pytest.raises(ValueError, match="overflows float64"):
        ensemble.sigmoid_mean(hidden, torch.ones(2, dtype=torch.float64), 0.0, 0.5, rescale=False)


def test_a_bias_that_is_a_number_keeps_all_its_digits() -> None:
    """0.3 has other digits in float32: the mean would move by 1e-9."""
    hidden, weight, _ = layer(6, 1, seed=1)
    found = ensemble.sigmoid_mean(hidden, weight, 0.3, 0.6)
    exact = ensemble.sigmoid_mean(hidden, weight, torch.tensor([0.3], dtype=torch.float64), 0.6)
    assert torch.equal(found.value, exact.value)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("part", "bias", "largest"), [(-2e10, 8e9, 1.2e10), (2e10, 8e9, 2.8e10), (-1e9, 8e9, 8e9)])
def test_the_range_of_the_logits_is_that_of_all_masks(part: float, bias: float, largest: float, sign: int) -> None:
    """One unit has two logits, b and a + b. Too wide a range is named, so it can be compared."""
    one = torch.ones(1, dtype=torch.float64)
    with pytest.raises(ValueError, match=re.escape(f"logits up to ±{largest:.3g} from 1 units")):
        ensemble.sigmoid_mean(one, sign * part * one, sign * bias, rescale=False)


def test_a_logit_without_units_can_be_too_large_too() -> None:
    with pytest.raises(ValueError, match="from 0 units"):
        ensemble.sigmoid_mean(torch.ones(0), torch.ones(0), 1e12)


@pytest.mark.parametrize("probability", [0.001, 0.3, 0.8])
def test_many_units_have_the_likely_range_of_hoeffding(probability: float) -> None:
    """2000 equal units: all masks reach ±2000, and e^-40 is the chance of a logit beyond the mean ± 200."""
    found = fourier._likely_range(torch.ones(2000), torch.full((2000,), probability), 3.0)
    assert found == pytest.approx((3 + 2000 * probability + 200.0, 2.2 * math.exp(-40)))
    assert fourier._likely_range(torch.ones(20), torch.full((20,), 0.5), -3.0) == (17.0, 0.0)


def test_the_bound_grows_with_the_roundings_and_no_faster() -> None:
    """At n units the rounding of a sum of n terms of one size; the other errors are far below."""
    few, many = (float(ensemble.sigmoid_mean(torch.ones(n), torch.full((n,), 1.0 / n)).bound) for n in (4, 4096))
    epsilon = 2.0**-53
    assert few == pytest.approx(epsilon * (4 + 0.5 * (16 + math.log2(5))), rel=1e-3)
    assert many == pytest.approx(epsilon * (4 + 0.5 * (16 + math.log2(4097))), rel=1e-3)


def test_what_is_cut_off_is_bounded_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes from the cut on, |Im φ| ≤ 1 at each, are summed here; all other errors are below 1e-12."""
    monkeypatch.setattr(fourier, "_CUT", 0.4)
    part = torch.ones(1)
    bound = float(ensemble.sigmoid_mean(part, part, 0.5, 0.5, rescale=False).bound)
    step = 2 * math.pi / (1.5 + 40)
    nodes = math.ceil(0.4 / step)
    cut_off = step * math.fsum(1 / math.sinh(math.pi * step * (k + 0.5)) for k in range(nodes, nodes + 500))
    assert cut_off <= bound <= 1.1 * cut_off
