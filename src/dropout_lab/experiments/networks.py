"""Dense networks whose parameters carry a first axis of replicas: one call runs the whole stack.

A network is a frozen description. ``initial`` draws one replica's parameters; ``forward`` takes the stacked ones and
asks ``at`` at each of its places what happens there: nothing, noise, a recording, or the removal of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.places import At

Parameters = Mapping[str, Tensor]

#: How much of the running statistics one batch replaces, and what is added to a variance: torch's defaults.
_MOMENTUM, _EPSILON = 0.1, 1e-5


class Network(Protocol):
    """What replicas ask of a network."""

    #: Whether what comes after a place depends on what comes before it through the values at that place alone.
    sequential: bool

    def places(self) -> tuple[str, ...]:
        """Where noise can stand. A place's kind is its name without the number: ``hidden2`` is of the kind
        ``hidden``."""

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        """One replica's parameters, float32. Names that begin with ``weight`` decay and obey the max-norm; those that
        begin with ``running`` are statistics that no gradient changes."""

    def incoming(self, name: str) -> tuple[int, ...]:
        """The axes of a stacked weight that run over what comes into a unit; its max-norm is taken over them."""

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        """Stacked inputs (S, B, features) to outputs (S, B, outputs)."""


@dataclass(frozen=True)
class MLP:
    """ReLU layers of the widths given, each with batch normalization before its ReLU if asked for.

    Places: ``input``; ``hidden1`` … after each ReLU; ``weight1`` … for the weights of each layer, the last included;
    ``sum1`` … what goes into each normalization.
    """

    hidden: tuple[int, ...]
    batch_norm: bool = False
    sequential: ClassVar[bool] = True

    def places(self) -> tuple[str, ...]:
        layers = range(1, len(self.hidden) + 1)
        hidden = tuple(f"hidden{layer}" for layer in layers)
        weights = tuple(f"weight{layer}" for layer in (*layers, len(self.hidden) + 1))
        return ("input", *hidden, *weights, *(f"sum{layer}" for layer in layers if self.batch_norm))

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        parameters = dense_layers(random, (dataset.features, *self.hidden, dataset.outputs))
        if self.batch_norm:
            for layer, width in enumerate(self.hidden, 1):
                for name, value in (("scale", 1), ("shift", 0), ("running_mean", 0), ("running_variance", 1)):
                    parameters[f"{name}{layer}"] = np.full(width, value, np.float32)
        return parameters

    def incoming(self, name: str) -> tuple[int, ...]:
        return (1,)

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        values = at("input", inputs)
        last = len(self.hidden) + 1
        for layer in range(1, last):
            values = _dense(parameters, values, at, layer)
            if self.batch_norm:
                values = _normalized(parameters, at(f"sum{layer}", values), at.training, layer)
            values = at(f"hidden{layer}", values.relu_())
        return _dense(parameters, values, at, last)


@dataclass(frozen=True)
class ResidualMLP:
    """A ReLU network of constant width with shortcuts: ``blocks`` times h ← h + V relu(U relu(h)).

    Places: ``input``; ``branch1`` … what a block adds to its shortcut; ``hidden1`` … inside a block. V starts smaller
    by 1/√blocks, so that the sum of all branches starts at the scale of one."""

    width: int
    blocks: int
    sequential: ClassVar[bool] = False

    def places(self) -> tuple[str, ...]:
        numbers = range(1, self.blocks + 1)
        return ("input", *(f"branch{number}" for number in numbers), *(f"hidden{number}" for number in numbers))

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        sizes = (dataset.features, *[self.width] * (1 + 2 * self.blocks), dataset.outputs)
        parameters = dense_layers(random, sizes)
        for block in range(self.blocks):
            parameters[f"weight{2 * block + 3}"] /= np.float32(self.blocks**0.5)
        return parameters

    def incoming(self, name: str) -> tuple[int, ...]:
        return (1,)

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        values = _dense(parameters, at("input", inputs), at, 1)
        for block in range(1, self.blocks + 1):
            inner = at(f"hidden{block}", _dense(parameters, values.relu(), at, 2 * block).relu())
            values = values + at(f"branch{block}", _dense(parameters, inner, at, 2 * block + 1))
        return _dense(parameters, values.relu(), at, 2 * self.blocks + 2)


def he_normal(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Weights from N(0, 2/fan_in), float32 (He et al. 2015, equation 10)."""
    return random.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)


def dense_layers(random: np.random.Generator, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """``weight1``, ``bias1``, … of dense layers between sizes: weights (in, out), biases 0."""
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        parameters[f"weight{layer}"] = he_normal(random, (fan_in, fan_out), fan_in)
        parameters[f"bias{layer}"] = np.zeros(fan_out, np.float32)
    return parameters


def _dense(parameters: Parameters, values: Tensor, at: At, layer: int) -> Tensor:
    return at.linear(f"weight{layer}", values, parameters[f"weight{layer}"], parameters[f"bias{layer}"])


def _normalized(parameters: Parameters, values: Tensor, training: bool, layer: int) -> Tensor:
    """Batch normalization over axis 1 of (S, B, features); in training it remembers the statistics."""
    scale, shift, mean, variance = (
        parameters[f"{name}{layer}"].unsqueeze(1) for name in ("scale", "shift", "running_mean", "running_variance")
    )
    if training:
        remembered = mean, variance
        mean, variance = values.mean(1, keepdim=True), values.var(1, keepdim=True, correction=0)
        unbiased = values.shape[1] / (values.shape[1] - 1)
        with torch.no_grad():
            remembered[0].lerp_(mean, _MOMENTUM)
            remembered[1].lerp_(variance * unbiased, _MOMENTUM)
    return (values - mean) * ((variance + _EPSILON).rsqrt() * scale) + shift
