"""Dropout layers as timm, torchvision and people's own repositories have them, written anew for the tests.

A name and the attributes are those that the libraries use; what each computes is what theirs computes.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Rated(nn.Module):
    """A layer that holds its rate under one name, and is the identity unless it trains with a rate above 0."""

    attribute = "p"

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        setattr(self, self.attribute, rate)

    @property
    def rate_now(self) -> float:
        return getattr(self, self.attribute)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropped(x, self.rate_now) if self.training and self.rate_now else x

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        raise NotImplementedError


def mask(shape: tuple[int, ...], rate: float) -> Tensor:
    keep = 1 - rate
    return torch.empty(shape).bernoulli_(keep).div_(keep or 1)


class DropPath(_Rated):
    """timm's."""

    attribute = "drop_prob"

    def __init__(self, rate: float = 0.5, scale_by_keep: bool = True) -> None:
        super().__init__(rate)
        self.scale_by_keep = scale_by_keep

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        kept = mask((len(x), *[1] * (x.dim() - 1)), rate)
        return x * (kept if self.scale_by_keep else kept.sign())


class StochasticDepth(_Rated):
    """torchvision's."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__(p)
        self.mode = mode

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((len(x) if self.mode == "row" else 1, *[1] * (x.dim() - 1)), rate)


class DropBlock2d(nn.Module):
    """torchvision's, for odd blocks."""

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def seeds(self, x: Tensor) -> Tensor:
        size, (height, width) = self.block_size, x.shape[2:]
        places = (height - size + 1) * (width - size + 1)
        return torch.empty(*x.shape[:2], height - size + 1, width - size + 1).bernoulli_(
            self.p * height * width / size**2 / places
        )

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        half = self.block_size // 2
        kept = 1 - F.max_pool2d(F.pad(self.seeds(x), [half] * 4), self.block_size, 1, half)
        return x * kept * (kept.numel() / (self.eps + kept.sum()))


class DropBlock2D(DropBlock2d):
    """A common home-made one: one mask for all channels."""

    def seeds(self, x: Tensor) -> Tensor:
        half = self.block_size // 2
        return torch.empty(len(x), 1, *(size - 2 * half for size in x.shape[2:])).bernoulli_(
            self.p / self.block_size**2
        )


class BorderDropBlock(DropBlock2d):
    """Blocks that grow from any place, and so reach over the border."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        seeds = torch.empty(x.shape).bernoulli_(self.p / self.block_size**2)
        kept = 1 - F.max_pool2d(seeds, self.block_size, 1, self.block_size // 2)
        return x * kept * (kept.numel() / (self.eps + kept.sum()))


class LockedDropout(_Rated):
    """PyTorch-NLP's: (T, N, D), one mask for all steps."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((1, *x.shape[1:]), rate)


class VariationalDropout(_Rated):
    """The same with the batch first."""

    attribute = "dropout_rate"

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((len(x), 1, *x.shape[2:]), rate)


class SpatialDropout1D(_Rated):
    """Keras's on (N, T, D), by way of torch's channels."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return F.dropout1d(x.transpose(1, 2), rate).transpose(1, 2)


class SpatialDropout(_Rated):
    """Channels of (N, C, …)."""

    attribute = "drop_prob"

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((*x.shape[:2], *[1] * (x.dim() - 2)), rate)


class GaussianDropout(_Rated):
    """Keras's: variance rate/(1 − rate)."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * (1 + (rate / (1 - rate)) ** 0.5 * torch.randn_like(x))


class TokenDropout(_Rated):
    """Whole tokens of (N, T, D)."""

    attribute = "prob"

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        batch, length, _ = x.shape
        return x * mask((batch, length, 1), rate)


class KeptDropout(_Rated):
    """One that holds the keep probability, in the original convention."""

    attribute = "keep_prob"

    def forward(self, x: Tensor) -> Tensor:
        return x * mask(tuple(x.shape), 1 - self.keep_prob).sign() if self.training else x * self.keep_prob


class InPlaceDropout(_Rated):
    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x.mul_(mask(tuple(x.shape), rate))


class WordDropout(_Rated):
    """flair's: nothing is rescaled."""

    attribute = "dropout_rate"

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((*x.shape[:2], 1), rate).sign()


class MonteCarloDropout(_Rated):
    """On in eval()."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, True)


class BatchDropout(_Rated):
    """One mask for the whole batch."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * mask((1, *x.shape[1:]), rate)


class ExactDropout(_Rated):
    """Exactly the part that the rate says is dropped, so draws depend on one another."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        order = torch.rand(x.numel()).argsort().view(x.shape)
        return x * (order >= round(rate * x.numel())) / (1 - rate)


class PatchDropout(_Rated):
    """timm's: tokens are taken out."""

    attribute = "prob"

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x[:, : max(1, int(x.shape[1] * (1 - rate)))]


class DropWithMask(_Rated):
    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        return x


class DroppedTwice(_Rated):
    """Its attribute does not say what it does."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return F.dropout(F.dropout(x, rate), rate)


class CoarseDrop(_Rated):
    """By the word of its rate it drops half of that."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return F.dropout(x, rate / 2)


class PythonDropPath(_Rated):
    """Drawn by Python's own generator, for each sample."""

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        kept = torch.tensor([float(random.random() >= rate) for _ in x])
        return x * kept.view(-1, *[1] * (x.dim() - 1)) / (1 - rate)


class OwnGeneratorDropout(_Rated):
    def __init__(self, rate: float = 0.5) -> None:
        super().__init__(rate)
        self.generator = torch.Generator().manual_seed(0)

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        return x * torch.empty_like(x).bernoulli_(1 - rate, generator=self.generator) / (1 - rate)
