"""What every network answers, what happens at its places by default, and how dense weights start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks.parts import WEIGHTS, Layer, Normalization, Place

#: The parameters of a stack by name, each with the first axis S.
Parameters = Mapping[str, Tensor]


class At:
    """What happens at the places of a network. This base class leaves everything as it is.

    >>> from dropout_lab.experiments.networks import MLP
    >>> values = torch.ones(1, 2, 4)
    >>> At()(MLP((4,)).place("hidden1"), values) is values
    True
    """

    #: Whether batch normalization uses the batch (and remembers it), or what it remembers.
    training = False

    def factor(self, place: Place, shape: tuple[int, ...]) -> Tensor | None:
        """Return what stacked values ``(S, *shape)`` at a place are multiplied by, or None."""
        return None

    def __call__(self, place: Place, values: Tensor) -> Tensor:
        """The values (S, B, …) at a place, changed or not."""
        factor = self.factor(place, tuple(values.shape[1:]))
        return values if factor is None else values * factor

    def linear(self, layer: Layer, values: Tensor, parameters: Parameters) -> Tensor:
        """Return the outputs (S, B, out) of a dense layer for ``values`` (S, B, in).

        The layer has weights (S, in, out) and a bias (S, out).
        """
        return torch.baddbmm(parameters[layer.bias].unsqueeze(1), values, parameters[layer.weight])


class Network(ABC):
    """The base class of all networks: a frozen description, whose parameters carry a first axis of replicas.

    >>> from dropout_lab.experiments.networks import MLP
    >>> network = MLP((6, 5))
    >>> [place.name for place in network.places]
    ['input', 'hidden1', 'hidden2', 'weight1', 'weight2', 'weight3']
    >>> [layer.weight for layer in network.reader("hidden1")]
    ['weight2']
    """

    #: Whether what comes after a place depends on what comes before it through the values at that place alone.
    sequential: ClassVar[bool]

    @property
    @abstractmethod
    def places(self) -> tuple[Place, ...]:
        """The places where noise can stand, in a fixed order.

        Streams of noise are numbered in this order, so it is part of every result.
        """

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """The linear maps, in the order in which a pass comes to them; the last gives the outputs."""

    @property
    def normalizations(self) -> tuple[Normalization, ...]:
        """The batch normalizations, in the order in which a pass comes to them."""
        return ()

    @abstractmethod
    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw one replica's parameters, float32, without axis S.

        They are the weights and biases of :attr:`layers`, and what :attr:`normalizations` learn and remember.
        """

    @abstractmethod
    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        """Compute the outputs (S, B, outputs) for stacked inputs (S, B, features)."""

    def place(self, name: str) -> Place:
        """Return the place of that name. Raises ValueError where the network has none."""
        if name not in self._by_name:
            raise ValueError(f"the network has no place {name!r}; its places are {', '.join(self._by_name)}")
        return self._by_name[name]

    def of_kind(self, kind: str) -> tuple[Place, ...]:
        """Return the places of a kind, in order; none where the network has no such places."""
        return self._by_kind.get(kind, ())

    def reader(self, place: Place | str) -> tuple[Layer, ...]:
        """Return the layers that read what is masked at a place, linearly and directly.

        See ``readers`` of :class:`.Place`.
        """
        return self.place(place if isinstance(place, str) else place.name).readers

    @property
    def weights(self) -> frozenset[str]:
        """The names of the parameters that decay and obey the max-norm."""
        return frozenset(layer.weight for layer in self.layers)

    @property
    def statistics(self) -> frozenset[str]:
        """The names of the parameters that no gradient changes."""
        return frozenset(name for one in self.normalizations for name in (one.mean, one.variance))

    @property
    def learned(self) -> frozenset[str]:
        """The names of the network's own parameters that gradients change."""
        layers = {name for layer in self.layers for name in (layer.weight, layer.bias)}
        return frozenset(layers | {name for one in self.normalizations for name in (one.scale, one.shift)})

    @cached_property
    def _by_name(self) -> dict[str, Place]:
        return {place.name: place for place in self.places}

    @cached_property
    def _by_kind(self) -> dict[str, tuple[Place, ...]]:
        kinds = dict.fromkeys(place.kind for place in self.places)
        return {kind: tuple(place for place in self.places if place.kind == kind) for kind in kinds}


def he_normal(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Draw weights from N(0, 2/fan_in), float32 (He et al. 2015, equation 10).

    >>> round(float(he_normal(np.random.default_rng(0), (1000, 50), 1000).std()), 3)
    0.045
    """
    return random.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)


def numbered(count: int) -> tuple[Layer, ...]:
    """``count`` dense layers, with the parameters ``weight1``, ``bias1``, …"""
    return tuple(Layer(f"weight{number}", f"bias{number}") for number in range(1, count + 1))


def at_weights(layers: Sequence[Layer]) -> tuple[Place, ...]:
    """The places ``weight1``, … at the weights of dense layers."""
    return tuple(Place("weight", number, WEIGHTS, (layer,)) for number, layer in enumerate(layers, 1))


def dense_start(random: np.random.Generator, layers: Sequence[Layer], sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """The parameters of dense layers between ``sizes``: weights (in, out) from :func:`he_normal`, biases 0."""
    parameters: dict[str, np.ndarray] = {}
    for layer, fan_in, fan_out in zip(layers, sizes, sizes[1:], strict=False):
        parameters[layer.weight] = he_normal(random, (fan_in, fan_out), fan_in)
        parameters[layer.bias] = np.zeros(fan_out, np.float32)
    return parameters
