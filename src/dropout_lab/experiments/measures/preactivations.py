"""Measures of masks on the weights of one layer: the mean output of its ReLUs, by two rules and by drawing masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import BernoulliDraws
from dropout_lab.experiments.networks import Layer
from dropout_lab.experiments.places import Recorder
from dropout_lab.experiments.stack_noise import Connect
from dropout_lab.experiments.trained import Trained
from dropout_lab.inference import moment_matching


def rectified_mean(layer: int, draws: int = 100, examples: int = 100) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of two rules for the mean of a ReLU over DropConnect masks, in a dense hidden layer.

    The measure returns ``gaussian_mse`` and ``one_pass_mse``, each (S,): the mean squared errors of the Gaussian of the
    same moments (Wan et al. 2013) and of the ReLU of the mean alone, over test examples and the units of
    hidden layer ``layer``, counted from 1. Both are divided by the mean square of the true mean.

    The true mean is estimated by masks on the layer's weights at each replica's keep probability, drawn ``draws`` times
    in each of two halves, on ``examples`` test examples. The error against one half is multiplied by that against the
    other, so that the noise of the draws adds nothing on average, and an exact rule scores 0 up to noise of either
    sign. The layer reads what comes to it without masks. Raises ValueError for a network that has no such layer, or one
    whose outputs do not go straight into a ReLU, and for a replica without DropConnect on its weights.

    >>> from dropout_lab.experiments.stack_noise import Connect
    >>> from dropout_lab.experiments.training import quick
    >>> list(rectified_mean(layer=2, draws=2)(quick(weight2=Connect(0.5))))
    ['gaussian_mse', 'one_pass_mse']
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        masked, keep_probs = _masked(trained, layer)
        at = Recorder()
        trained.forward(trained.sample(examples)[0], at)
        # What the layer reads, (S, b, in), without masks.
        read = at.read[masked.weight]
        weight, bias = trained.parameters[masked.weight], trained.parameters[masked.bias]
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


def _masked(trained: Trained, number: int) -> tuple[Layer, list[float]]:
    """The dense layer of that number, and the keep probability of each replica at its weights."""
    network = trained.network
    before_relu = [place.rectified for place in network.of_kind("hidden")]
    place = next((one for one in network.of_kind("weight") if one.number == number), None)
    if place is None or place.readers[0] not in before_relu:
        raise ValueError(f"{network!r} has no dense layer {number} with weights to mask whose outputs a ReLU reads")
    keep_probs = []
    for replica in trained.replicas:
        noise = replica.recipe.noise_by_place().get(place.name)
        if not isinstance(noise, Connect):
            raise ValueError(f"arm {replica.arm!r} has no DropConnect on the weights of hidden layer {number}")
        keep_probs.append(noise.keep_prob)
    return place.readers[0], keep_probs


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
