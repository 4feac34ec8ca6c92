"""What happens at the places of a network: nothing, given factors, one or several sets of them, or a recording."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class At:
    """What happens at the places of a network; this one leaves everything as it is."""

    #: Whether batch normalization uses the batch (and remembers it), or what it remembers.
    training = False

    def factor(self, place: str, shape: tuple[int, ...]) -> Tensor | None:
        """What stacked values (S, *shape) at a place are multiplied by, or None."""
        return None

    def __call__(self, place: str, values: Tensor) -> Tensor:
        """The values (S, B, …) at a place, changed or not."""
        factor = self.factor(place, tuple(values.shape[1:]))
        return values if factor is None else values * factor

    def linear(self, place: str, values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """(S, B, in) through the weights (S, in, out) and the bias (S, out) at a place."""
        return torch.baddbmm(bias.unsqueeze(1), values, weight)


class Fixed(At):
    """Given factors at some places, each (S, …) or with a first axis of length 1: chosen masks, or units removed."""

    def __init__(self, factors: Mapping[str, Tensor]) -> None:
        self._factors = factors

    def factor(self, place: str, shape: tuple[int, ...]) -> Tensor | None:
        return self._factors.get(place)


class FixedSets(At):
    """Several sets of given factors in one pass: row b · sets + i of the outputs is example b under set i.

    ``factors`` are (S, sets, …) at each place, or with a first axis of length 1; the places stand in the order in which
    the network comes to them. What comes before the first of them is computed once for all sets.
    """

    def __init__(self, factors: Mapping[str, Tensor]) -> None:
        self._factors = factors
        self._first = next(iter(factors))

    def __call__(self, place: str, values: Tensor) -> Tensor:
        factor = self._factors.get(place)
        if factor is None:
            return values
        by_set = values.unsqueeze(2) if place == self._first else values.unflatten(1, (-1, factor.shape[1]))
        return (by_set * factor.unsqueeze(1)).flatten(1, 2)


class Recorder(At):
    """Leaves everything as it is and keeps the values (S, B, …) of each place in ``values``."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def __call__(self, place: str, values: Tensor) -> Tensor:
        self.values[place] = values
        return values
