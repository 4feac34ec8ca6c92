"""Dense networks: a plain one, with or without batch normalization, and one with shortcuts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks.base import At, Network, Parameters, at_weights, dense_start, numbered
from dropout_lab.experiments.networks.parts import Layer, Normalization, Place

#: How much of the running statistics one batch replaces, and what is added to a variance: torch's defaults.
_MOMENTUM, _EPSILON = 0.1, 1e-5


@dataclass(frozen=True)
class MLP(Network):
    """A multilayer perceptron: ReLU layers of given widths, with or without batch normalization.

    Its places are ``input``; ``hidden1`` … after each ReLU; ``weight1`` … at the weights of each layer, the last
    included; and ``sum1`` …, what goes into each normalization.

    Attributes
    ----------
    hidden:
        The widths of the hidden layers.
    batch_norm:
        Whether each hidden layer has batch normalization before its ReLU.

    >>> [str(place) for place in MLP((6,), batch_norm=True).places]
    ['input', 'hidden1', 'weight1', 'weight2', 'sum1']
    """

    hidden: tuple[int, ...]
    batch_norm: bool = False
    sequential: ClassVar[bool] = True

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return numbered(len(self.hidden) + 1)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        layers = self.layers
        hidden = (
            Place("hidden", number, "N D", (layers[number],), None if self.batch_norm else layers[number - 1])
            for number in range(1, len(layers))
        )
        sums = (one.place for one in self.normalizations)
        return (Place("input", None, "N D", layers[:1]), *hidden, *at_weights(layers), *sums)

    @cached_property
    def normalizations(self) -> tuple[Normalization, ...]:
        numbers = range(1, len(self.layers)) if self.batch_norm else ()
        return tuple(Normalization(Place("sum", number, "N D")) for number in numbers)

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        parameters = dense_start(random, self.layers, (dataset.features, *self.hidden, dataset.outputs))
        for one, width in zip(self.normalizations, self.hidden, strict=False):
            for name, value in ((one.scale, 1), (one.shift, 0), (one.mean, 0), (one.variance, 1)):
                parameters[name] = np.full(width, value, np.float32)
        return parameters

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        values = at(self.place("input"), inputs)
        for number, (layer, place) in enumerate(zip(self.layers[:-1], self.of_kind("hidden"), strict=True)):
            values = at.linear(layer, values, parameters)
            if self.batch_norm:
                one = self.normalizations[number]
                values = _normalized(parameters, at(one.place, values), at.training, one)
            values = at(place, values.relu_())
        return self.read(parameters, values, at)

    def read(self, parameters: Parameters, values: Tensor, at: At) -> Tensor:
        """Compute the outputs (S, B, outputs) for what the last layer reads (S, B, n)."""
        return at.linear(self.layers[-1], values, parameters)


@dataclass(frozen=True)
class PartedMLP(MLP):
    """An :class:`MLP` whose last hidden layer is trained in ``parts``, each of which has to do without the others.

    A part is a run of neighboring units. It gives ``parts`` times what these add to the outputs, plus the bias, so that
    the outputs, which are those of the MLP, are the mean of what the parts give. In training the outputs are (S, B ·
    parts, outputs), row b · parts + i for example b and part i, so that the loss is the mean of the parts' losses and
    not the loss of their mean. With one part the two are the same. Raises ValueError for a number of parts that does
    not divide the width of the last hidden layer.

    Attributes
    ----------
    parts:
        The number of parts.

    >>> PartedMLP((6, 4), parts=3)
    Traceback (most recent call last):
        ...
    ValueError: parts must divide the width 4 of the last hidden layer, got 3
    """

    parts: int = 1

    def __post_init__(self) -> None:
        if self.parts < 1 or self.hidden[-1] % self.parts:
            width = self.hidden[-1]
            raise ValueError(f"parts must divide the width {width} of the last hidden layer, got {self.parts}")

    def read(self, parameters: Parameters, values: Tensor, at: At) -> Tensor:
        if not at.training or self.parts == 1:
            return super().read(parameters, values, at)
        alone = torch.eye(self.parts, device=values.device).repeat_interleave(self.hidden[-1] // self.parts, 1)
        return super().read(parameters, (values.unsqueeze(2) * (self.parts * alone)).flatten(1, 2), at)


@dataclass(frozen=True)
class ResidualMLP(Network):
    r"""A ReLU network of constant width with shortcuts.

    Each of its blocks computes :math:`h \leftarrow h + V \max(0, U \max(0, h))`. Its places are ``input``; ``branch1``
    …, what a block adds to its shortcut; and ``hidden1`` … inside a block. Nothing linear reads a branch: the layers
    after it read the ReLU of h, of which it is a summand. V starts smaller by :math:`1/\sqrt{\text{blocks}}`, so that
    the sum of all branches starts at the scale of one.

    Attributes
    ----------
    width:
        The number of units of each layer.
    blocks:
        The number of blocks.

    >>> network = ResidualMLP(64, 2)
    >>> [(place.name, [layer.weight for layer in place.readers]) for place in network.places]
    [('input', ['weight1']), ('branch1', []), ('branch2', []), ('hidden1', ['weight3']), ('hidden2', ['weight5'])]
    """

    width: int
    blocks: int
    sequential: ClassVar[bool] = False

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return numbered(2 * self.blocks + 2)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        numbers = range(1, self.blocks + 1)
        inner, outer = self.layers[1:-1:2], self.layers[2:-1:2]
        return (
            Place("input", None, "N D", self.layers[:1]),
            *(Place("branch", number, "N D") for number in numbers),
            *(Place("hidden", number, "N D", (outer[number - 1],), inner[number - 1]) for number in numbers),
        )

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        sizes = (dataset.features, *[self.width] * (1 + 2 * self.blocks), dataset.outputs)
        parameters = dense_start(random, self.layers, sizes)
        for place in self.of_kind("hidden"):
            (outer,) = place.readers
            parameters[outer.weight] /= np.float32(self.blocks**0.5)
        return parameters

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        first, *inside, last = self.layers
        values = at.linear(first, at(self.place("input"), inputs), parameters)
        blocks = zip(inside[::2], inside[1::2], self.of_kind("hidden"), self.of_kind("branch"), strict=True)
        for inner, outer, hidden, branch in blocks:
            units = at(hidden, at.linear(inner, values.relu(), parameters).relu())
            values = values + at(branch, at.linear(outer, units, parameters))
        return at.linear(last, values.relu(), parameters)


def _normalized(parameters: Parameters, values: Tensor, training: bool, one: Normalization) -> Tensor:
    """Batch normalization over axis 1 of (S, B, features); in training it remembers the statistics."""
    scale, shift, mean, variance = (
        parameters[name].unsqueeze(1) for name in (one.scale, one.shift, one.mean, one.variance)
    )
    if training:
        remembered = mean, variance
        mean, variance = values.mean(1, keepdim=True), values.var(1, keepdim=True, correction=0)
        unbiased = values.shape[1] / (values.shape[1] - 1)
        with torch.no_grad():
            remembered[0].lerp_(mean, _MOMENTUM)
            remembered[1].lerp_(variance * unbiased, _MOMENTUM)
    return (values - mean) * ((variance + _EPSILON).rsqrt() * scale) + shift
