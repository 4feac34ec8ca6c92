"""What every member asks of its input."""

from __future__ import annotations

from torch import Tensor


def check_floating(name: str, x: Tensor) -> None:
    """Raise TypeError if ``x`` is not floating point; ``name`` is the member's."""
    if not x.is_floating_point():
        raise TypeError(f"{name} needs floating point input, got {x.dtype}")


def check_axes(name: str, x: Tensor, least: int, most: int, batched: bool) -> None:
    """Raise ValueError if ``x`` has not ``least`` to ``most`` of N, C, D, H, W (without N if not ``batched``)."""
    missing = 0 if batched else 1
    if least - missing <= x.dim() <= most - missing:
        return
    layouts = {3: "(N, C, L)", 4: "(N, C, H, W)", 5: "(N, C, D, H, W)"}
    expected = " or ".join(layouts[axes] for axes in range(least, most + 1))
    if not batched:
        expected = expected.replace("(N, ", "(")
    raise ValueError(f"{name} needs input of shape {expected}, got {tuple(x.shape)}")
