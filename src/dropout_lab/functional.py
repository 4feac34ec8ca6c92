"""The family of variants as functions: each gives one mask, of one shape, to one multiplication.

Common to all: ``keep_prob`` is the probability p of keeping. ``training=False`` is the identity. With ``rescale``
(inverted dropout) what is kept is divided by p, so that E[y] = x; without it (the original convention) it is not, and
``training=False`` multiplies by p instead. ``generator`` is the source of the draws, torch's own by default. A dropped
element is exactly 0, even where it was inf or NaN, and passes exactly 0 gradient. Errors common to all: ValueError for
a keep probability outside [0, 1] and for a wrong number of axes, TypeError for input that is not floating point.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from dropout_lab import noise
from dropout_lab.selection import drop


def dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    training: bool = True,
    rescale: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Drop each element by itself. ``x`` has any shape. Source: Srivastava et al. 2014, section 4."""
    return _drop("dropout", x, x.shape, keep_prob, training, rescale, generator)


def gaussian_dropout(
    x: Tensor, keep_prob: float = 0.5, *, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Multiply each element by noise of the same mean and variance as r/p: N(1, (1 − p)/p). ``x`` has any shape.

    Nothing is dropped, and both conventions are one, since the mean is 1. Raises ValueError for ``keep_prob=0``, where
    the variance would be infinite. Source: Srivastava et al. 2014, section 10.
    """
    keep_prob = noise.check_keep_prob(keep_prob)
    _check_floating("gaussian_dropout", x)
    if keep_prob == 0:
        raise ValueError("gaussian_dropout has no limit at keep_prob=0, where the variance would be infinite")
    if not training or keep_prob == 1:
        return x
    wide = torch.promote_types(x.dtype, torch.float32)
    factors = noise.gaussian(x.shape, keep_prob, generator=generator, device=x.device, dtype=wide)
    return (x * factors).to(x.dtype)


def _drop(
    name: str,
    x: Tensor,
    shape: Sequence[int],
    keep_prob: float,
    training: bool,
    rescale: bool,
    generator: Generator | None,
) -> Tensor:
    """``x`` with a mask of ``shape``, which broadcasts against it: axes of extent 1 share a draw."""
    keep_prob = noise.check_keep_prob(keep_prob)
    _check_floating(name, x)
    if keep_prob == 1 or (rescale and not training):
        return x
    if not training and keep_prob > 0:
        return x * keep_prob
    return drop(x, shape, keep_prob, 1 / keep_prob if rescale and keep_prob > 0 else 1.0, generator=generator)


def _check_floating(name: str, x: Tensor) -> None:
    if not x.is_floating_point():
        raise TypeError(f"{name} needs floating point input, got {x.dtype}")
