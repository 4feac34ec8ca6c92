"""All 2ⁿ masks of n units with their probabilities, whole or a stretch at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.arguments import integer

#: A table of masks may take this many bytes; 2²² masks of 22 units fit.
_TABLE_BYTES = 2**30


class TooManyMasks(ValueError):
    """An ensemble is too large to enumerate; the message gives its size, its time, and what to use."""


def keep_probs(keep_prob: float | Sequence[float] | Tensor, n: int) -> Tensor:
    """One keep probability for each of ``n`` units, float64 (n,), from one number or one a unit.

    Raises ValueError for a probability outside [0, 1] and for another number of them than ``n``.
    """
    n = integer("the number of units", n, least=0)
    if isinstance(keep_prob, (Tensor, np.ndarray)):
        keep_prob = keep_prob.tolist()
    if not isinstance(keep_prob, Sequence):
        return torch.full((n,), noise.check_keep_prob(keep_prob), dtype=torch.float64)
    if len(keep_prob) != n:
        raise ValueError(f"expected one keep_prob or {n}, one a unit; got {len(keep_prob)}")
    return torch.tensor([noise.check_keep_prob(value) for value in keep_prob], dtype=torch.float64)


def stretch(start: int, stop: int, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Masks ``start`` to ``stop`` − 1 in binary counting order, float64 (stop − start, n), and their probabilities."""
    n = len(probabilities)
    # An int64 index has 63 bits: the units beyond are dropped in every mask that can be counted up to.
    low = min(n, 62)
    table = torch.zeros(stop - start, n, dtype=torch.float64)
    table[:, :low] = torch.arange(start, stop).unsqueeze(1).bitwise_right_shift(torch.arange(low)).bitwise_and_(1)
    return table, torch.where(table > 0, probabilities, 1 - probabilities).prod(dim=1)


def masks(n: int, keep_prob: float | Sequence[float] | Tensor = 0.5) -> tuple[Tensor, Tensor]:
    """List every mask of ``n`` units with its probability.

    Args:
        n: the number of units.
        keep_prob: the keep probability of the units, one number or one for each unit.

    Returns:
        Two float64 tensors. The table of the masks has shape (2ⁿ, n) and entries 0 and 1, in binary counting order: row
        k has bit j of k in column j, so row 0 drops everything and the last row nothing. The probabilities have shape
        (2ⁿ,) and sum 1; for one keep probability p, a mask that keeps k units has probability pᵏ(1 − p)ⁿ⁻ᵏ.

    Raises ValueError for a probability outside [0, 1], and :class:`TooManyMasks` where the table would take over 1 GiB.

    >>> masks(2, 0.25)
    (tensor([[0., 0.],
            [1., 0.],
            [0., 1.],
            [1., 1.]], dtype=torch.float64), tensor([0.5625, 0.1875, 0.1875, 0.0625], dtype=torch.float64))
    """
    probabilities = keep_probs(keep_prob, n)
    if n > 40 or 2**n * (n + 1) * 8 > _TABLE_BYTES:
        raise TooManyMasks(
            f"a table of 2^{n} masks of {n} units does not fit in 1 GiB: exact_mean(function, n, keep_prob) streams "
            "the masks, and only what the function returns is kept"
        )
    return stretch(0, 2**n, probabilities)


def check_count(n: int, max_masks: int, work: Callable[[], object], done: int, instead: str) -> None:
    """Raise :class:`TooManyMasks` if 2ⁿ is over ``max_masks``.

    The message's time is measured: ``work()`` does ``done`` masks, and is called only when the answer is no.
    """
    integer("max_masks", max_masks, least=1)
    if n < 1024 and 2**n <= max_masks:
        return
    work()
    begun = time.perf_counter()
    work()
    seconds = max(time.perf_counter() - begun, 1e-9) / done
    raise TooManyMasks(
        f"{n} units have 2^{n} masks (about {_power_of_ten(n * math.log10(2))}), more than max_masks = {max_masks}; "
        f"at the speed just measured they would take {_duration(math.log10(seconds) + n * math.log10(2))}. {instead}"
    )


def _power_of_ten(exponent: float) -> str:
    return f"{10 ** (exponent % 1):.1f}e{math.floor(exponent)}"


def _duration(log_seconds: float) -> str:
    for name, seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400), ("year", 31557600)):
        log_count, unit = log_seconds - math.log10(seconds), name
        if log_count < 2:
            break
    return f"about {10**log_count:.3g} {unit}s" if log_count < 4 else f"about {_power_of_ten(log_count)} {unit}s"
