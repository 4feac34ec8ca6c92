r"""The arithmetic ensemble of a binary output as an integral: any number of units, in time linear in it.

The logit :math:`S = b + \sum_i a_i r_i` of independent masks has the characteristic function :math:`\varphi(t) =
e^{ibt} \prod_i (1 - p_i + p_i e^{i a_i t})`. With :math:`\tfrac12 \tanh(z/2) = \int_0^\infty \sin(zt)/\sinh(\pi t)\,dt`
the mean of the output is

.. math:: \mathbb{E}\,\sigma(S) = \tfrac12 + \int_0^\infty \frac{\operatorname{Im} \varphi(t)}{\sinh(\pi t)}\,dt.

The midpoint rule with step :math:`2\pi/P` sums this integral nearly exactly: by Poisson's formula its error at :math:`S
= z` is :math:`\sum_{k \ge 1} (-1)^k (\sigma(z - kP) - \sigma(-z - kP))`, which is below :math:`e^{|z| - P}/(1 -
e^{-P})`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dropout_lab.arguments import floating
from dropout_lab.ensemble.layers import checked_bias, contributions

#: e^−40 is far below float64's rounding: the error allowed for aliasing, for the tail and for unlikely masks.
_MARGIN = 40.0
_CUT = _MARGIN / math.pi
_EPSILON = 2.0**-53
#: Factors exp(i a t) evaluated at once, and in all.
_BLOCK = 2**18
_MOST = 2**33


class BinaryMean(NamedTuple):
    """A mean over all masks, with a bound on its absolute error.

    The bound adds up what the midpoint rule and the cut at a finite t can miss, which is rigorous, and the rounding
    errors of the sum, to first order.

    Attributes:
        value: the mean, in float64 of shape () or (N,).
        bound: the bound on its absolute error, of the same type and shape.

    >>> sigmoid_mean(torch.ones(2), torch.zeros(2)).value
    tensor(0.5000, dtype=torch.float64)
    """

    value: Tensor
    bound: Tensor


def sigmoid_mean(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | float | None = None,
    keep_prob: float | Sequence[float] | Tensor = 0.5,
    *,
    rescale: bool = True,
) -> BinaryMean:
    """Average σ(weight · (mask ⊙ hidden) + bias) over all 2ⁿ masks, each with its probability, and bound the error.

    This is the ensemble of one dropout layer before a binary output, with any number n of units. A softmax over two
    classes is the same thing, with the difference of the two rows of weights and of the two biases. The work grows with
    n times the range of likely logits, which Hoeffding's inequality limits.

    Args:
        hidden: the activations that are dropped, of shape (n,) or (N, n).
        weight: the weights of the output, of shape (n,) or (1, n).
        bias: its bias, one number, or None.
        keep_prob: the keep probability of the units, one number or one for each unit.
        rescale: True if the dropout layer is inverted, False for the original convention.

    Returns:
        The mean and its bound.

    Raises TypeError for integer input, and ValueError for other shapes, values that are not finite, probabilities
    outside [0, 1], and logits so wide (about 10⁶ at n = 1000) that the integral would take minutes.

    >>> weight = torch.full((1000,), 0.001)
    >>> mean = sigmoid_mean(torch.ones(1000), weight, keep_prob=0.5)
    >>> round(float(mean.value), 4), bool(mean.bound < 1e-12)
    (0.731, True)
    """
    if floating("hidden", hidden).dim() == 1:
        value, bound = sigmoid_mean(hidden.unsqueeze(0), weight, bias, keep_prob, rescale=rescale)
        return BinaryMean(value.squeeze(0), bound.squeeze(0))
    if floating("weight", weight).dim() == 1:
        weight = weight.unsqueeze(0)
    if len(weight) != 1:
        raise ValueError(f"a binary output has one row of weights, got weight of shape {tuple(weight.shape)}")
    parts, probabilities = contributions(hidden, weight, keep_prob, rescale)
    offset = float(checked_bias(bias, 1))
    results = [_one_example(part.squeeze(1), probabilities, offset) for part in parts]
    value, bound = torch.tensor(results, dtype=torch.float64).reshape(-1, 2).unbind(1)
    return BinaryMean(value, bound)


def _one_example(parts: Tensor, probabilities: Tensor, bias: float) -> tuple[float, float]:
    largest, unlikely = _likely_range(parts, probabilities, bias)
    period = largest + _MARGIN
    step = 2 * math.pi / period
    nodes = math.ceil(_CUT / step)
    factors = max(1, len(parts))
    if nodes * factors > _MOST:
        raise ValueError(
            f"logits up to ±{largest:.3g} from {len(parts)} units need {nodes} nodes of {len(parts)} factors each: "
            "too many. Use inference.monte_carlo, or units with smaller contributions"
        )
    total, together = 0.0, max(1, _BLOCK // factors)
    for start in range(0, nodes, together):
        t = (torch.arange(start, min(nodes, start + together), dtype=torch.float64) + 0.5) * step
        total += float((_imaginary(parts, probabilities, bias, t) / torch.sinh(math.pi * t)).sum())
    alias = math.exp(largest - period) / (1 - math.exp(-period))
    beyond = math.pi * step * (nodes + 0.5)
    tail = 2 * step * math.exp(-beyond) / ((1 - math.exp(-math.pi * step)) * (1 - math.exp(-2 * beyond)))
    # Errors of the phases grow with t, and ∫ t/sinh(πt) dt = ¼; pairwise sums of n terms add log2(n) roundings.
    magnitude = float(parts.abs().sum()) + abs(bias)
    rounding = _EPSILON * (4 + magnitude / 4 * (16 + math.log2(1 + len(parts))))
    return 0.5 + step * total, alias + tail + unlikely + rounding


def _likely_range(parts: Tensor, probabilities: Tensor, bias: float) -> tuple[float, float]:
    """A bound on |S|, and what masks beyond it can add to the error.

    Either no mask is beyond, or, by Hoeffding's inequality, P(|S − E S| ≥ s) ≤ 2 exp(−2 s² / Σ a²). The midpoint sum is
    a smooth square wave in S, at most ½ + e^(−P/2)/(1 − e^(−P)) high, so each such mask is off by at most 1.1.
    """
    certain = max(abs(bias + float(parts.clamp(max=0).sum())), abs(bias + float(parts.clamp(min=0).sum())))
    reach = math.sqrt(_MARGIN / 2 * float(parts.square().sum()))
    likely = abs(bias + float(parts @ probabilities)) + reach
    return (certain, 0.0) if certain <= likely else (likely, 2.2 * math.exp(-_MARGIN))


def _imaginary(parts: Tensor, probabilities: Tensor, bias: float, t: Tensor) -> Tensor:
    """Im φ at the nodes ``t``, from logarithms and phases of the factors: precise near t = 0 too."""
    half = t.unsqueeze(1) * (parts / 2)
    sine, cosine = half.sin(), half.cos()
    modulus = torch.log1p(-4 * probabilities * (1 - probabilities) * sine.square()).sum(1) / 2
    phase = torch.atan2(2 * probabilities * sine * cosine, 1 - 2 * probabilities * sine.square()).sum(1)
    return modulus.exp() * (phase + bias * t).sin()
