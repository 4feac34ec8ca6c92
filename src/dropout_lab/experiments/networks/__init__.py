"""Networks whose parameters carry a first axis of replicas: one call runs the whole stack.

A network is a frozen description. ``initial`` draws one replica's parameters; ``forward`` takes the stacked ones and
asks ``at`` at each of its places what happens there: nothing, noise, a recording, or the removal of units. A network
answers for itself: :attr:`.Network.places` says where noise can stand, :attr:`.Network.layers` which linear
maps it has, :meth:`.Network.reader` which of them read what stands at a place. No other module guesses that from
names.
"""

from dropout_lab.experiments.networks.base import At, Network, Parameters
from dropout_lab.experiments.networks.convolutional import CNN
from dropout_lab.experiments.networks.dense import MLP, PartedMLP, ResidualMLP
from dropout_lab.experiments.networks.parts import Layer, Normalization, Place
from dropout_lab.experiments.networks.recurrent import GRU

__all__ = [
    "CNN",
    "GRU",
    "MLP",
    "At",
    "Layer",
    "Network",
    "Normalization",
    "Parameters",
    "PartedMLP",
    "Place",
    "ResidualMLP",
]
