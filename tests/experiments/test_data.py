import gzip
import struct

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from dropout_lab.experiments import data


def test_the_data_sets_are_what_they_say():
    digits, mnist, diabetes = data.digits(), data.mnist(), data.diabetes()
    assert mnist.inputs.shape == (5000, 784) and (np.bincount(mnist.labels) == 500).all()
    assert digits.shape == (1, 8, 8) and mnist.shape == (1, 28, 28) and diabetes.shape == (10,)
    assert digits.classes == mnist.classes == digits.outputs == 10 and diabetes.classes == 0 and diabetes.outputs == 1
    # 256 shades of gray, all of which occur.
    np.testing.assert_allclose(np.unique(mnist.inputs), np.arange(256) / 255, atol=1e-7)


def test_scikit_learns_data_are_scaled_and_otherwise_as_they_are():
    """Pixels from 0 to 1 by the largest there is; what is measured of patients, to mean 0 and deviation 1."""
    images, classes = datasets.load_digits(return_X_y=True)
    np.testing.assert_allclose(data.digits().inputs, images / images.max(), rtol=1e-6)
    np.testing.assert_array_equal(data.digits().labels, classes)
    patients, target = datasets.load_diabetes(return_X_y=True, scaled=False)
    found = data.diabetes()
    np.testing.assert_allclose(found.inputs, StandardScaler().fit_transform(patients), atol=1e-5)
    np.testing.assert_allclose(found.labels, StandardScaler().fit_transform(target[:, None])[:, 0], atol=1e-6)


def test_pooled_pixels_are_means_of_two_by_two():
    full, half = data.mnist(), data.mnist(14)
    images = full.inputs.reshape(-1, 28, 28)
    by_hand = (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / 4
    np.testing.assert_allclose(half.inputs.reshape(-1, 14, 14), by_hand, atol=1e-6)
    assert half.name == "MNIST digits" and half.shape == (1, 14, 14)
    with pytest.raises(ValueError, match="side must be 28, or 14"):
        data.mnist(7)


def test_each_channel_is_pooled_by_itself():
    inputs = np.random.default_rng(0).random((5, 2 * 6 * 4), np.float32)
    found = data.pooled(data.Dataset("two channels", inputs, np.arange(5), 5, (2, 6, 4)))
    expected = torch.nn.functional.avg_pool2d(torch.from_numpy(inputs.reshape(5, 2, 6, 4)), 2)
    np.testing.assert_allclose(found.inputs, expected.flatten(1), atol=1e-6)
    assert found.shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": np.zeros((6, 2, 2), np.float32)}, r"float32 \(N, features\), got float32 \(6, 2, 2\)"),
        ({"inputs": np.zeros((6, 4))}, "got float64"),
        ({"labels": np.arange(5)}, r"labels must have shape \(6,\), got \(5,\)"),
        ({"shape": (2, 3)}, r"shape \(2, 3\) does not hold 4 features"),
        ({"labels": np.arange(6) - 1}, "labels must lie in 0 … 5"),
        ({"labels": np.arange(6) + 1}, "labels must lie in 0 … 5"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(changed, said):
    fitting = {"inputs": np.zeros((6, 4), np.float32), "labels": np.arange(6), "classes": 6, "shape": (2, 2)}
    assert data.Dataset("fits", **fitting).features == 4
    with pytest.raises(ValueError, match=said):
        data.Dataset("does not", **fitting | changed)


@pytest.mark.parametrize("size", [40, 42])
def test_a_split_is_balanced_disjoint_and_determined_by_the_seed(blobs, size):
    one, again, other = data.split(blobs, size, 3), data.split(blobs, size, 3), data.split(blobs, size, 4)
    counts = np.bincount(blobs.labels[one.train])
    assert counts.sum() == size and np.ptp(counts) <= 1
    assert set(one.train).isdisjoint(one.test) and len(one.train) + len(one.test) == 400
    np.testing.assert_array_equal(one.train, again.train)
    assert not np.array_equal(one.train, other.train)


def test_what_is_held_out_is_the_test_set_of_every_seed(blobs):
    held = data.hold_out(blobs, 100)
    splits = [data.split(held, 40, seed) for seed in range(3)]
    assert all(np.array_equal(split.test, held.held_out) for split in splits)
    assert all(set(split.train).isdisjoint(held.held_out) for split in splits)
    assert (np.bincount(blobs.labels[held.held_out]) == 25).all()


@pytest.mark.parametrize(("size", "said"), [(0, "0 examples"), (401, "401 examples"), (400, "nothing of the 400")])
def test_an_impossible_split_is_refused(blobs, size, said):
    with pytest.raises(ValueError, match=said):
        data.split(blobs, size, 0)


def test_a_class_with_too_few_examples_is_named(blobs):
    few = data.Dataset("few", blobs.inputs[:210], blobs.labels[:210], 4, (16,))
    with pytest.raises(ValueError, match="class 2 of few has 10 examples; 20 are needed"):
        data.split(few, 80, 0)


def test_fingerprints_tell_data_apart(blobs):
    changed = blobs.inputs.copy()
    changed[7, 3] += 1
    other = data.Dataset("blobs", changed, blobs.labels, 4, (1, 4, 4))
    assert blobs.fingerprint != other.fingerprint != data.hold_out(blobs, 40).fingerprint
    assert blobs.fingerprint == data.Dataset("again", blobs.inputs, blobs.labels, 4, (1, 4, 4)).fingerprint


def test_the_full_files_are_read_and_their_test_images_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_FULL_TRAIN", 6)
    random = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 3)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8)
        header = struct.pack(">i3i", 0x803, count, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 0x801, count) + labels.tobytes())
    found = data.full(tmp_path)
    assert found.inputs.shape == (9, 784) and found.held_out.tolist() == [6, 7, 8]
    np.testing.assert_array_equal(found.labels, [0, 1, 2, 3, 4, 5, 0, 1, 2])
    np.testing.assert_allclose(found.inputs[6:] * 255, images.reshape(3, -1), atol=1e-4)
    assert found.classes == 10 and found.shape == (1, 28, 28) and found.inputs.dtype == np.float32
    split = data.split(found, 6, 0)
    assert split.train.tolist() == [0, 1, 2, 3, 4, 5] and split.test.tolist() == [6, 7, 8]
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        data.full(tmp_path)


def test_the_diabetes_data_are_standardized():
    found = data.diabetes()
    for values in (found.inputs, found.labels[:, None]):
        # In float32 as it is stored: a mean is off by some 1e-7.
        np.testing.assert_allclose(values.mean(0, dtype=np.float64), 0, atol=1e-6)
        np.testing.assert_allclose(values.std(0, dtype=np.float64), 1, atol=1e-6)
