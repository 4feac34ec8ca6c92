"""The random ground: masks of exactly the asked rate, independent, and the same from the same generator."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from family_members import deviation, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from dropout_lab import noise

MANY = 2**15
RATES = (0.5, 0.25, 0.3, 1 / 3, 0.999, 0.001, 1e-5)


@pytest.mark.parametrize("value", (0, 1, 0.5, 5e-324, np.float64(0.25)))
def test_keep_probs_come_back_as_floats(value: float) -> None:
    checked = noise.check_keep_prob(value)
    assert checked == value
    assert isinstance(checked, float)


@pytest.mark.parametrize("value", (-1e-9, 1 + 1e-9, math.nan, math.inf, -math.inf, 2))
def test_values_outside_0_to_1_are_named(value: float) -> None:
    for attempt in (noise.check_keep_prob, lambda p: noise.bernoulli((3,), p), lambda p: noise.gaussian((3,), p)):
        with pytest.raises(ValueError, match=f"keep_prob must lie between 0 and 1, got {value}"):
            attempt(value)


@pytest.mark.parametrize("value", (True, False, "0.5", None, 1j, torch.tensor(0.5), [0.5]))
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        noise.check_keep_prob(value)


@pytest.mark.parametrize("shape", ((), (0,), (7,), (3, 0, 2), (MANY + 1,), (5, 7, 1009)))
@pytest.mark.parametrize("dtype", (torch.bool, torch.int8, torch.bfloat16, torch.float32, torch.float64))
def test_masks_hold_0_and_1_in_the_asked_shape_and_type(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    for keep_prob in (0.0, 0.4, 1.0):
        mask = noise.bernoulli(shape, keep_prob, dtype=dtype)
        assert mask.shape == shape and mask.dtype == dtype and mask.is_contiguous()
        allowed = {0, 1} if 0 < keep_prob < 1 else {keep_prob}
        assert set(mask.double().unique().tolist()) <= allowed


def test_nothing_is_drawn_where_nothing_is_random() -> None:
    generator = seeded(0)
    state = generator.get_state()
    noise.bernoulli((MANY,), 0.0, generator=generator)
    noise.bernoulli((3,), 1.0, generator=generator)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("keep_prob", RATES)
@pytest.mark.parametrize("draws", (2**22, MANY - 1), ids=("bits", "uniform"))
def test_the_rate_is_right(keep_prob: float, draws: int) -> None:
    """|z| < 5 in 14 tests: a false alarm with probability 8e-6 (a little more where few are expected: 42 and 0.3)."""
    count = noise.bernoulli((draws,), keep_prob, generator=seeded(1)).double().sum()
    assert abs(deviation(count, draws, keep_prob)) < (5 if draws * keep_prob > 30 else 8)


def uniform_numbers(count: int, digits: int, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that the bits of a generator spell, as integers of ``digits`` bits; and the rows of words."""
    words = -(-count // 64)
    rows = torch.empty((digits, words), dtype=torch.int64).random_(-(2**63), None, generator=generator).numpy()
    # Draw number d of a mask is bit d // bytes of byte d % bytes; a digit is the bit's opposite.
    bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little").reshape(digits, -1, 8)
    bits = bits.transpose(0, 2, 1).reshape(digits, -1)[:, :count]
    weights = 1 << np.arange(digits)[::-1]
    return weights @ (1 - bits.astype(np.int64)), rows


@given(numerator=st.integers(1, 2**12 - 1), extra=st.integers(0, 200), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_rate_of_twelve_digits_keeps_where_a_uniform_number_is_below_it(
    numerator: int, extra: int, seed: int
) -> None:
    count = MANY + extra
    keep_prob = numerator / 2**12
    digits = keep_prob.as_integer_ratio()[1].bit_length() - 1
    uniform, _ = uniform_numbers(count, digits, seeded(seed))
    mask = noise.bernoulli((count,), keep_prob, generator=seeded(seed), dtype=torch.bool)
    assert np.array_equal(mask.numpy(), uniform / 2**digits < keep_prob)


@given(keep_prob=st.floats(2**-20, 1 - 2**-20), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_rate_is_decided_by_twelve_digits_wherever_they_decide(keep_prob: float, seed: int) -> None:
    uniform, _ = uniform_numbers(MANY, 12, seeded(seed))
    mask = noise.bernoulli((MANY,), keep_prob, generator=seeded(seed), dtype=torch.bool).numpy()
    first = math.floor(keep_prob * 2**12)
    if keep_prob.as_integer_ratio()[1] > 2**12:
        assert mask[uniform < first].all()
        assert not mask[uniform > first].any()


def test_the_digits_after_the_twelfth_decide_at_their_own_rate() -> None:
    """Where the first twelve digits are equal, the rest keeps with the rest's probability: 24 digits make it 3/4096.

    Of 2^22 draws some 1024 are left open by the first twelve digits, and 0.75 of them are kept: |z| < 5, a false alarm
    with probability 6e-7.
    """
    keep_prob = (2048 + 0.75) / 4096
    uniform, _ = uniform_numbers(2**22, 12, seeded(3))
    mask = noise.bernoulli((2**22,), keep_prob, generator=seeded(3), dtype=torch.bool).numpy()
    left_open = mask[uniform == 2048]
    assert 800 < len(left_open) < 1250
    assert abs(deviation(left_open.sum(), len(left_open), 0.75)) < 5


@pytest.mark.parametrize("keep_prob", (0.5, 0.3, 0.95))
@pytest.mark.parametrize("shift", (1, 2, 7, 8, 63, 64, 4096, 2**17, 2**17 + 1, 2**19))
def test_draws_are_uncorrelated(keep_prob: float, shift: int) -> None:
    """Products of centered draws, a shift apart, have mean 0: |z| < 5 in 30 tests, a false alarm with 2e-5.

    2^17 elements are one bit of all bytes, of 2^20 draws.
    """
    draws = 2**20
    mask = noise.bernoulli((draws,), keep_prob, generator=seeded(4), dtype=torch.float64) - keep_prob
    products = (mask[shift:] * mask[:-shift]).sum().item()
    assert abs(products) < 5 * math.sqrt(draws - shift) * keep_prob * (1 - keep_prob)


def test_every_bit_of_a_word_has_the_rate() -> None:
    """64 bits of a word, each in 2^14 words: |z| < 5.5 in 64 tests, a false alarm with probability 2.4e-6."""
    for keep_prob in (0.5, 0.3):
        mask = noise.bernoulli((8, 2**14, 8), keep_prob, generator=seeded(5), dtype=torch.float64)
        for count in mask.sum(dim=1).flatten():
            assert abs(deviation(count, 2**14, keep_prob)) < 5.5


def test_few_draws_round_the_rate_to_24_digits() -> None:
    """A rate within 2^-25 of 0 or 1 is that; one of 2^-24 keeps just the largest of torch's uniform numbers."""
    assert noise.bernoulli((1000,), 2**-26).sum() == 0
    assert noise.bernoulli((1000,), 1 - 2**-26).sum() == 1000
    for keep_prob in (2**-24, 0.5, 0.3, 1 - 2**-24):
        _, level = noise.exceeding((1,), keep_prob)
        largest_dropped = round(level * 2**24)
        assert level == largest_dropped / 2**24, "the level must be one of torch's numbers"
        assert 2**24 - 1 - largest_dropped == round(keep_prob * 2**24)
        assert torch.tensor(level, dtype=torch.float32).item() == level


@pytest.mark.parametrize("shape", ((), (11,), (MANY,)))
@pytest.mark.parametrize("keep_prob", (0.0, 0.3, 1.0))
def test_what_exceeds_the_level_is_the_mask(shape: tuple[int, ...], keep_prob: float) -> None:
    values, level = noise.exceeding(shape, keep_prob, generator=seeded(6))
    assert torch.equal(values > level, noise.bernoulli(shape, keep_prob, generator=seeded(6)).bool())


@pytest.mark.parametrize("keep_prob", (0.1, 0.5, 0.9))
def test_gaussian_noise_has_the_mean_variance_and_tails_of_its_law(keep_prob: float) -> None:
    """Three moments of 2^20 draws, three keep probabilities: |z| < 5, a false alarm with probability 5e-6."""
    draws = 2**20
    spread = math.sqrt((1 - keep_prob) / keep_prob)
    standard = (noise.gaussian((draws,), keep_prob, generator=seeded(7)).double() - 1) / spread
    assert abs(standard.mean()) < 5 / math.sqrt(draws)
    assert abs(standard.square().mean() - 1) < 5 * math.sqrt(2 / draws)
    assert abs(standard.pow(4).mean() - 3) < 5 * math.sqrt(96 / draws)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float32, torch.float64))
def test_gaussian_noise_in_every_type(dtype: torch.dtype) -> None:
    factors = noise.gaussian((3, 0, 2), 0.5, dtype=dtype)
    assert factors.shape == (3, 0, 2) and factors.dtype == dtype
    assert torch.equal(noise.gaussian((5,), 1.0, dtype=dtype), torch.ones(5, dtype=dtype))
    one, same = (noise.gaussian((5,), 0.5, generator=seeded(8), dtype=dtype) for _ in range(2))
    assert torch.equal(one, same)
    with pytest.raises(ValueError, match="keep_prob must be above 0"):
        noise.gaussian((5,), 0.0, dtype=dtype)


@pytest.mark.parametrize("keep_prob", [0.0, 1.0])
def test_what_is_certain_draws_nothing_in_either_form(keep_prob: float) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    values, level = noise.exceeding((4,), keep_prob, generator=generator)
    assert torch.equal(values > level, torch.full((4,), bool(keep_prob)))
    noise.bernoulli((4,), keep_prob, generator=generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("keep_prob", [0, 1])
@pytest.mark.parametrize("draws", [7, 1 << 16])
def test_a_certain_mask_leaves_the_generator_alone(keep_prob: int, draws: int) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    values, level = noise.exceeding((draws,), keep_prob, generator=generator)
    noise.bernoulli((draws,), keep_prob, generator=generator)
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(values > level, torch.full((draws,), bool(keep_prob)))
