"""Members of the family whose rates are learned, for stacks: :mod:`dropout_lab.bayes` with a first axis of replicas.

Each adds a divergence in nats for the whole training set to the loss; training divides it by the number of examples.
``keep_prob`` is where the rate starts, strictly below 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.bayes import exact_kl
from dropout_lab.experiments.draws import Bits, NormalDraws
from dropout_lab.experiments.family import Factors, Layer, Noise, Streams, column, root


@dataclass(frozen=True)
class _Learned(Noise):
    def __post_init__(self) -> None:
        if not 0 < self.keep_prob < 1:
            raise ValueError(f"a learned keep probability must start strictly between 0 and 1, got {self.keep_prob}")

    @property
    def is_learned(self) -> bool:
        return True


@dataclass(frozen=True)
class LearnedGaussian(_Learned):
    """Gaussian noise on weights with a learned variance α (Kingma, Salimans and Welling 2015), outputs sampled.

    ``sharing`` says who shares an α: the ``layer``, an input ``unit``, or no one (``weight``). See
    :class:`dropout_lab.bayes.LearnedGaussianDropout`.
    """

    sharing: Literal["layer", "unit", "weight"] = "layer"

    @property
    def on_weights(self) -> bool:
        return True

    def layers(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Layer:
        normal = NormalDraws(streams)

        def apply(values: Tensor, weight: Tensor, bias: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
            mean = torch.baddbmm(bias.unsqueeze(1), values, weight)
            variance = torch.bmm(values.square(), weight.square() * parameters[f"log_alpha.{place}"].exp())
            return mean + normal.draw(tuple(mean.shape[1:])).to(mean.device) * root(variance)

        return apply

    def initial(self, place: str, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        fan_in, fan_out = others[place].shape
        shape = {"layer": (1, 1), "unit": (fan_in, 1), "weight": (fan_in, fan_out)}[self.sharing]
        start = math.log((1 - self.keep_prob) / self.keep_prob)
        return {f"log_alpha.{place}": np.full(shape, start, np.float32)}

    def penalty(self, place: str, parameters: Mapping[str, Tensor]) -> Tensor:
        log_alpha = parameters[f"log_alpha.{place}"]
        sharing = parameters[place][0].numel() // log_alpha[0].numel()
        return exact_kl(log_alpha).sum((1, 2)) * sharing


@dataclass(frozen=True)
class Concrete(_Learned):
    """Dropout of units with a learned rate, by relaxed masks (Gal, Hron and Kendall 2017), before a dense layer.

    ``precision`` is that of the weights' Gaussian prior. See :class:`dropout_lab.bayes.ConcreteDropout`.
    """

    precision: float = 1.0
    temperature: float = 0.1

    def factors(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Factors:
        bits = Bits(streams, [True] * len(streams))

        def apply(shape: tuple[int, ...], parameters: Mapping[str, Tensor]) -> Tensor:
            logit = column(parameters[f"logit.{place}"], len(shape) + 1)
            # The middle of each of the 65536 cells: never 0 and never 1.
            uniform = (torch.from_numpy(bits.draw(shape)).to(logit.device, logit.dtype) + 32768.5) / 65536
            mask = torch.sigmoid((logit + uniform.log() - torch.log1p(-uniform)) / self.temperature)
            return mask / torch.sigmoid(logit)

        return apply

    def initial(self, place: str, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {f"logit.{place}": np.array(math.log(self.keep_prob / (1 - self.keep_prob)), np.float32)}

    def penalty(self, place: str, parameters: Mapping[str, Tensor]) -> Tensor:
        logit, weight = parameters[f"logit.{place}"], parameters[_next_weight(place)]
        keep_prob = torch.sigmoid(logit)
        entropy = keep_prob * F.softplus(-logit) + torch.sigmoid(-logit) * F.softplus(logit)
        return self.precision / 2 * weight.square().sum((1, 2)) / keep_prob - weight.shape[1] * entropy


def _next_weight(place: str) -> str:
    """The dense layer that reads what stands at a place of an MLP."""
    if place == "input":
        return "weight1"
    return f"weight{int(place.removeprefix('hidden')) + 1}"
