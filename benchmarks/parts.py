"""Where the time of a small dropout goes, beside its peer's: what stands between us and a speed that is not reached.

``python benchmarks/parts.py`` prints microseconds of each part, for 2^10 and 2^16 elements. The peers multiply by a
factor: one operation, one node for the gradient, and a dropped infinity becomes NaN. Ours selects and then scales, so
that what is dropped is exactly 0: two operations, two nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from cases import SHAPES
from run import differentiated
from timing import compare
from torch import Tensor

from dropout_lab import functional

_select = torch.ops.aten.threshold_backward.default


def parts(mask: tuple[int, ...]) -> dict[str, Callable[[Tensor], Tensor]]:
    """The whole, what it is made of, and what a peer does, for a mask of this shape at p = 1/2."""

    def operations(x: Tensor) -> Tensor:
        kept = _select(x, torch.rand(*mask), 0.5)
        return kept + kept

    whole = functional.dropout if mask[-1] > 1 else functional.spatial_dropout
    return {
        "ours, with its checks": whole,
        "ours, torch's operations alone": operations,
        "  numbers and selection, not scaled": lambda x: _select(x, torch.rand(*mask), 0.5),
        "  numbers alone": lambda x: torch.rand(*mask),
        "one product with a factor, as peers": lambda x: x * torch.rand(*mask).gt_(0.5).mul_(2.0),
    }


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    for shape in SHAPES[:2]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        for name, mask in (("element by element", shape), ("whole channels", (*shape[:2], 1, 1))):
            timed = parts(mask)
            forward = compare({part: partial(call, x) for part, call in timed.items()}).seconds
            timed.pop("  numbers alone")
            both = compare({part: differentiated(call, x) for part, call in timed.items()}).seconds
            print(f"2^{x.numel().bit_length() - 1} elements, {name}: µs forward, and with the gradient")
            for part, seconds in forward.items():
                print(f"  {part:38}{1e6 * seconds:8.1f}", f"{1e6 * both[part]:9.1f}" if part in both else "")


if __name__ == "__main__":
    main()
