"""The noise of a stack's recipes, drawn anew at each pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.family import Factors, Layer, Noise
from dropout_lab.experiments.places import At
from dropout_lab.experiments.plan import Replica


class Noisy(At):
    """Noise at the places of a stack. Each replica draws from a stream of its own for each place.

    ``parameters`` are those of the stack, of which learned rates are some; ``key`` tells apart several sources of noise
    for one ``purpose``.
    """

    def __init__(
        self, replicas: Sequence[Replica], parameters: Mapping[str, Tensor], purpose: Purpose, *key: int
    ) -> None:
        self.training = purpose is Purpose.NOISE
        self._parameters = parameters
        self._device = next(iter(parameters.values())).device
        self._noises: dict[str, Noise] = {}
        self._factors: dict[str, Factors] = {}
        self._layers: dict[str, Layer] = {}
        planned = [replica.recipe.noise_by_place() for replica in replicas]
        for number, place in enumerate(replicas[0].recipe.network.places()):
            noises = [noise.get(place) for noise in planned]
            member = next((noise for noise in noises if noise is not None), None)
            if member is None:
                continue
            # The replicas that have no noise here keep everything.
            keep_probs = [1.0 if noise is None else noise.keep_prob for noise in noises]
            streams = [stream(replica.seed, purpose, number, *key) for replica in replicas]
            self._noises[place] = member
            if member.on_weights:
                self._layers[place] = member.layers(place, keep_probs, streams)
            else:
                self._factors[place] = member.factors(place, keep_probs, streams)

    def factor(self, place: str, shape: tuple[int, ...]) -> Tensor | None:
        draw = self._factors.get(place)
        return None if draw is None else draw(shape, self._parameters).to(self._device)

    def linear(self, place: str, values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        layer = self._layers.get(place)
        if layer is None:
            return super().linear(place, values, weight, bias)
        return layer(values, weight, bias, self._parameters)

    def penalty(self) -> Tensor | None:
        """What learned rates add to the loss of the whole training set, (S,), in nats; None where none is learned."""
        found = [noise.penalty(place, self._parameters) for place, noise in self._noises.items()]
        learned = [penalty for penalty in found if penalty is not None]
        return sum(learned) if learned else None
