"""The arms of the chapters on variants differ in what is compared, and in nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.recipes import variants

AGAINST_NONE = [
    variants.connections,
    variants.distributions,
    variants.feature_maps,
    variants.block_sizes,
    variants.fully_connected,
    variants.sequences,
    variants.paths,
    variants.learned_rates,
    variants.learned_rate_sweep,
]


@pytest.mark.parametrize("experiment", AGAINST_NONE, ids=lambda experiment: experiment.__name__)
def test_arms_differ_from_none_only_in_their_noise(experiment):
    arms = experiment()
    assert not arms["none"].noise
    for name, recipe in arms.items():
        assert replace(recipe, noise={}) == arms["none"], name
        assert name == "none" or recipe.noise


@pytest.mark.parametrize(
    ("experiment", "base", "kinds", "tried"),
    [
        (variants.feature_maps, variants.CONVOLUTIONAL, variants.ON_MAPS, variants.MAP_SWEEP),
        (variants.fully_connected, variants.MNIST, variants.ON_DENSE_LAYERS, variants.MAP_SWEEP),
        (variants.sequences, variants.RECURRENT, variants.ON_SEQUENCES, variants.SEQUENCE_SWEEP),
    ],
)
def test_tuned_arms_were_in_the_sweep_and_not_at_its_ends(experiment, base, kinds, tried):
    swept, arms = variants.sweep(base, kinds, tried), experiment()
    assert len(swept) == 1 + len(kinds) * len(tried)
    assert swept["none"] == arms["none"] == base
    for name in kinds:
        (keep_prob,) = {noise.keep_prob for noise in arms[name].noise.values()}
        assert swept[f"{name} {keep_prob}"] == arms[name]
        # No noise is p = 1, and ends every sweep.
        assert keep_prob in tried[1:]
    for name in set(arms) - {"none", *kinds}:
        assert swept[name] == arms[name]


def test_gaussian_and_bernoulli_arms_have_the_same_keep_probability():
    arms = variants.distributions()
    for keep_prob in variants.KEEP_PROBS:
        for kind in ("Bernoulli", "Gaussian"):
            assert {noise.keep_prob for noise in arms[f"{kind} {keep_prob}"].noise.values()} == {keep_prob}
            assert {type(noise).__name__ for noise in arms[f"{kind} {keep_prob}"].noise.values()} == {kind}


def test_tied_masks_and_fresh_ones_stand_at_the_same_places_and_each_has_one_rate():
    arms = variants.sequences()
    fresh, tied = (arms[name].noise_by_place() for name in ("each step", "one mask"))
    assert set(fresh) == set(tied) == {"input", "state"}
    for noise in (fresh, tied):
        assert len({one.keep_prob for one in noise.values()}) == 1


def test_constant_and_falling_paths_keep_the_same_mean():
    arms = variants.paths()
    constant, falling = (
        [noise.keep_prob for noise in arms[name].noise_by_place().values()] for name in ("constant", "falling")
    )
    assert len(constant) == len(falling) == 6
    assert sum(constant) == pytest.approx(sum(falling), abs=1e-12)
    assert falling == sorted(falling, reverse=True) and falling[-1] == 0.5


def test_block_sizes_differ_in_size_alone_and_lead_from_dropout_to_whole_channels():
    blocks = [recipe.noise_by_place() for name, recipe in variants.block_sizes().items() if name != "none"]
    assert all(set(noise) == {"features1"} for noise in blocks)
    assert tuple(noise["features1"].size for noise in blocks) == variants.BLOCK_SIZES
    assert {noise["features1"].keep_prob for noise in blocks} == {0.9}
    _, height, width = variants.BLOCKS.network.image
    assert (variants.BLOCK_SIZES[0], variants.BLOCK_SIZES[-1]) == (1, height // 2) == (1, width // 2)


def test_fixed_rates_beside_learned_ones_were_in_the_sweep():
    sweep, arms = variants.learned_rate_sweep(), variants.learned_rates()
    for name in ("units", "weights"):
        (keep_prob,) = {noise.keep_prob for noise in arms[name].noise.values()}
        assert sweep[f"{name} {keep_prob}"] == arms[name]


def test_learned_rates_stand_where_the_fixed_rates_of_their_kind_do_and_start_at_each_start():
    arms = variants.learned_rates()
    for kind, control, noise in (("concrete", "units", Concrete), ("variational", "weights", LearnedGaussian)):
        for start in variants.STARTS:
            members = arms[f"{kind} from {start}"].noise_by_place()
            assert set(members) == set(arms[control].noise_by_place())
            assert set(members.values()) == {noise(start)}
    assert not any(noise.is_learned for name in ("units", "weights") for noise in arms[name].noise.values())
