"""The examples of a stack: each replica's split, its labels, and the order of its batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments import data
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.plan import Replica


class Examples:
    """The inputs and labels of a stack's replicas, with a first axis of replicas.

    >>> from dropout_lab.experiments.plan import Recipe
    >>> examples = Examples(data.digits(), [Replica("a", 0, Recipe())], "cpu")
    >>> inputs, labels = next(examples.drawn(batch_size=50, steps=1))
    >>> inputs.shape, labels.shape
    (torch.Size([1, 50, 64]), torch.Size([1, 50]))
    """

    def __init__(self, dataset: Dataset, replicas: Sequence[Replica], device: str | torch.device) -> None:
        self._seeds = [replica.seed for replica in replicas]
        self.splits = [data.split(dataset, replica.recipe.train_size, replica.seed) for replica in replicas]
        self._inputs = _tensor(dataset.inputs).to(device)
        self._indices = {
            part: torch.from_numpy(np.stack([getattr(split, part) for split in self.splits])).to(device)
            for part in ("train", "test")
        }
        labels = _tensor(dataset.labels).to(device)
        self._labels = {part: labels[indices] for part, indices in self._indices.items()}
        for row, replica in enumerate(replicas):
            _replace_labels(self._labels["train"][row], replica, dataset.classes)

    def labels(self, part: str) -> Tensor:
        """Return the labels (S, n) of a part."""
        return self._labels[part]

    def all(self, part: str, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all examples of a part in batches of at most ``size``: inputs (S, b, features) and labels (S, b)."""
        indices, labels = self._indices[part], self._labels[part]
        for start in range(0, indices.shape[1], size):
            chosen = slice(start, start + size)
            yield self._at(indices[:, chosen]), labels[:, chosen]

    def some(self, part: str, count: int) -> tuple[Tensor, Tensor]:
        """Return ``count`` examples of a part, evenly spaced through the data, or all if there are fewer."""
        indices, labels = self._indices[part], self._labels[part]
        count = min(count, indices.shape[1])
        chosen = torch.arange(count, device=indices.device) * indices.shape[1] // count
        return self._at(indices[:, chosen]), labels[:, chosen]

    def drawn(self, batch_size: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches for training.

        Each replica goes through its examples in an order of its own, epoch after epoch.
        """
        indices, labels = self._indices["train"], self._labels["train"]
        sources = [stream(seed, Purpose.ORDER) for seed in self._seeds]
        size = indices.shape[1]
        waiting = torch.empty(len(sources), 0, dtype=torch.int64)
        for _ in range(steps):
            if waiting.shape[1] < batch_size:
                epoch = torch.from_numpy(np.stack([source.permutation(size) for source in sources]))
                waiting = torch.cat([waiting, epoch], 1)
            chosen = waiting[:, :batch_size].to(indices.device)
            waiting = waiting[:, batch_size:]
            yield self._at(indices.gather(1, chosen)), labels.gather(1, chosen)

    def _at(self, indices: Tensor) -> Tensor:
        return self._inputs.index_select(0, indices.flatten()).view(*indices.shape, -1)


def _tensor(array: np.ndarray) -> Tensor:
    """The array as a tensor; copied if it is read-only, as a worker's are that came through a memory map."""
    return torch.from_numpy(np.require(array, requirements="W"))


def _replace_labels(labels: Tensor, replica: Replica, classes: int) -> None:
    """Replace the recipe's fraction of one replica's training labels, in place, by classes drawn uniformly."""
    count = round(replica.recipe.label_noise * len(labels))
    if not count:
        return
    if not classes:
        raise ValueError("label_noise needs classes; this data set is for regression")
    random = stream(replica.seed, Purpose.LABELS)
    # Drawn for all, then used for some: with more noise the same labels are wrong, and others besides.
    order, drawn = random.permutation(len(labels)), random.integers(0, classes, len(labels))
    chosen = torch.from_numpy(order[:count]).to(labels.device)
    labels[chosen] = torch.from_numpy(drawn[order[:count]]).to(labels)
