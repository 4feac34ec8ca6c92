"""What a recipe accepts: each range up to its ends, and not beyond."""

from __future__ import annotations

import pytest

from dropout_lab.experiments import replicas
from dropout_lab.experiments.networks import MLP, ResidualMLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.stack_noise import Bernoulli, Connect, Path


@pytest.mark.parametrize(
    ("fits", "beyond", "said"),
    [
        ({"batch_size": 1}, {"batch_size": 0}, "batch_size must lie in 1 … train_size = 500, got 0"),
        ({"batch_size": 500}, {"batch_size": 501}, "batch_size must lie in 1 … train_size = 500, got 501"),
        ({"label_noise": 0.0}, {"label_noise": -0.01}, "label_noise is a fraction from 0 to 1"),
        ({"label_noise": 1.0}, {"label_noise": 1.01}, "label_noise is a fraction from 0 to 1"),
        ({"steps": 1}, {"steps": 0}, "steps must be at least 1, got 0"),
        ({"masks_per_step": 1}, {"masks_per_step": 0}, "masks_per_step must be at least 1, got 0"),
        ({"schedule": "constant"}, {"schedule": "cosine"}, "schedule must be 'linear' or 'constant', got 'cosine'"),
        ({"optimizer": "adamw"}, {"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw, got 'lion'"),
    ],
)
def test_settings_up_to_the_ends_of_their_ranges(fits, beyond, said):
    Recipe(**fits)
    with pytest.raises(ValueError, match=said):
        Recipe(**beyond)


def test_noise_by_a_places_name_comes_before_that_by_its_kind():
    network = MLP((6, 5, 4))
    recipe = Recipe(network=network).with_noise(hidden=Bernoulli(0.5), hidden2=Bernoulli(0.8), weight3=Connect(0.9))
    kept = {place: noise.keep_prob for place, noise in recipe.noise_by_place().items()}
    assert list(kept.items()) == [("hidden1", 0.5), ("hidden2", 0.8), ("hidden3", 0.5), ("weight3", 0.9)]
    more = recipe.with_noise(input=Bernoulli(0.7)).noise_by_place()
    assert [noise.keep_prob for noise in more.values()] == [0.7, 0.5, 0.8, 0.5, 0.9]


@pytest.mark.parametrize(
    ("keep_prob", "fits"), [(1.0, True), (1e-3, True), (0.0, False), (1.001, False), (-0.1, False)]
)
def test_noise_that_can_be_trained_with_keeps_something(keep_prob, fits):
    if fits:
        assert Path(keep_prob).keep_prob == keep_prob
        return
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        Path(keep_prob)


def test_arms_share_a_stack_where_only_numbers_differ_that_may():
    """Whatever a stack cannot vary keeps arms apart; keep probabilities and the settings of optimizers do not."""
    together = [
        Recipe(),
        Recipe(learning_rate=0.2, momentum=0.0, weight_decay=0.1, max_norm=3.0, label_noise=0.5),
        Recipe().with_noise(hidden=Bernoulli(0.5)),
        Recipe().with_noise(hidden=Bernoulli(0.9)),
    ]
    apart = [
        Recipe(steps=999),
        Recipe(train_size=400),
        Recipe(batch_size=49),
        Recipe(schedule="constant"),
        Recipe(optimizer="adam"),
        Recipe(masks_per_step=2),
        Recipe(network=ResidualMLP(128, 2)),
    ]
    planned = replicas.stacks({str(number): recipe for number, recipe in enumerate(together + apart)}, range(2))
    assert [len(stack) for stack in planned] == [8, *[2] * len(apart)]
    assert [(replica.arm, replica.seed) for replica in planned[0]] == [
        (str(n), seed) for n in range(4) for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("seeds", "sizes"), [(1, [1]), (47, [47]), (49, [24, 25]), (81, [27, 27, 27]), (100, [33, 33, 34])]
)
def test_stacks_are_about_equal_and_about_32(seeds, sizes):
    assert [len(stack) for stack in replicas.stacks({"none": Recipe()}, range(seeds))] == sizes


def test_of_several_unknown_places_the_first_in_the_alphabet_is_named():
    """A set of ten names has its first in front by chance once in ten; two sets of ten both do once in a hundred."""
    for first in ("a", "b"):
        unknown = {f"{first}{letter}": Bernoulli(0.5) for letter in "zyxwvutsrq"}
        with pytest.raises(ValueError, match=f"no place '{first}q'"):
            Recipe(network=MLP((6, 5))).with_noise(**unknown)
