"""What a forward pass did with noise: every place that drops, and where its output went.

A pass is followed at two levels. Layers whose noise is known are taken as wholes, by hooks. Everything else is a call
of a function of torch, and is seen by a mode: what it read, what it gave, and whether it drew. So dropout is found
where a model's own code makes it, and its way to a normalization, to another dropout or to the output is that of the
numbers, whatever the modules are called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dropout_lab import nn
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import tensors
from dropout_lab.inference.auditing.functions import DRAWS, ENDS, PRODUCTS, VIEWS
from dropout_lab.membership import FUNCTIONS_OF_TORCH


@dataclass(eq=False)
class Event:
    """One place that multiplied by noise, in one call: ``module`` is the innermost one around it."""

    module: str
    #: What it is: the name of a variant, "F." and that of a function, "recurrent", "attention" or "home-made".
    what: str
    x: Tensor | None
    y: object
    #: The probability of dropping, if it is known.
    rate: float | None = None
    #: Whether it dropped in this pass.
    active: bool = True
    #: Whether it masks numbers that come from the input, and nothing inside a layer.
    on_activations: bool = True
    #: The layer, if it is one that is known.
    layer: torch.nn.Module | None = None


@dataclass(frozen=True)
class _Origin:
    """Where a tensor comes from: the input, a draw, and events, of the same numbers or by way of linear maps."""

    from_input: bool = False
    drawn: bool = False
    same: frozenset[Event] = frozenset()
    through: frozenset[Event] = frozenset()


@dataclass
class Pass:
    """What was seen."""

    events: list[Event] = field(default_factory=list)
    #: Dropout whose output, by way of linear and elementwise maps, reached a batch normalization: event and module.
    normalized: list[tuple[Event, str]] = field(default_factory=list)
    #: Pairs of events, of which the second dropped the very output of the first.
    in_a_row: list[tuple[Event, Event]] = field(default_factory=list)
    #: Events whose output was an output of the model.
    last: list[Event] = field(default_factory=list)
    #: How often each layer was called.
    calls: dict[str, int] = field(default_factory=dict)
    #: What went into and came out of the modules that have no others inside.
    leaves: dict[str, list[tuple[Tensor, object]]] = field(default_factory=dict)
    #: Whether a function of torch drew.
    drew: bool = False
    output: object = None


class Flow(TorchFunctionMode):
    """Follows a forward pass of ``model``, whose input tensors are ``given``, while it is entered."""

    def __init__(self, model: torch.nn.Module, given: object) -> None:
        super().__init__()
        self.seen = Pass()
        self._model = model
        self._stack = [("", model)]
        self._origins: dict[int, _Origin] = {}
        # A tensor that is gone would leave its number to another one.
        self._alive: list[object] = []
        self._inside = 0
        self._entered: list[Tensor | None] = []
        for tensor in tensors(given):
            self._note(tensor, _Origin(from_input=True))

    def __enter__(self) -> Flow:
        self._hooks = ExitStack()
        for name, module in asking.hookable(self._model):
            self._hooks.callback(
                module.register_forward_pre_hook(self._before(name), prepend=True, with_kwargs=True).remove
            )
            self._hooks.callback(module.register_forward_hook(self._after(name), with_kwargs=True).remove)
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._hooks.close()

    def finish(self, output: object) -> Pass:
        """Note what the model gave."""
        self.seen.output = output
        for tensor in list(tensors(output))[:1]:
            self.seen.last += self._origin(tensor).same
        return self.seen

    def _note(self, value: object, origin: _Origin) -> None:
        for tensor in tensors(value):
            self._alive.append(tensor)
            self._origins[id(tensor)] = origin

    def _origin(self, tensor: Tensor) -> _Origin:
        return self._origins.get(id(tensor), _Origin())

    def _together(self, read: list[Tensor]) -> _Origin:
        found = [self._origin(tensor) for tensor in read]
        return _Origin(
            any(origin.from_input for origin in found),
            any(origin.drawn for origin in found) and not any(origin.from_input for origin in found),
            frozenset().union(*(origin.same for origin in found)),
            frozenset().union(*(origin.through for origin in found)),
        )

    def _before(self, name: str) -> Callable[..., None]:
        def look(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._stack.append((name, module))
            self.seen.calls[name] = self.seen.calls.get(name, 0) + 1
            # It may be overwritten in place.
            self._entered.append(_copied(next(tensors((args, kwargs)), None)))
            if _is_whole(module):
                self._inside += 1

        return look

    def _after(self, name: str) -> Callable[..., None]:
        def look(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
            self._stack.pop()
            x = self._entered.pop()
            if x is not None and next(module.children(), None) is None:
                self.seen.leaves.setdefault(name, []).append((x, output))
            if _is_whole(module):
                self._inside -= 1
                if not self._inside:
                    self._whole(name, module, x, list(tensors((args, kwargs))), output)

        return look

    def _whole(self, name: str, module: torch.nn.Module, x: Tensor | None, read: list[Tensor], output: object) -> None:
        """A layer whose noise is known was called."""
        if isinstance(module, torch.nn.MultiheadAttention):
            what = "attention"
        elif isinstance(module, torch.nn.RNNBase) or hasattr(module, "recurrent_keep_prob"):
            what = "recurrent"
        else:
            variant = nn.variant_of(module)
            assert variant is not None
            what = variant.name
        keep = [float(part.detach().float().mean()) for part in asking.keep_probs(module)]
        masks_input = asking.multiplies_input(module)
        event = Event(name, what, x, output, 1 - min(keep, default=1.0), module.training, masks_input, module)
        self.seen.events.append(event)
        if not event.rate:
            self._note(output, self._together(read))
        elif not masks_input:
            self._note(output, _Origin(from_input=True))
        else:
            self._dropped(event, self._together(read), output)

    def _dropped(self, event: Event, origin: _Origin, output: object) -> None:
        """What came out of dropout that was on, or might have been."""
        if not event.active:
            self._note(output, origin)
            return
        self.seen.in_a_row += [(before, event) for before in origin.same]
        self._note(output, _Origin(True, False, origin.same | {event}, origin.through | {event}))

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._inside:
            return func(*args, **kwargs)
        written = getattr(func, "__name__", "")
        name = written if written.startswith("__") else written.rstrip("_")
        read = list(tensors((args, kwargs)))
        # The function may write over what it read.
        before = list(map(_copied, read)) if name in FUNCTIONS_OF_TORCH or name in PRODUCTS else read
        result = func(*args, **kwargs)
        self._called(_Call(name, args, kwargs, read, before), result)
        return result

    def _called(self, call: _Call, result: object) -> None:
        """A function was called outside of the layers whose noise is known."""
        name, origin = call.name, self._together(call.read)
        if name in FUNCTIONS_OF_TORCH:
            self._function_of_dropout(call, origin, result)
        elif name in DRAWS:
            self.seen.drew = True
            self._note(result, _Origin(drawn=True))
        elif name == "batch_norm":
            self.seen.normalized += [(event, self._stack[-1][0]) for event in origin.through]
            self._note(result, _Origin(from_input=origin.from_input))
        elif name in PRODUCTS and self._masks(call, result):
            pass
        elif name in VIEWS:
            self._note(result, origin)
        elif name in ENDS:
            self._attention(call, result)
            self._note(result, _Origin(from_input=True))
        else:
            self._note(result, _Origin(origin.from_input, origin.drawn, frozenset(), origin.through))

    def _function_of_dropout(self, call: _Call, origin: _Origin, result: object) -> None:
        usual = "alpha" not in call.name
        training = bool(call.argument("training" if call.name != "native_dropout" else "train", 2, usual))
        rate = float(call.argument("p", 1, 0.5))
        self.seen.drew |= training
        if not origin.from_input and not _is_weight(call.read[0]):
            # Dropout of ones makes a mask, which something else will be multiplied by.
            self._note(result, _Origin(drawn=training and rate > 0))
            return
        event = Event(self._stack[-1][0], f"F.{call.name}", call.before[0], result, rate, training, origin.from_input)
        self.seen.events.append(event)
        self._dropped(event, origin, result)

    def _attention(self, call: _Call, result: object) -> None:
        """torch's functions of attention drop inside."""
        if call.name == "scaled_dot_product_attention":
            rate, on = float(call.argument("dropout_p", 4, 0.0)), True
        elif call.name == "multi_head_attention_forward":
            rate, on = float(call.argument("dropout_p", 10, 0.0)), bool(call.argument("training", 13, True))
        else:
            return
        self.seen.drew |= rate > 0 and on
        if rate > 0:
            self.seen.events.append(Event(self._stack[-1][0], f"F.{call.name}", call.read[0], result, rate, on))

    def _masks(self, call: _Call, result: object) -> bool:
        """Whether a product of numbers of the model with a random mask was taken; then it is an event."""
        pairs = list(zip(call.read, call.before, strict=True))
        masks = [tensor for tensor, _ in pairs if self._origin(tensor).drawn]
        others = [pair for pair in pairs if self._origin(pair[0]).from_input or _is_weight(pair[0])]
        if not masks or not others or not isinstance(result, Tensor) or not _is_noise(masks[0]):
            return False
        (x, before), *_ = others
        origin = self._origin(x)
        event = Event(self._stack[-1][0], "home-made", before, result, on_activations=origin.from_input)
        self.seen.events.append(event)
        self._dropped(event, origin, result)
        return True


@dataclass(frozen=True)
class _Call:
    """A call of a function: the tensors that it read, and what they were before."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    read: list[Tensor]
    before: list[Any]

    def argument(self, name: str, place: int, usual: object) -> Any:
        """An argument by its name or its place."""
        found = self.kwargs.get(name, (self.args[place : place + 1] or (None,))[0])
        return usual if found is None else found


def _copied(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


def _is_whole(module: torch.nn.Module) -> bool:
    """Whether a layer is taken as a whole: its noise is known, or its class says that it is of the family."""
    if isinstance(module, (torch.nn.RNNBase, torch.nn.MultiheadAttention, *nn.OF_TORCH)):
        return True
    return nn.variant_of(module) is not None


def _is_weight(tensor: Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter)


def _is_noise(mask: Tensor) -> bool:
    """Whether drawn numbers are factors of dropout: zeros and one other value, or numbers about 1."""
    values = mask.detach().double().flatten()
    if not len(values):
        return False
    some = values.unique()
    if mask.dtype == torch.bool or (len(some) <= 2 and bool((some == 0).any() or len(some) == 1)):
        return True
    return bool((values.mean() - 1).abs() < 0.3 and len(values) > 16)
