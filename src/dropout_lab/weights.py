"""Layers whose weights are masked: they wrap a trained layer, and own nothing but its options."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dropout_lab import functional, pinned
from dropout_lab.functional import variants
from dropout_lab.member import Member
from dropout_lab.noise import Source, Stream
from dropout_lab.wrapped import beyond_weights


class OnWeights(Member):
    """The base class of the members that wrap a layer and drop its weights in training.

    Args:
        layer: the layer to wrap.
        keep_prob: the keep probability of the weights.
        per_example: True for a mask for each example, False for one mask for the whole batch.
        rescale: True for inverted dropout, False for the original convention.
        generator: the module's own source of draws, a ``torch.Generator``, or None.
        stream: the module's own source of draws, a :class:`~dropout_lab.noise.Stream`, or None.

    >>> isinstance(DropConnect(torch.nn.Linear(2, 2)), OnWeights)
    True
    """

    #: The classes of layers that are wrapped, and in words.
    kinds: tuple[type[torch.nn.Module], ...]
    wraps: str
    layer: Any
    per_example: bool

    def __init__(
        self,
        layer: torch.nn.Module,
        keep_prob: float = 0.5,
        *,
        per_example: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob, per_example=per_example, rescale=rescale, generator=generator, stream=stream
        )
        if not isinstance(layer, self.kinds):
            raise TypeError(f"{type(self).__name__} wraps {self.wraps}, got {type(layer).__name__}")
        self.layer = layer
        self._check_layer()

    def _check_layer(self) -> None:
        more = beyond_weights(self.layer)
        if more is not None:
            raise ValueError(
                f"{type(self).__name__} masks the weights of {self.wraps}, and {type(self.layer).__name__} has {more}, "
                "which it would pass by"
            )

    def with_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return what the wrapped layer does to ``x`` with other ``weights``, given once or for each example."""
        raise NotImplementedError

    def dropped(self, x: Tensor, generator: Source | None) -> Tensor:
        """Return what the wrapped layer does to ``x`` with masked weights, whose mask ``generator`` gives."""
        raise NotImplementedError

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        # Exactly the layer as it is called, with whatever was hooked to it since.
        if self.keep_prob == 1 or (self.rescale and not self.training):
            return self.layer(x)
        self._check_layer()
        return self.dropped(x, self.source(generator))


class DropConnect(OnWeights):
    """Drops the weights of a linear layer or a convolution: :func:`dropout_lab.functional.drop_connect` as a module.

    The layer stays what it was, and is reached as ``.layer``. In ``eval()`` and at keep probability 1 the module is the
    layer as it is called, hooks included. Input and output have the shapes of the layer.

    Args:
        layer: the trained layer to wrap, a ``torch.nn.Linear``, ``Conv1d``, ``Conv2d`` or ``Conv3d``.
        keep_prob: the keep probability of each weight.

    Raises TypeError for another kind of layer, and ValueError for one that does more than its linear map when it is
    called: hooks, a ``forward`` of its own.

    >>> layer = DropConnect(torch.nn.Linear(3, 2), 0.5)
    >>> x = torch.ones(4, 3)
    >>> torch.equal(layer.eval()(x), layer.layer(x))
    True
    >>> layer.train()(x).unique(dim=0).shape[0] > 1
    True
    """

    variant = variants.DROP_CONNECT
    kinds = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    wraps = "a linear layer or a convolution"
    layer: torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d

    def linear_map(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return what the wrapped layer does to ``x`` with another ``weight`` and ``bias``."""
        if isinstance(self.layer, torch.nn.Linear):
            return torch.nn.functional.linear(x, weight, bias)
        # A convolution's own way, for it knows its stride, padding and groups.
        return pinned.apply_convolution(self.layer, x, weight, bias)

    def with_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return what the wrapped layer does to ``x`` with other ``weights``, given once or for each example."""
        weight, bias = self.layer.weight, self.layer.bias
        if weights.dim() == weight.dim() or len(weights) == 1:
            return self.linear_map(x, weights.view(weight.shape), bias)
        return torch.vmap(self.linear_map, (0, 0, None))(x, weights, bias)

    def dropped(self, x: Tensor, generator: Source | None) -> Tensor:
        return functional.drop_connect(
            x,
            self.layer.weight,
            self.layer.bias,
            **self._arguments(),
            linear_map=self.linear_map,
            training=self.training,
            generator=generator,
        )
