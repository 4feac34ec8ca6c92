"""Optimizers for stacks: torch's update rules, with settings that differ from replica to replica."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_NAMES = ("learning_rate", "momentum", "weight_decay", "max_norm")


@dataclass(frozen=True)
class Settings:
    """The settings of an update, one number a replica, each (S,).

    >>> from dropout_lab.experiments.plan import Recipe
    >>> Settings.of([Recipe(learning_rate=0.1), Recipe(learning_rate=0.2)], "cpu").learning_rate
    tensor([0.1000, 0.2000])
    """

    learning_rate: Tensor
    momentum: Tensor
    weight_decay: Tensor
    max_norm: Tensor

    @classmethod
    def of(cls, recipes: Sequence[object], device: str) -> Settings:
        """Return the settings of the replicas' recipes."""
        return cls(*(torch.tensor([float(getattr(one, name)) for one in recipes], device=device) for name in _NAMES))


class Optimizer(Protocol):
    """A rule that updates the parameters that it was made for.

    >>> sorted(OPTIMIZERS)
    ['adam', 'adamw', 'sgd']
    """

    def __init__(self, parameters: Mapping[str, Tensor], settings: Settings, decaying: Collection[str]) -> None:
        """For stacked parameters by name, of which those named in ``decaying`` have weight decay."""

    def step(self, gradients: Sequence[Tensor], factor: float) -> None:
        """Update the parameters in place; ``factor`` is what the schedule makes of the learning rate."""


class _Column:
    """One parameter of the stack with its settings, shaped to multiply it."""

    def __init__(self, parameter: Tensor, settings: Settings, decays: bool) -> None:
        shape = (-1, *[1] * (parameter.dim() - 1))
        self.parameter = parameter
        self.learning_rate = settings.learning_rate.view(shape)
        self.momentum = settings.momentum.view(shape)
        self.weight_decay = settings.weight_decay.view(shape) if decays and bool(settings.weight_decay.any()) else None

    def decayed(self, gradient: Tensor) -> Tensor:
        """The gradient with the weight decay added, as a penalty ½λ‖w‖² would."""
        return gradient if self.weight_decay is None else gradient.addcmul(self.parameter, self.weight_decay)


class SGD:
    """Stochastic gradient descent with momentum, as ``torch.optim.SGD``; weight decay is added to the gradient.

    >>> from dropout_lab.experiments.plan import Recipe
    >>> weight, settings = torch.ones(1, 1, 1), Settings.of([Recipe(learning_rate=0.1)], "cpu")
    >>> SGD({"weight1": weight}, settings, {"weight1"}).step([torch.ones(1, 1, 1)], 1.0)
    >>> round(weight.item(), 6)
    0.9
    """

    def __init__(self, parameters: Mapping[str, Tensor], settings: Settings, decaying: Collection[str]) -> None:
        self._columns = [_Column(value, settings, name in decaying) for name, value in parameters.items()]
        self._velocities = [torch.zeros_like(value, requires_grad=False) for value in parameters.values()]

    def step(self, gradients: Sequence[Tensor], factor: float) -> None:
        for one, velocity, gradient in zip(self._columns, self._velocities, gradients, strict=True):
            torch.addcmul(one.decayed(gradient), velocity, one.momentum, out=velocity)
            one.parameter.addcmul_(velocity, one.learning_rate, value=-factor)


class Adam:
    """Adam with β = (0.9, 0.999) and ε = 1e-8, as ``torch.optim.Adam``; weight decay is added to the gradient.

    >>> from dropout_lab.experiments.plan import Recipe
    >>> weight, settings = torch.ones(1, 1, 1), Settings.of([Recipe(learning_rate=0.1)], "cpu")
    >>> Adam({"weight1": weight}, settings, {"weight1"}).step([torch.ones(1, 1, 1)], 1.0)
    >>> round(weight.item(), 6)
    0.9
    """

    _betas = (0.9, 0.999)
    _epsilon = 1e-8

    def __init__(self, parameters: Mapping[str, Tensor], settings: Settings, decaying: Collection[str]) -> None:
        self._columns = [_Column(value, settings, name in decaying) for name, value in parameters.items()]
        self._first, self._second = (
            [torch.zeros_like(value, requires_grad=False) for value in parameters.values()] for _ in self._betas
        )
        self._steps = 0

    def step(self, gradients: Sequence[Tensor], factor: float) -> None:
        self._steps += 1
        for one, first, second, gradient in zip(self._columns, self._first, self._second, gradients, strict=True):
            self._update(one, first, second, self._decay(one, gradient, factor), factor)

    def _decay(self, one: _Column, gradient: Tensor, factor: float) -> Tensor:
        return one.decayed(gradient)

    def _update(self, one: _Column, first: Tensor, second: Tensor, gradient: Tensor, factor: float) -> None:
        early, late = self._betas
        first.mul_(early).add_(gradient, alpha=1 - early)
        second.mul_(late).addcmul_(gradient, gradient, value=1 - late)
        divisor = (second / (1 - late**self._steps)).sqrt_().add_(self._epsilon)
        one.parameter.addcmul_(first / divisor, one.learning_rate, value=-factor / (1 - early**self._steps))


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves by learning rate × λ, as ``torch.optim.AdamW``.

    >>> from dropout_lab.experiments.plan import Recipe
    >>> weight, settings = torch.ones(1, 1, 1), Settings.of([Recipe(learning_rate=0.1)], "cpu")
    >>> AdamW({"weight1": weight}, settings, {"weight1"}).step([torch.ones(1, 1, 1)], 1.0)
    >>> round(weight.item(), 6)
    0.9
    """

    def _decay(self, one: _Column, gradient: Tensor, factor: float) -> Tensor:
        if one.weight_decay is not None:
            one.parameter.mul_(1 - factor * one.learning_rate * one.weight_decay)
        return gradient


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
