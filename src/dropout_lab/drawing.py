"""Layers that own a source of draws: a stream or a generator that they are given when they are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from dropout_lab.arguments import module as checked_module
from dropout_lab.noise import Source, Stream
from dropout_lab.streams import OptionalState


class Drawing(torch.nn.Module):
    """The base class of layers that draw random numbers.

    A layer draws from what its ``forward`` is given, else from its own source, else from torch's global generator.
    ``stream`` is its own :class:`~dropout_lab.noise.Stream` or None. A layer that was made with a ``torch.Generator``
    has that generator's state in its ``state_dict``.

    >>> from dropout_lab import nn
    >>> nn.Dropout(stream=Stream(0, "first")).source()
    Stream(seed=0, layer='first', step=0)
    """

    stream: Stream | None
    _held: _Held | None

    def own_source(self, generator: Source | None, stream: Stream | None) -> None:
        """Take over the source that the layer is given when it is made.

        Args:
            generator: a ``torch.Generator`` or a :class:`~dropout_lab.noise.Stream`, or None.
            stream: a :class:`~dropout_lab.noise.Stream`, or None.

        Raises TypeError for another kind of source, and ValueError for two sources at once.
        """
        if generator is not None and stream is not None:
            raise ValueError("a layer has one source of draws: give generator or stream, not both")
        if isinstance(generator, Stream):
            generator, stream = None, generator
        if not (generator is None or isinstance(generator, Generator)):
            raise TypeError(f"generator must be a torch.Generator or a noise.Stream, got {type(generator).__name__}")
        if not (stream is None or isinstance(stream, Stream)):
            raise TypeError(f"stream must be a noise.Stream, such as Stream(0); got {type(stream).__name__}")
        self.stream = None if stream is None else stream.next_layer()
        self._held = None if generator is None else _Held(generator)

    def traced(self, x: object, *others: Any, **options: Any) -> Any:
        """Return what stands for the output where ``torch.fx`` traces the model: a call of this layer.

        Args:
            x: what the layer is called with, the tracer's stand-in for a tensor.
            others: what the layer takes besides ``x``, by position.
            options: what the layer takes besides ``x``, by name.

        Raises TypeError for an ``x`` that is neither a tensor nor a tracer's stand-in for one, and where the layer is
        all of the model.

        >>> from dropout_lab import nn
        >>> model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Linear(2, 2))
        >>> graph = torch.fx.symbolic_trace(model).graph
        >>> [node.op for node in graph.nodes]
        ['placeholder', 'call_module', 'call_module', 'output']
        """
        if isinstance(x, torch.fx.Proxy):
            tracer: Any = x.tracer
            if tracer.root is self:
                raise TypeError(f"{type(self).__name__} cannot be traced by itself: trace a model that it is a part of")
            return tracer.create_proxy("call_module", tracer.path_of_module(self), (x, *others), options)
        raise TypeError(f"{type(self).__name__} needs a tensor, got {type(x).__name__}")

    def set_aside(self) -> tuple[Generator | None, Stream | None]:
        """Draw from torch's global generator from now on, and return what :meth:`own_source` takes to undo it."""
        own = None if self._held is None else self._held.generator, self.stream
        self.own_source(None, None)
        return own

    def source(self, given: Source | None = None) -> Source | None:
        """Return the source to draw from; None stands for torch's global generator.

        Args:
            given: the source that ``forward`` was given, which comes first.
        """
        if given is not None:
            return given
        if self.stream is not None:
            return self.stream
        return None if self._held is None else self._held.generator


class _Held(OptionalState):
    """A generator as a part of a model: its state goes with the model's."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def get_extra_state(self) -> Tensor:
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        self.generator.set_state(state.cpu())

    def extra_repr(self) -> str:
        return f"seed={self.generator.initial_seed()}"


def streams(model: torch.nn.Module) -> Iterator[Stream]:
    """Iterate over the streams of a model's layers, each of them once.

    Args:
        model: the model whose layers are looked at.

    >>> from dropout_lab import nn
    >>> [stream.layer for stream in streams(nn.Dropout(0.5, stream=Stream(0, "only")))]
    ['only']
    """
    return (module for module in model.modules() if isinstance(module, Stream))


def add_streams(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give every layer of the family in ``model`` a stream of its own, in place, and return the model.

    A stream is named as its layer is in the model. What a layer had before is replaced. Layers that were copied, as
    ``torch.nn.TransformerEncoder`` copies its own, are told apart by their streams.

    Args:
        model: the model whose layers get streams.
        seed: the seed of the streams, an integer from 0 to 2⁶³ − 1.

    Raises ValueError for a model without a layer of the family.

    >>> from dropout_lab import nn
    >>> model = torch.nn.Sequential(nn.Dropout(), torch.nn.Linear(2, 2), nn.Dropout())
    >>> model = add_streams(model, 3)
    >>> [stream.layer for stream in streams(model)]
    ['0', '2']
    """
    checked_module("model", model)
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, Drawing)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no layer of dropout_lab.nn, so nothing in it takes a stream")
    device = next((parameter.device for parameter in model.parameters()), None)
    for name, module in layers:
        module.own_source(None, Stream(seed, name).to(device))
    return model


def set_streams(
    model: torch.nn.Module, *, step: int | None = None, examples: Sequence[int] | Tensor | None = None
) -> torch.nn.Module:
    """Set the step of all streams of ``model`` and the examples to come, in place, and return the model.

    Args:
        model: the model whose layers have streams.
        step: the new step; None leaves it as it is.
        examples: the numbers of the examples, one for each row of the batch; None takes the rows.

    Raises ValueError for a model without streams.

    >>> from dropout_lab import nn
    >>> model = set_streams(nn.Dropout(0.5, stream=Stream(0)), step=7, examples=[4, 1])
    >>> int(model.stream.step), model.stream.examples
    (7, tensor([4, 1]))
    """
    checked_module("model", model)
    found = list(streams(model))
    if not found:
        raise ValueError(f"{type(model).__name__} has no streams: nn.add_streams gives its layers some")
    for stream in found:
        stream.set(step=step, examples=examples)
    return model
