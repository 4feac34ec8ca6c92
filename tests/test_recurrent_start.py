"""The parameters that the recurrent layers start from, against those of torch's own."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from dropout_lab.recurrent import VariationalGRU, VariationalLSTM


@pytest.mark.parametrize("kind", [VariationalGRU, VariationalLSTM])
def test_parameters_start_as_torchs_own(kind: type[torch.nn.Module]) -> None:
    """Kolmogorov and Smirnov's test of two samples for each parameter: each a false alarm in ten million."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = kind(20, 150).state_dict()
        theirs = getattr(torch.nn, kind.__name__.removeprefix("Variational"))(20, 150).state_dict()
    assert ours.keys() == theirs.keys()
    for name, peer in theirs.items():
        assert ours[name].shape == peer.shape
        assert stats.ks_2samp(ours[name].flatten().numpy(), peer.flatten().numpy()).pvalue > 1e-7, name
