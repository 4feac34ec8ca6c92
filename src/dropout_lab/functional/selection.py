"""Keep some elements, scaled, and set the others to exactly 0: the one multiplication of the family, made fast.

A product with 0 is not enough, since 0 · inf is NaN. ``torch.where`` is right and, on the CPU, slow. The gradient of
relu is right and fast, and differentiates, compiles and maps as any operation of torch does. For large tensors on the
CPU the memory traffic counts: there the bits of what is dropped are cleared, a stretch that fits the cache at a time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.noise import Source

#: From this many elements on, stretches pay.
MANY = 1 << 18
#: Elements worked on at a time: with their mask they stay in the second-level cache.
_STRETCH = 1 << 16
#: The shortest row that is handled as one.
_ROW = 1 << 8
#: No type that is computed in has a smaller range than this factor.
FACTOR = 2.0**64
#: Integers as wide as the floating point numbers, by bytes.
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
# The gradient of relu, as its one overload: to look it up among several would cost a small input as much as the call.
relu_gradient = torch.ops.aten.threshold_backward.default


def inverse(keep_prob: float) -> float:
    """What a kept element is multiplied by: 1/p, as far as floating point goes, and 1 for p = 0, where none is kept.

    >>> inverse(0.5), inverse(0.0)
    (2.0, 1.0)
    """
    if not keep_prob:
        return 1.0
    return min(1 / keep_prob, sys.float_info.max)


def scaled(x: Tensor, scale: float) -> Tensor:
    """``scale · x``, where 0 stays 0 though the scale be beyond the range of the type.

    >>> scaled(torch.tensor([0.0, 1.0]), 1e40)
    tensor([0., inf])
    """
    while scale > FACTOR:
        x, scale = x * FACTOR, scale / FACTOR
    return x * scale


def drop(
    x: Tensor,
    shape: Sequence[int],
    keep_prob: float,
    scale: float = 1.0,
    *,
    generator: Source | None = None,
    exact_zeros: bool = True,
) -> Tensor:
    """Each draw of a mask of ``shape`` keeps ``scale · x`` with probability ``keep_prob``, and else leaves exactly 0.

    ``shape`` broadcasts against that of ``x``: axes of extent 1 share a draw. So too for every derivative. Without
    ``exact_zeros`` what is dropped may be 0 · x instead, wherever a product takes less time. The mask is the same.
    """
    # A product with a factor beyond the type would make NaN of a kept 0.
    exact = exact_zeros or scale > FACTOR
    if _in_stretches(x) and (exact or shape == x.shape):
        kept = noise.bernoulli(shape, keep_prob, generator=generator, device=x.device, dtype=torch.int8)
        return _Select.apply(x, kept, scale)
    with noise.mode_of(x):
        values, level = noise.exceeding(shape, keep_prob, generator=generator, device=x.device)
        return _above(x, values, level, scale) if exact else _product(x, values, level, scale)


def _product(x: Tensor, values: Tensor, level: float, scale: float) -> Tensor:
    """``x`` times ``scale`` or 0: with one operation that has a gradient, and none that is larger than the mask."""
    product = x * relu_gradient(torch.full((), scale, dtype=torch.float32, device=x.device), values, level)
    return product if product.dtype == x.dtype else product.to(x.dtype)


def select(x: Tensor, kept: Tensor, scale: float = 1.0) -> Tensor:
    """``scale · x`` where the int8 mask ``kept``, which broadcasts against ``x``, is 1; exactly 0 where it is 0."""
    if _in_stretches(x):
        return _Select.apply(x, kept, scale)
    return _above(x, kept.to(torch.float32), 0.5, scale)


def _in_stretches(x: Tensor) -> bool:
    # Between two layouts torch's own operation would choose that of the mask, and not that of x.
    if not noise.is_plain() or (x.numel() < MANY and x.is_contiguous()):
        return False
    if not noise.is_free(x):
        return False
    return x.element_size() in _INTEGERS and (x.device.type == "cpu" or not x.is_contiguous())


def _above(x: Tensor, values: Tensor, level: float, scale: float) -> Tensor:
    """``scale · x`` where ``values`` exceed ``level``, exactly 0 elsewhere, whatever stands there."""
    scaled = times(relu_gradient(x, values, level), scale)
    # Half precision has become float32 above, so it is rounded once.
    return scaled if scaled.dtype == x.dtype else scaled.to(x.dtype)


def times(kept: Tensor, scale: float) -> Tensor:
    """``scale`` times what was just made and nobody else holds: it may be changed in place."""
    if scale == 1:
        return kept
    # The gradient of a sum is handed on as it is, that of a product is multiplied again: for p = 1/2, the usual case,
    # this saves a small input a fifth of its time.
    if scale == 2:
        return kept + kept
    return kept.mul_(scale) if scale <= FACTOR else scaled(kept, scale)


class _Select(torch.autograd.Function):
    """:func:`select` for large tensors. Linear in ``x`` and its own transpose, so every derivative is itself again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.save_for_forward(kept)
        ctx.scale = scale
        return _by_rows(x, kept, scale) if _has_rows(x, kept) else _by_bits(x, kept, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return select(gradient, kept, ctx.scale), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: object) -> Tensor:
        (kept,) = ctx.saved_tensors
        return select(tangent, kept, ctx.scale)


def _has_rows(x: Tensor, kept: Tensor) -> bool:
    """Whether ``x`` lies in memory as rows that are kept or dropped as a whole, long enough to be worth a lookup."""
    own = x.dim()
    while own and kept.shape[own - 1] == 1:
        own -= 1
    rows = math.prod(x.shape[:own])
    return x.is_contiguous() and x.dtype == torch.float32 and rows == kept.numel() and x.numel() >= _ROW * rows


def _by_rows(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    """One sum for each row: of the row itself with the weight ``scale``, or of nothing. What is dropped is not read."""
    chosen = kept.flatten()
    index = chosen.nonzero().squeeze(1)
    starts = chosen.cumsum(0) - chosen
    weights = scaled(x.new_ones(index.shape), scale)
    rows = x.view(chosen.numel(), -1)
    sums = torch.nn.functional.embedding_bag(index, rows, starts, mode="sum", per_sample_weights=weights)
    return sums.view(x.shape)


def _by_bits(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    result = torch.empty_like(x)
    integer = _INTEGERS[x.element_size()]
    rows, into = x, result
    if kept.shape == x.shape and x.is_contiguous() and kept.is_contiguous():
        rows, kept, into = x.view(-1), kept.view(-1), result.view(-1)
    length = max(1, _STRETCH * len(rows) // rows.numel())
    kept = kept.expand(len(rows), *kept.shape[1:])
    for piece, keep, target in zip(rows.split(length), kept.split(length), into.split(length), strict=True):
        torch.mul(piece, scale, out=target)
        # −1 has all bits set, at any width.
        target.view(integer).bitwise_and_(keep.neg().to(integer))
    return result
