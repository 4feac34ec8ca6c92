"""The random streams of the experiments: each replica owns its streams, and no stream sees another replica.

A seed and a purpose determine a stream, so arms with one seed share their split, their initial weights and the order of
their batches, and a replica draws the same numbers whoever stands beside it in the stack. NumPy's SFC64 is used since
its numbers are the same on every processor, which does not hold for torch's masks, and since it is several times
faster.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

#: 16 random bits decide whether a unit is kept, so a keep probability is rounded to a multiple of 1/65536.
_LEVELS = 1 << 16
#: Draws are made ahead, about so many numbers a replica, to spread what a call costs.
_AHEAD = 1 << 16


class Purpose(enum.IntEnum):
    """The purpose of a stream. The numbers are part of the recipes: to change one changes every result.

    >>> int(Purpose.NOISE)
    5
    """

    #: The split into training and test examples.
    SPLIT = 0
    #: The choice of examples that are held out.
    HELD_OUT = 1
    #: The noise of labels.
    LABELS = 2
    #: The initial weights.
    WEIGHTS = 3
    #: The order of the batches.
    ORDER = 4
    #: The noise in training.
    NOISE = 5
    #: The draws of measures.
    MEASURE = 6


def stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Return the stream of a seed for a purpose.

    ``key`` tells apart several streams for one purpose. Raises ValueError for a negative seed.

    >>> stream(0, Purpose.WEIGHTS).integers(100, size=3)
    array([53, 97, 17])
    """
    if seed < 0:
        raise ValueError(f"a seed must not be negative, got {seed}")
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(int(purpose), *key))))


class Bits:
    """A source of sixteen random bits for each element, drawn by each replica's own stream, in order.

    It draws some steps ahead, to spread the cost of a call. ``active`` says which replicas draw at all; the others get
    zeros and cost nothing.

    >>> bits = Bits([stream(0, Purpose.NOISE)], [True])
    >>> bits.draw((2, 3)).shape, bits.draw((2, 3)).dtype
    ((1, 2, 3), dtype('int16'))
    """

    def __init__(self, streams: Sequence[np.random.Generator], active: Sequence[bool]) -> None:
        pairs = zip(streams, active, strict=True)
        self._drawing = [(row, source) for row, (source, draws) in enumerate(pairs) if draws]
        self._replicas = len(streams)
        self._size = 0
        self._left = 0

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw int16 ``(S, *shape)``, uniform over all values; a later draw of this object overwrites it."""
        size = int(np.prod(shape))
        if size != self._size:
            # A shape other than the last one starts afresh: what was drawn ahead is dropped.
            self._size, self._left = size, 0
            words = -(-size // 4)
            self._steps = max(1, _AHEAD // (4 * words))
            self._words = np.zeros((self._replicas, self._steps, words), np.uint64)
        if not self._left:
            for row, source in self._drawing:
                self._words[row] = source.integers(0, _MAX_WORD, self._words.shape[1:], np.uint64, endpoint=True)
            self._left = self._steps
        step = self._steps - self._left
        self._left -= 1
        return self._words[:, step].view(np.int16)[:, :size].reshape(self._replicas, *shape)


_MAX_WORD = np.iinfo(np.uint64).max


class BernoulliDraws:
    """A source of 0/1 masks for a stack, in which each replica has its keep probability and its own stream.

    A replica whose keep probability is 1 draws nothing.

    >>> draws = BernoulliDraws([stream(0, Purpose.NOISE), stream(1, Purpose.NOISE)], [0.5, 1.0])
    >>> draws.draw((2, 3)).sum((1, 2))
    tensor([3, 6])
    """

    def __init__(self, streams: Sequence[np.random.Generator], keep_probs: Sequence[float]) -> None:
        self._bits = Bits(streams, [keep_prob < 1 for keep_prob in keep_probs])
        levels = [round(keep_prob * _LEVELS) - _LEVELS // 2 - 1 for keep_prob in keep_probs]
        self._levels = np.array(levels, np.int16)

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Draw bool ``(S, *shape)``, True where an element is kept."""
        # NumPy compares 16-bit numbers several times faster than torch does.
        return torch.from_numpy(self._bits.draw(shape) <= self._levels.reshape(-1, *[1] * len(shape)))


class NormalDraws:
    """A source of standard normal numbers for a stack, in which each replica has its own stream.

    >>> NormalDraws([stream(0, Purpose.NOISE)]).draw((2, 3)).shape
    torch.Size([1, 2, 3])
    """

    def __init__(self, streams: Sequence[np.random.Generator]) -> None:
        self._streams = streams

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Draw float32 ``(S, *shape)``."""
        drawn = np.empty((len(self._streams), *shape), np.float32)
        for row, source in zip(drawn, self._streams, strict=True):
            source.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(drawn)
