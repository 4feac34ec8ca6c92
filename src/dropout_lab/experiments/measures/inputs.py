"""Measures of what a network looks at in its inputs: the filters of its first layer, and how local they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.trained import Trained


@torch.no_grad()
def filter_radius(trained: Trained) -> dict[str, np.ndarray]:
    """Measure how far from its center a unit of the first layer looks, in pixels.

    Returns ``filter_radius`` (S,), the mean over units. A pixel's share in a unit is :math:`(w s)^2`, with its weight w
    and its standard deviation s over test images, so that pixels that never change don't count. The radius is the root
    mean square distance from the shares' center of mass. For images of one channel; raises ValueError for other data,
    and for networks whose first layer does not read the whole image through dense weights.

    >>> from dropout_lab.experiments.training import quick
    >>> filter_radius(quick())["filter_radius"].shape
    (2,)
    """
    weight = _first_layer(trained)
    deviation = trained.sample(1000)[0].double().std(1)
    shares = (weight.double() * deviation.unsqueeze(-1)).square()
    shares = shares / shares.sum(1, keepdim=True)
    height, width = trained.dataset.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([rows.flatten(), columns.flatten()], 1).double().to(shares.device)
    center = torch.einsum("spu,pd->sud", shares, pixels)
    distance = torch.einsum("spu,p->su", shares, pixels.square().sum(1)) - center.square().sum(-1)
    return {"filter_radius": distance.clamp_min(0).sqrt().mean(1).cpu().numpy()}


def filters(count: int) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure that records the weights of the first-layer units that read most, as images.

    The measure returns ``filters`` (S, count, height, width), the strongest unit first. A unit reads much if its
    pre-activation varies much over test images by its pixels one by one: :math:`(w s)^2` is summed, with its weight w
    and a pixel's standard deviation s. Raises ValueError as :func:`filter_radius` does, and for a ``count`` that is not
    from 1 to the width of the first layer.

    >>> from dropout_lab.experiments.training import quick
    >>> filters(3)(quick())["filters"].shape
    (2, 3, 8, 8)
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        weight = _first_layer(trained)
        if not 1 <= count <= weight.shape[2]:
            raise ValueError(f"count must lie in 1 … {weight.shape[2]}, the width of the first layer, got {count}")
        deviation = trained.sample(1000)[0].double().std(1)
        read = (weight.double() * deviation.unsqueeze(-1)).square().sum(1)
        chosen = read.argsort(dim=1, descending=True, stable=True)[:, :count]
        shown = weight.gather(2, chosen.unsqueeze(1).expand(-1, weight.shape[1], -1)).mT
        return {"filters": shown.reshape(*shown.shape[:2], *trained.dataset.shape[1:]).cpu().numpy()}

    return measure


def _first_layer(trained: Trained) -> Tensor:
    """The weights (S, pixels, units) of a first layer that reads whole images of one channel."""
    if len(trained.dataset.shape) != 3 or trained.dataset.shape[0] != 1:
        raise ValueError(f"images of shape (1, height, width) are needed, got {trained.dataset.shape}")
    first = trained.network.layers[0]
    weight = trained.parameters[first.weight]
    if first.kind != "dense" or weight.shape[1] != trained.dataset.features:
        raise ValueError(f"a first layer that reads the whole image is needed; {trained.network!r} has none")
    return weight
