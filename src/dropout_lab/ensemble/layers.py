"""What the two fast algorithms share: one dropout layer before a linear output, as each unit's contribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dropout_lab.arguments import flag, floating, real
from dropout_lab.ensemble.tables import keep_probs


def contributions(
    hidden: Tensor, weight: Tensor, keep_prob: float | Sequence[float] | Tensor, rescale: bool
) -> tuple[Tensor, Tensor]:
    """What each unit adds to each logit when it is kept, float64 (N, n, K), and the units' probabilities (n,).

    ``hidden`` is (N, n) and ``weight`` (K, n), as in ``torch.nn.Linear``. Raises TypeError for integers and ValueError
    for other shapes, for values that are not finite and for products that overflow.
    """
    flag("rescale", rescale)
    for name, value in (("hidden", hidden), ("weight", weight)):
        if not floating(name, value).isfinite().all():
            raise ValueError(f"{name} must be finite, got inf or NaN")
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise ValueError(
            "expected hidden of shape (n,) or (N, n) and weight with n columns, got "
            f"{tuple(hidden.shape)} and {tuple(weight.shape)}"
        )
    probabilities = keep_probs(keep_prob, hidden.shape[1])
    parts = (hidden.detach().double().cpu().unsqueeze(1) * weight.detach().double().cpu()).transpose(1, 2)
    if rescale:
        # A unit that is never kept adds nothing, whatever it would be divided by.
        parts = torch.where(probabilities > 0, 1 / probabilities, 0.0).unsqueeze(1) * parts
    # A quarter of the range, so that differences of sums have room.
    if not parts.abs().sum(1).lt(torch.finfo(torch.float64).max / 4).all():
        raise ValueError("what hidden and weight contribute to the logits overflows float64: scale them down")
    return parts, probabilities


def checked_bias(bias: Tensor | float | None, size: int) -> Tensor:
    """The bias as float64 (size,), zeros for None; ValueError for another size and for values that are not finite."""
    if bias is None:
        return torch.zeros(size, dtype=torch.float64)
    bias = floating("bias", bias) if isinstance(bias, Tensor) else torch.tensor(real("bias", bias), dtype=torch.float64)
    bias = torch.as_tensor(bias, dtype=torch.float64).detach().cpu().reshape(-1)
    if bias.shape != (size,) or not bias.isfinite().all():
        raise ValueError(f"bias must have {size} finite values, got shape {tuple(bias.shape)}: {bias.tolist()[:4]}")
    return bias
