"""What the streams draw, against the raw words of NumPy's generator and against SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from dropout_lab.experiments.draws import BernoulliDraws, Bits, NormalDraws, Purpose, stream
from dropout_lab.experiments.networks import Place
from dropout_lab.experiments.stack_noise import Gaussian

SEEDS = (3, 8)


def raw_words(seed, count):
    """Words of 64 bits as the bit generator gives them, without NumPy's distributions."""
    return np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(int(Purpose.NOISE),))).random_raw(count)


def sixteen_bits(words):
    """The four numbers of 16 bits in each word, the lowest first, as signed ones."""
    parts = [(int(word) >> shift) % 2**16 for word in words for shift in (0, 16, 32, 48)]
    return np.array([part - 2**16 if part >= 2**15 else part for part in parts])


def streams():
    return [stream(seed, Purpose.NOISE) for seed in SEEDS]


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 2), (5, 1), (7, 13), (300, 250)])
def test_bits_are_the_streams_words_in_their_order(shape):
    """A step takes as many words as it needs, the rest of its last word is left, and the next step goes on."""
    size = int(np.prod(shape))
    words = -(-size // 4)
    bits = Bits(streams(), [True, True])
    drawn = [bits.draw(shape).copy() for _ in range(3)]
    for row, seed in enumerate(SEEDS):
        expected = raw_words(seed, 3 * words).reshape(3, words)
        for found, these in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(found[row].ravel(), sixteen_bits(these)[:size])
            assert found.shape == (2, *shape)


def test_another_shape_starts_after_what_was_drawn_ahead():
    """65 536 numbers are drawn ahead: of 12 numbers, three words each time, for 5461 steps."""
    bits = Bits(streams(), [True, False])
    bits.draw((3, 4))
    found = bits.draw((2, 2))[0].ravel()
    np.testing.assert_array_equal(found, sixteen_bits(raw_words(SEEDS[0], 3 * 5461 + 1)[-1:]))
    # The same number of elements in another shape goes on where it was.
    again = bits.draw((4, 1))
    np.testing.assert_array_equal(again[0].ravel(), sixteen_bits(raw_words(SEEDS[0], 3 * 5461 + 2)[-1:]))
    assert not again[1].any()


@pytest.mark.parametrize("keep_prob", [0.5, 0.3, 0.9, 1 - 2**-16, 2**-16])
def test_a_mask_keeps_the_lowest_of_65536_levels(keep_prob):
    levels = sixteen_bits(raw_words(SEEDS[0], 25_000)) + 2**15
    found = BernoulliDraws(streams(), [keep_prob, 1.0]).draw((1000, 100))
    np.testing.assert_array_equal(found[0].ravel(), levels < round(keep_prob * 2**16))
    assert found[1].all() and found.dtype == torch.bool


@pytest.mark.parametrize("keep_prob", [0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 0.99])
def test_the_number_of_levels_that_are_kept_is_rounded(keep_prob):
    class EveryLevel:
        def draw(self, shape):
            return np.arange(-(2**15), 2**15, dtype=np.int16).reshape(1, *shape)

    draws = BernoulliDraws(streams()[:1], [keep_prob])
    draws._bits = EveryLevel()
    assert draws.draw((256, 256)).sum() == round(keep_prob * 2**16)


@pytest.mark.parametrize("keep_prob", [0.5, 0.3, 0.97])
def test_masks_are_bernoulli(keep_prob):
    """The number kept among 200 000, by SciPy's exact test: a false alarm in a million."""
    kept = int(BernoulliDraws(streams(), [keep_prob, keep_prob]).draw((1000, 100)).sum())
    assert stats.binomtest(kept, 200_000, keep_prob).pvalue > 1e-6


def test_normal_numbers_and_gaussian_noise_are_normal():
    """Kolmogorov and Smirnov's test of 100 000 numbers for each of four: each a false alarm in a million."""
    normal = NormalDraws(streams()).draw((1000, 100))
    noise = Gaussian(0.5).factors(Place("hidden", 1, "N D"), (0.5, 0.8), streams())((1000, 100), {})
    for row, deviation in enumerate((1.0, 0.5)):
        for values, law in ((normal[row], stats.norm()), (noise[row], stats.norm(1, deviation))):
            assert stats.kstest(values.ravel().numpy(), law.cdf).pvalue > 1e-6
    assert normal.dtype == noise.dtype == torch.float32 and not torch.equal(normal[0], normal[1])


def test_the_numbers_of_the_purposes_stay_what_they_are():
    """They are part of every result. Two purposes of one number would share their draws."""
    names = ("SPLIT", "HELD_OUT", "LABELS", "WEIGHTS", "ORDER", "NOISE", "MEASURE")
    assert {name: int(one) for name, one in Purpose.__members__.items()} == {name: n for n, name in enumerate(names)}


def test_streams_are_told_apart_by_seed_purpose_and_key():
    chosen = [stream(seed, purpose, *key) for seed in (0, 1) for purpose in Purpose for key in ((), (0,), (1,), (0, 1))]
    assert len({source.integers(0, 2**63) for source in chosen}) == len(chosen)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        stream(-1, Purpose.NOISE)
