"""A small convolutional network for stacks: the replicas are the groups of one grouped convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks import Parameters, dense_layers, he_normal
from dropout_lab.experiments.places import At


@dataclass(frozen=True)
class CNN:
    """Convolutions of 3×3, each followed by ReLU and pooling over 2×2, then dense ReLU layers.

    ``channels`` and ``hidden`` are the widths; ``image`` is (channels, height, width) of the data. Places: ``input``,
    as an image; ``features1`` … after each pooling, (B, C, H, W); ``hidden1`` … after each dense ReLU; ``weight1`` …
    for the dense weights, the last included."""

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    image: tuple[int, int, int] = (1, 14, 14)
    sequential: ClassVar[bool] = True

    def places(self) -> tuple[str, ...]:
        features = tuple(f"features{layer}" for layer in range(1, len(self.channels) + 1))
        dense = range(1, len(self.hidden) + 1)
        weights = (f"weight{layer}" for layer in (*dense, len(self.hidden) + 1))
        return ("input", *features, *(f"hidden{layer}" for layer in dense), *weights)

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        if dataset.shape != self.image:
            raise ValueError(
                f"the network takes images of shape {self.image}; those of {dataset.name} are {dataset.shape}"
            )
        parameters = {}
        before, height, width = self.image
        for layer, after in enumerate(self.channels, 1):
            parameters[f"weight_filters{layer}"] = he_normal(random, (after, before, 3, 3), 9 * before)
            parameters[f"bias_filters{layer}"] = np.zeros(after, np.float32)
            before, height, width = after, height // 2, width // 2
        return parameters | dense_layers(random, (before * height * width, *self.hidden, dataset.outputs))

    def incoming(self, name: str) -> tuple[int, ...]:
        return (2, 3, 4) if name.startswith("weight_filters") else (1,)

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        stack = len(inputs)
        values = at("input", inputs.unflatten(-1, self.image))
        for layer in range(1, len(self.channels) + 1):
            weight, bias = parameters[f"weight_filters{layer}"], parameters[f"bias_filters{layer}"]
            # (S, B, C, H, W) side by side as (B, S · C, H, W): each group of channels has its replica's filters.
            # Channels last, which pooling and its gradient read several times faster.
            side_by_side = values.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
            maps = F.conv2d(side_by_side, weight.flatten(0, 1), bias.flatten(), padding=1, groups=stack)
            maps = F.max_pool2d(maps, 2).relu_()
            values = at(f"features{layer}", maps.unflatten(1, (stack, -1)).transpose(0, 1))
        values = values.flatten(2)
        for layer in range(1, len(self.hidden) + 1):
            summed = at.linear(f"weight{layer}", values, parameters[f"weight{layer}"], parameters[f"bias{layer}"])
            values = at(f"hidden{layer}", summed.relu_())
        last = len(self.hidden) + 1
        return at.linear(f"weight{last}", values, parameters[f"weight{last}"], parameters[f"bias{last}"])
