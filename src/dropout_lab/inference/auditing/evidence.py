"""What the checks of an audit read: the passes that were followed, and what can be said of a single place in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dropout_lab.inference.auditing.flow import Event, Pass


@dataclass(frozen=True)
class Evidence:
    """Two passes in ``eval()``, and several in ``train()`` of a batch in which all examples are alike."""

    model: torch.nn.Module
    tested: Pass
    tested_again: Pass
    trained: Sequence[Pass]
    #: How many examples are alike; 0 where their axis is not known.
    copies: int

    def named(self, name: str) -> torch.nn.Module:
        """A module of the model."""
        return self.model.get_submodule(name)

    def in_training(self) -> Iterator[Event]:
        """All places that could drop in a pass in training mode."""
        return iter(self.trained[0].events)

    def axis_of_examples(self, x: Tensor | None) -> int | None:
        """The axis along which the examples of ``x`` lie, told by its extent; None if it is not to be seen."""
        if x is None or not self.copies:
            return None
        return next((axis for axis, size in enumerate(x.shape) if size == self.copies), None)

    def over_passes(self, event: Event) -> list[Event]:
        """The same place in all passes in training mode, where they run alike."""
        place = self.trained[0].events.index(event)
        found = [seen.events[place] for seen in self.trained if len(seen.events) > place]
        return [other for other in found if (other.module, other.what) == (event.module, event.what)]

    def factors(self, event: Event) -> Tensor | None:
        """What the numbers of each example were multiplied by: (examples, …), NaN where the input was 0.

        None where that is not to be seen: another shape came out, or the examples have no axis.
        """
        x, y = event.x, event.y
        if not isinstance(y, Tensor) or x is None or x.shape != y.shape or not x.is_floating_point():
            return None
        ratio = torch.where(x == 0, torch.nan, y.double() / x.double())
        axis = self.axis_of_examples(x)
        if axis is not None:
            return ratio.movedim(axis, 0).flatten(1)
        if self.copies and x.dim() and x.shape[0] % self.copies == 0:
            # Folded into an axis with others, as (N·T, D) is.
            return ratio.reshape(self.copies, -1)
        return None
