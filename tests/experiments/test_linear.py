"""Monte Carlo dropout beside Bayesian linear regression, against the definitions written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dropout_lab.experiments import data, linear
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.linear import Arm


def plainly(inputs: np.ndarray, arm: Arm, seed: int) -> dict[str, float]:
    """The same numbers by averages over all masks, and by the posterior as one more normal density."""
    features = inputs.shape[1]
    order = stream(seed, Purpose.HELD_OUT).permutation(len(inputs))
    held_out, pool = inputs[order[: linear.HELD_OUT]], inputs[order[linear.HELD_OUT :]]
    truth = stream(seed, Purpose.WEIGHTS).normal(size=features) / math.sqrt(features)
    rows = pool[stream(seed, Purpose.SPLIT).integers(len(pool), size=arm.examples)]
    targets = rows @ truth + arm.noise * stream(seed, Purpose.LABELS).normal(size=arm.examples)

    p = arm.keep(features)
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=features)))
    chances = np.prod(np.where(masks == 1, p, 1 - p), axis=1)
    gram = sum(chance * (rows * mask / p).T @ (rows * mask / p) for chance, mask in zip(chances, masks, strict=True))
    right = sum(chance * (rows * mask / p).T @ targets for chance, mask in zip(chances, masks, strict=True))
    weights = np.linalg.solve(gram, right)
    passes = (masks / p * weights) @ held_out.T
    mean = chances @ passes
    variance = chances @ (passes - mean) ** 2

    # Ridge regression with the strength noise² · features, and the noise that its weights carry.
    design = np.vstack([rows / arm.noise, math.sqrt(features) * np.eye(features)])
    labels = np.concatenate([targets / arm.noise, np.zeros(features)])
    likely = np.linalg.lstsq(design, labels, rcond=None)[0]
    root = np.linalg.inv(np.linalg.qr(design).R)
    spread = ((held_out @ root) ** 2).sum(axis=1)

    def covered(center: np.ndarray, squares: np.ndarray) -> float:
        return 100 * float(np.mean((held_out @ truth - center) ** 2 < 1.96**2 * squares))

    return {
        "coverage": covered(mean, variance),
        "posterior_coverage": covered(held_out @ likely, spread),
        "variance": float(variance.mean()),
        "posterior_variance": float(spread.mean()),
    }


@pytest.fixture(scope="module")
def table() -> Dataset:
    """150 correlated inputs with four features."""
    random = np.random.default_rng(3)
    inputs = random.normal(size=(150, 4)) @ random.normal(size=(4, 4))
    return Dataset("correlated", inputs.astype(np.float32), np.zeros(150, np.float32), 0, (4,))


@pytest.mark.parametrize("arm", [Arm(12, 0.5, 0.7), Arm(40, 2.0, 0.95), Arm(25, 1.0)])
def test_the_closed_forms_are_what_all_masks_give(table, arm):
    found = linear.run(table, {"arm": arm}, [5, 6])["arm"]
    for place, seed in enumerate((5, 6)):
        expected = plainly(np.asarray(table.inputs, dtype=float), arm, seed)
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert found[name][place] == pytest.approx(value, rel=1e-8), name


def test_arms_are_paired_by_seed(table):
    found = linear.run(table, {"one": Arm(30, 1.0, 0.5), "other": Arm(30, 1.0, 0.9)}, range(3))
    assert (found["one"]["posterior_coverage"] == found["other"]["posterior_coverage"]).all()
    assert (found["one"]["variance"] != found["other"]["variance"]).all()


def test_the_digest_is_that_of_the_experiment(table, monkeypatch):
    arms = {"one": Arm(12, 1.0, 0.5)}
    digest = linear.run(table, arms, [0, 1]).digest
    assert linear.run(table, arms, [2000, 2001]).digest == digest, "a replication is the same experiment"
    assert linear.run(table, arms, [0, 1, 2]).digest != digest
    assert linear.run(table, {"one": Arm(12, 1.0, 0.6)}, [0, 1]).digest != digest
    assert linear.run(data.diabetes(), arms, [0, 1]).digest != digest
    monkeypatch.setattr(linear, "HALF_WIDTH", 1.64)
    assert linear.run(table, arms, [0, 1]).digest != digest


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"examples": 0}, "examples is a whole number from 1 on, got 0"),
        ({"examples": True}, "examples is a whole number from 1 on, got True"),
        ({"examples": 2.0}, "examples is a whole number from 1 on, got 2.0"),
        ({"noise": 0.0}, "noise is a standard deviation above 0, got 0.0"),
        ({"noise": math.nan}, "noise is a standard deviation above 0, got nan"),
        ({"keep_prob": 1.0}, "keep_prob lies strictly between 0 and 1, or is None; got 1.0"),
        ({"keep_prob": math.nan}, "keep_prob lies strictly between 0 and 1, or is None; got nan"),
    ],
)
def test_an_arm_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Arm(**({"examples": 10, "noise": 1.0, "keep_prob": 0.5} | wrong))


def test_experiments_that_cannot_be_are_refused(table, blobs):
    arm = {"one": Arm(12, 1.0, 0.5)}
    with pytest.raises(ValueError, match="at least one arm and distinct seeds, got 0 arms"):
        linear.run(table, {}, [0])
    with pytest.raises(ValueError, match=r"distinct seeds, got 1 arms and seeds \[1, 1\]"):
        linear.run(table, arm, [1, 1])
    few = Dataset("few", table.inputs[:100], table.labels[:100], 0, (4,))
    with pytest.raises(ValueError, match=r"more than 100 rows, got \(100, 4\)"):
        linear.run(few, arm, [0])
