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
    forms = guidance.width_and_length(practice.DIGITS) | practice.quarter_kept()
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
