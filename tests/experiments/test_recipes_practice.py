"""The quick arms on digits: what is compared has the sizes and the settings that the chapters say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dropout_lab.experiments import data, measures, replicas
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.recipes import guidance, practice, regularizers


def test_the_reported_strengths_were_among_those_tuned():
    assert regularizers.MAX_NORM in practice.BOUNDS
    assert regularizers.WEIGHT_DECAY in practice.DECAYS
    tried = practice.strengths()
    for name, suffix in (("", "alone"), ("dropout, ", "with dropout")):
        arms = regularizers.regularizers(practice.DIGITS)
        assert tried[f"bound {regularizers.MAX_NORM:g}, {suffix}"] == arms[f"{name}max-norm"]
        assert tried[f"decay {regularizers.WEIGHT_DECAY:g}, {suffix}"] == arms[f"{name}weight decay"]


def test_wide_networks_keep_as_many_units_active_as_the_narrow_one_has():
    forms = guidance.widths()
    narrow = np.array(forms["narrow"].network.hidden)
    for arm, keep_prob in (("wide, dropout", 0.5), ("wide, p = 1/4", 0.25)):
        noise = forms[arm].noise_by_place()
        assert {one.keep_prob for one in noise.values()} == {keep_prob} and set(noise) == {"hidden1", "hidden2"}
        assert (np.array(forms[arm].network.hidden) * keep_prob == narrow).all()
    assert forms["narrow, p = 1/4"].network == MLP(tuple(narrow))


def test_the_arms_train_on_the_digits():
    arms = practice.strengths() | practice.quarter_kept()
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
