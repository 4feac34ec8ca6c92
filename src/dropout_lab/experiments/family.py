"""The family of dropout, drawn for a whole stack: what shares a draw, and how the noise is distributed.

A network offers *places* where noise can stand; a recipe puts members of the family there. Every member multiplies by
noise of mean 1 (inverted convention) and carries its keep probability; in a stack each replica has its own. The
formulas are those of :mod:`dropout_lab.functional`; what is added here is the stack's first axis and a stream for each
replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import BernoulliDraws, NormalDraws
from dropout_lab.functional.blocks import block_gamma, block_keep_probs, spread

Streams = Sequence[np.random.Generator]


class Factors(Protocol):
    """Noise at one place of one stack."""

    def __call__(self, shape: tuple[int, ...], parameters: Mapping[str, Tensor]) -> Tensor:
        """Fresh factors (S, …) that broadcast against stacked values (S, *shape), with shape (B, …)."""


class Layer(Protocol):
    """Noise on the weights of one dense layer of one stack."""

    def __call__(self, values: Tensor, weight: Tensor, bias: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Outputs (S, B, out) for values (S, B, in), weights (S, in, out) and biases (S, out)."""


@dataclass(frozen=True)
class Noise:
    """A member of the family with its keep probability, above 0 and at most 1 (1: no noise)."""

    keep_prob: float

    def __post_init__(self) -> None:
        if not 0 < self.keep_prob <= 1:
            raise ValueError(f"training needs a keep probability above 0 and at most 1, got {self.keep_prob}")

    @property
    def kind(self) -> tuple:
        """What replicas must have in common to share a stack: all but the keep probability."""
        return (type(self), *astuple(self)[1:])

    @property
    def on_weights(self) -> bool:
        """Whether it stands at weights, not at activations."""
        return False

    @property
    def is_learned(self) -> bool:
        """Whether it has parameters of its own, which every replica of a stack must have then."""
        return False

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one replica's draws for values of ``shape`` (B, …); axes of length 1 share a draw."""
        return shape

    def factors(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Factors:
        """The noise of a stack, for keep probabilities and streams (S,)."""
        draws = BernoulliDraws(streams, keep_probs)
        scales = 1 / torch.tensor(keep_probs)
        return lambda shape, _: _as_float(draws.draw(self.mask_shape(shape)), scales)

    def layers(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Layer:
        """The noise of a stack on weights, for a member that stands there."""
        raise NotImplementedError(f"{type(self).__name__} does not stand at weights")

    def initial(self, place: str, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Parameters of the noise itself, for one replica beside the network's own, where its rate is learned."""
        return {}

    def penalty(self, place: str, parameters: Mapping[str, Tensor]) -> Tensor | None:
        """What a learned rate adds to the loss of the whole training set, (S,), in nats."""
        return None


@dataclass(frozen=True)
class Bernoulli(Noise):
    """Dropout: each element is kept or dropped by itself (Srivastava et al. 2014)."""


@dataclass(frozen=True)
class Spatial(Noise):
    """Whole channels of feature maps (B, C, …) are kept or dropped (Tompson et al. 2015)."""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:2], *[1] * (len(shape) - 2))


@dataclass(frozen=True)
class Locked(Noise):
    """One mask for all steps of a sequence (B, T, F), the variational dropout of Gal and Ghahramani (2016).

    :class:`Bernoulli` at the same place draws a mask for each step.
    """

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], 1, *shape[2:])


@dataclass(frozen=True)
class Path(Noise):
    """A whole branch is kept or dropped, by example (Huang et al. 2016)."""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], *[1] * (len(shape) - 1))


@dataclass(frozen=True)
class Gaussian(Noise):
    """Each element is multiplied by N(1, (1 − p)/p) (Srivastava et al. 2014, section 10)."""

    def factors(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Factors:
        draws = NormalDraws(streams)
        deviations = torch.tensor([((1 - keep_prob) / keep_prob) ** 0.5 for keep_prob in keep_probs])
        return lambda shape, _: draws.draw(self.mask_shape(shape)).mul_(column(deviations, len(shape) + 1)).add_(1)


@dataclass(frozen=True)
class Block(Noise):
    """Squares of feature maps (B, C, H, W) are dropped (Ghiasi et al. 2018).

    ``size`` is the side of a square. As in :func:`dropout_lab.functional.drop_block`, the rate of the seeds is such that
    ``keep_prob`` is the expected part of a map that is kept, and each position is divided by its own keep probability.
    """

    size: int = 3

    def factors(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Factors:
        made: dict[tuple[int, int], tuple[BernoulliDraws, Tensor]] = {}

        def apply(shape: tuple[int, ...], _: Mapping[str, Tensor]) -> Tensor:
            *leading, height, width = shape
            if (height, width) not in made:
                rates = [block_gamma((height, width), keep_prob, self.size) for keep_prob in keep_probs]
                kept = torch.stack([block_keep_probs((height, width), self.size, rate) for rate in rates])
                scales = kept.reciprocal().float().view(-1, 1, 1, height, width)
                made[height, width] = BernoulliDraws(streams, [1 - rate for rate in rates]), scales
            draws, scales = made[height, width]
            seeds = ~draws.draw((*leading, height - self.size + 1, width - self.size + 1))
            dropped = spread(seeds.view(torch.int8), (height, width), self.size)
            return (1 - dropped).view(-1, *shape) * scales

        return apply


@dataclass(frozen=True)
class Connect(Noise):
    """Each weight of a dense layer is kept or dropped (Wan et al. 2013).

    ``draws`` says how: a mask for each ``example``, one for the whole ``batch``, or ``gaussian``, where the layer's
    outputs are drawn with the mean and variance that the masks would give them.
    """

    draws: Literal["example", "batch", "gaussian"] = "example"

    @property
    def on_weights(self) -> bool:
        return True

    def layers(self, place: str, keep_probs: Sequence[float], streams: Streams) -> Layer:
        variances = torch.tensor([(1 - keep_prob) / keep_prob for keep_prob in keep_probs])
        scales = 1 / torch.tensor(keep_probs)
        bernoulli, normal = BernoulliDraws(streams, keep_probs), NormalDraws(streams)

        def masked(values: Tensor, weight: Tensor, bias: Tensor, _: Mapping[str, Tensor]) -> Tensor:
            draws = values.shape[1] if self.draws == "example" else 1
            factor = _as_float(bernoulli.draw((draws, *weight.shape[1:])), scales).to(values.device)
            weights = weight.unsqueeze(1) * factor
            if draws == 1:
                return torch.baddbmm(bias.unsqueeze(1), values, weights.squeeze(1))
            return torch.matmul(values.unsqueeze(2), weights).squeeze(2) + bias.unsqueeze(1)

        def matched(values: Tensor, weight: Tensor, bias: Tensor, _: Mapping[str, Tensor]) -> Tensor:
            mean = torch.baddbmm(bias.unsqueeze(1), values, weight)
            variance = torch.bmm(values.square(), weight.square() * column(variances, 3).to(weight.device))
            return mean + normal.draw(tuple(mean.shape[1:])).to(mean.device) * root(variance)

        return matched if self.draws == "gaussian" else masked


def column(per_replica: Tensor, axes: int) -> Tensor:
    """(S,) as (S, 1, …) with so many axes, to be multiplied with a stack."""
    return per_replica.view(-1, *[1] * (axes - 1))


def root(variance: Tensor) -> Tensor:
    """√ of a variance, with slope 0 where it is 0 instead of an infinite one."""
    random = variance > 0
    return torch.where(random, torch.where(random, variance, 1.0).sqrt(), 0.0)


def _as_float(kept: Tensor, scales: Tensor) -> Tensor:
    return kept.view(torch.uint8).to(scales.dtype).mul_(column(scales, kept.dim()))
