"""Masks recorded in one forward pass and replayed in others: one subnetwork, held fixed.

A subnetwork that is the same over all batches of an evaluation is recorded with one example, whose masks have extent 1
along the axis of examples, wherever that lies, and so serve any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dropout_lab import functional, nn
from dropout_lab.ensemble import asking


class Factor(NamedTuple):
    """What one call of a layer was multiplied by: the layer's name in the model, and the noise itself.

    ``values`` are the mask, divided by the keep probability in the inverted convention, in the shape of the layer's
    input, or for DropConnect that of its weights, for each example or once; for EmbeddingDropout one for each word.

    >>> Factor("drop", torch.tensor([[0.0, 2.0]])).values
    tensor([[0., 2.]])
    """

    name: str
    values: Tensor


class Recording(list[Factor]):
    """The noise of one forward pass: a :class:`Factor` for each call of a layer, in order.

    >>> Recording([Factor("drop", torch.ones(1, 2))])
    Recording(drop (1, 2))
    """

    def __repr__(self) -> str:
        calls = ", ".join(f"{factor.name or 'itself'} {tuple(factor.values.shape)}" for factor in self)
        return f"Recording({calls})"


@contextmanager
def record(model: torch.nn.Module) -> Iterator[Recording]:
    """Draw the noise of every dropout layer in the next forward pass of ``model``, and keep it.

    The layers drop whatever their mode is, and draw from their own sources; everything else runs in the mode that it
    has, so a model in ``eval()`` gives the output of one of its subnetworks. Layers of this package and of torch whose
    noise multiplies activations are recorded, and those on the weights of a layer that they wrap. Noise that no such
    layer makes, as that of ``F.dropout`` in a model's own code, is not seen.

    Raises ValueError for a model without dropout layers, for one with noise of another kind (recurrent layers,
    attention, learned rates, alpha dropout), which is named, and for a second forward pass.

    >>> model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Linear(4, 2)).eval()
    >>> with record(model) as masks:
    ...     y = model(torch.ones(1, 4))
    >>> masks
    Recording(0 (1, 4))
    >>> with replay(model, masks):
    ...     torch.equal(model(torch.ones(3, 4)), y.expand(3, 2))
    True
    """
    recording = Recording()

    def draw(name: str, layer: torch.nn.Module, x: Tensor) -> Tensor:
        values = _drawn(layer, x)
        recording.append(Factor(name, values))
        return values

    def begin() -> None:
        if len(recording):
            raise ValueError("a recording holds one forward pass, and this is the second: record each by itself")

    with _replaced(model, draw, begin, lambda: None):
        yield recording


@contextmanager
def replay(model: torch.nn.Module, masks: Sequence[Factor]) -> Iterator[None]:
    """Every forward pass of ``model`` gets the noise of :func:`record`, whatever the modes of its dropout layers are.

    Raises what :func:`record` raises, and ValueError for a pass in which other layers are called, or in another order,
    and for an input that the recorded noise does not fit: only axes along which it has extent 1 may be longer.

    >>> layer = nn.Dropout(0.5)
    >>> with replay(layer, [Factor("", torch.tensor([[0.0, 2.0]]))]):
    ...     layer(torch.ones(3, 2))
    tensor([[0., 2.],
            [0., 2.],
            [0., 2.]])
    """
    position = 0

    def begin() -> None:
        nonlocal position
        position = 0

    def end() -> None:
        if position < len(masks):
            raise ValueError(f"the recording goes on with {masks[position].name!r}, which was not called in this pass")

    def give(name: str, layer: torch.nn.Module, x: Tensor) -> Tensor:
        nonlocal position
        recorded = masks[position] if position < len(masks) else None
        if recorded is None or recorded.name != name:
            then = "is at its end" if recorded is None else f"goes on with {recorded.name!r}"
            raise ValueError(f"{asking.described(name, layer)} is called where the recording {then}")
        position += 1
        return recorded.values.to(x.device)

    with _replaced(model, give, begin, end):
        yield


@contextmanager
def _replaced(
    model: torch.nn.Module,
    noise_for: Callable[[str, torch.nn.Module, Tensor], Tensor],
    begin: Callable[[], None],
    end: Callable[[], None],
) -> Iterator[None]:
    """What ``noise_for`` says takes the place of each layer's own noise; the layers themselves are in ``eval()``."""
    layers = _layers(model)
    modes = [(layer, layer.training) for layer in layers.values()]

    def put(name: str) -> Callable[..., Tensor]:
        def multiply(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _: object) -> Tensor:
            x = asking.input_of(args, kwargs)
            return _applied(name, layer, x, noise_for(name, layer, x))

        return multiply

    with ExitStack() as stack:
        stack.enter_context(asking.eagerly())
        for name, layer in layers.items():
            layer.training = False
            stack.callback(layer.register_forward_hook(put(name), with_kwargs=True).remove)
        stack.callback(model.register_forward_pre_hook(lambda *_: begin(), prepend=True).remove)
        stack.callback(model.register_forward_hook(lambda *_: end()).remove)
        try:
            yield
        finally:
            for layer, training in modes:
                layer.training = training


def _layers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The layers with noise, by name; ValueError if there is none, or one whose noise is no factor on its input."""
    layers = {name: layer for name, layer in asking.hookable(model) if asking.has_noise(layer)}
    for name, layer in layers.items():
        variant = nn.variant_of(layer)
        is_factor = variant is not None and variant.noise != "affine" and variant.multiplies != "weights"
        is_plain = is_factor and (isinstance(layer, nn.OF_TORCH) or (variant is not None and variant.is_function))
        if not (is_plain or isinstance(layer, nn.OnWeights)):
            raise ValueError(
                f"the noise of {asking.described(name, layer)} is no factor on its input or its weights that could be "
                "recorded. Use inference.monte_carlo"
            )
    if not layers:
        raise ValueError(f"nothing to record: {type(model).__name__} has no dropout layer that drops")
    return layers


def _drawn(layer: torch.nn.Module, x: Tensor) -> Tensor:
    """New noise for the input ``x`` of a layer: what it makes of ones."""
    if isinstance(layer, nn.OnWeights):
        ones = layer.layer.weight.new_ones(nn.mask_shape(layer, x))
        return functional.dropout(ones, layer.keep_prob, rescale=bool(layer.rescale), generator=layer.source())
    layer.training = True
    try:
        # Not by way of its hooks, of which one is ours.
        return type(layer).forward(layer, torch.ones_like(x)).detach()
    finally:
        layer.training = False


def _applied(name: str, layer: torch.nn.Module, x: Tensor, values: Tensor) -> Tensor:
    """What a layer gives under this noise."""
    if not isinstance(layer, nn.OnWeights):
        result = _product(name, layer, x, values)
        return x.copy_(result) if getattr(layer, "inplace", False) else result
    weight = layer.layer.weight
    if values.dim() == weight.dim() or len(values) == 1:
        values = values.view(values.shape[-weight.dim() :])
    else:
        weight = weight.expand(len(x), *weight.shape)
    return layer.with_weights(x, _product(name, layer, weight, values))


def _product(name: str, layer: torch.nn.Module, x: Tensor, values: Tensor) -> Tensor:
    fits = values.dim() == x.dim() and all(
        size in (1, extent) for size, extent in zip(values.shape, x.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{asking.described(name, layer)} has to mask {tuple(x.shape)}, and its recorded noise is of shape "
            f"{tuple(values.shape)}: only axes along which that has extent 1 may be longer. Record with one example"
        )
    # A dropped element is exactly 0, whatever stands there.
    return torch.where(values == 0, 0.0, x * values).to(x.dtype)
