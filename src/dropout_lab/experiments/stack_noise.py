"""Noise at the places of a stack: the family of dropout with a first axis of replicas.

A network offers *places* where noise can stand; a recipe puts members of the family there. Every member multiplies by
noise of mean 1 (inverted convention) and carries its keep probability; in a stack each replica has its own. The
formulas are those of :mod:`dropout_lab.functional`; what is added here is the stack's first axis and a stream of random
numbers for each replica.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import BernoulliDraws, NormalDraws
from dropout_lab.experiments.networks import Parameters, Place
from dropout_lab.functional.blocks import block_gamma, block_keep_probs, dilated
from dropout_lab.functional.variants import DROP_CONNECT, VARIANTS, Variant

Streams = Sequence[np.random.Generator]
#: Makes fresh factors (S, …) that broadcast against stacked values (S, *shape), with shape (B, …).
Factors = Callable[[tuple[int, ...], Parameters], Tensor]
#: Outputs (S, B, out) for values (S, B, in), weights (S, in, out), biases (S, out) and the stack's parameters.
NoisyMap = Callable[[Tensor, Tensor, Tensor, Parameters], Tensor]


@dataclass(frozen=True)
class Noise(ABC):
    """The base class of all noise: a member of the family with its keep probability.

    Raises ValueError for a keep probability that is not above 0 and at most 1.

    Attributes
    ----------
    keep_prob:
        The keep probability, above 0 and at most 1; 1 is no noise.

    >>> Bernoulli(0.5).kind == Bernoulli(0.8).kind, Block(0.5, 3).kind == Block(0.5, 5).kind
    (True, False)
    """

    keep_prob: float

    def __post_init__(self) -> None:
        if not 0 < self.keep_prob <= 1:
            raise ValueError(f"training needs a keep probability above 0 and at most 1, got {self.keep_prob}")

    @property
    def kind(self) -> tuple[object, ...]:
        """What replicas must have in common to share a stack: all but the keep probability."""
        return (type(self), *astuple(self)[1:])

    @property
    def is_learned(self) -> bool:
        """Whether the noise has parameters of its own, which every replica of a stack must have then."""
        return False

    @abstractmethod
    def misfit(self, place: Place) -> str | None:
        """Return why the noise cannot stand at a place, or None where it can."""

    def initial(self, place: Place, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the parameters of the noise itself, for one replica, where its rate is learned; else none.

        ``others`` are the network's own parameters.
        """
        return {}

    def penalty(self, place: Place, parameters: Parameters) -> Tensor | None:
        """Return what a learned rate adds to the loss of the whole training set, in nats, (S,)."""
        return None


class ValueNoise(Noise):
    """The base class of noise that multiplies the values at a place.

    >>> Spatial(0.5).variant.shares
    'all positions of a channel'
    """

    #: The member's name in :data:`dropout_lab.functional.VARIANTS`.
    member: str

    @property
    def variant(self) -> Variant:
        """The member itself, which says which elements share a draw and which layouts it takes."""
        return VARIANTS[self.member]

    def misfit(self, place: Place) -> str | None:
        if place.at_weights:
            return "it multiplies values, not weights"
        if not any(_fits(place.layout, layout) for layout in self.variant.layouts):
            return f"the place carries values laid out as ({place.layout}), and it needs {self.variant.expected()}"
        return None

    @abstractmethod
    def factors(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> Factors:
        """Return the function that draws the factors of a stack, for keep probabilities and streams (S,)."""


class WeightNoise(Noise):
    """The base class of noise on the weights of a dense layer.

    >>> isinstance(Connect(0.5), WeightNoise), isinstance(Bernoulli(0.5), WeightNoise)
    (True, False)
    """

    def misfit(self, place: Place) -> str | None:
        return None if place.at_weights else "it stands at weights, not at values"

    @abstractmethod
    def noisy_map(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> NoisyMap:
        """Return the function that computes a stack's layer under noise, for keep probabilities and streams (S,)."""


@dataclass(frozen=True)
class Masked(ValueNoise):
    """Independent 0/1 masks of any ``member`` of the family that multiplies values.

    :class:`Bernoulli`, :class:`Spatial`, :class:`Variational` and :class:`Path` are names for four of them. Raises
    ValueError for a member that is none of the family, or whose masks are other than independent 0/1 draws on values.

    Attributes
    ----------
    member:
        The member's name in :data:`dropout_lab.functional.VARIANTS`.
    options:
        The member's own options, as pairs of a name and a value.

    >>> Masked(0.8, "token_dropout").mask_shape((32, 14, 64))
    (32, 14, 1)
    >>> Masked(0.8, "attention_dropout", (("share_heads", True),)).mask_shape((32, 4, 7, 7))
    (32, 1, 7, 7)
    """

    member: str
    options: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        known = [
            name for name, one in VARIANTS.items() if one.enumerable and one.is_function and one.multiplies != "weights"
        ]
        if self.member not in known:
            raise ValueError(f"members with 0/1 masks on values are {', '.join(known)}; got {self.member!r}")

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one replica's draws for values of ``shape`` (B, …); axes of length 1 share a draw."""
        return self.variant.mask_shape(shape, **dict(self.options))

    def factors(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> Factors:
        draws = BernoulliDraws(streams, keep_probs)
        scales = 1 / torch.tensor(keep_probs)
        return lambda shape, _: _as_float(draws.draw(self.mask_shape(shape)), scales)


@dataclass(frozen=True)
class Bernoulli(Masked):
    """Dropout: each element is kept or dropped by itself (Srivastava et al. 2014).

    >>> Bernoulli(0.5).mask_shape((32, 14, 64))
    (32, 14, 64)
    """

    member: str = field(default="dropout", init=False, repr=False)


@dataclass(frozen=True)
class Spatial(Masked):
    """Spatial dropout: whole channels of feature maps (B, C, …) are kept or dropped (Tompson et al. 2015).

    >>> Spatial(0.5).mask_shape((32, 8, 7, 7))
    (32, 8, 1, 1)
    """

    member: str = field(default="spatial_dropout", init=False, repr=False)


@dataclass(frozen=True)
class Variational(Masked):
    """Variational dropout: one mask for all steps of a sequence (B, T, F) (Gal and Ghahramani 2016).

    :class:`Bernoulli` at the same place draws a mask for each step.

    >>> Variational(0.5).mask_shape((32, 14, 64))
    (32, 1, 64)
    """

    member: str = field(default="variational_dropout", init=False, repr=False)


@dataclass(frozen=True)
class Path(Masked):
    """DropPath: a whole branch is kept or dropped for each example (Huang et al. 2016).

    >>> Path(0.5).mask_shape((32, 64))
    (32, 1)
    """

    member: str = field(default="drop_path", init=False, repr=False)


@dataclass(frozen=True)
class Gaussian(ValueNoise):
    """Gaussian dropout: each element is multiplied by N(1, (1 − p)/p) (Srivastava et al. 2014, section 10).

    >>> from dropout_lab.experiments.networks import CNN, GRU, MLP
    >>> Gaussian(0.5).misfit(MLP((6,)).place("hidden1")) is None
    True
    """

    member: str = field(default="gaussian_dropout", init=False, repr=False)

    def factors(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> Factors:
        draws = NormalDraws(streams)
        deviations = torch.tensor([((1 - keep_prob) / keep_prob) ** 0.5 for keep_prob in keep_probs])

        def apply(shape: tuple[int, ...], _: Parameters) -> Tensor:
            normal = draws.draw(self.variant.mask_shape(shape))
            return normal.mul_(column(deviations, normal.dim())).add_(1)

        return apply


@dataclass(frozen=True)
class Block(ValueNoise):
    """DropBlock: squares of feature maps (B, C, H, W) are dropped (Ghiasi et al. 2018).

    As in :func:`dropout_lab.functional.drop_block`, the rate of the seeds is such that ``keep_prob`` is the expected
    part of a map that is kept, and each position is divided by its own keep probability.

    Attributes
    ----------
    size:
        The side of a square, in positions of the map.

    >>> from dropout_lab.experiments.networks import CNN, GRU, MLP
    >>> Block(0.9, 3).misfit(MLP((6,)).place("hidden1"))
    'the place carries values laid out as (N D), and it needs (N, C, H, W) or (N, C, D, H, W)'
    """

    size: int = 3
    member: str = field(default="drop_block", init=False, repr=False)

    def factors(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> Factors:
        made: dict[tuple[int, int], tuple[BernoulliDraws, Tensor]] = {}

        def apply(shape: tuple[int, ...], _: Parameters) -> Tensor:
            height, width = shape[-2:]
            if (height, width) not in made:
                rates = [block_gamma((height, width), keep_prob, self.size) for keep_prob in keep_probs]
                kept = torch.stack([block_keep_probs((height, width), self.size, rate) for rate in rates])
                scales = kept.reciprocal().float().view(-1, 1, 1, height, width)
                made[height, width] = BernoulliDraws(streams, [1 - rate for rate in rates]), scales
            draws, scales = made[height, width]
            seeds = ~draws.draw(self.variant.mask_shape(shape, block_size=self.size))
            dropped = dilated(seeds.view(torch.int8), (height, width), self.size)
            return (1 - dropped).view(-1, *shape) * scales

        return apply


@dataclass(frozen=True)
class Connect(WeightNoise):
    """DropConnect: each weight of a dense layer is kept or dropped (Wan et al. 2013).

    Attributes
    ----------
    draws:
        How masks are drawn: one for each ``example``, one for the whole ``batch``, or ``gaussian``, where the layer's
        outputs are drawn with the mean and variance that the masks would give them.

    >>> from dropout_lab.experiments.networks import CNN, GRU, MLP
    >>> Connect(0.5).misfit(MLP((6,)).place("hidden1"))
    'it stands at weights, not at values'
    """

    draws: Literal["example", "batch", "gaussian"] = "example"

    def noisy_map(self, place: Place, keep_probs: Sequence[float], streams: Streams) -> NoisyMap:
        variances = torch.tensor([(1 - keep_prob) / keep_prob for keep_prob in keep_probs])
        scales = 1 / torch.tensor(keep_probs)
        bernoulli, normal = BernoulliDraws(streams, keep_probs), NormalDraws(streams)

        def masked(values: Tensor, weight: Tensor, bias: Tensor, _: Parameters) -> Tensor:
            examples = values.shape[1] if self.draws == "example" else None
            shape = DROP_CONNECT.mask_shape(tuple(weight.shape[1:]), examples=examples)
            factor = _as_float(bernoulli.draw(shape), scales).to(values.device)
            if examples is None:
                return torch.baddbmm(bias.unsqueeze(1), values, weight * factor)
            return torch.matmul(values.unsqueeze(2), weight.unsqueeze(1) * factor).squeeze(2) + bias.unsqueeze(1)

        def matched(values: Tensor, weight: Tensor, bias: Tensor, _: Parameters) -> Tensor:
            return with_moments(values, weight, bias, column(variances, 3).to(weight.device), normal)

        return matched if self.draws == "gaussian" else masked


def with_moments(values: Tensor, weight: Tensor, bias: Tensor, variances: Tensor, normal: NormalDraws) -> Tensor:
    """Draw outputs (S, B, out) as Gaussians with the mean and variance that noise on the weights gives them.

    ``values`` are (S, B, in), ``weight`` (S, in, out), ``bias`` (S, out). ``variances`` are those of the noise relative
    to the squared weights, and broadcast against ``weight``. Source: Kingma, Salimans and Welling 2015, section 2.3;
    Wan et al. 2013.

    >>> normal = NormalDraws([np.random.default_rng(0)])
    >>> weight, bias, none = torch.ones(1, 3, 1), torch.zeros(1, 1), torch.zeros(1, 1, 1)
    >>> with_moments(torch.ones(1, 2, 3), weight, bias, none, normal).flatten()
    tensor([3., 3.])
    """
    mean = torch.baddbmm(bias.unsqueeze(1), values, weight)
    variance = torch.bmm(values.square(), weight.square() * variances)
    # The root's slope is infinite at 0, which an input of zeros reaches: there it is taken as 0.
    random = variance > 0
    deviation = torch.where(random, torch.where(random, variance, 1.0).sqrt(), 0.0)
    return mean + normal.draw(tuple(mean.shape[1:])).to(mean.device) * deviation


def column(per_replica: Tensor, axes: int) -> Tensor:
    """Return (S,) as (S, 1, …) with so many axes, to be multiplied with a stack.

    >>> column(torch.ones(2), 3).shape
    torch.Size([2, 1, 1])
    """
    return per_replica.view(-1, *[1] * (axes - 1))


def _as_float(kept: Tensor, scales: Tensor) -> Tensor:
    return kept.view(torch.uint8).to(scales.dtype).mul_(column(scales, kept.dim()))


def _fits(layout: str, taken: str) -> bool:
    """Whether values of a layout are among those of another, which may end in "…" for any further axes."""
    axes, wanted = layout.split(), taken.split()
    if wanted[-1] == "…":
        return axes[: len(wanted) - 1] == wanted[:-1]
    return axes == wanted
