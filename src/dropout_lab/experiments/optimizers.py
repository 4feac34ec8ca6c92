"""Optimizers for stacks: torch's update rules, with settings that differ from replica to replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dropout_lab.experiments.training import Recipe


@dataclass(frozen=True)
class Settings:
    """What an update needs, one number a replica, each (S,)."""

    learning_rate: Tensor
    momentum: Tensor
    weight_decay: Tensor
    max_norm: Tensor

    @classmethod
    def of(cls, recipes: Sequence[Recipe], device: str) -> Settings:
        """The settings of the replicas' recipes."""
        names = ("learning_rate", "momentum", "weight_decay", "max_norm")
        return cls(*(torch.tensor([float(getattr(recipe, name)) for recipe in recipes], device=device) for name in names))


class SGD:
    """Stochastic gradient descent with momentum and weight decay added to the gradient, as in ``torch.optim.SGD``."""

    def __init__(self, parameters: Mapping[str, Tensor], settings: Settings) -> None:
        self._all = [_Column(name, value, settings) for name, value in parameters.items()]
        self._velocities: list[Tensor] = []

    def step(self, gradients: Sequence[Tensor], factor: float) -> None:
        """Update the parameters in place; ``factor`` is what the schedule makes of the learning rate."""
        gradients = [one.decayed(gradient) for one, gradient in zip(self._all, gradients, strict=True)]
        if not self._velocities:
            self._velocities = [gradient.clone() for gradient in gradients]
        else:
            for one, velocity, gradient in zip(self._all, self._velocities, gradients, strict=True):
                velocity.mul_(one.momentum).add_(gradient)
        for one, velocity in zip(self._all, self._velocities, strict=True):
            one.parameter.addcmul_(velocity, one.learning_rate, value=-factor)


class _Column:
    """One parameter of the stack with its settings, shaped to multiply it."""

    def __init__(self, name: str, parameter: Tensor, settings: Settings) -> None:
        shape = (-1, *[1] * (parameter.dim() - 1))
        self.parameter = parameter
        self.learning_rate = settings.learning_rate.view(shape)
        self.momentum = settings.momentum.view(shape)
        decays = name.startswith("weight") and bool(settings.weight_decay.any())
        self.weight_decay = settings.weight_decay.view(shape) if decays else None

    def decayed(self, gradient: Tensor) -> Tensor:
        """The gradient with the weight decay added, as a penalty ½λ‖w‖² would."""
        return gradient if self.weight_decay is None else gradient.addcmul(self.parameter, self.weight_decay)


OPTIMIZERS = {"sgd": SGD}
