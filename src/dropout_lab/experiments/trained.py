"""A stack of trained networks, as the measures see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.data import Dataset, Split
from dropout_lab.experiments.draws import Purpose
from dropout_lab.experiments.examples import Examples
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.places import At
from dropout_lab.experiments.plan import Replica


class Trained:
    """A stack of trained networks, to be measured.

    ``replicas`` (S) say what each is; ``parameters`` are stacked tensors with the first axis S. All methods are in eval
    mode unless an ``at`` with noise is passed.
    """

    def __init__(self, dataset: Dataset, replicas: Sequence[Replica], parameters: dict[str, Tensor]) -> None:
        self.dataset = dataset
        self.replicas = tuple(replicas)
        self.parameters = parameters
        self.network = replicas[0].recipe.network
        self._examples = Examples(dataset, replicas, next(iter(parameters.values())).device)
        self._predictions: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.replicas)

    @property
    def splits(self) -> list[Split]:
        """Each replica's split of the data."""
        return self._examples.splits

    def examples(self, part: Literal["train", "test"] = "test", size: int = 500) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (S, b, features) and labels (S, b) in batches of at most ``size``; training labels with their noise."""
        return self._examples.all(part, size)

    def forward(self, inputs: Tensor, at: At | None = None) -> Tensor:
        """Outputs (S, b, outputs) for inputs (S, b, features), with whatever ``at`` does at the places."""
        return self.network.forward(self.parameters, inputs, At() if at is None else at)

    @torch.no_grad()
    def outputs(self, part: Literal["train", "test"] = "test", at: At | None = None) -> Tensor:
        """Outputs (S, n, outputs) for all examples of a part; in eval mode they are computed once."""
        if at is not None:
            return torch.cat([self.forward(inputs, at) for inputs, _ in self.examples(part)], 1)
        if part not in self._predictions:
            self._predictions[part] = self.outputs(part, At())
        return self._predictions[part]

    def labels(self, part: Literal["train", "test"] = "test") -> Tensor:
        """Labels (S, n) of a part, those of the training part with their noise."""
        return self._examples.labels(part)

    def noisy(self, key: int = 0) -> Noisy:
        """The training noise, drawn by streams of their own: for Monte Carlo averages, or a mask left on at test time."""
        return Noisy(self.replicas, self.parameters, Purpose.MEASURE, key)


def mean_loss(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """Each replica's mean loss (S,): cross-entropy in nats, or the squared error for regression."""
    return example_losses(dataset, outputs, labels).mean(1)


def example_losses(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """The loss of each example, (S, b), for outputs (S, b, outputs) and labels (S, b)."""
    if not dataset.classes:
        return (outputs.squeeze(-1) - labels).square()
    return F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
