"""The check of what a layer does beyond its weights when called, which a rule that reads the weights would miss."""

from __future__ import annotations

import torch
from torch import nn

from dropout_lab import pinned


def beyond_weights(layer: nn.Module) -> str | None:
    """What a linear layer or a convolution does when it is called besides its linear map, in words; None for nothing.

    That is a ``forward`` of its own, in its class or put into the layer, hooks, and weights that are still to be made.

    >>> beyond_weights(nn.Linear(2, 2)) is None
    True
    >>> layer = nn.Linear(2, 2)
    >>> handle = layer.register_forward_hook(lambda module, inputs, output: 2 * output)
    >>> beyond_weights(layer)
    'hooks'
    """
    if isinstance(layer, nn.modules.lazy.LazyModuleMixin):
        return "weights that are still to be made: call it once first"
    if pinned.has_hooks(layer):
        return "hooks"
    for name in ("forward", "__call__", *pinned.CONVOLUTION):
        own = name in vars(layer)
        given = next((kind for kind in type(layer).__mro__ if name in vars(kind)), None)
        if own or (given is not None and not _is_of_torch(given)):
            return f"a {name} of its own"
    return None


def _is_of_torch(kind: type) -> bool:
    """Whether a class is one of torch's plain layers, or what they are made of."""
    return kind.__module__.split(".")[:2] in (["torch", "nn"], ["torch", "_ops"]) or kind in (torch.nn.Module, object)
