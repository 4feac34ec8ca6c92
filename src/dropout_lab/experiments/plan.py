"""What is planned: how one network is trained, and which replicas there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from dropout_lab.experiments.networks import MLP, Network
from dropout_lab.experiments.optimizers import OPTIMIZERS
from dropout_lab.experiments.stack_noise import Noise

#: Recipe fields in which the replicas of one stack may differ (noise too, in its keep probabilities).
VARIED = ("noise", "learning_rate", "momentum", "weight_decay", "max_norm", "label_noise")


@dataclass(frozen=True)
class Recipe:
    """A recipe: how one network is trained.

    ``dataclasses.replace`` and :meth:`.Recipe.with_noise` make the arms of an experiment from one. Raises ValueError
    for settings outside their range and for noise that cannot stand where it was put.

    Attributes
    ----------
    network:
        The network.
    noise:
        Which noise stands at which place, by a place's name (``hidden2``) or by its kind (``hidden``: all hidden
        layers).
    train_size:
        The number of training examples, which the seed draws, balanced by class.
    label_noise:
        The fraction of training examples whose label is replaced by one drawn uniformly from all classes.
    steps:
        The number of updates.
    batch_size:
        The number of examples in a batch.
    learning_rate:
        The learning rate at the first step.
    schedule:
        How the learning rate goes on: it decays to 0 (``linear``) or stays (``constant``).
    optimizer:
        The rule of the updates, with torch's definitions.
    momentum:
        The momentum of ``sgd``.
    weight_decay:
        The factor λ: λw is added to the gradient of each weight w, biases excepted, or for ``adamw`` taken from the
        weight itself.
    max_norm:
        The bound on the Euclidean norm of the weights that come into a unit.
    masks_per_step:
        The number of draws of the noise, for each example, over which a step averages the gradient.

    >>> from dropout_lab.experiments.stack_noise import Bernoulli
    >>> recipe = Recipe(network=MLP((8, 6))).with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    >>> {place: noise.keep_prob for place, noise in recipe.noise_by_place().items()}
    {'input': 0.8, 'hidden1': 0.5, 'hidden2': 0.5}
    """

    network: Network = field(default_factory=lambda: MLP((128, 128)))
    noise: Mapping[str, Noise] = field(default_factory=dict)
    train_size: int = 500
    label_noise: float = 0.0
    steps: int = 1000
    batch_size: int = 50
    learning_rate: float = 0.05
    schedule: Literal["linear", "constant"] = "linear"
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    max_norm: float = float("inf")
    masks_per_step: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.train_size:
            raise ValueError(f"batch_size must lie in 1 … train_size = {self.train_size}, got {self.batch_size}")
        if not 0 <= self.label_noise <= 1:
            raise ValueError(f"label_noise is a fraction from 0 to 1, got {self.label_noise}")
        for name in ("steps", "masks_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.schedule not in ("linear", "constant"):
            raise ValueError(f"schedule must be 'linear' or 'constant', got {self.schedule!r}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        self.noise_by_place()

    def with_noise(self, **places: Noise) -> Recipe:
        """Return the same recipe with noise at these places, beside what stands elsewhere already."""
        return replace(self, noise={**self.noise, **places})

    def as_text(self) -> str:
        """Return every setting in one line, the noise under the names of its places.

        Two recipes of one text train alike.

        >>> Recipe(steps=5).as_text() == Recipe(steps=6).as_text()
        False
        """
        settings = sorted((name, value) for name, value in vars(self).items() if name != "noise")
        return repr((settings, sorted(self.noise_by_place().items())))

    def noise_by_place(self) -> dict[str, Noise]:
        """Return the noise at each place that has one, by the place's name, in the order of the network's places.

        Raises ValueError for a place that the network does not have, and for noise that cannot stand where it was put.
        """
        places = self.network.places
        known = {name for place in places for name in (place.name, place.kind)}
        if unknown := sorted(set(self.noise) - known):
            raise ValueError(f"the network has no place {unknown[0]!r}; its places are {', '.join(map(str, places))}")
        found = {}
        for place in places:
            noise = self.noise.get(place.name, self.noise.get(place.kind))
            if noise is None:
                continue
            if (reason := noise.misfit(place)) is not None:
                raise ValueError(f"{type(noise).__name__} does not stand at {place}: {reason}")
            found[place.name] = noise
        return found


@dataclass(frozen=True)
class Replica:
    """A replica: one network of a stack.

    Attributes
    ----------
    arm:
        The name of the arm that it belongs to.
    seed:
        The seed of all its streams.
    recipe:
        How it is trained.

    >>> Replica("dropout", 3, Recipe()).recipe.network
    MLP(hidden=(128, 128), batch_norm=False)
    """

    arm: str
    seed: int
    recipe: Recipe
