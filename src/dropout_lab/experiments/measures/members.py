"""Measures of single members of the ensemble: one mask for all examples, after training and after a member's update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import Purpose
from dropout_lab.experiments.measures.outcome import need_classes
from dropout_lab.experiments.networks import At, Place
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.trained import Trained, example_losses, mean_loss

#: Keys of the noise, so that members of one measure are not those of another.
_UPDATES, _SHARED = 1000, 2000
#: So many members pass through the network together.
_TOGETHER = 20


class Member(At):
    """One subnetwork of each replica: the first mask that is drawn at a place serves all examples and all passes.

    With a ``count`` above 1 it holds so many of them, drawn together, and serves a single example. Raises ValueError
    for noise at weights, which has no mask for all examples here.

    >>> from dropout_lab.experiments.training import quick
    >>> from dropout_lab.experiments.stack_noise import Bernoulli
    >>> trained = quick(hidden=Bernoulli(0.5))
    >>> member = Member(trained.noisy())
    >>> member.factor(trained.network.place("hidden1"), (5, 8)).shape
    torch.Size([2, 1, 8])
    """

    def __init__(self, noise: Noisy, count: int = 1) -> None:
        for place, _ in noise.noises:
            if place.at_weights:
                raise ValueError(f"a member is a mask of values; there is noise at {place}")
        self._noise = noise
        self._count = count
        #: The masks so far, (S, count, …), by their places.
        self.drawn: dict[str, Tensor] = {}

    def factor(self, place: Place, shape: tuple[int, ...]) -> Tensor | None:
        if place.name not in self.drawn:
            factor = self._noise.factor(place, (self._count, *shape[1:]))
            if factor is None:
                return None
            self.drawn[place.name] = factor
        return self.drawn[place.name]


def predictions(count: int = 100) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of what ``count`` members of the ensemble predict, the same members for each replica.

    The measure returns ``members`` (S, count, n, classes): the probabilities of the n test examples, each by one mask
    for all examples. Replicas share their masks, whatever their seeds, so a member can be followed over training sets;
    where the keep probability is higher, more is kept. Raises ValueError for a ``count`` below 1, for noise at weights,
    and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> predictions(3)(quick())["members"].shape
    (2, 3, 1697, 10)
    """
    if count < 1:
        raise ValueError(f"count is how many members there are, at least 1; got {count}")

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        need_classes(trained)
        alike = [replace(replica, seed=0) for replica in trained.replicas]
        masks = Member(Noisy(alike, trained.parameters, Purpose.MEASURE, _SHARED), count)
        groups = _masks(trained, [masks])
        predicted = [
            torch.cat([trained.forward_sets(inputs, group).softmax(-1) for group in groups], 2)
            for inputs, _ in trained.examples(size=100)
        ]
        members = torch.cat(predicted, 1).transpose(1, 2)
        # Without noise the network is its only member.
        return {"members": members.expand(-1, count, -1, -1).cpu().numpy()}

    return measure


def one_update(
    learning_rate: float, batch: int = 50, others: int = 100, updates: int = 5
) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of what a gradient step on one member of the ensemble does to other members.

    A member is drawn, and a plain step of ``learning_rate`` is taken on its loss over ``batch`` training examples, the
    weights being shared. The measure returns ``trained_improved``, how often that member's loss on these examples
    falls, ``others_improved``, how many of ``others`` further members improve on them, and ``others_improved_unseen``,
    how many improve on as many test examples. Each is (S,), in percent, the mean over ``updates`` steps, each taken
    from the trained weights. Running statistics and learned rates stay as they are. The measure raises ValueError for
    noise at weights.

    >>> from dropout_lab.experiments.training import quick
    >>> list(one_update(0.05, others=2)(quick()))
    ['trained_improved', 'others_improved', 'others_improved_unseen']
    """

    def measure(trained: Trained) -> dict[str, np.ndarray]:
        seen, unseen = trained.sample(batch, "train"), trained.sample(batch, "test")
        found = []
        for update in range(updates):
            first = _UPDATES + update * (others + 1)
            member = Member(trained.noisy(first))
            stepped = _stepped(trained, member, seen, learning_rate)
            rest = _masks(trained, [Member(trained.noisy(first + 1 + other)) for other in range(others)])
            own = _improved(trained, stepped, _masks(trained, [member]), seen)
            found.append([own, _improved(trained, stepped, rest, seen), _improved(trained, stepped, rest, unseen)])
        names = ("trained_improved", "others_improved", "others_improved_unseen")
        return dict(zip(names, np.mean(found, 0), strict=True))

    return measure


def _stepped(
    trained: Trained, member: Member, examples: tuple[Tensor, Tensor], learning_rate: float
) -> dict[str, Tensor]:
    """The parameters after one step on a member's loss."""
    inputs, labels = examples
    learned = {
        name: value.clone().requires_grad_()
        for name, value in trained.parameters.items()
        if name in trained.network.learned
    }
    loss = mean_loss(trained.dataset, trained.forward(inputs, member, trained.parameters | learned), labels)
    slopes = torch.autograd.grad(loss.sum(), list(learned.values()))
    moved = {
        name: trained.parameters[name] - learning_rate * slope for name, slope in zip(learned, slopes, strict=True)
    }
    return trained.parameters | moved


@torch.no_grad()
def _masks(trained: Trained, members: list[Member]) -> list[dict[str, Tensor]]:
    """The masks of the members, (S, members, …) by place, in groups that pass through the network together."""
    one_example = trained.sample(1)[0]
    for member in members:
        # Masks are drawn as a pass comes to their places.
        trained.forward(one_example, member)
    parts = {
        place: torch.cat([member.drawn[place] for member in members], 1).split(_TOGETHER, 1)
        for place in members[0].drawn
    }
    return [dict(zip(parts, group, strict=True)) for group in zip(*parts.values(), strict=True)] or [{}]


@torch.no_grad()
def _improved(
    trained: Trained, stepped: dict[str, Tensor], groups: list[dict[str, Tensor]], examples: tuple[Tensor, Tensor]
) -> np.ndarray:
    """The percent of the members whose loss on the examples is smaller with the parameters ``stepped``; (S,)."""
    better = [
        _losses(trained, masks, examples, stepped) < _losses(trained, masks, examples, trained.parameters)
        for masks in groups
    ]
    return 100 * torch.cat(better, 1).double().mean(1).cpu().numpy()


def _losses(
    trained: Trained, masks: Mapping[str, Tensor], examples: tuple[Tensor, Tensor], weights: Mapping[str, Tensor]
) -> Tensor:
    """The mean loss of each member on the examples, (S, members)."""
    inputs, labels = examples
    outputs = trained.forward_sets(inputs, masks, weights)
    members = outputs.shape[2]
    losses = example_losses(trained.dataset, outputs.flatten(1, 2), labels.repeat_interleave(members, 1))
    return losses.unflatten(1, (-1, members)).mean(1)
