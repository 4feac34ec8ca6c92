"""The arithmetic ensemble of one dropout layer before a softmax, at the speed of matrix products.

Split the n units in two halves. A mask is a pair of half masks, and its logits are a sum, so exp(z) factorizes: the
2^n normalizers are one product exp(Z_A) exp(Z_B)ᵀ of a 2^(n/2) × K by a K × 2^(n/2) matrix, and the mean is one
product more and a sum. No exponential is taken per mask, and only a tile of the product exists at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dropout_lab.ensemble.layers import checked_bias, contributions
from dropout_lab.ensemble.masks import check_count, masks

#: Half masks of the first and the second half in a tile: 2 MiB of float64, which stays in a core's cache.
_TILE = (256, 1024)
#: A half whose logits differ by no more than this keeps every normalizer above 1e-261.
_SAFE_RANGE = 600.0
_INSTEAD = "Use ensemble.sigmoid_mean for a binary output of any number of units, or inference.monte_carlo."


class _Half(NamedTuple):
    """Half of the units: exp(logits − row maximum) and the logits themselves, (2^m, K), and the probabilities."""

    exponentials: Tensor
    logits: Tensor
    weights: Tensor

    @property
    def range(self) -> float:
        return float((self.logits.amax(1) - self.logits.amin(1)).max())

    def tiles(self, size: int) -> Iterator[_Half]:
        for parts in zip(*(part.split(size) for part in self), strict=True):
            yield _Half(*parts)


def _half(parts: Tensor, probabilities: Tensor, bias: Tensor) -> _Half:
    table, weights = masks(len(probabilities), probabilities)
    logits = table @ parts + bias
    # A factor common to all classes cancels in the softmax: each row's largest exponential becomes 1.
    return _Half((logits - logits.amax(1, keepdim=True)).exp(), logits, weights)


def softmax_mean(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    keep_prob: float | Sequence[float] | Tensor = 0.5,
    *,
    rescale: bool = True,
    max_masks: int = 2**32,
) -> Tensor:
    """The mean of softmax(weight · (mask ⊙ hidden) + bias) over all 2^n masks, each with its probability.

    Exact up to rounding, for one dropout layer (inverted if ``rescale``) on the inputs of a softmax layer. ``hidden``
    is (n,) or (N, n), ``weight`` (K, n), ``bias`` (K,); the result is float64, (K,) or (N, K), and each row sums to 1
    up to rounding. ``keep_prob`` is one number or one a unit. Units that cannot change the result (an activation of 0,
    the same contribution to every class, a keep probability of 0 or 1) are taken out first: each halves the work.

    2^30 masks of ten classes take seconds and need less than 100 MiB. Raises
    :class:`~dropout_lab.ensemble.TooManyMasks` for more than ``max_masks``, TypeError for integer input, and
    ValueError for other shapes, values that are not finite and probabilities outside [0, 1].
    """
    if hidden.dim() == 1:
        return softmax_mean(
            hidden.unsqueeze(0), weight, bias, keep_prob, rescale=rescale, max_masks=max_masks
        ).squeeze(0)
    parts, probabilities = contributions(hidden, weight, keep_prob, rescale)
    offset = checked_bias(bias, len(weight))
    return torch.stack([_one_example(part, probabilities, offset, max_masks) for part in parts])


def _one_example(parts: Tensor, probabilities: Tensor, bias: Tensor, max_masks: int) -> Tensor:
    bias = bias + parts[probabilities == 1].sum(0)
    matters = (probabilities > 0) & (probabilities < 1) & (parts != parts[:, :1]).any(1)
    parts, probabilities = parts[matters], probabilities[matters]
    n = len(parts)

    def halves(split: int, units: int) -> tuple[_Half, _Half]:
        first = _half(parts[:split], probabilities[:split], torch.zeros_like(bias))
        return first, _half(parts[split:units], probabilities[split:units], bias)

    def sample() -> Tensor:
        return _tile_mean(*halves(8, 18))

    check_count(n, max_masks, sample, 2**18, _INSTEAD)
    first, second = halves(n // 2, n)
    # The largest class of one half has at least exp(−range) in the other.
    mean: Callable[[_Half, _Half], Tensor] = _tile_mean
    if min(first.range, second.range) > _SAFE_RANGE:
        mean = _extreme_tile_mean
    return sum(
        (mean(rows, columns) for rows in first.tiles(_TILE[0]) for columns in second.tiles(_TILE[1])),
        torch.zeros_like(bias),
    )


def _tile_mean(rows: _Half, columns: _Half) -> Tensor:
    inverse = (rows.exponentials @ columns.exponentials.T).reciprocal_()
    partial = inverse @ (columns.exponentials * columns.weights.unsqueeze(1))
    return rows.weights @ (rows.exponentials * partial)


def _extreme_tile_mean(rows: _Half, columns: _Half) -> Tensor:
    """The same by a softmax for every mask: slow, but safe where exponentials of half the logits would vanish."""
    members = (row + columns.logits for row in rows.logits)
    return rows.weights @ torch.stack([columns.weights @ logits.softmax(1) for logits in members])
