"""A stack of trained networks, as the measures see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.data import Dataset, Split
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.examples import Examples
from dropout_lab.experiments.networks import At
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.places import FixedSets
from dropout_lab.experiments.plan import Replica

Part = Literal["train", "test"]


class Trained:
    """A stack of trained networks, to be measured.

    ``replicas``, S of them, say what each is; ``parameters`` are stacked tensors with the first axis S. All methods are
    in eval mode unless an ``at`` with noise is passed.

    >>> from dropout_lab.experiments.training import quick
    >>> trained = quick()
    >>> trained.outputs().shape, trained.outputs("train").shape, len(trained.splits)
    (torch.Size([2, 1697, 10]), torch.Size([2, 100, 10]), 2)
    """

    def __init__(self, dataset: Dataset, replicas: Sequence[Replica], parameters: dict[str, Tensor]) -> None:
        self.dataset = dataset
        self.replicas = tuple(replicas)
        self.parameters = parameters
        (self.network,) = {replica.recipe.network for replica in replicas}
        self.device = next(iter(parameters.values())).device
        self._examples = Examples(dataset, replicas, self.device)
        self._outputs: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.replicas)

    @property
    def splits(self) -> list[Split]:
        """The split of the data of each replica."""
        return self._examples.splits

    def examples(self, part: Part = "test", size: int = 500) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (S, b, features) and labels (S, b) in batches of at most ``size``.

        The labels of the training part come with their noise.
        """
        return self._examples.all(part, size)

    def sample(self, count: int, part: Part = "test") -> tuple[Tensor, Tensor]:
        """Return inputs (S, count, features) and labels (S, count) of examples evenly spaced through a part."""
        return self._examples.some(part, count)

    def labels(self, part: Part = "test") -> Tensor:
        """Return the labels (S, n) of a part, those of the training part with their noise."""
        return self._examples.labels(part)

    def forward(self, inputs: Tensor, at: At | None = None, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Compute outputs (S, b, outputs) for inputs (S, b, features), with whatever ``at`` does at the places.

        Other ``parameters`` may stand in for the trained ones.
        """
        return self.network.forward(self.parameters if parameters is None else parameters, inputs, at or At())

    def forward_sets(
        self, inputs: Tensor, factors: Mapping[str, Tensor], parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Compute outputs (S, b, sets, outputs) under each of several sets of ``factors``.

        The factors are those that :class:`.places.FixedSets` takes; without factors there is one set, the network
        itself.
        """
        if not factors:
            return self.forward(inputs, parameters=parameters).unsqueeze(2)
        at = FixedSets(self.network, factors)
        return self.forward(inputs, at, parameters).unflatten(1, (inputs.shape[1], -1))

    @torch.no_grad()
    def outputs(self, part: Part = "test", at: At | None = None) -> Tensor:
        """Return outputs (S, n, outputs) for all examples of a part; in eval mode they are computed once."""
        if at is not None:
            return torch.cat([self.forward(inputs, at) for inputs, _ in self.examples(part)], 1)
        if part not in self._outputs:
            self._outputs[part] = self.outputs(part, At())
        return self._outputs[part]

    def noisy(self, key: int = 0) -> Noisy:
        """Return the training noise, drawn by streams of their own.

        It is for Monte Carlo averages, or for a mask left on at test time.
        """
        return Noisy(self.replicas, self.parameters, Purpose.MEASURE, key)

    def streams(self, key: int) -> list[np.random.Generator]:
        """Return a stream for each replica that a measure may draw from.

        Measures with other keys draw other numbers.
        """
        return [stream(replica.seed, Purpose.MEASURE, 1000 + key) for replica in self.replicas]


def mean_loss(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """Compute each replica's mean loss (S,): cross-entropy in nats, or the squared error for regression.

    >>> from dropout_lab.experiments.data import digits
    >>> mean_loss(digits(), torch.zeros(1, 2, 10), torch.zeros(1, 2, dtype=torch.int64)).exp()
    tensor([10.])
    """
    return example_losses(dataset, outputs, labels).mean(1)


def example_losses(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss of each example, (S, b), for outputs (S, b, outputs) and labels (S, b).

    >>> from dropout_lab.experiments.data import digits
    >>> example_losses(digits(), torch.zeros(1, 2, 10), torch.zeros(1, 2, dtype=torch.int64)).exp()
    tensor([[10., 10.]])
    """
    if not dataset.classes:
        return (outputs.squeeze(-1) - labels).square()
    # With the classes on the middle axis torch works along the examples, several times faster for few classes.
    return F.cross_entropy(outputs.transpose(1, 2), labels, reduction="none")
