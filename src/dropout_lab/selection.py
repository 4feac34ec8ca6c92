"""Keep some elements, scaled, and set the others to exactly 0: the one multiplication of the family, made fast.

A product with 0 is not enough, since 0 · inf is NaN. ``torch.where`` is right and, on the CPU, slow: so for larger
tensors the bits of what is dropped are cleared by a bitwise AND, a stretch that fits the cache at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dropout_lab import noise

#: From this many elements on, the AND is faster than torch's own masked_fill.
_MANY = 1 << 11
#: Elements worked on at a time: with their mask they stay in the second-level cache.
_STRETCH = 1 << 16
#: Integers as wide as the floating point numbers, by bytes.
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def select(x: Tensor, kept: Tensor, scale: float = 1.0) -> Tensor:
    """``scale · x`` where ``kept``, exactly 0 elsewhere; so too for every derivative.

    ``kept`` is bool and broadcasts against ``x``, without adding to its shape. The result has the layout of ``x``.
    """
    if noise.is_plain() and x.device.type == "cpu" and x.numel() >= _MANY and x.element_size() in _INTEGERS:
        return _Select.apply(x, kept, scale)
    # Scaled before it is masked, so that the gradient, which runs backwards, meets no 0 · inf.
    scaled = x if scale == 1 else x * scale
    return scaled.masked_fill(~kept, 0.0)


class _Select(torch.autograd.Function):
    """:func:`select` by bits. It is linear in ``x`` and its own transpose, so every derivative is the same again."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.save_for_forward(kept)
        ctx.scale = scale
        return _by_bits(x, kept, scale)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return select(gradient, *ctx.saved_tensors, ctx.scale), None, None

    @staticmethod
    def jvp(ctx: torch.autograd.function.FunctionCtx, tangent: Tensor, *_: object) -> Tensor:
        return select(tangent, *ctx.saved_tensors, ctx.scale)


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
        # True is the byte 1; its negative has all bits set, at any width.
        target.view(integer).bitwise_and_(keep.view(torch.int8).neg().to(integer))
    return result
