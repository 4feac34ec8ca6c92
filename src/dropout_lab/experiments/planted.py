"""Pairs of real images, labeled so that it is known whether one image needs the other to tell the label."""

from __future__ import annotations

import numpy as np

from dropout_lab.experiments.data import Dataset


def partners(dataset: Dataset) -> Dataset:
    """Pairs of images whose label is the sum of their two classes, modulo the number of classes.

    Together the two images determine the label. Either alone says nothing about it: the other is drawn at random, so
    every label stays nearly as likely as before. Each image of ``dataset`` stands in one pair at most, so no image is
    both trained and tested on. Inputs are (N/2, 2 · features), the first image before the second.
    """
    order = _stream(dataset).permutation(len(dataset.labels))
    first, second = order[: 2 * (len(order) // 2)].reshape(2, -1)
    sums = (dataset.labels[first] + dataset.labels[second]) % dataset.classes
    return _pairs(dataset, "partners", first, second, sums)


def witnesses(dataset: Dataset) -> Dataset:
    """Pairs of images of one class, which is the label: either alone determines it.

    As with :func:`partners`, each image stands in one pair at most.
    """
    random, pairs = _stream(dataset), []
    for label in range(dataset.classes):
        order = random.permutation(np.flatnonzero(dataset.labels == label))
        pairs.append(order[: 2 * (len(order) // 2)].reshape(2, -1))
    first, second = np.concatenate(pairs, axis=1)
    return _pairs(dataset, "witnesses", first, second, dataset.labels[first])


def _stream(dataset: Dataset) -> np.random.Generator:
    """Always the same numbers: the pairs belong to the data, not to a replica."""
    if not dataset.classes:
        raise ValueError(f"pairs are labeled by classes; {dataset.name} is for regression")
    return np.random.default_rng(0)


def _pairs(dataset: Dataset, name: str, first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> Dataset:
    inputs = np.concatenate([dataset.inputs[first], dataset.inputs[second]], axis=1)
    return Dataset(f"{dataset.name}, {name}", inputs, labels, dataset.classes, inputs.shape[1:])
