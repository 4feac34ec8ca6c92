"""Every experiment's arms: they train, share what pairs them, and take a larger base."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest

from dropout_lab.experiments import (
    measures,
    recipes,
    recipes_guidance,
    recipes_interpretations,
    recipes_regularizers,
    recipes_variants,
    replicas,
)
from dropout_lab.experiments.data import Dataset

MODULES = (recipes, recipes_interpretations, recipes_regularizers, recipes_variants, recipes_guidance)
EXPERIMENTS = [
    pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if "base" in inspect.signature(function).parameters and function.__module__ == module.__name__
]


@pytest.fixture(scope="module")
def noise_images() -> Dataset:
    random = np.random.default_rng(0)
    inputs = random.random((200, 196), np.float32)
    return Dataset("noise", inputs, np.arange(200) % 10, 10, (1, 14, 14))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_trains(experiment, noise_images):
    arms = experiment()
    assert len(arms) >= 2 and len({repr(recipe) for recipe in arms.values()}) == len(arms)
    short = {name: replace(recipe, steps=2, train_size=20, batch_size=10) for name, recipe in arms.items()}
    found = replicas.run(noise_images, short, [0], measures.nll, workers=1)
    assert np.isfinite(found.table("nll")).all()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_takes_another_base(experiment):
    base = inspect.signature(experiment).parameters["base"].default
    longer = experiment(replace(base, momentum=0.77))
    assert list(longer) == list(experiment()) and {recipe.momentum for recipe in longer.values()} == {0.77}
