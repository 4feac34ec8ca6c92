"""DropBlock: drop squares (or cubes) of neighboring positions, at a rate that is met exactly."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from dropout_lab import noise, pinned
from dropout_lab.arguments import integer, real
from dropout_lab.functional.selection import select
from dropout_lab.functional.variants import DROP_BLOCK, check_modes
from dropout_lab.noise import Source

_RULES = ("exact", "published")
#: The largest factor that a position can get: finite in float32, and so harmless where everything is dropped.
_LARGEST = torch.finfo(torch.float32).max


def drop_block(
    x: Tensor,
    keep_prob: float = 0.9,
    block_size: int = 7,
    *,
    gamma: Literal["exact", "published"] = "exact",
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop square or cubic blocks of neighboring positions, in each channel by itself.

    Seeds fall with probability γ at each place where a whole block fits, and a position is kept if no seed's block
    covers it. A position near the border lies in fewer blocks and is kept more often. Each position is rescaled by its
    *own* keep probability (:func:`block_keep_probs`), so that the mean of the output is ``x`` everywhere, and a
    sample's output does not depend on the others of its batch. Without ``rescale`` the same probabilities multiply
    ``x`` when ``training`` is False.

    Args:
        x: the input, of shape (N, C, H, W) or (N, C, D, H, W).
        keep_prob: the expected part of the positions that is kept.
        block_size: the number of positions along a side of a block, from 1 to the smallest extent of the map.
        gamma: "exact" chooses γ so that ``keep_prob`` is met; "published" takes γ from the paper, which neglects that
            blocks overlap.

    Raises ValueError for a block size that is not an integer or does not fit, and for another ``gamma``. Source:
    Ghiasi, Lin and Le 2018.

    >>> seeded = torch.Generator().manual_seed(2)
    >>> drop_block(torch.ones(1, 1, 4, 6), 0.7, 2, rescale=False, generator=seeded)
    tensor([[[[1., 1., 1., 1., 1., 1.],
              [1., 1., 1., 1., 1., 1.],
              [1., 1., 1., 0., 0., 1.],
              [1., 1., 1., 0., 0., 1.]]]])
    """
    DROP_BLOCK.check(x, batched)
    own = 2 if batched else 1
    sizes = tuple(x.shape[own:])
    if training is not True or rescale is not True:
        check_modes(training, rescale)
    if 0 in sizes:
        return x
    rate = block_gamma(sizes, keep_prob, block_size, rule=gamma)
    if keep_prob == 1 or (rescale and not training):
        return x
    if not training and keep_prob > 0:
        with noise.mode_of(x):
            return _widened_product(x, _keep_probs(sizes, block_size, rate, x.device))
    places = DROP_BLOCK.mask_shape(x.shape, block_size=block_size, batched=batched)
    if generator is not None:
        generator = DROP_BLOCK.draws_from(generator, x.shape, batched=batched)
    with noise.mode_of(x):
        seeds = noise.bernoulli(places, rate, generator=generator, device=x.device, dtype=torch.int8)
        kept = select(x, dilated(seeds, sizes, block_size).bitwise_xor(1).view(x.shape))
        if not rescale:
            return kept
        return _widened_product(kept, _keep_probs(sizes, block_size, rate, x.device).reciprocal().clamp(max=_LARGEST))


def block_gamma(
    sizes: Sequence[int], keep_prob: float, block_size: int, *, rule: Literal["exact", "published"] = "exact"
) -> float:
    r"""Return the probability γ of a seed at each place where a block fits into the map.

    Of n positions, position i lies in kᵢ of the possible blocks, and is kept with probability :math:`(1-\gamma)^{k_i}`.
    The rule "exact" solves :math:`\sum_i (1-\gamma)^{k_i} = n p` for p = ``keep_prob``.

    Args:
        sizes: the extents of the map, such as (H, W).
        keep_prob: the expected part of the positions that is kept.
        block_size: the number of positions along a side of a block.
        rule: "exact", or "published" for equation 1 of the paper.

    Raises what :func:`drop_block` raises. Source: Ghiasi, Lin and Le 2018.

    >>> exact, published = block_gamma((8, 8), 0.9, 3), block_gamma((8, 8), 0.9, 3, rule="published")
    >>> round(exact, 4), round(published, 4)
    (0.0209, 0.0198)
    """
    keep_prob = noise.check_keep_prob(keep_prob)
    block_size = check_block(block_size, rule, sizes)
    if keep_prob in (0, 1):
        return 1 - keep_prob
    if rule == "exact":
        return _exact_gamma(*keep_prob.as_integer_ratio(), block_size, *map(operator.index, sizes))
    return (1 - keep_prob) * math.prod([size / block_size / (size - block_size + 1) for size in sizes])


def check_block(block_size: int, rule: str, sizes: Sequence[int] | None = None) -> int:
    """``block_size`` as an int, if it is a size, fits into ``sizes``, and ``rule`` is a rule for γ.

    Raises as :func:`drop_block` does.

    >>> check_block(7, "exact")
    7
    """
    most = None if sizes is None else (min(sizes) if len(sizes) else 0)
    is_size = isinstance(block_size, Integral) and not isinstance(block_size, bool) and block_size >= 1
    if not is_size or (most is not None and block_size > most):
        end = "" if most is None else f", {most}"
        raise ValueError(
            f"block_size must be an integer from 1 to the smallest extent of the map{end}; got {block_size!r}"
        )
    if rule not in _RULES:
        raise ValueError(f"gamma must be one of {', '.join(_RULES)}; got {rule!r}")
    return int(block_size)


def block_keep_probs(sizes: Sequence[int], block_size: int, gamma: float) -> Tensor:
    """Return the probability with which each position of a map is kept.

    Args:
        sizes: the extents of the map, such as (H, W).
        block_size: the number of positions along a side of a block.
        gamma: the probability of a seed at each place where a block fits.

    Returns:
        A float64 tensor of shape ``sizes``.

    Raises TypeError for a ``gamma`` that is no number, and ValueError for one outside [0, 1] and for a block that does
    not fit.

    >>> block_keep_probs((3, 3), 2, 0.5)
    tensor([[0.5000, 0.2500, 0.5000],
            [0.2500, 0.0625, 0.2500],
            [0.5000, 0.2500, 0.5000]], dtype=torch.float64)
    """
    sizes = [integer("an extent of sizes", size, least=1) for size in sizes]
    block_size = check_block(block_size, "exact", sizes)
    gamma = real("gamma", gamma)
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is a probability between 0 and 1, got {gamma}")
    return _keep_probs(sizes, block_size, gamma, torch.device("cpu"))


def _keep_probs(sizes: Sequence[int], block_size: int, gamma: float, device: torch.device) -> Tensor:
    """:func:`block_keep_probs` on another device."""
    counts = torch.ones((), device=device, dtype=torch.float64)
    for size in sizes:
        position = torch.arange(1, size + 1, device=device)
        covers = torch.minimum(position, size + 1 - position).clamp(max=min(block_size, size - block_size + 1))
        counts = counts.unsqueeze(-1) * covers
    return (counts * math.log1p(-gamma)).exp() if gamma < 1 else torch.zeros_like(counts)


def _exact_gamma(numerator: int, denominator: int, block_size: int, *sizes: int) -> float:
    return _solve(numerator / denominator, block_size, sizes)


# A compiler would look through a cache, into the search.
pinned.assume_constant_result(_exact_gamma)


@lru_cache
def _solve(keep_prob: float, block_size: int, sizes: tuple[int, ...]) -> float:
    counts = Counter({1: 1})
    for size in sizes:
        most = min(block_size, size - block_size + 1)
        axis = Counter(min(position, size + 1 - position, most) for position in range(1, size + 1))
        product: Counter[int] = Counter()
        for one, times in counts.items():
            for other, more in axis.items():
                product[one * other] += times * more
        counts = product
    # In terms of log(1 − γ) the kept part is a sum of exponentials, which rises from below keep_prob at the low end,
    # where each is at most keep_prob, to above it at the high end, where each is at least keep_prob.
    low, high = math.log(keep_prob), math.log(keep_prob) / max(counts)
    while low < (middle := (low + high) / 2) < high:
        kept = math.fsum(times * math.exp(middle * count) for count, times in counts.items())
        if kept < keep_prob * counts.total():
            low = middle
        else:
            high = middle
    return -math.expm1(low)


def dilated(seeds: Tensor, sizes: Sequence[int], block_size: int) -> Tensor:
    """1 wherever a block reaches, as one flat tensor, from 0/1 ``seeds`` (…, places), each its block's first corner.

    Along each axis the covered length doubles with every OR of the map with itself, shifted. Shifts of the flat map do
    not run over from one line into the next, because the last ``block_size − 1`` places of a line hold no seed.
    """
    reached = torch.nn.functional.pad(seeds, (0, block_size - 1) * len(sizes)).flatten()
    stride = 1
    for size in reversed(sizes):
        length = 1
        while length < block_size:
            step = min(length, block_size - length)
            shift = step * stride
            reached = torch.cat((reached[:shift], reached[shift:] | reached[:-shift]))
            length += step
        stride *= size
    return reached


def _widened_product(x: Tensor, factors: Tensor) -> Tensor:
    """``x · factors`` in float32 at least, then rounded to the type of ``x``."""
    return (x * factors.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)
