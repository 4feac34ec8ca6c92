"""Training one stack: many networks of one form, each with its own data, draws and settings, in one batched pass.

The sum of the replicas' losses is differentiated; since no replica's loss depends on another's weights, each gets its
own gradient. Nothing here knows of other stacks or of workers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset, digits
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.examples import Examples
from dropout_lab.experiments.networks import MLP, Network
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.optimizers import OPTIMIZERS, Settings
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import Noise
from dropout_lab.experiments.trained import Trained, mean_loss

__all__ = ["Recipe", "Replica", "Trained", "limit_", "quick", "train"]


def train(dataset: Dataset, replicas: Sequence[Replica], device: str = "cpu") -> Trained:
    """Train a stack and return it.

    The replicas' recipes may differ in the fields ``plan.VARIED`` only. ``device`` is torch's name of the device.

    >>> from dropout_lab.experiments.data import digits
    >>> trained = train(digits(), [Replica("a", seed, Recipe(train_size=50, steps=1)) for seed in range(3)])
    >>> trained.parameters["weight1"].shape
    torch.Size([3, 64, 128])
    """
    recipe = replicas[0].recipe
    parameters = _initial(dataset, replicas, device)
    learned = {name: value for name, value in parameters.items() if value.requires_grad}
    settings = Settings.of([replica.recipe for replica in replicas], device)
    optimizer = OPTIMIZERS[recipe.optimizer](learned, settings, recipe.network.weights)
    examples = Examples(dataset, replicas, device)
    noise = Noisy(replicas, parameters, Purpose.NOISE)
    bounded = any(np.isfinite(replica.recipe.max_norm) for replica in replicas)
    limits = {layer.weight: layer.incoming for layer in recipe.network.layers if bounded}
    for step, (inputs, labels) in enumerate(examples.drawn(recipe.batch_size, recipe.steps)):
        if recipe.masks_per_step > 1:
            inputs, labels = (part.repeat_interleave(recipe.masks_per_step, 1) for part in (inputs, labels))
        outputs = recipe.network.forward(parameters, inputs, noise)
        # A network that is trained in parts has an output for each of them.
        losses = mean_loss(dataset, outputs, labels.repeat_interleave(outputs.shape[1] // labels.shape[1], 1))
        penalty = noise.penalty()
        if penalty is not None:
            losses = losses + penalty / recipe.train_size
        gradients = torch.autograd.grad(losses.sum(), list(learned.values()))
        factor = 1 - step / recipe.steps if recipe.schedule == "linear" else 1.0
        with torch.no_grad():
            optimizer.step(gradients, factor)
            for name, axes in limits.items():
                limit_(parameters[name], axes, settings.max_norm)
    return Trained(dataset, replicas, {name: value.detach() for name, value in parameters.items()})


def _initial(dataset: Dataset, replicas: Sequence[Replica], device: str) -> dict[str, Tensor]:
    """Stacked parameters; those that are learned ask for gradients."""
    drawn = []
    for replica in replicas:
        one = replica.recipe.network.initial(dataset, stream(replica.seed, Purpose.WEIGHTS))
        for name, noise in replica.recipe.noise_by_place().items():
            one |= noise.initial(replica.recipe.network.place(name), one)
        drawn.append(one)
    stacked = {name: torch.from_numpy(np.stack([one[name] for one in drawn])).to(device) for name in drawn[0]}
    for name, value in stacked.items():
        value.requires_grad_(name not in replicas[0].recipe.network.statistics)
    return stacked


def limit_(weight: Tensor, axes: tuple[int, ...], bounds: Tensor) -> None:
    """Shrink, in place, the weights of each unit that are longer than their replica's bound.

    It is :func:`dropout_lab.constraints.max_norm_` for a stack. ``weight`` is (S, …), ``axes`` are those over what
    comes into a unit, ``bounds`` (S,).

    >>> weight = torch.tensor([[[3.0], [4.0]]])
    >>> limit_(weight, (1,), torch.tensor([1.0]))
    >>> weight.flatten()
    tensor([0.6000, 0.8000])
    """
    # torch.linalg.vector_norm takes several times as long over any axis but the last.
    norms = weight.square().sum(axes, keepdim=True).sqrt_()
    weight.mul_((bounds.view(-1, *[1] * (weight.dim() - 1)) / norms.clamp_min(1e-12)).clamp_max(1))


def quick(network: Network | None = None, **noise: Noise) -> Trained:
    """Train two replicas of a small network on the 8×8 digits for 30 steps: something to try a measure on.

    ``network`` is an MLP of two layers unless given, ``noise`` stands at its places.

    >>> trained = quick()
    >>> len(trained), trained.network
    (2, MLP(hidden=(8, 6), batch_norm=False))
    """
    recipe = Recipe(network=network or MLP((8, 6)), noise=noise, train_size=100, steps=30)
    return train(digits(), [Replica("quick", seed, recipe) for seed in range(2)])
