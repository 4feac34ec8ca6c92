"""What a network consists of, as objects: linear maps, normalizations, and the places where noise can stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: The axes of a stacked weight over what comes into a unit, and the one over what the weight reads.
_INCOMING: dict[str, tuple[int, ...]] = {"dense": (1,), "filters": (2, 3, 4)}
_READ = {"dense": 1, "filters": 2}
#: The layout of a place at the weights of a dense layer.
WEIGHTS = "in out"


@dataclass(frozen=True)
class Layer:
    """A linear map of a network: the names of its weights and of its bias among the parameters, and how it reads.

    The weights of a layer decay and obey the max-norm; its bias does neither.

    Attributes
    ----------
    weight:
        The name of its weights.
    bias:
        The name of its bias.
    kind:
        The kind of its weights. ``dense`` ones are stacked as (S, in, out), and each of their inputs has a row of
        weights. ``filters`` are (S, out, in, height, width), and each input *channel* has weights of its own, which all
        positions share.

    >>> filters = Layer("weight_filters1", "bias_filters1", "filters")
    >>> filters.incoming, filters.read_axis
    ((2, 3, 4), 2)
    """

    weight: str
    bias: str
    kind: Literal["dense", "filters"] = "dense"

    @property
    def incoming(self) -> tuple[int, ...]:
        """The axes of the stacked weights over what comes into a unit, over which its max-norm is taken."""
        return _INCOMING[self.kind]

    @property
    def read_axis(self) -> int:
        """The axis of the stacked weights over what the layer reads: units, or channels for filters."""
        return _READ[self.kind]


@dataclass(frozen=True)
class Place:
    """A place of a network where noise can stand.

    Attributes
    ----------
    kind:
        The kind of the place, the first part of its name.
    number:
        The number of the place among those of its kind, the second part of its name; None for the only one.
    layout:
        The axes of what it carries, in the letters of :attr:`dropout_lab.functional.Variant.layouts`: "N D", "N C H W"
        or "N T D"; "in out" where it stands at weights.
    readers:
        The layers that read what stands here, linearly and directly: none where nothing does, more than one where
        several do; at weights, the layer whose weights they are.
    rectified:
        The layer whose outputs the place holds after a ReLU and nothing else, if there is one.

    >>> Place("hidden", 2, "N D").name, Place("input", None, "N D").name
    ('hidden2', 'input')
    """

    kind: str
    number: int | None
    layout: str
    readers: tuple[Layer, ...] = ()
    rectified: Layer | None = None

    @property
    def name(self) -> str:
        """The kind with the number, if it has one: what recipes call the place."""
        return self.kind if self.number is None else f"{self.kind}{self.number}"

    @property
    def at_weights(self) -> bool:
        """Whether noise here stands at the weights of a layer, not at values."""
        return self.layout == WEIGHTS

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Normalization:
    """A batch normalization of what stands at a place, with the names of its parameters.

    Attributes
    ----------
    place:
        The place.

    >>> one = Normalization(Place("sum", 1, "N D"))
    >>> one.scale, one.variance
    ('scale1', 'running_variance1')
    """

    place: Place

    @property
    def scale(self) -> str:
        """The name of the learned factor, which neither decays nor obeys the max-norm."""
        return f"scale{self.place.number}"

    @property
    def shift(self) -> str:
        """The name of the learned summand, which neither decays nor obeys the max-norm."""
        return f"shift{self.place.number}"

    @property
    def mean(self) -> str:
        """The name of the running mean, which no gradient changes."""
        return f"running_mean{self.place.number}"

    @property
    def variance(self) -> str:
        """The name of the running variance, which no gradient changes."""
        return f"running_variance{self.place.number}"
