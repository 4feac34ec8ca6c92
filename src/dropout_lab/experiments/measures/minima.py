"""Measures of where training ended: how far from its start, and how flat the loss is once all losses are made equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.measures.outcome import need_classes
from dropout_lab.experiments.trained import Trained, mean_loss

Measure = Callable[[Trained], Mapping[str, np.ndarray]]
#: From the loss of equal outputs down to the loss wanted, the factor of the outputs is doubled so often at most.
_DOUBLINGS = 30
_BISECTIONS = 60


def at_equal_loss(loss: float, *measures: Measure) -> Measure:
    """Make a measure that takes ``measures`` of the networks once all have one training loss.

    Flatness of a cross-entropy depends on how sure a network is: where the loss saturates, the Hessian is small. Here
    each network's last layer is multiplied by a positive number of its own, which changes no decision, so that its mean
    training loss in eval mode is ``loss`` nats, on up to 1000 examples. The measure returns that number as
    ``output_scale`` (S,), beside what ``measures`` return. Raises ValueError for a regression, and for a network that
    no such number brings down to the loss: one that misclassifies training examples, perhaps.

    >>> from dropout_lab.experiments.measures.curvature import hessian_trace
    >>> from dropout_lab.experiments.training import quick
    >>> list(at_equal_loss(2.25, hessian_trace(2))(quick()))
    ['output_scale', 'hessian_trace']
    """

    def measure(trained: Trained) -> dict[str, np.ndarray]:
        need_classes(trained)
        scale = _scale(trained, loss)
        last = trained.network.layers[-1]
        scaled = dict(trained.parameters)
        for name in (last.weight, last.bias):
            value = scaled[name]
            scaled[name] = value * scale.to(value).view(-1, *[1] * (value.dim() - 1))
        equal = Trained(trained.dataset, trained.replicas, scaled)
        found = {"output_scale": scale.cpu().numpy()}
        for one in measures:
            found |= one(equal)
        return found

    return measure


@torch.no_grad()
def _scale(trained: Trained, loss: float) -> Tensor:
    """The numbers (S,) for the outputs: the loss is convex in them, so the first one that reaches it is unique."""
    inputs, labels = trained.sample(1000, "train")
    outputs = trained.forward(inputs).double()

    def too_high(scale: Tensor) -> Tensor:
        return mean_loss(trained.dataset, outputs * scale.view(-1, 1, 1), labels) > loss

    low, high = torch.zeros(len(trained)).to(outputs), torch.full((len(trained),), 1e-3).to(outputs)
    for _ in range(_DOUBLINGS):
        waiting = too_high(high)
        low, high = torch.where(waiting, high, low), torch.where(waiting, 2 * high, high)
    if waiting.any() or not too_high(torch.zeros_like(low)).all():
        raise ValueError(f"a factor of the outputs does not bring every training loss to {loss} nats")
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        waiting = too_high(middle)
        low, high = torch.where(waiting, middle, low), torch.where(waiting, high, middle)
    return (low + high) / 2


def travelled(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the Euclidean distance of the learned parameters from their start.

    Returns ``travelled`` (S,), in units of the length of all parameters at the start.

    >>> from dropout_lab.experiments.training import quick
    >>> travelled(quick())["travelled"].shape
    (2,)
    """
    found = []
    for row, replica in enumerate(trained.replicas):
        start = trained.network.initial(trained.dataset, stream(replica.seed, Purpose.WEIGHTS))
        names = [name for name in start if name in trained.network.learned]
        ends = {name: trained.parameters[name][row].double().cpu().numpy() for name in names}
        moved = sum(np.square(ends[name] - start[name]).sum() for name in names)
        length = sum(np.square(start[name].astype(float)).sum() for name in names)
        found.append(np.sqrt(moved / length))
    return {"travelled": np.array(found)}
