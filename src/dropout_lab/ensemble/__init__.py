"""Exact ensembles: what all 2ⁿ subnetworks of a network say together.

:func:`masks` lists the masks. :func:`exact_mean` and :func:`exact_geometric_mean` enumerate them, for any function of a
mask and for any model with few enough units to drop. Two algorithms go further for one dropout layer before the output:
:func:`softmax_mean` averages about 2³⁰ masks in seconds, and :func:`sigmoid_mean` takes any number of units.
"""

from dropout_lab.ensemble.enumeration import exact_geometric_mean, exact_mean
from dropout_lab.ensemble.factorized import softmax_mean
from dropout_lab.ensemble.fourier import BinaryMean, sigmoid_mean
from dropout_lab.ensemble.tables import TooManyMasks, masks

__all__ = ["BinaryMean", "TooManyMasks", "exact_geometric_mean", "exact_mean", "masks", "sigmoid_mean", "softmax_mean"]
