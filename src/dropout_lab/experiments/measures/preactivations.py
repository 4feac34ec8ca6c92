"""Masks on the weights of one layer: what its ReLUs put out on average, by two rules and by drawing masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import BernoulliDraws
from dropout_lab.experiments.measures.activations import recorded
from dropout_lab.experiments.trained import Trained
from dropout_lab.inference import moment_matching


def rectified_mean(layer: int, draws: int = 100, examples: int = 100) -> Callable[[Trained], dict[str, np.ndarray]]:
    """A measure of two rules for the mean of a ReLU over DropConnect masks, in a hidden layer of an MLP.

    ``gaussian_mse`` and ``one_pass_mse``, (S,), are mean squares of the errors of the Gaussian of the same moments
    (Wan et al. 2013, section 4) and of the ReLU of the mean alone, over test examples and the units of hidden layer
    ``layer``, counted from 1; both are divided by the mean square of the true mean. What is true is told by masks on the
    layer's weights at each replica's keep probability, drawn ``draws`` times in each of two halves: the error against
    one half is multiplied by that against the other, so that the noise of the draws adds nothing on average, and an
    exact rule scores 0 up to noise of either sign. The layer reads what comes to it without masks. Raises ValueError
    for a replica that has no such layer or no noise on its weights.
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        keep_probs = _keep_probs(trained, layer)
        # What the layer reads, (S, b, in), without masks.
        kind, place = ("input", "input") if layer == 1 else ("hidden", f"hidden{layer - 1}")
        read = recorded(trained, kind, examples)[place]
        weight, bias = (trained.parameters[f"{name}{layer}"] for name in ("weight", "bias"))
        # Inverted, as in training: what is kept is divided by its keep probability.
        scales = 1 / torch.tensor(keep_probs, device=weight.device).view(-1, 1, 1)
        masks = BernoulliDraws(trained.streams(20), keep_probs)
        first, second = _drawn_means(read, weight * scales, bias, masks, draws)
        stacked = zip(read, weight, bias, keep_probs, strict=True)
        moments = [moment_matching(one, matrix.T, shift, keep_prob) for one, matrix, shift, keep_prob in stacked]
        gaussian = torch.stack([one.relu().mean for one in moments]).double()
        one_pass = torch.stack([one.mean.relu() for one in moments]).double()
        scale = (first * second).mean((1, 2))
        return {
            name: (((rule - first) * (rule - second)).mean((1, 2)) / scale).cpu().numpy()
            for name, rule in (("gaussian_mse", gaussian), ("one_pass_mse", one_pass))
        }

    return measure


def _keep_probs(trained: Trained, layer: int) -> list[float]:
    """The keep probability of each replica at the weights of a hidden layer."""
    place, found = f"weight{layer}", []
    for replica in trained.replicas:
        noise = replica.recipe.noise_by_place().get(place)
        if noise is None or f"hidden{layer}" not in replica.recipe.network.places():
            raise ValueError(f"arm {replica.arm!r} has no noise on the weights of a hidden layer {layer}")
        found.append(noise.keep_prob)
    return found


def _drawn_means(read: Tensor, weight: Tensor, bias: Tensor, masks: BernoulliDraws, draws: int) -> list[Tensor]:
    """Two independent estimates of the mean ReLU over masks, each (S, b, out), float64; weights are (S, in, out)."""
    means = []
    for _ in range(2):
        total = torch.zeros(*read.shape[:2], weight.shape[-1], dtype=torch.float64, device=read.device)
        for _ in range(draws):
            kept = masks.draw(tuple(weight.shape[1:])).to(weight.device)
            total += torch.baddbmm(bias.unsqueeze(1), read, weight * kept).relu_()
        means.append(total / draws)
    return means
