"""What can happen at the places of a network besides noise: given factors, several sets of them, or a recording."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dropout_lab.experiments.networks import At, Layer, Network, Parameters, Place


def _checked(network: Network, factors: Mapping[str, Tensor]) -> None:
    """Raise ValueError for factors at a place that the network does not have, or at weights."""
    for name in factors:
        if network.place(name).at_weights:
            raise ValueError(f"{name} stands at weights; factors multiply what stands at other places")


class Fixed(At):
    """Given factors at some places: chosen masks, or units removed.

    ``factors`` maps names of places to tensors (S, …), or with a first axis of length 1. Raises ValueError for a place
    that the ``network`` does not have, or that stands at weights.

    >>> import torch
    >>> from dropout_lab.experiments.networks import MLP
    >>> network = MLP((3,))
    >>> at = Fixed(network, {"hidden1": torch.tensor([[[1.0, 0.0, 2.0]]])})
    >>> at(network.place("hidden1"), torch.ones(1, 1, 3))
    tensor([[[1., 0., 2.]]])
    """

    def __init__(self, network: Network, factors: Mapping[str, Tensor]) -> None:
        _checked(network, factors)
        self._factors = factors

    def factor(self, place: Place, shape: tuple[int, ...]) -> Tensor | None:
        return self._factors.get(place.name)


class FixedSets(At):
    """Several sets of given factors in one pass: row b · sets + i of the outputs is example b under set i.

    ``factors`` are (S, sets, …) at each place, or with a first axis of length 1. In a ``sequential`` network
    (:attr:`.Network.sequential`) what comes before the first of these places is computed once for all sets. Raises
    ValueError without a place, for a place that the network does not have or that stands at weights, and for factors of
    different numbers of sets.

    >>> import torch
    >>> from dropout_lab.experiments.training import quick
    >>> trained, removed = quick(), 1 - torch.eye(8)
    >>> trained.forward_sets(trained.sample(5)[0], {"hidden1": removed.unsqueeze(0)}).shape
    torch.Size([2, 5, 8, 10])
    """

    def __init__(self, network: Network, factors: Mapping[str, Tensor]) -> None:
        _checked(network, factors)
        counts = {factor.shape[1] for factor in factors.values()}
        if len(counts) != 1:
            raise ValueError(f"expected factors for one number of sets at one place or more, got {sorted(counts)} sets")
        (self._sets,) = counts
        self._factors = factors
        self._sequential = network.sequential
        # A pass begins at the first place.
        self._begins = network.places[0]
        self._copied = False

    def factor(self, place: Place, shape: tuple[int, ...]) -> Tensor | None:
        factor = self._factors.get(place.name)
        return None if factor is None else factor.repeat(1, shape[0] // self._sets, *[1] * (factor.dim() - 2))

    def __call__(self, place: Place, values: Tensor) -> Tensor:
        factor = self._factors.get(place.name)
        if place == self._begins:
            self._copied = False
        if not self._copied and (factor is not None or not self._sequential):
            self._copied = True
            by_set = values.unsqueeze(2).expand(-1, -1, self._sets, *values.shape[2:])
        elif factor is None:
            return values
        else:
            by_set = values.unflatten(1, (-1, self._sets))
        return (by_set if factor is None else by_set * factor.unsqueeze(1)).flatten(1, 2)


class Recorder(At):
    """A recorder, which leaves everything as it is and keeps what it sees.

    ``values`` maps the name of each place that a pass comes to to the values there, (S, B, …); ``read`` maps the name
    of each dense layer's weights to what the layer reads, (S, B, in).

    >>> from dropout_lab.experiments.training import quick
    >>> trained, at = quick(), Recorder()
    >>> _ = trained.forward(trained.sample(5)[0], at)
    >>> {place: tuple(values.shape) for place, values in at.values.items()}
    {'input': (2, 5, 64), 'hidden1': (2, 5, 8), 'hidden2': (2, 5, 6)}
    >>> {weights: tuple(values.shape) for weights, values in at.read.items()}
    {'weight1': (2, 5, 64), 'weight2': (2, 5, 8), 'weight3': (2, 5, 6)}
    """

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}
        self.read: dict[str, Tensor] = {}

    def __call__(self, place: Place, values: Tensor) -> Tensor:
        self.values[place.name] = values
        return values

    def linear(self, layer: Layer, values: Tensor, parameters: Parameters) -> Tensor:
        self.read[layer.weight] = values
        return super().linear(layer, values, parameters)
