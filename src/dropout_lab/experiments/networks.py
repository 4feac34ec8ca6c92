"""Networks whose parameters carry a first axis of replicas: one call runs the whole stack.

A network is a frozen description. ``initial`` draws one replica's parameters; ``forward`` takes the stacked ones and
asks ``at`` at each of its places what happens there: nothing, noise, a recording, or the removal of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.places import At

Parameters = Mapping[str, Tensor]


class Network(Protocol):
    """What replicas ask of a network."""

    def places(self) -> tuple[str, ...]:
        """Where noise can stand. A place's kind is its name without the number: ``hidden2`` is of the kind ``hidden``."""

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        """One replica's parameters, float32. Names that begin with ``weight`` decay and obey the max-norm."""

    def incoming(self, name: str) -> tuple[int, ...]:
        """The axes of a stacked weight that run over what comes into a unit; its max-norm is taken over them."""

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        """Stacked inputs (S, B, features) to outputs (S, B, outputs)."""


@dataclass(frozen=True)
class MLP:
    """ReLU layers of the widths given. Places: ``input``; ``hidden1`` … after each ReLU; ``weight1`` … for weights."""

    hidden: tuple[int, ...]

    def places(self) -> tuple[str, ...]:
        layers = range(1, len(self.hidden) + 1)
        hidden = tuple(f"hidden{layer}" for layer in layers)
        return ("input", *hidden, *(f"weight{layer}" for layer in (*layers, len(self.hidden) + 1)))

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        sizes = (dataset.features, *self.hidden, dataset.outputs)
        parameters = {}
        for layer, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
            parameters[f"weight{layer}"] = he_normal(random, (fan_in, fan_out), fan_in)
            parameters[f"bias{layer}"] = np.zeros(fan_out, np.float32)
        return parameters

    def incoming(self, name: str) -> tuple[int, ...]:
        return (1,)

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        values = at("input", inputs)
        last = len(self.hidden) + 1
        for layer in range(1, last):
            summed = at.linear(f"weight{layer}", values, parameters[f"weight{layer}"], parameters[f"bias{layer}"])
            values = at(f"hidden{layer}", summed.relu())
        return at.linear(f"weight{last}", values, parameters[f"weight{last}"], parameters[f"bias{last}"])


def he_normal(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Weights from N(0, 2/fan_in), float32 (He et al. 2015, equation 10)."""
    return random.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)
