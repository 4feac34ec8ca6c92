"""Noise with learned rates, for stacks: :mod:`dropout_lab.bayes` with a first axis of replicas.

Each adds a divergence in nats for the whole training set to the loss; training divides it by the number of examples.
``keep_prob`` is where the rate starts, strictly below 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.bayes import exact_kl
from dropout_lab.experiments.draws import Bits, NormalDraws
from dropout_lab.experiments.networks import Parameters, Place
from dropout_lab.experiments.stack_noise import (
    Factors,
    Noise,
    NoisyMap,
    Streams,
    ValueNoise,
    WeightNoise,
    column,
    with_moments,
)
from dropout_lab.functional.variants import SPATIAL_DROPOUT


@dataclass(frozen=True)
class Learned(Noise):
    """The base class of noise with a learned rate.

    ``keep_prob`` is where the rate starts. Raises ValueError for a start that is not strictly between 0 and 1.

    >>> Concrete(0.9).is_learned, LearnedGaussian(0.9).is_learned
    (True, True)
    """

    def __post_init__(self) -> None:
        if not 0 < self.keep_prob < 1:
            raise ValueError(f"a learned keep probability must start strictly between 0 and 1, got {self.keep_prob}")

    @property
    def is_learned(self) -> bool:
        return True

    @abstractmethod
    def learned_keep_prob(self, place: Place, parameters: Parameters) -> Tensor:
        """Return the learned keep probability at a place, float64 (S,).

        It is the mean over the units or weights that have rates of their own.
        """


@dataclass(frozen=True)
class LearnedGaussian(Learned, WeightNoise):
    """Gaussian noise on weights with a learned variance α, outputs sampled (Kingma, Salimans and Welling 2015).

    See :class:`dropout_lab.bayes.LearnedGaussianDropout`.

    Attributes
    ----------
    sharing:
        What shares an α: the ``layer``, the weights of an input ``unit``, or nothing (``weight``).

    >>> from dropout_lab.experiments.networks import MLP
    >>> place = MLP((6,)).place("weight1")
    >>> LearnedGaussian(0.5, "unit").initial(place, {"weight1": np.ones((4, 6))})["log_alpha.weight1"].shape
    (4, 1)
    """

    sharing: Literal["layer", "unit", "weight"] = "layer"

    def noisy_map(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> NoisyMap:
        normal = NormalDraws(streams)

        def apply(values: Tensor, weight: Tensor, bias: Tensor, parameters: Parameters) -> Tensor:
            return with_moments(values, weight, bias, parameters[f"log_alpha.{place}"].exp(), normal)

        return apply

    def initial(self, place: Place, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        (layer,) = place.readers
        fan_in, fan_out = others[layer.weight].shape
        shape = {"layer": (1, 1), "unit": (fan_in, 1), "weight": (fan_in, fan_out)}[self.sharing]
        start = math.log((1 - self.keep_prob) / self.keep_prob)
        return {f"log_alpha.{place}": np.full(shape, start, np.float32)}

    def penalty(self, place: Place, parameters: Parameters) -> Tensor:
        (layer,) = place.readers
        log_alpha = parameters[f"log_alpha.{place}"]
        sharing = parameters[layer.weight][0].numel() // log_alpha[0].numel()
        return exact_kl(log_alpha).sum((1, 2)) * sharing

    def learned_keep_prob(self, place: Place, parameters: Parameters) -> Tensor:
        """Return 1/(1 + α), the keep probability of dropout with the same variance, float64 (S,)."""
        return (-parameters[f"log_alpha.{place}"]).sigmoid().double().mean((1, 2))


@dataclass(frozen=True)
class Concrete(Learned, ValueNoise):
    """Dropout of units with a learned rate, by relaxed masks, before a layer (Gal, Hron and Kendall 2017).

    The penalty is that of the weights which read the units. Where filters read them, a unit is a whole channel, since a
    channel has weights of its own and a pixel has none; see :class:`dropout_lab.bayes.ConcreteDropout`.

    Attributes
    ----------
    precision:
        The precision of the weights' Gaussian prior.
    temperature:
        The temperature of the relaxed masks: the smaller, the nearer they are to 0 and 1.

    >>> from dropout_lab.experiments.networks import ResidualMLP
    >>> network = ResidualMLP(6, 2)
    >>> Concrete(0.9).misfit(network.place("hidden1")), Concrete(0.9).misfit(network.place("branch1"))
    (None, 'no layer reads the place directly, so there are no weights to penalize')
    """

    precision: float = 1.0
    temperature: float = 0.1
    member: str = field(default="concrete_dropout", init=False, repr=False)

    def misfit(self, place: Place) -> str | None:
        if (reason := super().misfit(place)) is not None:
            return reason
        return None if place.readers else "no layer reads the place directly, so there are no weights to penalize"

    def factors(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> Factors:
        bits = Bits(streams, [True] * len(streams))
        by_channel = any(layer.kind == "filters" for layer in place.readers)

        def apply(shape: tuple[int, ...], parameters: Parameters) -> Tensor:
            if by_channel:
                shape = SPATIAL_DROPOUT.mask_shape(shape)
            logit = column(parameters[f"logit.{place}"], len(shape) + 1)
            # The middle of each of the 65536 cells: never 0 and never 1.
            uniform = (torch.from_numpy(bits.draw(shape)).to(logit.device, logit.dtype) + 32768.5) / 65536
            mask = torch.sigmoid((logit + uniform.log() - torch.log1p(-uniform)) / self.temperature)
            return mask / torch.sigmoid(logit)

        return apply

    def initial(self, place: Place, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {f"logit.{place}": np.array(math.log(self.keep_prob / (1 - self.keep_prob)), np.float32)}

    def penalty(self, place: Place, parameters: Parameters) -> Tensor:
        logit = parameters[f"logit.{place}"]
        keep_prob = torch.sigmoid(logit)
        entropy = keep_prob * F.softplus(-logit) + torch.sigmoid(-logit) * F.softplus(logit)
        weights = [parameters[layer.weight] for layer in place.readers]
        squares = torch.stack([weight.square().flatten(1).sum(1) for weight in weights]).sum(0)
        return self.precision / 2 * squares / keep_prob - self._units(place, parameters) * entropy

    def learned_keep_prob(self, place: Place, parameters: Parameters) -> Tensor:
        """Return the logistic function of the learned logit, float64 (S,)."""
        return parameters[f"logit.{place}"].sigmoid().double()

    def _units(self, place: Place, parameters: Parameters) -> int:
        """How many units have a mask of their own: what the readers read."""
        layer = place.readers[0]
        return parameters[layer.weight].shape[layer.read_axis]
