"""The family of variants as torch modules: :mod:`dropout_lab.functional` with its arguments remembered.

``train()`` switches the noise on, ``eval()`` off. Every module's ``forward`` takes ``generator=`` as its function does;
shapes, conventions, errors and sources are the function's. The members that are layers of their own, recurrent ones and
those with learned rates, are defined in :mod:`dropout_lab.recurrent` and :mod:`dropout_lab.bayes` and stand here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor

from dropout_lab import functional, noise
from dropout_lab.bayes import ConcreteDropout as ConcreteDropout
from dropout_lab.bayes import LearnedGaussianDropout as LearnedGaussianDropout
from dropout_lab.recurrent import VariationalGRU as VariationalGRU
from dropout_lab.recurrent import VariationalLSTM as VariationalLSTM


class _Member(torch.nn.Module):
    """A member of the family: its function, and the names of the arguments that the module remembers."""

    function: Callable[..., Tensor]
    options: tuple[str, ...]

    def __init__(self, **arguments: object) -> None:
        super().__init__()
        noise.check_keep_prob(arguments["keep_prob"])
        for name, value in arguments.items():
            setattr(self, name, value)
        self.options = tuple(arguments)

    def _arguments(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.options}

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        return type(self).function(x, **self._arguments(), training=self.training, generator=generator)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())


class Dropout(_Member):
    """Drop each element by itself: :func:`dropout_lab.functional.dropout`."""

    function = staticmethod(functional.dropout)

    def __init__(self, keep_prob: float = 0.5, *, rescale: bool = True) -> None:
        super().__init__(keep_prob=keep_prob, rescale=rescale)


class GaussianDropout(_Member):
    """Multiply by Gaussian noise: :func:`dropout_lab.functional.gaussian_dropout`."""

    function = staticmethod(functional.gaussian_dropout)

    def __init__(self, keep_prob: float = 0.5) -> None:
        super().__init__(keep_prob=keep_prob)
        if keep_prob == 0:
            raise ValueError("GaussianDropout has no limit at keep_prob=0, where the variance would be infinite")


class SpatialDropout(_Member):
    """Drop whole channels of (N, C, …): :func:`dropout_lab.functional.spatial_dropout`."""

    function = staticmethod(functional.spatial_dropout)

    def __init__(self, keep_prob: float = 0.5, *, batched: bool = True, rescale: bool = True) -> None:
        super().__init__(keep_prob=keep_prob, batched=batched, rescale=rescale)


class DropBlock(_Member):
    """Drop blocks of neighboring positions: :func:`dropout_lab.functional.drop_block`."""

    function = staticmethod(functional.drop_block)

    def __init__(
        self,
        keep_prob: float = 0.9,
        block_size: int = 7,
        *,
        gamma: Literal["exact", "published"] = "exact",
        batched: bool = True,
        rescale: bool = True,
    ) -> None:
        super().__init__(keep_prob=keep_prob, block_size=block_size, gamma=gamma, batched=batched, rescale=rescale)


class VariationalDropout(_Member):
    """Drop features for a whole sequence: :func:`dropout_lab.functional.variational_dropout`."""

    function = staticmethod(functional.variational_dropout)

    def __init__(self, keep_prob: float = 0.5, *, time_dim: int = 1, rescale: bool = True) -> None:
        super().__init__(keep_prob=keep_prob, time_dim=time_dim, rescale=rescale)


class DropPath(_Member):
    """Drop a residual branch, sample by sample: :func:`dropout_lab.functional.drop_path`."""

    function = staticmethod(functional.drop_path)

    def __init__(self, keep_prob: float = 0.5, *, batched: bool = True, rescale: bool = True) -> None:
        super().__init__(keep_prob=keep_prob, batched=batched, rescale=rescale)


class DropConnect(_Member):
    """A linear layer or a convolution whose weights are dropped: :func:`dropout_lab.functional.drop_connect`.

    Wraps ``layer``, trained weights and all: a ``torch.nn.Linear``, ``Conv1d``, ``Conv2d`` or ``Conv3d``, which stays
    what it was and is reached as ``.layer``. Raises TypeError for another kind of layer.
    """

    function = staticmethod(functional.drop_connect)

    def __init__(
        self, layer: torch.nn.Module, keep_prob: float = 0.5, *, per_example: bool = True, rescale: bool = True
    ) -> None:
        super().__init__(keep_prob=keep_prob, per_example=per_example, rescale=rescale)
        if not isinstance(layer, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)):
            raise TypeError(f"DropConnect wraps a linear layer or a convolution, got {type(layer).__name__}")
        self.layer = layer

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        layer = self.layer
        # A convolution's own forward, for it knows its stride, padding and groups.
        linear = isinstance(layer, torch.nn.Linear)
        return functional.drop_connect(
            x,
            layer.weight,
            layer.bias,
            **self._arguments(),
            linear_map=torch.nn.functional.linear if linear else layer._conv_forward,
            training=self.training,
            generator=generator,
        )
