"""First-layer weights seen as pictures: how local is what a unit looks at."""

from __future__ import annotations

import numpy as np
import torch

from dropout_lab.experiments.trained import Trained


@torch.no_grad()
def filter_radius(trained: Trained) -> dict[str, np.ndarray]:
    """``filter_radius`` (S,): how far from its center a first-layer unit looks, in pixels, the mean over units.

    A pixel's share in a unit is (w · s)², with its weight w and its standard deviation s over test images, so that
    pixels that never change don't count. The radius is the root mean square distance from the shares' center of mass.
    For dense networks on images of one channel; raises ValueError for other data.
    """
    if len(trained.dataset.shape) != 3 or trained.dataset.shape[0] != 1:
        raise ValueError(f"images of shape (1, height, width) are needed, got {trained.dataset.shape}")
    deviation = trained.sample(1000)[0].double().std(1)
    shares = (trained.parameters["weight1"].double() * deviation.unsqueeze(-1)).square()
    shares = shares / shares.sum(1, keepdim=True)
    height, width = trained.dataset.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1).double().to(shares.device)
    center = torch.einsum("spu,pd->sud", shares, places)
    distance = torch.einsum("spu,p->su", shares, places.square().sum(1)) - center.square().sum(-1)
    return {"filter_radius": distance.clamp_min(0).sqrt().mean(1).cpu().numpy()}
