"""Data small enough for tests, and made-up: nothing here says anything about real data."""

from __future__ import annotations

import numpy as np
import pytest

from dropout_lab.experiments.data import Dataset


@pytest.fixture(scope="session")
def blobs() -> Dataset:
    """400 points of four classes around four centers in sixteen dimensions."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 100)
    inputs = random.normal(size=(4, 16))[labels] + random.normal(size=(400, 16))
    return Dataset("blobs", inputs.astype(np.float32), labels, 4, (1, 4, 4))
