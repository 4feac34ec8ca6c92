"""The quick arms on digits: what is compared has the sizes and the settings that the chapters say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dropout_lab.experiments import data, measures, replicas
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.recipes import flatness, guidance, practice, regularizers


def test_each_arm_was_tuned_with_as_many_trials_and_its_setting_is_one_of_them():
    tried, chosen = practice.strengths(), regularizers.regularizers(practice.DIGITS)
    assert list(tried) == list(chosen)
    assert {len(settings) for settings in tried.values()} == {18}
    for arm, recipe in chosen.items():
        assert recipe in tried[arm].values()


def test_the_bounds_at_a_large_rate_were_tried():
    tried = practice.DIGITS, regularizers.bounds_at_a_large_rate(practice.DIGITS).values()
    for arm, recipe in regularizers.large_learning_rates(tried[0]).items():
        if arm.endswith("max-norm"):
            assert replace(recipe, steps=regularizers.STAGES[-1]) in tried[1]


def test_wide_networks_keep_as_many_units_active_as_the_narrow_one_has():
    forms = guidance.widths()
    narrow = np.array(forms["narrow"].network.hidden)
    for arm, keep_prob in (("wide, dropout", 0.5), ("wide, p = 1/4", 0.25)):
        noise = forms[arm].noise_by_place()
        assert {one.keep_prob for one in noise.values()} == {keep_prob} and set(noise) == {"hidden1", "hidden2"}
        assert (np.array(forms[arm].network.hidden) * keep_prob == narrow).all()
    assert forms["narrow, p = 1/4"].network == MLP(tuple(narrow))


def test_the_arms_train_on_the_digits():
    tried = {arm: next(iter(settings.values())) for arm, settings in practice.strengths().items()}
    arms = tried | practice.quarter_kept()
    short = {name: replace(recipe, steps=2) for name, recipe in arms.items()}
    found = replicas.run(data.digits(), short, [0], measures.nll, workers=1)
    assert np.isfinite(found.table("nll")).all()


def test_the_orders_of_dropout_and_normalization_differ_in_the_place_of_the_mask_alone():
    swept = guidance.normalization_sweep()
    for layer in (1, 2):
        for keep_prob in guidance.NORMALIZED_SWEEP:
            before, after = (swept[f"layer {layer}, {order}, p = {keep_prob:g}"] for order in ("before", "after"))
            assert list(before.noise_by_place()) == [f"sum{layer}"]
            assert list(after.noise_by_place()) == [f"hidden{layer}"]
            assert list(before.noise_by_place().values()) == list(after.noise_by_place().values())
            assert replace(before, noise={}) == replace(after, noise={})


def test_what_was_chosen_on_tuning_seeds_was_among_what_was_tried():
    arms = guidance.keep_probs() | guidance.wide_keep_probs()
    assert all(f"{setting}, hidden {p:g}" in arms for setting, p in guidance.BEST_HIDDEN.items())
    assert set(guidance.BEST_HIDDEN.values()) <= set(guidance.HIDDEN_SWEEP)
    assert set(guidance.BEST_NORMALIZED.values()) <= set(guidance.NORMALIZED_SWEEP)
    made = arms | guidance.widths() | guidance.lengths() | guidance.normalization()
    assert set(made) == set(guidance.TUNED)
    for name, recipe in made.items():
        assert recipe.learning_rate == guidance.TUNED[name]
    assert [recipe.learning_rate for recipe in guidance.at_rates({"none": practice.DIGITS}).values()] == [
        *guidance.RATES
    ]


def test_ways_of_training_are_told_apart_by_dropout_and_share_their_labels():
    without, dropped = flatness.without_dropout(), flatness.with_dropout()
    assert not any(recipe.noise_by_place() for recipe in without.values())
    assert all(recipe.noise_by_place() for recipe in dropped.values())
    everything = [*without.values(), *dropped.values()]
    assert {(recipe.train_size, recipe.label_noise) for recipe in everything} == {(practice.DIGITS.train_size, 0.0)}


def test_one_mask_and_eight_differ_in_nothing_else():
    one, eight = flatness.gradient_noise().values()
    assert one != eight and one == replace(eight, masks_per_step=1)
