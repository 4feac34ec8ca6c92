"""Test-time rules: what to do with a network that was trained with dropout.

:func:`weight_scaling` makes one deterministic pass of it (and :func:`undo_weight_scaling` takes that back),
:func:`monte_carlo` draws subnetworks from any model, and :func:`moment_matching` replaces a DropConnect layer's
pre-activations by Gaussians.
"""

from dropout_lab.inference.moments import Moments, moment_matching
from dropout_lab.inference.sampling import Predictive, monte_carlo
from dropout_lab.inference.scaling import undo_weight_scaling, weight_scaling

__all__ = [
    "Moments",
    "Predictive",
    "moment_matching",
    "monte_carlo",
    "undo_weight_scaling",
    "weight_scaling",
]
