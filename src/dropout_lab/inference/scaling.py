"""Weight scaling: one deterministic pass of a network trained in the original convention (Srivastava et al. 2014).

Which layer reads a dropout layer's output is found by tracing the model (``torch.fx``), not guessed from its order.
"""

from __future__ import annotations

import copy
import operator
from collections import Counter

import torch
from torch import fx

from dropout_lab import nn
from dropout_lab.constraints import LAYERS

#: Layers that drop activations in either convention; the factor reaches whatever reads their output.
_DROPOUTS = (nn.Dropout, nn.SpatialDropout, nn.VariationalDropout)
#: What only moves or averages numbers: scaling before it is scaling after it.
_TRANSPARENT = (
    torch.nn.Identity, torch.nn.Flatten, torch.nn.Unflatten, torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d,
    torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d,
)
