"""Test-time rules: what to do with a network that was trained with dropout.

:func:`weight_scaling` makes one deterministic pass of it, and :func:`undo_weight_scaling` takes that back.
:func:`monte_carlo` draws subnetworks from any model. :func:`moment_matching` replaces a DropConnect layer's
pre-activations by Gaussians. :func:`record` and :func:`replay` hold one subnetwork fixed over several passes, and
:func:`subnetwork` cuts it out as a smaller network. :func:`audit` says what is wrong with the dropout of a model.
"""

from dropout_lab.inference.auditing import Finding, Report, audit
from dropout_lab.inference.cutting import Masked, subnetwork
from dropout_lab.inference.moments import Moments, moment_matching
from dropout_lab.inference.recorded import Factor
from dropout_lab.inference.recording import Recording, record, replay
from dropout_lab.inference.sampling import Predictive, monte_carlo
from dropout_lab.inference.scaling import undo_weight_scaling, weight_scaling

__all__ = [
    "Factor",
    "Finding",
    "Masked",
    "Moments",
    "Predictive",
    "Recording",
    "Report",
    "audit",
    "moment_matching",
    "monte_carlo",
    "record",
    "replay",
    "subnetwork",
    "undo_weight_scaling",
    "weight_scaling",
]
