"""The arithmetic ensemble of one dropout layer before a softmax, at the speed of matrix products.

Split the n units in two halves A and B. A mask is a pair of half masks, and its logits are a sum over both, so that
exp(z) is a product: the normalizers of all masks are one product of a matrix with a row for each mask of A by a matrix
with a column for each mask of B, each of extent :math:`2^{n/2}`. The mean takes one more product and a sum. No
exponential is computed for a single mask, and only a tile of the product exists at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from dropout_lab.arguments import floating
from dropout_lab.ensemble.layers import checked_bias, contributions
from dropout_lab.ensemble.tables import check_count, masks

#: Half masks of the first and the second half in a tile: 1 MiB of float64, which stays in a core's cache.
_TILE = (256, 512)
#: A half whose logits differ by no more than this keeps every normalizer above 1e-261.
_SAFE_RANGE = 600.0
_INSTEAD = "Use ensemble.sigmoid_mean for a binary output of any number of units, or inference.monte_carlo."


class _Half(NamedTuple):
    """Half of the units: exp(logits − row maximum) and the logits themselves, (2ᵐ, K), and the probabilities."""

    exponentials: Tensor
    logits: Tensor
    weights: Tensor

    @property
    def range(self) -> float:
        return float((self.logits.amax(1) - self.logits.amin(1)).max())

    @property
    def weighted(self) -> Tensor:
        """The exponentials times the probabilities of their half masks, transposed: (K, 2ᵐ)."""
        return (self.exponentials * self.weights.unsqueeze(1)).T.contiguous()


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
    """Average softmax(weight · (mask ⊙ hidden) + bias) over all 2ⁿ masks, each with its probability.

    This is the exact ensemble, up to rounding, of one dropout layer on the inputs of a softmax layer. Units that cannot
    change the result (an activation of 0, the same contribution to every class, a keep probability of 0 or 1) are taken
    out first: each of them halves the work. 2³⁰ masks of ten classes take seconds and need less than 100 MiB.

    Args:
        hidden: the activations that are dropped, of shape (n,) or (N, n).
        weight: the weights of the softmax layer, of shape (K, n).
        bias: its bias, of shape (K,), or None.
        keep_prob: the keep probability of the units, one number or one for each unit.
        rescale: True if the dropout layer is inverted, False for the original convention.
        max_masks: the largest number of masks that is averaged over.

    Returns:
        The probabilities of the classes in float64, of shape (K,) or (N, K), each row with sum 1 up to rounding.

    Raises :class:`~dropout_lab.ensemble.TooManyMasks` for more than ``max_masks`` masks, TypeError for integer input,
    and ValueError for other shapes, values that are not finite and probabilities outside [0, 1].

    >>> softmax_mean(torch.tensor([1.0]), torch.tensor([[2.0], [-2.0]]), keep_prob=0.5)
    tensor([0.7498, 0.2502], dtype=torch.float64)
    """
    if floating("hidden", hidden).dim() == 1:
        return softmax_mean(hidden.unsqueeze(0), weight, bias, keep_prob, rescale=rescale, max_masks=max_masks).squeeze(
            0
        )
    parts, probabilities = contributions(hidden, weight, keep_prob, rescale)
    offset = checked_bias(bias, len(weight))
    means = [_one_example(part, probabilities, offset, max_masks) for part in parts]
    return torch.stack(means).clamp(0, 1) if means else parts.new_zeros(0, len(weight))


def _one_example(parts: Tensor, probabilities: Tensor, bias: Tensor, max_masks: int) -> Tensor:
    bias = bias + parts[probabilities == 1].sum(0)
    matters = (probabilities > 0) & (probabilities < 1) & (parts != parts[:, :1]).any(1)
    parts, probabilities = parts[matters], probabilities[matters]
    n = len(parts)

    def halves(split: int, units: int) -> tuple[_Half, _Half]:
        first = _half(parts[:split], probabilities[:split], torch.zeros_like(bias))
        return first, _half(parts[split:units], probabilities[split:units], bias)

    check_count(n, max_masks, lambda: _mean(*halves(8, 18)), 2**18, _INSTEAD)
    first, second = halves(n // 2, n)
    # The largest class of one half has at least exp(−range) in the other.
    safe = min(first.range, second.range) <= _SAFE_RANGE
    with _one_thread():
        return _mean(first, second) if safe else _extreme_mean(first, second)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One torch thread for a while: a tile is done before several have met, and on busy cores they wait for long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _mean(first: _Half, second: _Half) -> Tensor:
    rows = list(zip(first.exponentials.split(_TILE[0]), first.weighted.split(_TILE[0], dim=1), strict=True))
    columns = zip(
        second.exponentials.T.contiguous().split(_TILE[1], dim=1),
        second.weighted.split(_TILE[1], dim=1),
        strict=True,
    )
    # One tile of memory for all of them: fresh pages would cost as much as the products.
    memory = first.weights.new_empty(min(_TILE[0], len(first.weights)), min(_TILE[1], len(second.weights)))
    total = torch.zeros_like(first.logits[0])
    for column, weighted_column in columns:
        # For each second half, the sum over all first halves.
        sums = torch.zeros_like(weighted_column)
        for row, weighted_row in rows:
            sums.addmm_(weighted_row, _normalizers(row, column, memory).reciprocal_())
        total += (sums * weighted_column).sum(1)
    return total


def _normalizers(row: Tensor, column: Tensor, memory: Tensor) -> Tensor:
    """The sum of exp(z) over classes for each pair of half masks in a tile, (rows, columns), put into ``memory``."""
    return torch.mm(row, column, out=memory[: len(row), : column.shape[1]])


def _extreme_mean(first: _Half, second: _Half) -> Tensor:
    """The same by a softmax for every mask: slow, but safe where exponentials of half the logits would vanish."""
    members = (row + second.logits for row in first.logits)
    return first.weights @ torch.stack([second.weights @ logits.softmax(1) for logits in members])
