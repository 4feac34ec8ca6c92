"""The family as functions: each member is one mask shape, or one structure, given to one multiplication.

Four choices tell the members apart: what is multiplied (activations, weights, a residual branch), which axes share a draw, how
the noise is distributed, and what is done at test time. ``keep_prob`` is the probability p of keeping, everywhere. With
``rescale=True`` (inverted dropout) survivors are divided by p in training and nothing happens at test time; with
``rescale=False`` (the original convention) survivors stay as they are and the test pass multiplies by p.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dropout_lab import noise


def dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    training: bool = True,
    rescale: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Multiply each element of ``x``, of any shape, by a coin of its own. Source: Srivastava et al. 2014, section 4."""
    return _masked(x, x.shape, keep_prob, training, rescale, generator)


def gaussian_dropout(
    x: Tensor, keep_prob: float = 0.5, *, training: bool = True, generator: torch.Generator | None = None
) -> Tensor:
    """Multiply each element of ``x`` by noise from N(1, (1 − p)/p). Source: Srivastava et al. 2014, section 10."""
    _check_floating(x)
    noise.check_keep_prob(keep_prob, positive=True)
    if not training or keep_prob == 1:
        return x
    return x * noise.gaussian(x.shape, keep_prob, generator=generator, device=x.device, dtype=x.dtype)


def _masked(x: Tensor, shape: Sequence[int], keep_prob: float, training: bool, rescale: bool, generator) -> Tensor:
    """``x`` times a mask of the given shape, which broadcasts against ``x``."""
    _check_floating(x)
    noise.check_keep_prob(keep_prob)
    if not training:
        return x if rescale else x * keep_prob
    if keep_prob == 1:
        return x
    kept = noise.bernoulli(shape, keep_prob, generator=generator, device=x.device, dtype=torch.bool)
    # Selecting instead of multiplying: a dropped element is 0 even where x is inf or NaN.
    survivors = x / keep_prob if rescale and keep_prob > 0 else x
    return torch.where(kept, survivors, torch.zeros((), dtype=x.dtype, device=x.device))


def _check_floating(x: Tensor) -> None:
    if not x.is_floating_point():
        raise TypeError(f"dropout needs a floating-point tensor, got {x.dtype}; convert it first")
