"""Gaussian moment matching for DropConnect (Wan et al. 2013)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from dropout_lab import noise
from dropout_lab.arguments import flag, floating, integer
from dropout_lab.functional.selection import inverse


class Moments(NamedTuple):
    """The mean and the variance of each entry of a random array.

    Attributes:
        mean: the means, in the shape of the array.
        variance: the variances, in the same shape.

    >>> u = Moments(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    >>> u.relu()
    Moments(mean=tensor([0.3989, 1.0000]), variance=tensor([0.3408, 0.0000]))
    """

    mean: Tensor
    variance: Tensor

    def sample(self, samples: int, *, generator: Generator | None = None) -> Tensor:
        """Draw arrays of independent Gaussian numbers with these moments.

        Args:
            samples: the number of arrays.
            generator: the source of the draws; None for torch's global generator.

        Returns:
            A tensor of shape (samples, …).
        """
        shape = (integer("samples", samples, least=1), *self.mean.shape)
        mean, variance = _widened(self.mean), _widened(self.variance)
        normal = torch.randn(shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return (mean + variance.sqrt() * normal).to(self.mean.dtype)

    def relu(self) -> Moments:
        r"""Return the moments of max(0, u) for a Gaussian u with these moments, in closed form.

        With t = μ/σ the mean is :math:`\sigma\,(t\,\Phi(t) + \varphi(t))`, and the mean square is :math:`\sigma^2((t^2
        + 1)\,\Phi(t) + t\,\varphi(t))`. Where the variance is 0 the moments are max(0, μ) and 0.
        """
        given, spread = _widened(self.mean), _widened(self.variance)
        # A variance of 0 takes another road, so that neither the value nor the gradient meets 0/0. A NaN is not 0.
        random = spread != 0
        deviation = torch.where(random, spread, 1.0).sqrt()
        ratio = given / deviation
        above, below = torch.special.ndtr(ratio), torch.special.ndtr(-ratio)
        density = torch.exp(-ratio.square() / 2) / math.sqrt(2 * math.pi)
        mean = deviation * (ratio * above + density)
        # The second moment less the mean's square, with the t² of both cancelled by hand.
        shape = above + ratio.square() * above * below + ratio * density * (below - above) - density.square()
        # Far below 0 the terms cancel to less than nothing.
        variance = deviation.square() * shape.clamp(min=0)
        mean = torch.where(random, mean.clamp(min=0), given.clamp(min=0))
        variance = torch.where(random, variance, 0.0)
        return Moments(mean.to(self.mean.dtype), variance.to(self.variance.dtype))


def moment_matching(
    x: Tensor | Moments, weight: Tensor, bias: Tensor | None = None, keep_prob: float = 0.5, *, rescale: bool = True
) -> Moments:
    r"""Compute the exact mean and variance of a DropConnect layer's pre-activations over its masks.

    The pre-activations are u = (R ⊙ W) x + b. For keep probability p the mean is pWx + b and the variance p(1 − p) W²
    x² (squares entry by entry); with ``rescale`` R is divided by p. For independent random inputs the variance of an
    output is :math:`\sum_j W_j^2\,(p\,\mathbb{E}x_j^2 - p^2(\mathbb{E}x_j)^2)`. Given the inputs, the outputs are
    independent. Only to take them for Gaussian, as :meth:`Moments.sample` and :meth:`Moments.relu` do, is an
    approximation.

    Args:
        x: the inputs, of shape (…, in_features), or the :class:`Moments` of independent inputs, such as another layer's
            ``.relu()``.
        weight: the weights W, of shape (out_features, in_features).
        bias: the bias b, of shape (out_features,), or None.
        keep_prob: the keep probability p of each weight.
        rescale: True for inverted dropout, False for the original convention.

    Returns:
        The moments, of shape (…, out_features).

    Raises ValueError for shapes that do not fit and for a keep probability outside [0, 1], and TypeError for integers.
    Source: Wan et al. 2013.

    >>> x, weight = torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 4.0]])
    >>> moment_matching(x, weight, keep_prob=0.5)
    Moments(mean=tensor([11.]), variance=tensor([73.]))
    """
    noise.check_keep_prob(keep_prob)
    inputs = x if isinstance(x, Moments) else Moments(x, torch.zeros_like(floating("x", x)))
    for name, value in (("x", inputs.mean), ("weight", weight), *((("bias", bias),) if bias is not None else ())):
        floating(name, value)
    flag("rescale", rescale)
    if weight.dim() != 2 or inputs.mean.dim() < 1 or inputs.mean.shape[-1] != weight.shape[1]:
        raise ValueError(
            "expected x of shape (…, in_features) and weight (out_features, in_features), got "
            f"{tuple(inputs.mean.shape)} and {tuple(weight.shape)}"
        )
    if inputs.variance.shape != inputs.mean.shape:
        raise ValueError(
            f"mean and variance of x must have one shape, got {tuple(inputs.mean.shape)} and "
            f"{tuple(inputs.variance.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape ({len(weight)},), got {tuple(bias.shape)}")
    kept = 1.0 if rescale and keep_prob > 0 else keep_prob
    # Per unit of weight: p(1 − p)(E x)² + p Var x, over p² if rescaled. At p = 0 everything is 0 in both conventions.
    factor = inverse(keep_prob) if rescale else 1.0
    mask_noise, input_noise = kept * (1 - keep_prob) * factor, kept * factor
    # Squares overflow and vanish in half precision: all is in float32 at least, also under autocast, and rounded once.
    with torch.autocast(weight.device.type, enabled=False):
        mean, spread, wide = _widened(inputs.mean), _widened(inputs.variance), _widened(weight)
        noisy = mask_noise * mean.square() + input_noise * spread
        variance = torch.nn.functional.linear(noisy, wide.square())
        shift = None if bias is None else _widened(bias)
        mean = torch.nn.functional.linear(kept * mean, wide, shift)
    dtype = torch.promote_types(inputs.mean.dtype, weight.dtype)
    return Moments(mean.to(dtype), variance.to(dtype))


def _widened(values: Tensor) -> Tensor:
    """In float32 at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
