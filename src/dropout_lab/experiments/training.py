"""Training one stack: many networks of one form, each with its own data, draws and settings, in one batched pass.

The sum of the replicas' losses is differentiated; since no replica's loss depends on another's weights, each gets its
own gradient. Nothing here knows of other stacks or of workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments import data
from dropout_lab.experiments.data import Dataset, Split
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.family import Noise, Sampler
from dropout_lab.experiments.networks import MLP, At, Network
from dropout_lab.experiments.optimizers import OPTIMIZERS, Settings

#: Recipe fields in which the replicas of one stack may differ (noise too, in its keep probabilities).
VARIED = ("noise", "learning_rate", "momentum", "weight_decay", "max_norm", "label_noise")


@dataclass(frozen=True)
class Recipe:
    """How one network is trained; :func:`dataclasses.replace` and :meth:`with_noise` make the arms of an experiment.

    ``noise`` says which member of the family stands at which place, by a place's name (``hidden2``) or by its kind
    (``hidden``: all hidden layers). ``train_size`` examples, balanced by class, are drawn by the seed; ``label_noise`` is
    the fraction of them whose label is replaced by one drawn uniformly from all classes. The learning rate decays to 0
    (``linear``) or stays (``constant``). ``weight_decay`` λ adds λw to the gradient of each weight, biases excepted (to the
    weight itself for ``adamw``). ``max_norm`` bounds the norm of the weights that come into a unit. A step averages the
    gradient over ``masks_per_step`` draws of the noise for each example.
    """

    network: Network = MLP((128, 128))
    noise: Mapping[str, Noise] = field(default_factory=dict)
    train_size: int = 500
    label_noise: float = 0.0
    steps: int = 1000
    batch_size: int = 50
    learning_rate: float = 0.05
    schedule: Literal["linear", "constant"] = "linear"
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    max_norm: float = float("inf")
    masks_per_step: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.train_size:
            raise ValueError(f"batch_size must lie in 1 … train_size = {self.train_size}, got {self.batch_size}")
        if not 0 <= self.label_noise <= 1:
            raise ValueError(f"label_noise is a fraction from 0 to 1, got {self.label_noise}")
        for name in ("steps", "masks_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.schedule not in ("linear", "constant"):
            raise ValueError(f"schedule must be 'linear' or 'constant', got {self.schedule!r}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        self.noise_by_place()

    def with_noise(self, **places: Noise) -> Recipe:
        """The same recipe with noise at these places, beside what stands elsewhere already."""
        return replace(self, noise={**self.noise, **places})

    def noise_by_place(self) -> dict[str, Noise]:
        """The noise at each place that has one. Raises ValueError for a place that the network does not have."""
        places = self.network.places()
        known = {*places, *map(_kind, places)}
        if unknown := sorted(set(self.noise) - known):
            raise ValueError(f"the network has no place {unknown[0]!r}; its places are {', '.join(places)}")
        found = {place: self.noise.get(place, self.noise.get(_kind(place))) for place in places}
        return {place: noise for place, noise in found.items() if noise is not None}


@dataclass(frozen=True)
class Replica:
    """One network of a stack: the arm that it belongs to, its seed, and how it is trained."""

    arm: str
    seed: int
    recipe: Recipe


class Noisy(At):
    """Noise at the places of a stack, drawn anew at each call."""

    def __init__(self, replicas: Sequence[Replica], purpose: Purpose, *key: int) -> None:
        network = replicas[0].recipe.network
        found = [replica.recipe.noise_by_place() for replica in replicas]
        self._samplers: dict[str, Sampler] = {}
        for number, place in enumerate(network.places()):
            noises = [noise.get(place) for noise in found]
            some = next((noise for noise in noises if noise is not None), None)
            if some is not None:
                keep_probs = [1.0 if noise is None else noise.keep_prob for noise in noises]
                streams = [stream(replica.seed, purpose, number, *key) for replica in replicas]
                self._samplers[place] = some.sampler(keep_probs, streams)

    def __call__(self, place: str, values: Tensor) -> Tensor:
        sampler = self._samplers.get(place)
        return values if sampler is None else sampler(values)


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
        self._examples = _Examples(dataset, replicas, next(iter(parameters.values())).device)
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
        return Noisy(self.replicas, Purpose.MEASURE, key)


def train(dataset: Dataset, replicas: Sequence[Replica], device: str = "cpu") -> Trained:
    """Train a stack and return it. The replicas' recipes may differ in :data:`VARIED` only."""
    recipe = replicas[0].recipe
    parameters = _initial(dataset, replicas, device)
    settings = Settings.of([replica.recipe for replica in replicas], device)
    optimizer = OPTIMIZERS[recipe.optimizer](parameters, settings)
    examples = _Examples(dataset, replicas, device)
    noise = Noisy(replicas, Purpose.NOISE)
    limits = {
        name: recipe.network.incoming(name)
        for name in parameters
        if name.startswith("weight") and any(np.isfinite(replica.recipe.max_norm) for replica in replicas)
    }
    for step, (inputs, labels) in enumerate(examples.drawn(recipe.batch_size, recipe.steps)):
        if recipe.masks_per_step > 1:
            inputs, labels = (part.repeat_interleave(recipe.masks_per_step, 1) for part in (inputs, labels))
        outputs = recipe.network.forward(parameters, inputs, noise)
        loss = mean_loss(dataset, outputs, labels).sum()
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        factor = 1 - step / recipe.steps if recipe.schedule == "linear" else 1.0
        with torch.no_grad():
            optimizer.step(gradients, factor)
            for name, axes in limits.items():
                _limit(parameters[name], axes, settings.max_norm)
    return Trained(dataset, replicas, {name: value.detach() for name, value in parameters.items()})


def mean_loss(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """Each replica's mean loss (S,): cross-entropy in nats, or the squared error for regression."""
    return example_losses(dataset, outputs, labels).mean(1)


def example_losses(dataset: Dataset, outputs: Tensor, labels: Tensor) -> Tensor:
    """The loss of each example, (S, b), for outputs (S, b, outputs) and labels (S, b)."""
    if not dataset.classes:
        return (outputs.squeeze(-1) - labels).square()
    return F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def _initial(dataset: Dataset, replicas: Sequence[Replica], device: str) -> dict[str, Tensor]:
    drawn = [
        replica.recipe.network.initial(dataset, stream(replica.seed, Purpose.WEIGHTS)) for replica in replicas
    ]
    return {
        name: torch.from_numpy(np.stack([one[name] for one in drawn])).to(device).requires_grad_() for name in drawn[0]
    }


def _limit(weight: Tensor, axes: tuple[int, ...], bounds: Tensor) -> None:
    """Shrink what is longer than its replica's bound, in place."""
    norms = torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
    weight.mul_((bounds.view(-1, *[1] * (weight.dim() - 1)) / norms.clamp_min(1e-12)).clamp_max(1))


class _Examples:
    """The examples of a stack's replicas: their splits, their noisy labels and the order of their batches."""

    def __init__(self, dataset: Dataset, replicas: Sequence[Replica], device: str | torch.device) -> None:
        self._seeds = [replica.seed for replica in replicas]
        self.splits = [data.split(dataset, replica.recipe.train_size, replica.seed) for replica in replicas]
        self._inputs = torch.from_numpy(dataset.inputs).to(device)
        self._indices = {
            part: torch.from_numpy(np.stack([getattr(split, part) for split in self.splits])).to(device)
            for part in ("train", "test")
        }
        labels = torch.from_numpy(dataset.labels).to(device)
        self._labels = {part: labels[indices] for part, indices in self._indices.items()}
        for row, replica in enumerate(replicas):
            _replace_labels(self._labels["train"][row], replica, dataset.classes)

    def labels(self, part: str) -> Tensor:
        return self._labels[part]

    def all(self, part: str, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        indices, labels = self._indices[part], self._labels[part]
        for start in range(0, indices.shape[1], size):
            chosen = slice(start, start + size)
            yield self._at(indices[:, chosen]), labels[:, chosen]

    def drawn(self, batch_size: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches for training: each replica goes through its examples in an order of its own, epoch after epoch."""
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


def _kind(place: str) -> str:
    return re.sub(r"\d+$", "", place)
