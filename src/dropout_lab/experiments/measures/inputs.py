"""What a network looks at in its inputs: how local its first layer is."""

from __future__ import annotations

import numpy as np
import torch

from dropout_lab.experiments.trained import Trained


@torch.no_grad()
def filter_radius(trained: Trained) -> dict[str, np.ndarray]:
    """``filter_radius`` (S,): how far from its center a first-layer unit looks, in pixels, the mean over units.

    A pixel's share in a unit is (w · s)², with its weight w and its standard deviation s over test images, so that
    pixels that never change don't count. The radius is the root mean square distance from the shares' center of mass.
    For images of one channel; raises ValueError for other data, and for networks whose first layer does not read the
    whole image through dense weights.

    >>> from dropout_lab.experiments.training import quick
    >>> filter_radius(quick())["filter_radius"].shape
    (2,)
    """
    if len(trained.dataset.shape) != 3 or trained.dataset.shape[0] != 1:
        raise ValueError(f"images of shape (1, height, width) are needed, got {trained.dataset.shape}")
    first = trained.network.layers[0]
    weight = trained.parameters[first.weight]
    if first.kind != "dense" or weight.shape[1] != trained.dataset.features:
        raise ValueError(f"a first layer that reads the whole image is needed; {trained.network!r} has none")
    deviation = trained.sample(1000)[0].double().std(1)
    shares = (weight.double() * deviation.unsqueeze(-1)).square()
    shares = shares / shares.sum(1, keepdim=True)
    height, width = trained.dataset.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([rows.flatten(), columns.flatten()], 1).double().to(shares.device)
    center = torch.einsum("spu,pd->sud", shares, pixels)
    distance = torch.einsum("spu,p->su", shares, pixels.square().sum(1)) - center.square().sum(-1)
    return {"filter_radius": distance.clamp_min(0).sqrt().mean(1).cpu().numpy()}
