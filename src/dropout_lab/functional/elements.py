"""The members whose mask is a shape: elements, channels, sequences and paths differ in the axes that share a draw."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from dropout_lab import noise
from dropout_lab.functional.checks import check_axes, check_floating
from dropout_lab.functional.selection import drop


def dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    training: bool = True,
    rescale: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Drop each element by itself. ``x`` has any shape. Source: Srivastava et al. 2014, section 4."""
    check_floating("dropout", x)
    return _drop(x, x.shape, keep_prob, training, rescale, generator)


def gaussian_dropout(
    x: Tensor, keep_prob: float = 0.5, *, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Multiply each element by noise with the mean and the variance of r/p: N(1, (1 − p)/p). ``x`` has any shape.

    Nothing is dropped, and both conventions are one, since the mean is 1. Raises ValueError for ``keep_prob=0``, where
    the variance would be infinite. Source: Srivastava et al. 2014, section 10.
    """
    check_floating("gaussian_dropout", x)
    keep_prob = noise.check_keep_prob(keep_prob)
    if keep_prob == 0:
        raise ValueError("gaussian_dropout has no limit at keep_prob=0, where the variance would be infinite")
    if not training or keep_prob == 1:
        return x
    wide = torch.promote_types(x.dtype, torch.float32)
    factors = noise.gaussian(x.shape, keep_prob, generator=generator, device=x.device, dtype=wide)
    return (x * factors).to(x.dtype)


def spatial_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Drop whole channels, each by itself. ``x`` is (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Source: Tompson et al. 2015, section 3.2.
    """
    check_floating("spatial_dropout", x)
    check_axes("spatial_dropout", x, 3, 5, batched)
    own = 2 if batched else 1
    return _drop(x, (*x.shape[:own], *(1,) * (x.dim() - own)), keep_prob, training, rescale, generator)


def variational_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    time_dim: int = 1,
    training: bool = True,
    rescale: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Drop features for a whole sequence: one mask, the same at every step along ``time_dim``.

    ``x`` has two axes or more, as (N, T, D), or (T, N, D) with ``time_dim=0``. Raises ValueError for a ``time_dim``
    that ``x`` has not. Source: Gal and Ghahramani 2016, section 4.2.
    """
    check_floating("variational_dropout", x)
    if x.dim() < 2 or not -x.dim() <= time_dim < x.dim():
        raise ValueError(
            "variational_dropout needs input of two axes or more, as (N, T, D), one of them time_dim; "
            f"got shape {tuple(x.shape)} with time_dim={time_dim}"
        )
    shape = list(x.shape)
    shape[time_dim] = 1
    return _drop(x, shape, keep_prob, training, rescale, generator)


def drop_path(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Drop the whole of ``x``, a residual branch, for each sample by itself. ``x`` is (N, …).

    Source: Huang et al. 2016 (stochastic depth), equation 2.
    """
    check_floating("drop_path", x)
    if batched and x.dim() < 1:
        raise ValueError("drop_path needs input of shape (N, …), got a number without axes")
    own = 1 if batched else 0
    return _drop(x, (*x.shape[:own], *(1,) * (x.dim() - own)), keep_prob, training, rescale, generator)


def linear_decay(blocks: int, last: float = 0.5) -> list[float]:
    """The keep probabilities of ``blocks`` residual blocks, the first block's first: 1 − (l/L)(1 − ``last``).

    Source: Huang et al. 2016 (stochastic depth), equation 4. Raises ValueError for ``blocks`` below 1 and for ``last``
    outside [0, 1].
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise ValueError(f"blocks must be an integer of at least 1, got {blocks!r}")
    last = noise.check_keep_prob(last)
    # Written so that the last one is ``last``, without rounding.
    return [(blocks - block + block * last) / blocks for block in range(1, blocks)] + [last]


def _drop(
    x: Tensor, shape: Sequence[int], keep_prob: float, training: bool, rescale: bool, generator: Generator | None
) -> Tensor:
    """``x`` with a mask of ``shape``, in one of the two conventions: the rule that all members of this file share."""
    keep_prob = noise.check_keep_prob(keep_prob)
    if keep_prob == 1 or (rescale and not training):
        return x
    if not training and keep_prob > 0:
        return x * keep_prob
    return drop(x, shape, keep_prob, 1 / keep_prob if rescale and keep_prob > 0 else 1.0, generator=generator)
