"""The forms in which sequences come, and back: padded or packed, with the time or the batch first, or a single one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


@dataclass(frozen=True)
class Sequences:
    """Sequences as (T, N, features), and how they came.

    ``lengths`` (N) are those of packed sequences, None where all are T long. The order of the batch is that in which
    the sequences were packed, before they were sorted.
    """

    padded: Tensor
    lengths: Tensor | None
    packed: PackedSequence | None
    batch_first: bool
    is_single: bool

    @classmethod
    def of(cls, x: Tensor | PackedSequence, features: int, batch_first: bool, name: str) -> Sequences:
        """What a layer of this name is given. Raises TypeError for no floating point, ValueError for another shape."""
        packed = x if isinstance(x, PackedSequence) else None
        values: Any = x.data if packed is not None else x
        if not values.is_floating_point():
            raise TypeError(f"{name} needs floating point input, got {values.dtype}")
        if packed is not None:
            if values.shape[-1] != features:
                raise ValueError(f"{name} needs packed sequences of {features} features, got {values.shape[-1]}")
            padded, lengths = pad_packed_sequence(packed)
            return cls(padded, lengths.to(padded.device), packed, False, False)
        if values.dim() not in (2, 3) or values.shape[-1] != features:
            order = "N, T" if batch_first else "T, N"
            raise ValueError(
                f"{name} needs input of shape ({order}, {features}), or (T, {features}) for a single sequence, got "
                f"{tuple(values.shape)}"
            )
        if values.dim() == 2:
            return cls(values.unsqueeze(1), None, None, False, True)
        return cls(values.transpose(0, 1) if batch_first else values, None, None, batch_first, False)

    def running(self, step: int) -> Tensor | None:
        """Which sequences have this step: (N, 1); None for all."""
        return None if self.lengths is None else (self.lengths > step).unsqueeze(1)

    def as_given(self, outputs: Tensor) -> Tensor | PackedSequence:
        """Outputs (T, N, features) in the form in which the input came."""
        if self.is_single:
            return outputs.squeeze(1)
        if self.packed is None:
            return outputs.transpose(0, 1) if self.batch_first else outputs
        order = self.packed.sorted_indices
        ordered = outputs if order is None else outputs.index_select(1, order)
        rows = [ordered[step, :count] for step, count in enumerate(self.packed.batch_sizes.tolist())]
        return PackedSequence(
            torch.cat(rows), self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices
        )
