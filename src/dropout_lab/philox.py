"""Random words as a function of a key and a counter: Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011).

A word depends on its key and its place alone, so nothing has to be drawn before it and nothing remembers what was. The
same words come out in two ways: from NumPy's generator, written in C, for long stretches on the CPU; and from torch's
integer operations, on any device, under ``torch.compile`` and inside ``vmap``. The tests hold both against the vectors
that the authors published with Random123.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

#: Random words that one counter gives.
WORDS = 4
#: The multipliers of the two products, and what is added to the two words of the key at each round.
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
_HALF = 0xFFFFFFFF


def signed(word: int) -> int:
    """A 64-bit word as the int64 with the same bits.

    >>> signed(2**64 - 1)
    -1
    """
    return (word & (2**64 - 1)) - (2**64 if word & 2**63 else 0)


def blocks(counter: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
    """The four words of each counter, int64 (…, 4): ``counter`` is four and ``key`` two tensors that broadcast.

    >>> zero = torch.zeros((), dtype=torch.int64)
    >>> [f"{word & (2**64 - 1):016x}" for word in blocks([zero] * 4, [zero] * 2).tolist()][:2]
    ['16554d9eca36314c', 'db20fe9d672d0fdc']
    """
    one, two, three, four = torch.broadcast_tensors(*counter)
    first, second = key
    for turn in range(_ROUNDS):
        high, low = _product(one, _MULTIPLIERS[0])
        other_high, other_low = _product(three, _MULTIPLIERS[1])
        step = (signed(turn * weyl) for weyl in _WEYL)
        one, two, three, four = (
            other_high ^ two ^ (first + next(step)),
            other_low,
            high ^ four ^ (second + next(step)),
            low,
        )
    return torch.stack((one, two, three, four), -1)


def stretches(counters: Iterable[Sequence[int]], key: Sequence[int], words: int) -> Iterator[np.ndarray]:
    """For each counter the first ``words`` words from the block after it on, uint64.

    The first word of a counter counts the blocks.

    >>> next(stretches([[2**64 - 1] * 4], [0, 0], 1)).tolist() == [0x16554D9ECA36314C]
    True
    """
    # One generator for all: to make one takes as long as a thousand words.
    source = np.random.Philox(0)
    state = source.state
    pair = np.array([word % 2**64 for word in key], np.uint64)
    for counter in counters:
        state["state"] = {"counter": np.array([word % 2**64 for word in counter], np.uint64), "key": pair}
        source.state = state
        yield source.random_raw(words)


def _product(word: Tensor, multiplier: int) -> tuple[Tensor, Tensor]:
    """The high and the low half of the 128 bits of a product of unsigned 64-bit words, from products of 32 bits."""
    low, high = word & _HALF, (word >> 32) & _HALF
    multiplier_low, multiplier_high = multiplier & _HALF, multiplier >> 32
    crossed, other = low * multiplier_high, high * multiplier_low
    carried = _upper(low * multiplier_low) + (crossed & _HALF) + (other & _HALF)
    upper = high * multiplier_high + _upper(crossed) + _upper(other) + _upper(carried)
    return upper, word * signed(multiplier)


def _upper(word: Tensor) -> Tensor:
    """The upper 32 bits, without a sign."""
    return (word >> 32) & _HALF
