"""Philox4x64-10 against its authors' published vectors, and its two forms against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dropout_lab import philox

#: Known answers from Random123 (Salmon et al. 2011, file kat_vectors): counter, key, words.
KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
)


def of_torch(counter, key):
    tensors = [torch.tensor(philox.signed(word)) for word in (*counter, *key)]
    return [word % 2**64 for word in philox.blocks(tensors[:4], tensors[4:]).tolist()]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_both_forms_give_the_published_words(counter, key, words):
    assert of_torch(counter, key) == list(words)
    # The stretch begins with the block after its counter, carrying over from word to word.
    before = (sum(word << (64 * place) for place, word in enumerate(counter)) - 1) % 2**256
    start = [(before >> (64 * place)) % 2**64 for place in range(4)]
    assert next(philox.stretches([start], key, 4)).tolist() == list(words)


def test_a_stretch_is_the_blocks_one_after_the_other():
    counter, key = (5, 2**63, 7, 11), (13, 2**64 - 3)
    stretch = next(philox.stretches([counter], key, 10))
    one_by_one = [word for block in (6, 7, 8) for word in of_torch((block, *counter[1:]), key)]
    assert stretch.tolist() == one_by_one[:10]
    assert stretch.dtype == np.uint64


def test_blocks_broadcast():
    rows, columns = torch.arange(3).unsqueeze(1), torch.arange(4)
    zero = torch.zeros((), dtype=torch.int64)
    table = philox.blocks((columns, rows, zero, zero), (zero, zero))
    assert table.shape == (3, 4, 4)
    assert table[2, 1].tolist() == [philox.signed(word) for word in of_torch((1, 2, 0, 0), (0, 0))]


def test_stretches_know_nothing_of_each_other():
    key, counters = (3, 5), [(7, 0, 1, 2), (2**64 - 1, 4, 2**63, 0), (7, 0, 1, 2)]
    # Words are left over in the generator after each: the next one must not begin with them.
    together = [words.tolist() for words in philox.stretches(counters, key, 5)]
    assert together == [next(philox.stretches([counter], key, 5)).tolist() for counter in counters]
    assert together[0] == together[2] != together[1]
