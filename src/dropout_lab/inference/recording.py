"""Masks recorded in one forward pass and replayed in others: one subnetwork, held fixed.

A subnetwork that is the same over all batches of an evaluation is recorded with one example, whose masks have extent 1
along the axis of examples, wherever that lies, and so serve any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dropout_lab.ensemble import asking
from dropout_lab.inference.recorded import Factor, Kind, kind_of, kind_of_function


class Recording(list[Factor]):
    """The noise of one forward pass: a list with a :class:`Factor` for each call of a layer, in order.

    >>> Recording([Factor("drop", torch.ones(1, 2))])
    Recording(drop (1, 2))
    """

    def __repr__(self) -> str:
        calls = ", ".join(f"{factor.name or 'itself'} {tuple(factor.values.shape)}" for factor in self)
        return f"Recording({calls})"

    def to(self, device: torch.device | str) -> Recording:
        """Return the same noise on another ``device``.

        >>> Recording([Factor("drop", torch.ones(1, 2))]).to("cpu")
        Recording(drop (1, 2))
        """
        moved = [
            Factor(name, values.to(device), None if shift is None else shift.to(device)) for name, values, shift in self
        ]
        return Recording(moved)


@contextmanager
def record(model: torch.nn.Module) -> Iterator[Recording]:
    """Draw the noise of every dropout layer in the next forward pass of ``model``, and keep it.

    The layers drop whatever their mode is, and draw from their own sources. Everything else runs in the mode that it
    has, so a model in ``eval()`` gives the output of one of its subnetworks. Recorded are the layers of this package,
    recurrent ones and those on weights included, torch's dropout layers, and torch's functions of dropout where a
    model's own code calls them with a rate above 0, on or off, under the name ``F.dropout``.

    Args:
        model: the network whose next forward pass is recorded.

    Returns:
        A context manager, whose value is the recording.

    Raises ValueError for a model in which nothing drops, for a second forward pass, and, by name, for what has no noise
    that could be given again: torch's recurrent layers and attention, which drop inside, attention by
    ``scaled_dot_product_attention``, and LearnedGaussianDropout, whose noise belongs to its outputs and to no weights.

    >>> from dropout_lab import nn
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

    def draw(name: str, kind: Kind, x: Tensor) -> Factor:
        recording.append(kind.draw(name, x))
        return recording[-1]

    def begin() -> None:
        if len(recording):
            raise ValueError("a recording holds one forward pass, and this is the second: record each by itself")

    def end() -> None:
        if not recording:
            raise ValueError(f"nothing to record: no dropout took part in the forward pass of {type(model).__name__}")

    with _replaced(model, draw, begin, end):
        yield recording


@contextmanager
def replay(model: torch.nn.Module, masks: Sequence[Factor]) -> Iterator[None]:
    """Give every forward pass of ``model`` the noise of a recording, whatever the modes of its dropout layers are.

    Args:
        model: the network that was recorded.
        masks: the recording, or other factors, one for each call of a layer. Only axes along which a factor has extent
            1 may be longer in the input.

    Returns:
        A context manager, inside which the noise is replayed.

    Raises what :func:`record` raises, and ValueError for a pass in which other layers are called, or in another order,
    and for an input that the recorded noise does not fit.

    >>> from dropout_lab import nn
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

    def give(name: str, kind: Kind, x: Tensor) -> Factor:
        nonlocal position
        recorded = masks[position] if position < len(masks) else None
        if recorded is None or recorded.name != name:
            then = "is at its end" if recorded is None else f"goes on with {recorded.name!r}"
            raise ValueError(f"{kind.described(name)} is called where the recording {then}")
        position += 1
        return recorded

    with _replaced(model, give, begin, end):
        yield


class _Functions(TorchFunctionMode):
    """torch's functions of dropout, where a model's own code calls them, get recorded noise."""

    def __init__(self, noise_for: Callable[[str, Kind, Tensor], Factor]) -> None:
        super().__init__()
        self._noise_for = noise_for
        #: How many of the layers that have noise of their own are being called.
        self.inside = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kind = None if self.inside else kind_of_function(func, args, kwargs or {})
        if kind is None:
            return func(*args, **(kwargs or {}))
        x = asking.input_of(args, kwargs or {})
        name = f"F.{func.__name__}"
        return kind.apply(name, x, self._noise_for(name, kind, x))


@contextmanager
def _replaced(
    model: torch.nn.Module,
    noise_for: Callable[[str, Kind, Tensor], Factor],
    begin: Callable[[], None],
    end: Callable[[], None],
) -> Iterator[None]:
    """What ``noise_for`` says takes the place of the noise of each layer and function."""
    layers = {name: kind_of(name, layer) for name, layer in asking.hookable(model) if asking.has_noise(layer)}
    functions = _Functions(noise_for)

    def enter(*_: object) -> None:
        functions.inside += 1

    def put(name: str, kind: Kind) -> Callable[..., Any]:
        def replace(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _: object) -> Any:
            x = asking.input_of(args, kwargs)
            try:
                return kind.apply(name, x, noise_for(name, kind, x), args, kwargs)
            finally:
                functions.inside -= 1

        return replace

    with ExitStack() as stack:
        stack.enter_context(asking.eagerly())
        for name, kind in layers.items():
            stack.enter_context(kind.quiet())
            stack.callback(kind.layer.register_forward_pre_hook(enter, prepend=True).remove)
            stack.callback(kind.layer.register_forward_hook(put(name, kind), with_kwargs=True).remove)
        stack.callback(model.register_forward_pre_hook(lambda *_: begin(), prepend=True).remove)
        stack.callback(model.register_forward_hook(lambda *_: end()).remove)
        stack.enter_context(functions)
        yield
