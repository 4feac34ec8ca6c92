"""DropBlock: the seeds' rate, the blocks' shape, and each position's own keep probability."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from family_members import elements, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from dropout_lab import functional, noise

#: Maps, block sizes (even ones, 1 and the whole map among them).
CASES = (((7, 7), 7), ((14, 14), 7), ((9, 6), 4), ((5, 8), 1), ((6, 6), 5), ((4, 5, 6), 3), ((3, 4, 3), 2))


def enumerated_keep_probs(sizes: tuple[int, ...], block_size: int, gamma: Fraction) -> dict[tuple[int, ...], Fraction]:
    """Each position's keep probability, from the definition: over all sets of seeds, with exact fractions."""
    places = list(itertools.product(*(range(size - block_size + 1) for size in sizes)))
    positions = list(itertools.product(*map(range, sizes)))
    totals = dict.fromkeys(positions, Fraction(0))
    for seeds in itertools.product((False, True), repeat=len(places)):
        weight = math.prod((gamma if seed else 1 - gamma for seed in seeds), start=Fraction(1))
        chosen = [place for place, seed in zip(places, seeds, strict=True) if seed]
        for position in positions:
            covered = any(
                all(0 <= here - corner < block_size for here, corner in zip(position, place, strict=True))
                for place in chosen
            )
            totals[position] += 0 if covered else weight
    return totals


@pytest.mark.parametrize(("sizes", "block_size"), (((3, 3), 2), ((4, 5), 3), ((4, 4), 2), ((3, 3, 3), 2), ((2, 5), 2)))
def test_keep_probabilities_are_those_of_all_sets_of_seeds(sizes: tuple[int, ...], block_size: int) -> None:
    gamma = Fraction(2, 7)
    found = functional.block_keep_probs(sizes, block_size, 2 / 7)
    assert found.dtype == torch.float64 and tuple(found.shape) == sizes
    for position, probability in enumerated_keep_probs(sizes, block_size, gamma).items():
        assert abs(found[position] - float(probability)) < 1e-14


@pytest.mark.parametrize(("sizes", "block_size"), CASES)
@pytest.mark.parametrize("keep_prob", (1e-6, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9))
def test_gamma_meets_the_keep_probability_exactly(sizes: tuple[int, ...], block_size: int, keep_prob: float) -> None:
    gamma = functional.block_gamma(sizes, keep_prob, block_size)
    kept = functional.block_keep_probs(sizes, block_size, gamma).mean().item()
    assert abs(kept - keep_prob) < 1e-14
    # The dropped part, too, to its own precision.
    counts = functional.block_keep_probs(sizes, block_size, -math.expm1(-1)).log().neg().round()
    dropped = -torch.expm1(counts * math.log1p(-gamma)).mean().item()
    assert dropped == pytest.approx(1 - keep_prob, rel=1e-7 if keep_prob > 0.9999 else 1e-12)


@pytest.mark.parametrize(("sizes", "block_size"), CASES)
def test_a_keep_probability_of_0_or_1_has_a_sure_gamma(sizes: tuple[int, ...], block_size: int) -> None:
    for rule in ("exact", "published"):
        assert functional.block_gamma(sizes, 0.0, block_size, rule=rule) == 1
        assert functional.block_gamma(sizes, 1.0, block_size, rule=rule) == 0
    assert (functional.block_keep_probs(sizes, block_size, 1.0) == 0).all()


@pytest.mark.parametrize(("sizes", "block_size"), CASES)
def test_the_published_gamma_is_equation_1_and_keeps_too_much(sizes: tuple[int, ...], block_size: int) -> None:
    gamma = functional.block_gamma(sizes, 0.7, block_size, rule="published")
    places = math.prod(size - block_size + 1 for size in sizes)
    assert gamma == pytest.approx(0.3 * math.prod(sizes) / block_size ** len(sizes) / places, rel=1e-14)
    kept = functional.block_keep_probs(sizes, block_size, gamma).mean().item()
    if places == 1 or block_size == 1:
        assert kept == pytest.approx(0.7, abs=1e-14)
    else:
        assert kept > 0.7 + 1e-3


@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_is_dropped_is_the_union_of_the_seeds_blocks(data: st.DataObject) -> None:
    """Against max pooling of the seeds, which is what others compute."""
    sizes = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    block_size = data.draw(st.integers(1, min(sizes)))
    keep_prob = data.draw(st.floats(0.05, 0.99))
    gamma = functional.block_gamma(sizes, keep_prob, block_size)
    lead = (data.draw(st.integers(0, 3)), data.draw(st.integers(1, 4)))
    y = functional.drop_block(torch.ones(*lead, *sizes), keep_prob, block_size, rescale=False, generator=seeded(1))
    places = tuple(size - block_size + 1 for size in sizes)
    seeds = noise.bernoulli((*lead, *places), gamma, generator=seeded(1))
    around = torch.nn.functional.pad(seeds, (block_size - 1,) * (2 * len(sizes)))
    pool = torch.nn.functional.max_pool2d if len(sizes) == 2 else torch.nn.functional.max_pool3d
    expected = pool(around.flatten(0, 1).unsqueeze(1), block_size, stride=1).view(*lead, *sizes)
    assert torch.equal(y, 1 - expected)


@pytest.mark.parametrize("rule", ("exact", "published"))
def test_each_position_is_rescaled_by_its_own_keep_probability(rule: str) -> None:
    x = elements((50, 3, 8, 7), torch.float64)
    y = functional.drop_block(x, 0.6, 3, gamma=rule, generator=seeded(2))
    probabilities = functional.block_keep_probs((8, 7), 3, functional.block_gamma((8, 7), 0.6, 3, rule=rule))
    kept = y != 0
    torch.testing.assert_close(y[kept], (x / probabilities)[kept], rtol=1e-12, atol=0)
    assert probabilities.min() < 0.6 < probabilities.max()


def test_one_sample_alone() -> None:
    x = torch.ones(3, 9, 9)
    alone = functional.drop_block(x, 0.5, 3, batched=False, generator=seeded(3))
    batch = functional.drop_block(x.unsqueeze(0), 0.5, 3, generator=seeded(3))
    assert torch.equal(alone, batch[0])
    with pytest.raises(ValueError, match=r"\(C, H, W\) or \(C, D, H, W\), got \(9, 9\)"):
        functional.drop_block(x[0], 0.5, 3, batched=False)


@pytest.mark.parametrize("block_size", (0, -1, 8, 2.0, True, "3"))
def test_a_block_that_does_not_fit_is_told_what_does(block_size: object) -> None:
    for training in (True, False):
        with pytest.raises(ValueError, match="from 1 to the smallest extent of the map, 7; got"):
            functional.drop_block(torch.ones(1, 1, 7, 9), 0.9, block_size, training=training)


def test_another_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="gamma must be one of exact, published; got 'paper'"):
        functional.drop_block(torch.ones(1, 1, 7, 7), 0.9, 3, gamma="paper")


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float32))
def test_factors_beyond_the_largest_number_stay_harmless(dtype: torch.dtype) -> None:
    """At .02 the middle of the map is kept with probability 2e-17: its factor is beyond what float16 holds."""
    x = elements((4, 2, 16, 16), dtype).requires_grad_()
    gamma = functional.block_gamma((16, 16), 0.02, 7)
    assert functional.block_keep_probs((16, 16), 7, gamma).min() < 1e-16
    y = functional.drop_block(x, 0.02, 7)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all() and gradient.isfinite().all()


def test_maps_without_positions_stay_empty() -> None:
    x = torch.ones(2, 3, 0, 5)
    assert functional.drop_block(x, 0.5, 3).shape == x.shape


def test_importing_the_family_does_not_import_the_compiler() -> None:
    """It takes as long as all the rest of torch, and every chapter of the book would wait for it."""
    code = "import sys; from dropout_lab import ensemble, inference, nn; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
