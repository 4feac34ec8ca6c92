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

#: Draws are numbers from 0 to 2³² − 1: two come from a word.
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
    """Return whether operations run now, one by one, and not while a graph is made of them.

    The answer is False while torch compiles or exports, and inside ``torch.vmap`` and its relatives.

    Args:
        x: a tensor that must be like any other, and no stand-in for one; None asks about the surroundings alone.

    >>> is_plain()
    True
    >>> torch.vmap(lambda x: x + is_plain())(torch.zeros(2))
    tensor([0., 0.])
    """
    # In-place draws and reinterpreted bits have no rule for vmap.
    return not (_is_compiling() or _is_transforming()) and (x is None or type(x) in _KINDS)


def is_free(x: Tensor | None = None) -> bool:
    """Return whether drawn values may be looked at: :func:`is_plain` holds, and no mode or tracer sees what runs.

    Args:
        x: a tensor that must be like any other, neither a stand-in nor one for many; None asks about the surroundings
            alone.

    >>> from torch._subclasses.fake_tensor import FakeTensorMode
    >>> with FakeTensorMode():
    ...     is_free()
    False
    """
    if _is_compiling() or _is_transforming() or _is_observed():
        return False
    return x is None or (type(x) in _KINDS and not _is_mapped_gradient(x))


def mode_of(x: Tensor) -> AbstractContextManager[object]:
    """Return the context in which numbers for ``x`` have to be drawn.

    For a stand-in, such as a fake tensor, it is the stand-in's mode, which takes no other tensors. For any other tensor
    the context does nothing.

    Args:
        x: the tensor, or the stand-in for one, that is to be masked.

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

    Every function of the family takes a stream as ``generator=``, every layer as ``stream=``. A layer that is given a
    stream without a ``layer`` takes the next one of it (:meth:`.Stream.next_layer`), so that layers have different
    masks. You move the stream on from step to step with :meth:`.Stream.advance`; as long as the step is the same, so
    are the masks. A layer that is called twice in one step therefore masks the same places twice: give each place a
    layer of its own.

    An example is known by its number in ``examples``, which go along the axis of the examples. Where ``examples`` is
    None, the row counts, from 0: the mask then stays with the row, and not with the example that happens to stand
    there.

    A stream is a module without parameters. Its state is a part of a model's ``state_dict``, moves with ``to`` and
    survives ``deepcopy`` and ``pickle``. A state dict without it is accepted, and leaves the stream as it is.

    Args:
        seed: the seed, an integer from 0 to 2⁶³ − 1.
        layer: the name of the layer that draws; None for a stream that hands out layers.
        step: the step of the training, an integer from 0 to 2⁶³ − 1.

    Raises TypeError for a seed, a step or an example number that is not an integer, and ValueError for one that is
    below 0 or at least 2⁶³.

    >>> from dropout_lab import functional
    >>> stream = Stream(0, "first")
    >>> draws = stream.at(examples=[7, 8, 9, 2])
    >>> whole = functional.dropout(torch.ones(4, 3), generator=draws)
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
        """Return a stream of the same seed and step for the next layer; a stream that has a layer returns itself.

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
        """Move on by ``steps`` steps, in place, and return the stream.

        >>> int(Stream(0).advance().advance(2).step)
        3
        """
        self.step += _checked("steps", steps)
        return self

    @torch.no_grad()
    def set(self, *, step: int | None = None, examples: Sequence[int] | Tensor | None = None) -> Self:
        """Set the examples of the calls to come, and the step if one is given, in place, and return the stream.

        Args:
            step: the new step; None leaves it as it is.
            examples: the numbers of the examples, one for each place along their axis; None takes the rows.

        >>> Stream(0).set(step=5, examples=[3, 1]).examples
        tensor([3, 1])
        """
        if step is not None:
            self.step.fill_(_checked("step", step))
        self.examples = None if examples is None else _numbers(examples).to(self.step.device)
        return self

    def at(self, *, step: int | None = None, examples: int | Sequence[int] | Tensor | None = None) -> Draws:
        """Return the draws of one step for some examples; what is not given is taken from the stream.

        Args:
            step: the step, counted from 0.
            examples: a number for each place along the axis of the examples; or a single number for the whole input,
                which then is one sample without that axis.
        """
        number = self.step if step is None else torch.tensor(_checked("step", step))
        chosen = self.examples if examples is None else _numbers(examples)
        return Draws(self.seed, self.key, number, chosen)

    def extra_repr(self) -> str:
        return f"seed={int(self.seed)}, layer={self.layer!r}, step={int(self.step)}"

    def get_extra_state(self) -> dict[str, Any]:
        """Return the name of the layer and how many layers were handed out, for the ``state_dict``."""
        return {"layer": self.layer, "layers": self._layers}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over ``state``, which :meth:`.Stream.get_extra_state` returned."""
        self.layer, self._layers = state["layer"], state["layers"]


@dataclass(frozen=True, eq=False)
class Draws:
    """The numbers of a stream at one step, for known examples: what a function of the family draws from.

    :meth:`.Stream.at` makes them.

    Args:
        seed: the stream's seed, int64 of shape ().
        key: the number that stands for the stream's layer, int64 of shape ().
        step: the step, int64 of shape ().
        examples: the numbers of the examples, int64 of shape (N,), or of shape () for one sample; None takes the rows.
        axis: the axis of the examples in the shape that is drawn; None where one draw serves all of them.
        place: the number of the purpose, for a layer that draws for several.

    >>> draws = Stream(0).at(step=3, examples=[7])
    >>> same = Stream(0, step=3).at(examples=[7])
    >>> torch.equal(draws.levels((1, 2)), same.levels((1, 2)))
    True
    """

    seed: Tensor
    key: Tensor
    step: Tensor
    examples: Tensor | None = None
    axis: int | None = 0
    place: int = 0

    def at_place(self, place: int) -> Draws:
        """Return the draws of the same step for another purpose of the same layer, with the number ``place``."""
        return replace(self, place=place)

    def levels(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Return independent uniform integers from 0 to 2³² − 1, in int64, of ``shape`` and on ``device``.

        Raises ValueError if there are not as many examples as the axis is long.
        """
        return self._drawn(shape, device, None)

    def below(self, shape: Sequence[int], bound: int, device: torch.device | str | None = None) -> Tensor:
        """Return where :meth:`.Draws.levels` of ``shape`` on ``device`` are below ``bound``, as 0 and 1.

        The type is bool or int8, whichever takes less time.

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
