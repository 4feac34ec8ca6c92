"""A model's subnetworks as a function of masks: where it drops, and how given masks take the place of drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from dropout_lab import nn
from dropout_lab.bayes import ConcreteDropout, LearnedGaussianDropout
from dropout_lab.recurrent import VariationalGRU, VariationalLSTM

_TORCH_CHANNELS = (torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d)
#: Layers whose noise is not a list of independent 0/1 draws, one an unit, that a caller could give.
_NOT_ENUMERABLE = (
    nn.GaussianDropout,
    nn.DropBlock,
    ConcreteDropout,
    LearnedGaussianDropout,
    VariationalGRU,
    VariationalLSTM,
    torch.nn.AlphaDropout,
    torch.nn.FeatureAlphaDropout,
)
_ENUMERABLE = (nn.Dropout, nn.SpatialDropout, nn.VariationalDropout, nn.DropPath, nn.DropConnect, *_TORCH_CHANNELS,
               torch.nn.Dropout)


class Site(NamedTuple):
    """One call of a dropout layer: the shape of its mask for one subnetwork, and the keep probability."""

    name: str
    layer: torch.nn.Module
    shape: tuple[int, ...]
    keep_prob: float


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """``model.eval()`` for a while; afterwards, also after an error, each module's mode is what it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
