"""A small convolutional network for stacks: the replicas are the groups of one grouped convolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks.base import At, Network, Parameters, at_weights, dense_start, he_normal, numbered
from dropout_lab.experiments.networks.parts import Layer, Place


@dataclass(frozen=True)
class CNN(Network):
    """A convolutional network: convolutions of 3×3, each followed by ReLU and pooling over 2×2, then dense ReLU layers.

    Its places are ``input``, as an image; ``features1`` … after each pooling, (B, C, H, W); ``hidden1`` … after each
    dense ReLU; and ``weight1`` … at the dense weights, the last included. Filters read each map but the last, which the
    first dense layer reads, flattened.

    Attributes
    ----------
    channels:
        The numbers of channels of the convolutions.
    hidden:
        The widths of the dense hidden layers.
    image:
        The shape of the images: (channels, height, width).

    >>> [str(place) for place in CNN((8, 16), (64,)).places]
    ['input', 'features1', 'features2', 'hidden1', 'weight1', 'weight2']
    >>> [layer.weight for layer in CNN((8, 16), (64,)).reader("features2")]
    ['weight1']
    """

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    image: tuple[int, int, int] = (1, 14, 14)
    sequential: ClassVar[bool] = True

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        filters = (
            Layer(f"weight_filters{number}", f"bias_filters{number}", "filters")
            for number in range(1, len(self.channels) + 1)
        )
        return (*filters, *numbered(len(self.hidden) + 1))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        layers, dense = self.layers, self._dense
        features = (
            Place("features", number, "N C H W", (layers[number],)) for number in range(1, len(self.channels) + 1)
        )
        hidden = (
            Place("hidden", number, "N D", (dense[number],), dense[number - 1]) for number in range(1, len(dense))
        )
        return (Place("input", None, "N C H W", layers[:1]), *features, *hidden, *at_weights(dense))

    @property
    def _dense(self) -> tuple[Layer, ...]:
        return self.layers[len(self.channels) :]

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        if dataset.shape != self.image:
            raise ValueError(
                f"the network takes images of shape {self.image}; those of {dataset.name} are {dataset.shape}"
            )
        parameters: dict[str, np.ndarray] = {}
        before, height, width = self.image
        for layer, after in zip(self.layers, self.channels, strict=False):
            parameters[layer.weight] = he_normal(random, (after, before, 3, 3), 9 * before)
            parameters[layer.bias] = np.zeros(after, np.float32)
            before, height, width = after, height // 2, width // 2
        return parameters | dense_start(random, self._dense, (before * height * width, *self.hidden, dataset.outputs))

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        stack = len(inputs)
        values = at(self.place("input"), inputs.unflatten(-1, self.image))
        for layer, place in zip(self.layers, self.of_kind("features"), strict=False):
            weight, bias = parameters[layer.weight], parameters[layer.bias]
            # (S, B, C, H, W) side by side as (B, S · C, H, W): each group of channels has its replica's filters.
            # Channels last, which pooling and its gradient read several times faster.
            side_by_side = values.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
            maps = F.conv2d(side_by_side, weight.flatten(0, 1), bias.flatten(), padding=1, groups=stack)
            maps = F.max_pool2d(maps, 2).relu_()
            values = at(place, maps.unflatten(1, (stack, -1)).transpose(0, 1))
        values = values.flatten(2)
        *inner, last = self._dense
        for layer, place in zip(inner, self.of_kind("hidden"), strict=True):
            values = at(place, at.linear(layer, values, parameters).relu_())
        return at.linear(last, values, parameters)
