"""The noise of a stack's recipes, drawn anew at each pass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.networks import At, Layer, Parameters, Place
from dropout_lab.experiments.plan import Replica
from dropout_lab.experiments.stack_noise import Factors, Noise, NoisyMap, ValueNoise, WeightNoise


class Noisy(At):
    """The noise of a stack's recipes at its places. Each replica draws from a stream of its own for each place.

    ``parameters`` are those of the stack, of which learned rates are some; ``key`` tells apart several sources of noise
    for one ``purpose``. Raises ValueError for replicas with noise of different kinds at one place.

    >>> from dropout_lab.experiments.training import quick
    >>> from dropout_lab.experiments.stack_noise import Bernoulli
    >>> trained = quick(hidden1=Bernoulli(0.5))
    >>> at = Noisy(trained.replicas, trained.parameters, Purpose.MEASURE)
    >>> at.factor(trained.network.place("hidden1"), (5, 8)).unique()
    tensor([0., 2.])
    """

    def __init__(self, replicas: Sequence[Replica], parameters: Parameters, purpose: Purpose, *key: int) -> None:
        self.training = purpose is Purpose.NOISE
        self._parameters = parameters
        self._device = next(iter(parameters.values())).device
        #: The noise at each place that has one; places know what reads them.
        self.noises: list[tuple[Place, Noise]] = []
        self._factors: dict[str, Factors] = {}
        self._maps: dict[str, NoisyMap] = {}
        planned = [replica.recipe.noise_by_place() for replica in replicas]
        # A place's number is part of its streams' key.
        for number, place in enumerate(replicas[0].recipe.network.places):
            noises = [noise.get(place.name) for noise in planned]
            member = next((noise for noise in noises if noise is not None), None)
            if member is None:
                continue
            others = [noise for noise in noises if noise is not None]
            if any(noise.kind != member.kind for noise in others) or (member.is_learned and len(others) < len(noises)):
                raise ValueError(f"the replicas of a stack must share the kind of noise at {place}")
            # The replicas that have no noise here keep everything.
            keep_probs = [1.0 if noise is None else noise.keep_prob for noise in noises]
            streams = [stream(replica.seed, purpose, number, *key) for replica in replicas]
            self.noises.append((place, member))
            if isinstance(member, WeightNoise):
                (layer,) = place.readers
                self._maps[layer.weight] = member.noisy_map(place, keep_probs, streams)
            elif isinstance(member, ValueNoise):
                self._factors[place.name] = member.factors(place, keep_probs, streams)

    def factor(self, place: Place, shape: tuple[int, ...]) -> Tensor | None:
        draw = self._factors.get(place.name)
        return None if draw is None else draw(shape, self._parameters).to(self._device)

    def linear(self, layer: Layer, values: Tensor, parameters: Parameters) -> Tensor:
        noisy_map = self._maps.get(layer.weight)
        if noisy_map is None:
            return super().linear(layer, values, parameters)
        return noisy_map(values, parameters[layer.weight], parameters[layer.bias], self._parameters)

    def penalty(self) -> Tensor | None:
        """Return what learned rates add to the loss of the whole training set, in nats, (S,).

        It is None where no rate is learned.
        """
        total = None
        for place, noise in self.noises:
            added = noise.penalty(place, self._parameters)
            if added is not None:
                total = added if total is None else total + added
        return total
