"""The members whose mask is a shape: elements, channels, sequences and paths differ in the axes that share a draw."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.arguments import flag, integer
from dropout_lab.functional.masking import masked
from dropout_lab.functional.variants import (
    DROP_PATH,
    DROPOUT,
    GAUSSIAN_DROPOUT,
    SPATIAL_DROPOUT,
    VARIATIONAL_DROPOUT,
)
from dropout_lab.noise import Source


def dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop each element by itself.

    Args:
        x: the input, of any shape.

    Source: Srivastava et al. 2014, section 4.

    >>> dropout(torch.ones(6), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([0., 2., 0., 0., 0., 2.])
    """
    return masked(
        DROPOUT, x, keep_prob, training=training, rescale=rescale, exact_zeros=exact_zeros, generator=generator
    )


def gaussian_dropout(
    x: Tensor, keep_prob: float = 0.5, *, training: bool = True, generator: Source | None = None
) -> Tensor:
    """Multiply each element by Gaussian noise with the mean and the variance of a rescaled Bernoulli mask.

    The noise has mean 1 and variance (1 − p)/p for p = ``keep_prob``. Nothing is dropped, and both conventions are the
    same, because the mean is 1.

    Args:
        x: the input, of any shape.
        keep_prob: the probability p that sets the variance, above 0 and at most 1.

    Raises ValueError for a ``keep_prob`` of 0, where the variance would be infinite. Source: Srivastava et al. 2014,
    section 10.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> y = gaussian_dropout(torch.ones(100_000), 0.8, generator=seeded)
    >>> round(y.mean().item(), 2), round(y.var().item(), 2)
    (1.0, 0.25)
    """
    GAUSSIAN_DROPOUT.check(x)
    keep_prob = noise.check_keep_prob(keep_prob)
    if keep_prob == 0:
        raise ValueError("gaussian_dropout has no limit at keep_prob=0, where the variance would be infinite")
    if training is not True:
        flag("training", training)
    if not training or keep_prob == 1:
        return x
    if generator is not None:
        generator = GAUSSIAN_DROPOUT.draws_from(generator, x.shape)
    wide = torch.promote_types(x.dtype, torch.float32)
    shape = GAUSSIAN_DROPOUT.mask_shape(x.shape)
    with noise.mode_of(x):
        factors = noise.gaussian(shape, keep_prob, generator=generator, device=x.device, dtype=wide)
    return (x * factors).to(x.dtype)


def spatial_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop whole channels, each by itself, at all of their positions.

    Args:
        x: the input, of shape (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Source: Tompson et al. 2015 (SpatialDropout).

    >>> seeded = torch.Generator().manual_seed(0)
    >>> spatial_dropout(torch.ones(1, 3, 4), 0.5, generator=seeded)
    tensor([[[0., 0., 0., 0.],
             [2., 2., 2., 2.],
             [0., 0., 0., 0.]]])
    """
    return masked(
        SPATIAL_DROPOUT,
        x,
        keep_prob,
        training=training,
        rescale=rescale,
        exact_zeros=exact_zeros,
        generator=generator,
        batched=batched,
    )


def variational_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    time_dim: int = 1,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop features for a whole sequence: the same mask serves every time step.

    Args:
        x: the input, with two axes or more, such as (N, T, D), or (T, N, D) with ``time_dim=0``.
        time_dim: the axis of the time steps.

    Raises ValueError for a ``time_dim`` that ``x`` does not have. Source: Gal and Ghahramani 2016
    (recurrent), section 4.1.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> variational_dropout(torch.ones(1, 2, 3), 0.5, generator=seeded)
    tensor([[[0., 2., 0.],
             [0., 2., 0.]]])
    """
    VARIATIONAL_DROPOUT.check_type(x)
    if not isinstance(time_dim, int) or isinstance(time_dim, bool):
        time_dim = integer("time_dim", time_dim)
    if not -x.dim() <= time_dim < x.dim():
        raise ValueError(
            f"variational_dropout needs input of shape {VARIATIONAL_DROPOUT.expected()}, one axis of it time_dim; "
            f"got shape {tuple(x.shape)} with time_dim={time_dim}"
        )
    return masked(
        VARIATIONAL_DROPOUT,
        x,
        keep_prob,
        training=training,
        rescale=rescale,
        exact_zeros=exact_zeros,
        generator=generator,
        time_dim=time_dim,
    )


def drop_path(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop a whole residual branch, for each sample by itself.

    Args:
        x: what the branch gives, of shape (N, …).

    Source: Huang et al. 2016 (stochastic depth).

    >>> drop_path(torch.ones(3, 2), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([[0., 0.],
            [2., 2.],
            [0., 0.]])
    """
    return masked(
        DROP_PATH,
        x,
        keep_prob,
        training=training,
        rescale=rescale,
        exact_zeros=exact_zeros,
        generator=generator,
        batched=batched,
    )


def linear_decay(blocks: int, last: float = 0.5) -> list[float]:
    """Return keep probabilities for residual blocks that fall linearly with the depth of the block.

    Block l of L is kept with probability 1 − (l/L)(1 − ``last``).

    Args:
        blocks: the number L of blocks, at least 1.
        last: the keep probability of the last block.

    Returns:
        The keep probabilities, that of the first block first.

    Raises ValueError for ``blocks`` that is no integer of at least 1, and for ``last`` outside [0, 1]. Source: Huang et
    al. 2016 (stochastic depth), equation 4.

    >>> linear_decay(5, 0.5)
    [0.9, 0.8, 0.7, 0.6, 0.5]
    """
    if isinstance(blocks, bool) or not isinstance(blocks, Integral) or blocks < 1:
        raise ValueError(f"blocks must be an integer of at least 1, got {blocks!r}")
    blocks = int(blocks)
    last = noise.check_keep_prob(last, "last")
    # Written so that the last one is ``last``, without rounding.
    return [(blocks - block + block * last) / blocks for block in range(1, blocks)] + [last]
