"""What the members with a Bernoulli mask do: the arguments are checked, a mask is drawn, and ``x`` gets it.

A small tensor notices every question and every call: here the usual one, in float32 on the CPU from torch's own
numbers, is served without a detour. All others go by way of :func:`~dropout_lab.functional.selection.drop`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from dropout_lab import noise, pinned
from dropout_lab.arguments import flag
from dropout_lab.functional.selection import FACTOR, MANY, drop, inverse, relu_gradient, times
from dropout_lab.functional.variants import Variant, check_modes
from dropout_lab.noise import Source

_direct = pinned.without_detour(relu_gradient)
# Looked up once, as the names of all that is called for a small tensor.
_CPU, _FLOAT = torch.device("cpu"), torch.float32
#: Below, the factor for what is kept could leave the range of a type.
_LEAST = 1 / FACTOR


def masked(
    variant: Variant,
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
    batched: bool = True,
    **options: Any,
) -> Tensor:
    """Multiply ``x`` by the Bernoulli mask of a variant: this is all that most members do.

    Args:
        variant: the member whose ``mask_shape`` says which elements share a draw.
        options: the arguments that the variant's ``mask_shape`` takes.

    >>> columns = Variant(
    ...     name="column_dropout",
    ...     multiplies="activations",
    ...     shares="all rows of a column",
    ...     mask_shape=lambda shape: (1, shape[1]),
    ... )
    >>> seeded = torch.Generator().manual_seed(0)
    >>> masked(columns, torch.ones(2, 3), 0.5, generator=seeded)
    tensor([[0., 2., 0.],
            [0., 2., 0.]])
    """
    variant.check(x, batched)
    if type(keep_prob) is not float or not 0 <= keep_prob <= 1:
        keep_prob = noise.check_keep_prob(keep_prob)
    if training is not True or rescale is not True:
        check_modes(training, rescale)
    if exact_zeros is not True and exact_zeros is not False:
        flag("exact_zeros", exact_zeros)
    if keep_prob == 1 or (rescale and not training):
        return x
    if not training and keep_prob > 0:
        return x * keep_prob
    if batched is not True:
        options["batched"] = batched
    shape = variant.mask_shape(x.shape, **options) if options else variant.mask_shape(x.shape)
    if generator is not None:
        generator = variant.draws_from(generator, x.shape, **options)
    elif x.dtype is _FLOAT and x.is_cpu and keep_prob > _LEAST and noise.is_plain(x) and x.is_contiguous() and shape:
        count = x.numel()
        if (count < MANY or not exact_zeros) and (count < noise.MANY or math.prod(shape) < noise.MANY):
            # The very draws and operations of ``drop``.
            values = torch.rand(*shape, dtype=_FLOAT, device=_CPU)
            scale, level, factor = _constants(keep_prob, rescale)
            if not exact_zeros:
                return x * _direct(factor, values, level)
            return times(_direct(x, values, level), scale)
    return drop(
        x,
        shape,
        keep_prob,
        inverse(keep_prob) if rescale else 1.0,
        generator=generator,
        exact_zeros=exact_zeros,
    )


@lru_cache(maxsize=256)
def _constants(keep_prob: float, rescale: bool) -> tuple[float, float, Tensor]:
    """The factor of what is kept, the level that its numbers exceed, and the factor once more, as a tensor."""
    scale = inverse(keep_prob) if rescale else 1.0
    # It outlives the call, so whatever mode the call is made in must not get hold of it.
    with pinned.without_modes():
        return scale, noise.level(keep_prob), torch.full((), scale, dtype=_FLOAT, device=_CPU)
