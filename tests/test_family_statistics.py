"""What every variant is on average: the rate, and E[y] = x at every position.

Seeds are fixed. Each test says with which probability it would have failed for an arbitrary seed.
"""

from __future__ import annotations

import math

import pytest
import torch
from family_members import DROPPING, MEMBERS, Member, seeded

RATES = (0.1, 0.5, 0.9, 0.999)
SAMPLES = 4000

each = pytest.mark.parametrize("member", MEMBERS, ids=str)
each_dropping = pytest.mark.parametrize("member", DROPPING, ids=str)


def small_shape(member: Member, samples: int) -> tuple[int, ...]:
    return (samples, *member.shapes[0][1:])


def scores(values: torch.Tensor, expected: float) -> torch.Tensor:
    """How many standard errors the mean over the samples is from what is expected, at each position."""
    spread = values.std(0).clamp(min=1e-12)
    return (values.mean(0) - expected) * math.sqrt(values.shape[0]) / spread


@each_dropping
@pytest.mark.parametrize("keep_prob", RATES)
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_the_part_that_is_kept(member: Member, keep_prob: float, dtype: torch.dtype) -> None:
    """The mean over samples of each sample's kept part, in 104 tests: |z| < 5.5, a false alarm with 6e-5.

    At .999 rather few are dropped, about 100 paths or weights of 100 000: there the bound is passed with 4e-6.
    """
    shape = small_shape(member, SAMPLES)
    if member.shared or member.variant.multiplies == "weights":
        shape = (100_000, *(min(extent, 2) for extent in shape[1:]))
    y = member.call(torch.ones(shape, dtype=dtype), keep_prob, generator=seeded(1))
    parts = (y != 0).double().flatten(1).mean(1)
    assert abs(scores(parts, keep_prob)) < 5.5


@each
@pytest.mark.parametrize("keep_prob", (0.5, 0.7, 0.9))
def test_the_mean_is_the_input_at_every_position(member: Member, keep_prob: float) -> None:
    """The largest |z| over at most 840 positions of each of 39 tests is below 6.5: a false alarm with 5e-5.

    DropBlock's inner positions are kept least, with probability .05 at .5 in three dimensions; the bound, with the
    spread estimated, is passed there with 1e-8 a position.
    """
    shape = small_shape(member, SAMPLES)
    y = member.call(torch.ones(shape, dtype=torch.float64), keep_prob, generator=seeded(2))
    assert scores(y, 1.0).abs().max() < 6.5


@each
def test_samples_are_independent(member: Member) -> None:
    """Neighboring samples' centered means multiply to 0 on average: |z| < 5.5 in 13 tests, a false alarm with 5e-7."""
    shape = small_shape(member, SAMPLES)
    means = member.call(torch.ones(shape, dtype=torch.float64), 0.6, generator=seeded(3)).flatten(1).mean(1)
    centered = means - means.mean()
    assert abs(scores(centered[1:] * centered[:-1], 0.0)) < 5.5


@each_dropping
def test_the_large_path_has_the_rate_of_the_small_one(member: Member) -> None:
    """All draws of one large tensor, at .3: |z| < 5.5 in 12 tests, a false alarm with probability 5e-7.

    The number of independent draws is that of a mask without the axes that share one; DropBlock's overlapping blocks
    are counted as one draw each block size.
    """
    shape = (2**15, 3, 3, 3) if member.variant.multiplies == "a residual branch" else member.shapes[1]
    y = member.call(torch.ones(shape), 0.3, generator=seeded(4))
    draws = math.prod(extent for axis, extent in enumerate(shape) if axis not in member.shared)
    if member.side:
        draws //= member.side ** (len(shape) - 2)
    kept = (y != 0).double().mean().item()
    assert abs(kept - 0.3) < 5.5 * math.sqrt(0.3 * 0.7 / draws)
