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
    the network comes to them. In a ``sequential`` network (:attr:`.Network.sequential`) what comes before the first of
    them is computed once for all sets. Raises ValueError without a place, or for factors of different numbers of sets.
    """

    def __init__(self, factors: Mapping[str, Tensor], *, sequential: bool) -> None:
        counts = {factor.shape[1] for factor in factors.values()}
        if len(counts) != 1:
            raise ValueError(f"expected factors for one number of sets at one place or more, got {sorted(counts)} sets")
        (self._sets,) = counts
        self._factors = factors
        self._copied_at = next(iter(factors)) if sequential else "input"

    def factor(self, place: str, shape: tuple[int, ...]) -> Tensor | None:
        factor = self._factors.get(place)
        return None if factor is None else factor.repeat(1, shape[0] // self._sets, *[1] * (factor.dim() - 2))

    def __call__(self, place: str, values: Tensor) -> Tensor:
        factor = self._factors.get(place)
        if place == self._copied_at:
            by_set = values.unsqueeze(2).expand(-1, -1, self._sets, *values.shape[2:])
        elif factor is None:
            return values
        else:
            by_set = values.unflatten(1, (-1, self._sets))
        return (by_set if factor is None else by_set * factor.unsqueeze(1)).flatten(1, 2)


class Recorder(At):
    """Leaves everything as it is and keeps the values (S, B, …) of each place in ``values``."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def __call__(self, place: str, values: Tensor) -> Tensor:
        self.values[place] = values
        return values
