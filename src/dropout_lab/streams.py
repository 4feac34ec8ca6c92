"""Masks as a function of (seed, layer, step, example): streams of random numbers that are counted and not used up.

A ``torch.Generator`` gives the next numbers, so a mask depends on all that was drawn before. A :class:`Stream` computes
the numbers of an example from their place (:mod:`dropout_lab.philox`). The mask of an example is then the same in
whatever batch the example comes, with any number of threads or workers, in any order of calls, when activation
checkpointing computes a layer again, compiled or not, and inside ``torch.vmap``.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Generator, Tensor

from dropout_lab import philox, pinned
from dropout_lab.arguments import integer

#: Draws are numbers from 0 to 2^32 − 1: two come from a word.
LEVELS = 2**32
#: What stands for the example where one mask serves all: no example has this number.
_SHARED = -1
#: For so many examples one calculation for all is as fast as a loop over them, if each has few draws.
_ROWS = 256
_FEW = 1 << 10
#: Looked up once: a small mask would notice.
_KINDS = (Tensor, torch.nn.Parameter)
_NO_MODE = nullcontext()
# They are asked before every mask, and a lookup by way of modules would cost a small one as much as the answer.
_is_compiling = torch.compiler.is_compiling
_is_transforming = pinned.transformation_test()
_is_observed = pinned.observation_test()
_is_mapped_gradient = pinned.mapped_gradient_test()


_drawn = itertools.count()
_times = 0


def times_drawn() -> int:
    """How often streams gave numbers to be looked at: whoever watches a model sees by it that the model drew.

    >>> before = times_drawn()
    >>> _ = Stream(0).at().levels((2,))
    >>> times_drawn() > before
    True
    """
    return _times


def is_plain(x: Tensor | None = None) -> bool:
    """Whether operations run now, one by one: not while compiled or exported, nor inside vmap and its relatives.

    With ``x`` also whether ``x`` is a tensor like any other, and no stand-in for one.

    >>> is_plain()
    True
    >>> torch.vmap(lambda x: x + is_plain())(torch.zeros(2))
    tensor([0., 0.])
    """
    # In-place draws and reinterpreted bits have no rule for vmap.
    return not (_is_compiling() or _is_transforming()) and (x is None or type(x) in _KINDS)


def is_free(x: Tensor | None = None) -> bool:
    """Whether drawn values may be looked at: :func:`is_plain`, and no mode or tracer sees what runs.

    With ``x`` also whether ``x`` is a tensor like any other, and neither a stand-in nor one for many.

    >>> from torch._subclasses.fake_tensor import FakeTensorMode
    >>> with FakeTensorMode():
    ...     is_free()
    False
    """
    if _is_compiling() or _is_transforming() or _is_observed():
        return False
    return x is None or (type(x) in _KINDS and not _is_mapped_gradient(x))


def mode_of(x: Tensor) -> AbstractContextManager[object]:
    """A context to draw in for ``x``: the mode of a stand-in for a tensor, which takes no others; else none.

    >>> from torch._subclasses.fake_tensor import FakeTensorMode
    >>> with FakeTensorMode():
    ...     x = torch.ones(2)
    >>> with mode_of(x):
    ...     type(torch.ones(2)).__name__
    'FakeTensor'
    """
    return _NO_MODE if type(x) in _KINDS else getattr(x, "fake_mode", None) or _NO_MODE


class OptionalState(torch.nn.Module):
    """A part of a model that a state dict need not hold: one from before the model had it leaves it as it is.

    >>> OptionalState().load_state_dict({})
    <All keys matched successfully>
    """

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        if any(name.startswith(prefix) for name in state_dict):
            super()._load_from_state_dict(state_dict, prefix, *others)


class Stream(OptionalState):
    """A source of masks that depend on ``seed``, ``layer``, ``step`` and the example, and on nothing else.

    Every function of the family takes it as ``generator=``, every layer as ``stream=``. A layer that is given a stream
    without a ``layer`` takes the next one of it (:meth:`.Stream.next_layer`), so layers are told apart. The user moves
    it on from step to step with :meth:`.Stream.advance`; as long as the step is the same, so are the masks. Hence a
    layer that is called twice in one step masks the same places twice: give each place a layer of its own.

    The example is what ``examples`` says, the number of each along the axis of examples. Where it is None, it is
    the row, counted from 0: then a mask stays with the row, and not with the example that happens to stand there.

    It is a module without parameters, so its state is part of a model's ``state_dict`` (a state dict without it is
    taken too, and leaves it as it is), moves with ``to`` and survives ``deepcopy`` and ``pickle``. Raises TypeError for
    a seed, a step or an example number that is not an integer, ValueError for one that is below 0 or from 2^63 on.

    >>> from dropout_lab import functional
    >>> stream = Stream(0, "first")
    >>> whole = functional.dropout(torch.ones(4, 3), generator=stream.at(examples=[7, 8, 9, 2]))
    >>> alone = functional.dropout(torch.ones(1, 3), generator=stream.at(examples=[9]))
    >>> torch.equal(whole[2], alone[0])
    True
    """

    seed: Tensor
    key: Tensor
    step: Tensor

    def __init__(self, seed: int, layer: str | None = None, *, step: int = 0) -> None:
        super().__init__()
        if not (layer is None or isinstance(layer, str)):
            raise TypeError(f"layer is a name or None, got {type(layer).__name__}")
        self.layer = layer
        self._layers = 0
        self.examples: Tensor | None = None
        for name, value in (("seed", _checked("seed", seed)), ("key", _word(layer)), ("step", _checked("step", step))):
            self.register_buffer(name, torch.tensor(value, dtype=torch.int64))

    def next_layer(self) -> Stream:
        """A stream of the same seed and step for the next layer, or this one itself if it has a layer.

        >>> root = Stream(3)
        >>> root.next_layer().layer, root.next_layer().layer
        ('layer 0', 'layer 1')
        """
        if self.layer is not None:
            return self
        self._layers += 1
        return Stream(int(self.seed), f"layer {self._layers - 1}", step=int(self.step))

    @torch.no_grad()
    def advance(self, steps: int = 1) -> Self:
        """Move on to a later step, in place.

        >>> int(Stream(0).advance().advance(2).step)
        3
        """
        self.step += _checked("steps", steps)
        return self

    @torch.no_grad()
    def set(self, *, step: int | None = None, examples: Sequence[int] | Tensor | None = None) -> Self:
        """Set ``examples``, and the step if one is given, in place, for the calls to come.

        >>> Stream(0).set(step=5, examples=[3, 1]).examples
        tensor([3, 1])
        """
        if step is not None:
            self.step.fill_(_checked("step", step))
        self.examples = None if examples is None else _numbers(examples).to(self.step.device)
        return self

    def at(self, *, step: int | None = None, examples: int | Sequence[int] | Tensor | None = None) -> Draws:
        """The draws at ``step`` for ``examples``, and what this stream says for what is not given.

        ``examples`` is one number for each place along the axis of examples, or a single one for all of the input,
        which then is one sample without that axis.
        """
        number = self.step if step is None else torch.tensor(_checked("step", step))
        chosen = self.examples if examples is None else _numbers(examples)
        return Draws(self.seed, self.key, number, chosen)

    def extra_repr(self) -> str:
        return f"seed={int(self.seed)}, layer={self.layer!r}, step={int(self.step)}"

    def get_extra_state(self) -> dict[str, Any]:
        """The name of the layer and how many were given out."""
        return {"layer": self.layer, "layers": self._layers}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """What ``get_extra_state`` gave."""
        self.layer, self._layers = state["layer"], state["layers"]


@dataclass(frozen=True, eq=False)
class Draws:
    """The numbers of a stream at one step, and who they are for: what a function of the family draws from.

    ``axis`` is that of the examples in the shape that is drawn, None where one draw serves all of them. ``place`` tells
    apart what a layer draws for several purposes.

    >>> draws = Stream(0).at(step=3, examples=[7])
    >>> torch.equal(draws.levels((1, 2)), Stream(0, step=3).at(examples=[7]).levels((1, 2)))
    True
    """

    seed: Tensor
    key: Tensor
    step: Tensor
    examples: Tensor | None = None
    axis: int | None = 0
    place: int = 0

    def at_place(self, place: int) -> Draws:
        """Numbers for another purpose of the same layer."""
        return replace(self, place=place)

    def levels(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Independent uniform integers from 0 to 2^32 − 1, int64, of ``shape``.

        Raises ValueError if there are not as many examples as the axis is long.
        """
        return self._drawn(shape, device, None)

    def below(self, shape: Sequence[int], bound: int, device: torch.device | str | None = None) -> Tensor:
        """Where :meth:`.Draws.levels` are below ``bound``: 0 or 1, bool or int8, whichever is there sooner.

        >>> draws = Stream(0).at()
        >>> torch.equal(draws.below((2, 3), 2**31).bool(), draws.levels((2, 3)) < 2**31)
        True
        """
        return self._drawn(shape, device, bound)

    def _drawn(self, shape: Sequence[int], device: torch.device | str | None, bound: int | None) -> Tensor:
        device = torch.get_default_device() if device is None else torch.device(device)
        axis = None if self.examples is not None and self.examples.dim() == 0 else self.axis
        if axis is None or not len(shape):
            example = torch.tensor(_SHARED) if self.examples is None or self.examples.dim() else self.examples
            return self._rows(example.reshape(1).to(device), math.prod(shape), bound).view(tuple(shape))
        rows, rest = shape[axis], [*shape[:axis], *shape[axis + 1 :]]
        numbers = torch.arange(rows, device=device) if self.examples is None else self.examples.to(device)
        if len(numbers) != rows:
            raise ValueError(
                f"examples gives {len(numbers)} numbers, and axis {axis} of the mask's shape {tuple(shape)} has {rows}"
            )
        return self._rows(numbers, math.prod(rest), bound).view(rows, *rest).movedim(0, axis)

    def _rows(self, numbers: Tensor, count: int, bound: int | None) -> Tensor:
        """``count`` levels for each of the examples with these numbers, or where they are below: (rows, count)."""
        seed, key, step = (word.to(numbers.device) for word in (self.seed, self.key, self.step))
        if is_plain():
            _note_draw()
        if not is_free(numbers):
            levels = _opaque_levels(seed, key, step, numbers, self.place, count)
        elif _by_rows(numbers, count):
            return _of_rows(seed, key, step, numbers, self.place, count, bound)
        else:
            levels = _of_all(seed, key, step, numbers, self.place, count)
        return levels if bound is None else levels < bound


def _levels(seed: Tensor, key: Tensor, step: Tensor, numbers: Tensor, place: int, count: int) -> Tensor:
    """Levels (rows, count) of the examples with ``numbers``, int64."""
    if _by_rows(numbers, count):
        return _of_rows(seed, key, step, numbers, place, count, None)
    return _of_all(seed, key, step, numbers, place, count)


def _by_rows(numbers: Tensor, count: int) -> bool:
    """Whether a loop over the examples is the faster way."""
    return numbers.device.type == "cpu" and (len(numbers) < _ROWS or count > _FEW)


def _of_rows(
    seed: Tensor, key: Tensor, step: Tensor, numbers: Tensor, place: int, count: int, bound: int | None
) -> Tensor:
    """Example by example, from the generator in C. Each row is compared while it is in the cache."""
    at = int(step)
    counters = ((0, place, number, at) for number in numbers.tolist())
    rows: np.ndarray = np.empty((len(numbers), count), np.int64 if bound is None else np.bool_)
    for row, words in zip(rows, philox.stretches(counters, (int(seed), int(key)), -(-count // 2)), strict=True):
        levels = words.view(np.uint32)[:count]
        row[:] = levels if bound is None else levels < bound
    return torch.from_numpy(rows if bound is None else rows.view(np.int8))


def _of_all(seed: Tensor, key: Tensor, step: Tensor, numbers: Tensor, place: int, count: int) -> Tensor:
    """For all examples at once, in torch's operations."""
    block = torch.arange(1, -(-count // (2 * philox.WORDS)) + 1, device=numbers.device)
    counter = (block, torch.full_like(seed, place), numbers.unsqueeze(1), step)
    both = philox.blocks(counter, (seed, key)).flatten(1)
    levels = torch.stack((both & (LEVELS - 1), (both >> 32) & (LEVELS - 1)), -1).flatten(1)
    return levels[:, :count].contiguous()


#: The same as one operation, into which no compiler and no tracer looks: it has no source of randomness but its inputs.
_opaque_levels = torch.library.custom_op("dropout_lab::levels", _levels, mutates_args=())


@_opaque_levels.register_fake
def _levels_of_stand_ins(seed: Tensor, key: Tensor, step: Tensor, numbers: Tensor, place: int, count: int) -> Tensor:
    return numbers.new_empty((numbers.shape[0], count), dtype=torch.int64)


@_opaque_levels.register_vmap
def _mapped_levels(info: Any, axes: tuple[int | None, ...], *given: Any) -> tuple[Tensor, int]:
    """One call for each element that is mapped over."""

    def element(place: int) -> list[Any]:
        return [value if axis is None else value.select(axis, place) for value, axis in zip(given, axes, strict=True)]

    return torch.stack([_opaque_levels(*element(place)) for place in range(info.batch_size)]), 0


def _note_draw() -> None:
    global _times
    # Atomic, unlike a sum: streams may be drawn from in several threads.
    _times = next(_drawn) + 1


#: Where draws come from: torch's next numbers, or those of a place in a stream.
Source = Generator | Stream | Draws


def _checked(name: str, value: Any) -> int:
    number = integer(name, value)
    if not 0 <= number < 2**63:
        raise ValueError(f"{name} must lie between 0 and 2^63 - 1, got {value}")
    return number


def _numbers(examples: int | Sequence[int] | Tensor) -> Tensor:
    """The numbers of examples as int64, of no axis or one."""
    numbers = examples if isinstance(examples, Tensor) else torch.as_tensor(examples)
    if numbers.numel() and (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool):
        raise TypeError(f"examples must be integers, got {numbers.dtype}")
    if numbers.dim() > 1:
        raise ValueError(f"examples must be one number or a list of them, got shape {tuple(numbers.shape)}")
    if is_free(numbers) and numbers.numel() and int(numbers.min()) < 0:
        raise ValueError(f"examples must be numbers from 0 on, got {int(numbers.min())}")
    return numbers.to(torch.int64)


def _word(layer: str | None) -> int:
    """64 bits of a layer's name."""
    digest = hashlib.blake2b((layer or "").encode(), digest_size=8).digest()
    return philox.signed(int.from_bytes(digest, "little"))
