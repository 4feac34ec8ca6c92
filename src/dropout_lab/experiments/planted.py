"""Real images with two planted cards, so that it is known which features need a partner.

A card is one of K symbols, K the number of classes, written as a one-hot code of K further inputs. What the two cards say
about the class is chosen; the images and the labels are left as they are.
"""

from __future__ import annotations

import numpy as np

from dropout_lab.experiments.data import Dataset

#: How often a witness names the class; otherwise its card is drawn from all K symbols.
WITNESS_KNOWS = 0.7


def partners(dataset: Dataset) -> Dataset:
    """Two cards that tell the class exactly, but only together: the second is the first plus the class, modulo K.

    Either card alone is uniform and independent of the class, so a unit that reads one without the other learns nothing
    from it.
    """
    random, labels = _stream(dataset), dataset.labels
    first = random.integers(0, dataset.classes, len(labels))
    return _with_cards(dataset, "partners", first, (first + labels) % dataset.classes)


def witnesses(dataset: Dataset) -> Dataset:
    """Two cards that each name the class by themselves, and are each wrong now and then, independently.

    With the probability 0.7 a witness knows the class and shows it; otherwise it shows any symbol.
    """
    random, labels = _stream(dataset), dataset.labels
    knows = random.random((2, len(labels))) < WITNESS_KNOWS
    guesses = random.integers(0, dataset.classes, (2, len(labels)))
    return _with_cards(dataset, "witnesses", *np.where(knows, labels, guesses))


def bystanders(dataset: Dataset) -> Dataset:
    """Two cards that have nothing to do with the class, each by itself nor both together."""
    cards = _stream(dataset).integers(0, dataset.classes, (2, len(dataset.labels)))
    return _with_cards(dataset, "bystanders", *cards)


def _stream(dataset: Dataset) -> np.random.Generator:
    """Always the same numbers: the cards belong to the data, not to a replica."""
    if not dataset.classes:
        raise ValueError(f"cards show classes; {dataset.name} is for regression")
    return np.random.default_rng(0)


def _with_cards(dataset: Dataset, name: str, first: np.ndarray, second: np.ndarray) -> Dataset:
    codes = np.eye(dataset.classes, dtype=np.float32)
    inputs = np.concatenate([dataset.inputs, codes[first], codes[second]], axis=1)
    return Dataset(f"{dataset.name}, {name}", inputs, dataset.labels, dataset.classes, inputs.shape[1:], dataset.held_out)
