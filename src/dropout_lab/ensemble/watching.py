"""Which modules of a model draw random numbers: found by watching a forward pass.

The test-time rules know the noise of this package's layers and of torch's. Whatever else a model draws, in a forward of
its own or in a function that it calls, would be left out without a word. So each rule lets copies of the model run
first, in training mode and as it will run itself, with the state of every source of random numbers watched at each
border between modules. What a source gave between two borders, the innermost module there has drawn. Draws from a
source that cannot be seen show as a difference between two passes that start from the same state.
"""

from __future__ import annotations

import collections
import copy
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from dropout_lab import streams
from dropout_lab.arguments import module as checked_module
from dropout_lab.ensemble import asking
from dropout_lab.streams import Stream

#: Batch normalization needs more than one example in training mode, and draws nothing.
_NORMS = (
    *(torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm),
    *(torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d),
)
#: Objects that hold a stream of random numbers, and how their states are read.
_STREAMS: dict[type, Callable[[Any], object]] = {
    torch.Generator: lambda stream: stream.get_state().cpu().numpy().tobytes(),
    np.random.Generator: lambda stream: repr(stream.bit_generator.state),
    np.random.RandomState: lambda stream: _of_numpy(stream.get_state()),
    random.Random: lambda stream: stream.getstate(),
}

#: A module without anything of its own.
_BARE = torch.nn.Module()
#: The rules change global random states for a while.
_RULES = threading.RLock()

#: Brings a copy of a model into the state that a pass is to have, and returns the context to run it in.
Prepare = Callable[[torch.nn.Module], AbstractContextManager[object]]


@dataclass
class Pass:
    """What was seen of a forward pass, each module by its name in the model."""

    #: Modules that drew random numbers themselves, without those inside them.
    draws: dict[str, None] = field(default_factory=dict)
    #: Modules in the order in which they were called.
    called: list[str] = field(default_factory=list)
    #: Modules whose own buffers the pass changed.
    changed: list[str] = field(default_factory=list)
    #: What went into and came out of each module, as sums, if that was asked for.
    marks: list[tuple[str, str, tuple[float, ...]]] = field(default_factory=list)
    output: object = None


def switch_on(model: torch.nn.Module) -> None:
    """Training mode for all of ``model`` but its batch normalization."""
    model.train()
    for module in model.modules():
        if type(module) in _NORMS:
            module.training = False


class Watched:
    """A copy of a model, whose passes at ``x`` are watched. The model and all random states stay as they are."""

    def __init__(self, model: torch.nn.Module, x: Tensor) -> None:
        self._model = model
        self._x = x

    def __enter__(self) -> Watched:
        self._stack = ExitStack()
        self._states = self._stack.enter_context(states_kept(self._x.device))
        self._stack.enter_context(torch.no_grad())
        self._stack.enter_context(asking.eagerly())
        self._twin = self._stack.enter_context(twin(self._model, self._x))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, prepare: Prepare) -> Pass:
        """What a pass does, with the modules that draw, also from sources out of sight."""
        seen = self._observe(self._twin, prepare)
        set_states(self._states, self._x.device)
        with prepare(self._twin):
            again = self._twin(self._x.clone())
        if not _equal(seen.output, again, self._x.device):
            # The copy may have changed in between. If two fresh copies part too, something was drawn out of sight.
            marks = []
            for _ in range(2):
                with twin(self._model, self._x) as fresh:
                    marks.append(self._observe(fresh, prepare, marking=True).marks)
            seen.draws.update(dict.fromkeys(_parting(*marks)))
        return seen

    def run_training(self, prepare: Prepare) -> Pass:
        """The same for a pass in training mode that the model's user may never have made.

        Raises ValueError, from the model's own error, if the model does not run so.
        """
        try:
            return self.run(prepare)
        # The model's own code runs, which can fail in any way.
        except Exception as error:
            raise ValueError(
                f"what {type(self._model).__name__} draws in training cannot be seen: a forward pass in training mode "
                f"failed with {type(error).__name__}: {error}"
            ) from error

    def _observe(self, twin: torch.nn.Module, prepare: Prepare, marking: bool = False) -> Pass:
        set_states(self._states, self._x.device)
        observer = _Observer(twin, self._x.device, marking)
        # What is prepared may hook itself into the layers: the observer looks at a layer before and after all others.
        with prepare(twin), observer:
            observer.seen.output = twin(self._x.clone())
        return observer.seen


class _Observer(TorchFunctionMode):
    """Watches the modules of ``model`` while it is entered."""

    def __init__(self, model: torch.nn.Module, device: torch.device, marking: bool) -> None:
        super().__init__()
        self.seen = Pass()
        self._model = model
        self._marking = marking
        self._stack = [""]
        held = [value for module in model.modules() for value in vars(module).values()]
        self._streams = {id(value): value for value in held if isinstance(value, tuple(_STREAMS))}
        self._sources: list[Callable[[], object]] = [
            global_states,
            *(lambda stream=stream: _state_of(stream) for stream in self._streams.values()),
        ]
        if device.type == "cuda":
            self._sources.append(lambda: torch.cuda.get_rng_state(device).numpy().tobytes())

    def __enter__(self) -> _Observer:
        self._hooks = ExitStack()
        for name, module in asking.hookable(self._model):
            for handle in (
                module.register_forward_pre_hook(self._before(name), prepend=True, with_kwargs=True),
                module.register_forward_hook(self._after(name), with_kwargs=True),
            ):
                self._hooks.callback(handle.remove)
        self._buffers = {
            name: [buffer.clone() for buffer in module.buffers(recurse=False)]
            for name, module in self._model.named_modules()
        }
        self._last = [read() for read in self._sources]
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._hooks.close()
        self._settle()
        for name, module in self._model.named_modules():
            after = list(module.buffers(recurse=False))
            if not _equal(self._buffers[name], after, torch.device("cpu")):
                self.seen.changed.append(name)

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # A generator that no module holds shows when it is handed to an operation.
        kwargs = kwargs or {}
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Generator)]
        others = [stream for stream in given if id(stream) not in self._streams]
        before = [_state_of(stream) for stream in others]
        result = func(*args, **kwargs)
        if [_state_of(stream) for stream in others] != before:
            self.seen.draws[self._stack[-1]] = None
        return result

    def _settle(self) -> None:
        """What was drawn since the last border, the innermost module has drawn."""
        states = [read() for read in self._sources]
        if states != self._last:
            self.seen.draws[self._stack[-1]] = None
            self._last = states

    def _before(self, name: str) -> Callable[..., None]:
        def look(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._settle()
            if self._marking:
                self.seen.marks.append((name, self._stack[-1], _sums((args, kwargs))))
            self._stack.append(name)
            self.seen.called.append(name)

        return look

    def _after(self, name: str) -> Callable[..., None]:
        def look(module: torch.nn.Module, args: object, kwargs: object, output: object) -> None:
            self._settle()
            self._stack.pop()
            if self._marking:
                self.seen.marks.append((name, name, _sums(output)))

        return look


def _parting(one: list[tuple[str, str, tuple[float, ...]]], two: list[tuple[str, str, tuple[float, ...]]]) -> list[str]:
    """The module in which two passes first differ: the one around a module that was called with something else.

    None if they do not differ.
    """
    for (name, owner, sums), (other, _, others) in zip(one, two, strict=False):
        if name != other or repr(sums) != repr(others):
            return [owner]
    return []


@contextmanager
def alone(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """A copy of ``model`` that shares its parameters and buffers, for one test-time rule at a time.

    What a rule changes for a while, modes and hooks, it changes on the copy, so others may use the model meanwhile. The
    random states of torch, NumPy and Python are global: hence one rule waits for another. The copy has streams and
    generators of its own. A model that cannot be copied, or whose weights are still to be made, is given itself.
    """
    checked_module("model", model)
    with _RULES:
        owned = [part for module in model.modules() if not isinstance(module, Stream) for part in _tensors_of(module)]
        shared: dict[int, Any] = {id(part): part for part in (*owned, *_notes(model))}
        try:
            twin = model if any(map(is_lazy, model.parameters())) else copy.deepcopy(model, shared)
        # A module may hold anything.
        except Exception:
            twin = model
        yield twin


def _notes(model: torch.nn.Module) -> Iterator[object]:
    """The lists, dictionaries and sets of a model's modules that hold data only, so that notes taken there are kept."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, (list, dict, set, collections.deque)) and name not in vars(_BARE):
                parts = list(value.values()) if isinstance(value, dict) else list(value)
                if not any(callable(part) for part in parts):
                    yield value


def _tensors_of(module: torch.nn.Module) -> Iterator[Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


@contextmanager
def twin(model: torch.nn.Module, x: Tensor) -> Iterator[torch.nn.Module]:
    """A copy of ``model`` that shares its parameters; the model itself, put back afterwards, if it cannot be copied."""
    shared: dict[int, Any] = {id(weight): weight for weight in model.parameters() if not is_lazy(weight)}
    try:
        twin = copy.deepcopy(model, shared)
    # A module may hold anything.
    except Exception:
        modes = [(module, module.training) for module in model.modules()]
        buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
        try:
            yield model
        finally:
            for module, training in modes:
                module.training = training
            for buffer, before in buffers:
                buffer.copy_(before)
        return
    if any(map(is_lazy, twin.parameters())):
        # A lazy layer draws its weights in its first pass.
        twin.eval()(x.clone())
    yield twin


def global_states() -> tuple[object, ...]:
    """The global random states of torch on the CPU, of NumPy and of Python, and how often streams gave numbers."""
    return (
        streams.times_drawn(),
        torch.get_rng_state().numpy().tobytes(),
        _of_numpy(np.random.get_state()),
        random.getstate(),
    )


@contextmanager
def states_kept(device: torch.device) -> Iterator[tuple[Any, ...]]:
    """The global random states of torch, NumPy and Python are afterwards what they were; gives them."""
    of_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    states = torch.get_rng_state(), of_device, np.random.get_state(), random.getstate()
    try:
        yield states
    finally:
        set_states(states, device)


def set_states(states: tuple[Any, ...], device: torch.device) -> None:
    """Put the global random states back to what :func:`states_kept` gave."""
    of_torch, of_device, of_numpy, of_python = states
    torch.set_rng_state(of_torch)
    if of_device is not None:
        torch.cuda.set_rng_state(of_device, device)
    np.random.set_state(of_numpy)
    random.setstate(of_python)


def _of_numpy(state: Any) -> tuple[object, ...]:
    kind, words, *rest = state
    return (kind, words.tobytes(), *rest)


def _state_of(stream: object) -> object:
    return next(read(stream) for kind, read in _STREAMS.items() if isinstance(stream, kind))


def tensors(value: object) -> Iterator[Tensor]:
    """The tensors in what a model takes or gives, nested in any way.

    >>> [part.item() for part in tensors({"logits": torch.tensor(1.0), "others": (torch.tensor(2.0), None)})]
    [1.0, 2.0]
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors(part)
    elif is_dataclass(value):
        for part in fields(value):
            yield from tensors(getattr(value, part.name))


def _equal(one: object, two: object, device: torch.device) -> bool:
    """Whether two outputs are the same: bit for bit on a CPU, up to rounding on a device that may sum in any order."""
    parts, others = list(tensors(one)), list(tensors(two))
    tolerance = 0.0 if device.type == "cpu" else 1e-4
    return len(parts) == len(others) and all(
        part.shape == other.shape and torch.allclose(part, other, rtol=tolerance, atol=tolerance, equal_nan=True)
        for part, other in zip(parts, others, strict=True)
    )


def _sums(value: object) -> tuple[float, ...]:
    """A number for each tensor that changes with the place of an element and not only with its value."""
    found = []
    for tensor in tensors(value):
        flat = tensor.detach().double().flatten()
        found.append(float(flat @ torch.arange(1.0, len(flat) + 1, dtype=flat.dtype, device=flat.device).cos()))
    return tuple(found)
