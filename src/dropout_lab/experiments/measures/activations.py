"""Measures of hidden activations in eval mode: how sparse they are, how they spread over units, how alike they are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.networks import Place
from dropout_lab.experiments.places import Recorder
from dropout_lab.experiments.trained import Trained

#: Test examples that statistics of activations are taken over.
_EXAMPLES = 1000


@torch.no_grad()
def recorded(trained: Trained, kind: str = "hidden", examples: int = _EXAMPLES) -> dict[Place, Tensor]:
    """Record the values at all places of a kind, in eval mode, on test examples spread evenly through the data.

    Returns a map from places to values (S, b, …), where b is ``examples`` or the number of test examples if there are
    fewer. Raises ValueError for a network without such places.

    >>> from dropout_lab.experiments.training import quick
    >>> {place.name: tuple(values.shape) for place, values in recorded(quick(), examples=10).items()}
    {'hidden1': (2, 10, 8), 'hidden2': (2, 10, 6)}
    """
    places = trained.network.of_kind(kind)
    if not places:
        raise ValueError(f"the measure looks at {kind} places, and {trained.network!r} has none")
    at = Recorder()
    trained.forward(trained.sample(examples)[0], at)
    return {place: at.values[place.name] for place in places}


def sparsity(trained: Trained) -> dict[str, np.ndarray]:
    r"""Measure how sparse the activations of each hidden layer are.

    Returns ``zeros1``, ``dead1``, ``mean1``, ``hoyer1``, …, each (S,). ``zeros`` is the fraction of activations that
    are exactly 0, ``dead`` the fraction of units that are 0 for every example, ``mean`` the mean activation. ``hoyer``
    is Hoyer's measure (2004) of an example's n activations, averaged over examples: :math:`(\sqrt n - \|h\|_1 /
    \|h\|_2) / (\sqrt n - 1)`, from 0 where all units are equal to 1 where one unit is alone. It does not change when
    the layer is rescaled. Examples with no activation at all are left out of it. Raises ValueError for a network
    without hidden layers of ReLUs.

    >>> from dropout_lab.experiments.training import quick
    >>> list(sparsity(quick()))[:4]
    ['zeros1', 'dead1', 'mean1', 'hoyer1']
    """
    found = {}
    for place, values in recorded(trained).items():
        number, values = place.number, values.double()
        found[f"zeros{number}"] = (values == 0).double().mean((1, 2))
        found[f"dead{number}"] = (values == 0).all(1).double().mean(1)
        found[f"mean{number}"] = values.mean((1, 2))
        norms, root = values.norm(dim=-1), values.shape[-1] ** 0.5
        hoyer = (root - values.sum(-1) / norms) / (root - 1)
        found[f"hoyer{number}"] = torch.where(norms > 0, hoyer, torch.nan).nanmean(1)
    return {name: values.cpu().numpy() for name, values in found.items()}


def lengths(trained: Trained) -> dict[str, np.ndarray]:
    r"""Measure the Euclidean length of the longest vector of activations of each hidden layer.

    Returns ``longest1``, …, each (S,). A max-norm constraint bounds it: a layer of d ReLU units without bias multiplies
    the length of its input by at most :math:`c \sqrt d` (claim 6.8). Raises ValueError for a network without hidden
    layers.

    >>> from dropout_lab.experiments.training import quick
    >>> list(lengths(quick()))
    ['longest1', 'longest2']
    """
    values = recorded(trained).items()
    return {f"longest{place.number}": found.double().norm(dim=-1).amax(1).cpu().numpy() for place, found in values}


def correlation(trained: Trained) -> dict[str, np.ndarray]:
    r"""Measure how alike the units of each hidden layer are.

    Returns ``correlation1``, ``participation1``, ``redundancy1``, …, each (S,). ``correlation`` is the mean absolute
    correlation of two units over examples. ``participation`` is the participation ratio :math:`(\sum_i \lambda_i)^2 /
    \sum_i \lambda_i^2` of the eigenvalues of the units' correlations, divided by the number of units: 1 where all
    directions are used alike. ``redundancy`` is the mean R² of a unit predicted linearly from all others, with a ridge
    of 1 % of the variance. Units that never change are left out; where fewer than two are left, the values are NaN.
    Raises ValueError for a network without hidden layers.

    >>> from dropout_lab.experiments.training import quick
    >>> list(correlation(quick()))
    ['correlation1', 'participation1', 'redundancy1', 'correlation2', 'participation2', 'redundancy2']
    """
    found = {place: [_alike(one) for one in values.double()] for place, values in recorded(trained).items()}
    return {
        f"{name}{place.number}": np.array([triple[column] for triple in triples])
        for place, triples in found.items()
        for column, name in enumerate(("correlation", "participation", "redundancy"))
    }


def _alike(values: Tensor) -> tuple[float, float, float]:
    changing = values[:, (values != values[:1]).any(0)]
    if changing.shape[1] < 2:
        return (np.nan, np.nan, np.nan)
    matrix = torch.corrcoef(changing.T)
    units = len(matrix)
    pairs = matrix.abs().sum() - units
    eigenvalues = torch.linalg.eigvalsh(matrix)
    # The diagonal of the inverse of a correlation matrix is 1/(1 − R²).
    inverse = torch.linalg.inv(matrix + 0.01 * torch.eye(units, dtype=matrix.dtype, device=matrix.device))
    return (
        float(pairs / (units * (units - 1))),
        float(eigenvalues.sum() ** 2 / eigenvalues.square().sum() / units),
        float((1 - 1 / inverse.diagonal()).clamp_min(0).mean()),
    )


def variance_shift(trained: Trained) -> dict[str, np.ndarray]:
    """Measure how far the variance at each normalization shifts from training to test.

    Returns ``variance_ratio1``, …, each (S,): the mean over units of the test variance divided by the running variance,
    1 where nothing shifts (Li et al. 2019). Arms without normalization give nothing, so that they can stand beside
    others.

    >>> from dropout_lab.experiments.networks import MLP
    >>> from dropout_lab.experiments.training import quick
    >>> list(variance_shift(quick(MLP((6, 5), batch_norm=True)))), variance_shift(quick())
    (['variance_ratio1', 'variance_ratio2'], {})
    """
    found: dict[str, np.ndarray] = {}
    if not trained.network.normalizations:
        return found
    sums = recorded(trained, "sum")
    for one in trained.network.normalizations:
        ratio = sums[one.place].double().var(1) / trained.parameters[one.variance].double()
        found[f"variance_ratio{one.place.number}"] = ratio.mean(1).cpu().numpy()
    return found


def reconstruction(trained: Trained) -> dict[str, np.ndarray]:
    """Measure how well the neighbors of a pixel of a feature map tell the pixel, linearly.

    Returns ``r2_features1``, …, each (S,): R² of the pixel on its four neighbors (up, down, left, right) in the same
    map, fitted for each map over all examples and inner pixels, and averaged over the maps that are not constant.
    Layers whose maps are smaller than 3×3 are left out. Raises ValueError where no layer is left.

    >>> from dropout_lab.experiments.networks import CNN
    >>> from dropout_lab.experiments.training import quick
    >>> list(reconstruction(quick(CNN((2,), (6,), (1, 8, 8)))))
    ['r2_features1']
    """
    found = {}
    for place, maps in recorded(trained, "features").items():
        if min(maps.shape[-2:]) < 3:
            continue
        found[f"r2_{place}"] = np.array([_neighbors_tell(one) for one in maps.double().cpu().numpy()])
    if not found:
        raise ValueError(f"no feature map of {trained.network!r} has inner pixels, which needs 3×3 at least")
    return found


def _neighbors_tell(maps: np.ndarray) -> float:
    """The mean R² over the channels of maps (b, C, H, W)."""
    center = maps[..., 1:-1, 1:-1]
    sides = (maps[..., :-2, 1:-1], maps[..., 2:, 1:-1], maps[..., 1:-1, :-2], maps[..., 1:-1, 2:])
    shares = []
    for channel in range(maps.shape[1]):
        target = center[:, channel].ravel()
        if target.std() == 0:
            continue
        design = np.stack([*(side[:, channel].ravel() for side in sides), np.ones(target.size)], 1)
        # Not torch.linalg.lstsq, whose default driver misjudges the rank where neighbors are equal.
        residual = target - design @ np.linalg.lstsq(design, target)[0]
        shares.append(1 - float(residual.var() / target.var()))
    return float(np.mean(shares))
