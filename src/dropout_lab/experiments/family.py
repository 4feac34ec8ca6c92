"""The family of dropout, drawn for a whole stack: what shares a draw, and how the noise is distributed.

A network offers *places* where noise can stand; a recipe puts members of the family there. Every member multiplies by
noise of mean 1 (inverted convention) and carries its keep probability; in a stack each replica has its own. The formulas
are those of :mod:`dropout_lab.functional`; what is added here is the stack's first axis and a stream for each replica.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import BernoulliDraws, NormalDraws

#: Noise at one place for one stack: takes the stacked values (S, B, …) and returns them with noise.
Sampler = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Noise:
    """A member of the family with its keep probability, above 0 and at most 1 (1: no noise)."""

    keep_prob: float

    def __post_init__(self) -> None:
        if not 0 < self.keep_prob <= 1:
            raise ValueError(f"a network is trained with a keep probability above 0 and at most 1, got {self.keep_prob}")

    @property
    def kind(self) -> tuple:
        """What replicas must have in common to share a stack: all but the keep probability."""
        return (type(self), *astuple(self)[1:])

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one replica's draws for values of ``shape`` (B, …); axes of length 1 share a draw."""
        return shape

    def sampler(self, keep_probs: Sequence[float], streams: Sequence[np.random.Generator]) -> Sampler:
        """The noise of a stack, for keep probabilities and streams (S,)."""
        draws = BernoulliDraws(streams, keep_probs)
        scales = 1 / torch.tensor(keep_probs)

        def apply(values: Tensor) -> Tensor:
            kept = draws.draw(self.mask_shape(tuple(values.shape[1:])))
            factor = kept.view(torch.uint8).to(values.device, values.dtype)
            return values * factor.mul_(_column(scales, factor))

        return apply


@dataclass(frozen=True)
class Bernoulli(Noise):
    """Dropout: each element is kept or dropped by itself (Srivastava et al. 2014)."""


@dataclass(frozen=True)
class Gaussian(Noise):
    """Each element is multiplied by N(1, (1 − p)/p) (Srivastava et al. 2014, section 10)."""

    def sampler(self, keep_probs: Sequence[float], streams: Sequence[np.random.Generator]) -> Sampler:
        draws = NormalDraws(streams)
        deviations = torch.tensor([((1 - keep_prob) / keep_prob) ** 0.5 for keep_prob in keep_probs])

        def apply(values: Tensor) -> Tensor:
            factor = draws.draw(self.mask_shape(tuple(values.shape[1:]))).to(values.device)
            return values * factor.mul_(_column(deviations, factor)).add_(1)

        return apply


def _column(per_replica: Tensor, like: Tensor) -> Tensor:
    """(S,) as (S, 1, …), to be multiplied with a stack."""
    return per_replica.to(like.device).view(-1, *[1] * (like.dim() - 1))
