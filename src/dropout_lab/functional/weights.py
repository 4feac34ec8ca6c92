"""DropConnect: drop weights of a linear map instead of its inputs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.arguments import flag, floating
from dropout_lab.functional.selection import drop, inverse
from dropout_lab.functional.variants import DROP_CONNECT, check_modes
from dropout_lab.noise import Source


def drop_connect(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    keep_prob: float = 0.5,
    *,
    per_example: bool = True,
    linear_map: Callable[[Tensor, Tensor, Tensor | None], Tensor] = torch.nn.functional.linear,
    training: bool = True,
    rescale: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Apply a linear map whose weights are dropped, each by itself; the bias is never dropped.

    With a mask for each example the masked weights take N times the memory of ``weight``. Without ``rescale`` and with
    ``training=False`` the weights are multiplied by ``keep_prob``.

    Args:
        x: the input, of shape (N, …, inputs), or as ``linear_map`` takes it; input without the axis N is one example.
        weight: the weights, of shape (outputs, inputs), or as ``linear_map`` takes them.
        bias: the bias, of shape (outputs,), or None.
        per_example: True for a mask for each of the N examples, False for one mask for all of them.
        linear_map: the map, called with ``x``, ``weight`` and ``bias``; a convolution is one, such as
            ``functools.partial(torch.nn.functional.conv2d, padding=1)``.

    Returns:
        What ``linear_map`` gives, such as a tensor of shape (N, …, outputs).

    Source: Wan et al. 2013.

    >>> x, weight = torch.ones(3, 2), torch.tensor([[1.0, 10.0]])
    >>> seeded = torch.Generator().manual_seed(1)
    >>> drop_connect(x, weight, None, 0.5, generator=seeded).flatten()
    tensor([ 2., 20., 20.])
    """
    DROP_CONNECT.check_type(x)
    DROP_CONNECT.check_type(weight)
    keep_prob = noise.check_keep_prob(keep_prob)
    flag("per_example", per_example)
    if bias is not None:
        floating("bias", bias)
    if training is not True or rescale is not True:
        check_modes(training, rescale)
    axes = weight.dim()
    if axes < 2 or x.dim() < axes - 1 or (axes > 2 and x.dim() > axes):
        expected = "(N, …, inputs) for a linear map" if axes < 3 else f"(N, C{', length' * (axes - 2)})"
        raise ValueError(
            f"drop_connect needs weights of two axes or more and, for theirs of shape {tuple(weight.shape)}, input of "
            f"shape {expected}; got {tuple(x.shape)}"
        )
    if keep_prob == 1 or (rescale and not training):
        return linear_map(x, weight, bias)
    if not training and keep_prob > 0:
        return linear_map(x, weight * keep_prob, bias)
    scale = inverse(keep_prob) if rescale else 1.0
    own = per_example and x.dim() >= axes
    if generator is not None:
        generator = DROP_CONNECT.draws_from(generator, x.shape, batched=own)
    # No example draws nothing, and a convolution that is mapped over none of them fails.
    if not own or not len(x):
        shape = DROP_CONNECT.mask_shape(weight.shape)
        return linear_map(x, drop(weight, shape, keep_prob, scale, generator=generator), bias)
    shape = DROP_CONNECT.mask_shape(weight.shape, examples=x.shape[0])
    masked = drop(weight.expand(shape), shape, keep_prob, scale, generator=generator)
    return torch.vmap(linear_map, (0, 0, None))(x, masked, bias)
