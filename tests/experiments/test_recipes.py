"""Every experiment's arms: they train, share what pairs them, and take a larger base."""

from __future__ import annotations

import inspect
import struct
from dataclasses import replace

import numpy as np
import pytest

from dropout_lab.experiments import (
    data,
    measures,
    recipes,
    replicas,
)
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.recipes import (
    flatness,
    guidance,
    interpretations,
    practice,
    regularizers,
    scales,
    variants,
)

MODULES = (scales, interpretations, regularizers, flatness, variants, guidance, practice)
EXPERIMENTS = [
    pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if "base" in inspect.signature(function).parameters
    and function.__module__ == module.__name__
    and function not in (scales.dense, practice.strengths, variants.sweep, variants.tuned)
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
    assert list(longer) == list(experiment())
    assert {recipe.momentum for arm, recipe in longer.items() if arm != "no momentum"} == {0.77}


def test_the_scale_of_the_book():
    scale = recipes.book()
    assert scale.dataset.inputs.shape == (5000, 196) and len(scale.seeds) >= 10 and scale.device == "cpu"


def test_the_scale_of_a_paper_runs_on_the_full_files(tmp_path, monkeypatch):
    """On files of the same form with few images, and with few steps."""
    monkeypatch.setattr(data, "_FULL_TRAIN", 40)
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 10)):
        images, labels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        header = struct.pack(">i3i", 0x803, count, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 0x801, count) + labels.tobytes())
    scale = recipes.paper(tmp_path)
    base = replace(scale.base, network=MLP((8, 8, 8)), train_size=40, batch_size=10, steps=3)
    found = replicas.run(
        scale.dataset, recipes.error_against_keep_prob(base), [0], measures.nll, workers=1, device=scale.device
    )
    assert np.isfinite(found.table("nll")).all()
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        recipes.paper(tmp_path / "elsewhere")
