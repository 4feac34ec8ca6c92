"""Recurrent layers with dropout: masks that are fixed for the sequence, zoneout, and dropout without memory loss.

All share one design. A cell computes what its torch counterpart computes, with torch's names, shapes and order of
parameters, and with all of torch's options.
"""

from dropout_lab.recurrent.cells import VariationalGRU, VariationalLSTM
from dropout_lab.recurrent.masks import MaskKind, Masks

__all__ = ["MaskKind", "Masks", "VariationalGRU", "VariationalLSTM"]
