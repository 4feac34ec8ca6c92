"""Measures of the flatness of the loss around the trained weights: two, which need not agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import Bits, NormalDraws
from dropout_lab.experiments.measures.outcome import percent_wrong
from dropout_lab.experiments.networks import Layer
from dropout_lab.experiments.trained import Part, Trained, mean_loss


def weight_noise(relative: float = 0.5, draws: int = 5) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of flatness that does not change when a layer is rescaled.

    Each unit's incoming weights get Gaussian noise of ``relative`` times their own norm (Li et al. 2018, "Visualizing
    the loss landscape", section 4). The measure returns ``noisy_weights_error``, the test error in percent under this
    noise, and ``sharpness``, the rise of the training loss in nats; each (S,), the mean over ``draws``.

    >>> from dropout_lab.experiments.training import quick
    >>> list(weight_noise(0.5)(quick()))
    ['noisy_weights_error', 'sharpness']
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        normal = NormalDraws(trained.streams(3))
        weights = {layer.weight: layer for layer in trained.network.layers}
        inputs, labels = trained.sample(1000)
        seen, targets = trained.sample(1000, "train")
        loss = mean_loss(trained.dataset, trained.forward(seen), targets)
        errors, rises = [], []
        for _ in range(draws):
            moved = dict(trained.parameters)
            # In the order of the parameters: it is the order of the draws.
            for name in filter(weights.__contains__, trained.parameters):
                moved[name] = _moved(trained.parameters[name], weights[name], relative, normal)
            errors.append(percent_wrong(trained.forward(inputs, parameters=moved), labels))
            noisy = mean_loss(trained.dataset, trained.forward(seen, parameters=moved), targets)
            rises.append((noisy - loss).double().cpu().numpy())
        return {"noisy_weights_error": np.mean(errors, 0), "sharpness": np.mean(rises, 0)}

    return measure


def hessian_trace(probes: int = 20, part: Part = "train") -> Callable[[Trained], dict[str, np.ndarray]]:
    r"""Make a measure of the trace of the loss's Hessian over the network's learned parameters.

    The measure returns ``hessian_trace`` (S,). It is Hutchinson's estimate: the mean of :math:`v^\top H v` over
    ``probes`` vectors v of random signs, on up to 1000 examples of a ``part``, in eval mode. ReLU networks are
    piecewise smooth; the Hessian is that of the piece. Learned rates of noise, on which the loss in eval mode does not
    depend, have no part in it.

    >>> from dropout_lab.experiments.training import quick
    >>> hessian_trace(probes=2)(quick())["hessian_trace"].shape
    (2,)
    """

    def measure(trained: Trained) -> dict[str, np.ndarray]:
        inputs, labels = trained.sample(1000, part)
        learned = {
            name: value.clone().requires_grad_()
            for name, value in trained.parameters.items()
            if name in trained.network.learned
        }
        loss = mean_loss(trained.dataset, trained.forward(inputs, parameters=trained.parameters | learned), labels)
        weights = list(learned.values())
        slopes = torch.autograd.grad(loss.sum(), weights, create_graph=True)
        bits = Bits(trained.streams(4), [True] * len(trained))
        traces = []
        for _ in range(probes):
            signs = [_signs(bits, value) for value in weights]
            product = torch.stack([(slope * sign).sum() for slope, sign in zip(slopes, signs, strict=True)]).sum()
            curved = torch.autograd.grad(product, weights, retain_graph=True)
            pairs = zip(curved, signs, strict=True)
            terms = [torch.linalg.vecdot(one.double().flatten(1), sign.double().flatten(1)) for one, sign in pairs]
            traces.append(torch.stack(terms).sum(0))
        return {"hessian_trace": torch.stack(traces).mean(0).cpu().numpy()}

    return measure


def _moved(value: Tensor, layer: Layer, relative: float, normal: NormalDraws) -> Tensor:
    """Stacked weights of a layer with noise in proportion to the norm of what comes into each unit."""
    noise = normal.draw(tuple(value.shape[1:])).to(value.device)
    norms = (torch.linalg.vector_norm(one, dim=layer.incoming, keepdim=True) for one in (value, noise))
    return value + relative * noise * torch.div(*norms)


def _signs(bits: Bits, like: Tensor) -> Tensor:
    negative = torch.from_numpy(bits.draw(tuple(like.shape[1:])) < 0)
    return torch.where(negative.to(like.device), -1.0, 1.0)
