"""Measures of trained networks: each takes a stack and returns named arrays with the first axis S of its replicas.

Every measure takes a :class:`~dropout_lab.experiments.trained.Trained`. Those with settings (``monte_carlo``,
``disturbed``, ``weight_noise``, ``hessian_trace``, ``at_equal_loss``, ``parts_alone``) are called with them and return
the measure. A name below that ends in 1 stands for one name a layer, numbered from 1. A measure that means nothing for
a network, or for data without classes, raises ValueError and says why.
"""

from dropout_lab.experiments.measures import inputs, members, preactivations, readout
from dropout_lab.experiments.measures.activations import correlation, lengths, reconstruction, sparsity, variance_shift
from dropout_lab.experiments.measures.averaging import (
    mask_left_on,
    monte_carlo,
    probabilities,
    training_set_variance,
)
from dropout_lab.experiments.measures.curvature import hessian_trace, weight_noise
from dropout_lab.experiments.measures.minima import at_equal_loss, travelled
from dropout_lab.experiments.measures.outcome import error, learned_keep_probs, nll, train_error, train_nll
from dropout_lab.experiments.measures.robustness import (
    disturbed,
    half_removed,
    most_active_removed,
    parts_alone,
    single_removal,
)

__all__ = [
    "at_equal_loss",
    "correlation",
    "disturbed",
    "error",
    "half_removed",
    "hessian_trace",
    "inputs",
    "learned_keep_probs",
    "lengths",
    "mask_left_on",
    "members",
    "monte_carlo",
    "most_active_removed",
    "nll",
    "parts_alone",
    "preactivations",
    "probabilities",
    "readout",
    "reconstruction",
    "single_removal",
    "sparsity",
    "train_error",
    "train_nll",
    "training_set_variance",
    "travelled",
    "variance_shift",
    "weight_noise",
]
