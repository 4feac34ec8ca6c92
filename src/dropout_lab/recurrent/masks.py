"""The masks of a recurrent layer: which there are, and how each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.noise import Source

#: What is masked: the inputs alone, or inputs and state with one mask for all gates or with one mask a gate.
MaskKind = Literal["input", "tied", "untied"]


class Masks(NamedTuple):
    """The masks of one layer in one direction for a sequence: True where a number is kept.

    Each mask has shape (draws, N, features), or is None where nothing is masked.

    Attributes:
        input: the mask of the layer's inputs, with 1 draw, or one for each gate if the masks are untied.
        recurrent: the mask of the hidden state that the cell reads, with as many draws as ``input``.
        candidate: the mask of the candidate, with 1 draw or one for each time step.
        update: which units of the hidden state take their new value, with a draw for each time step (zoneout).
        cell_update: which units of an LSTM's cell take their new value, with a draw for each time step.
        output: the mask of what goes to the next layer, with a draw for each time step.

    >>> from dropout_lab.recurrent import VariationalGRU
    >>> masks = VariationalGRU(3, 4, masks="untied").draw_masks(2)
    >>> masks[0].input.shape, masks[0].recurrent.shape
    (torch.Size([3, 2, 3]), torch.Size([3, 2, 4]))
    """

    input: Tensor | None
    recurrent: Tensor | None
    candidate: Tensor | None = None
    update: Tensor | None = None
    cell_update: Tensor | None = None
    output: Tensor | None = None

    def at(self, step: int) -> Masks:
        """Return the masks of the time step ``step``; those that are drawn by steps have shape (N, features) there."""

        def own(mask: Tensor | None) -> Tensor | None:
            return None if mask is None else mask[step if len(mask) > 1 else 0]

        return self._replace(candidate=own(self.candidate), update=own(self.update), cell_update=own(self.cell_update))


class Drawn(NamedTuple):
    """What is drawn for one of the masks: (draws, features), the keep probability, and its place in a stream."""

    draws: int
    features: int
    keep_prob: float
    place: int

    def mask(self, batch_size: int, source: Source | None, like: Tensor) -> Tensor | None:
        """A mask for each sequence, or None where nothing is dropped."""
        if self.keep_prob == 1:
            return None
        shape = (self.draws, batch_size, self.features)
        placed = noise.placed(source, 1, self.place)
        with noise.mode_of(like):
            drawn = noise.bernoulli(shape, self.keep_prob, generator=placed, device=like.device, dtype=torch.bool)
        # A stream's numbers come with the examples first, and a compiler would view them in that order.
        return drawn.contiguous()


def check(masks: list[Masks], wanted: list[dict[str, Drawn]], batch_size: int, described: Callable[[int], str]) -> None:
    """Raise ValueError if ``masks`` are not such as would be drawn."""
    if len(masks) != len(wanted):
        raise ValueError(f"masks must hold one entry for each of the {len(wanted)} layers, got {len(masks)}")
    for number, (given, drawn) in enumerate(zip(masks, wanted, strict=True)):
        for name, mask in zip(given._fields, given, strict=True):
            if mask is None:
                continue
            shape = (drawn[name].draws, batch_size, drawn[name].features) if name in drawn else None
            if mask.dtype != torch.bool or tuple(mask.shape) != shape:
                raise ValueError(
                    f"{described(number)}'s {name} mask must be bool of shape (draws, N, features) = {shape}, "
                    f"got {mask.dtype} of shape {tuple(mask.shape)}"
                )
