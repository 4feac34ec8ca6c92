"""The parameters that a network starts from, against what torch's own layers and initialisers draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.networks import CNN, GRU, MLP, ResidualMLP

NETWORKS = [MLP((120, 90), batch_norm=True), ResidualMLP(80, 3), CNN((32, 48), (60,), (1, 8, 8)), GRU(150, 4)]


def torchs_own(network, features, classes):
    """A start by torch: He's normal rule for what ReLUs read, and for the rest what its layers do by themselves."""
    found = {}
    for layer in network.layers:
        weight, bias = shapes(network, features, classes)[layer.weight]
        found[layer.weight] = nn.init.kaiming_normal_(torch.empty(weight), nonlinearity="relu")
        found[layer.bias] = torch.zeros(bias)
    if isinstance(network, GRU):
        own = nn.GRU(features // network.steps, network.width).state_dict()
        for ours, theirs in (("input", "ih"), ("state", "hh")):
            found |= {f"{part}_{ours}": own[f"{part}_{theirs}_l0"] for part in ("weight", "bias")}
    if isinstance(network, ResidualMLP):
        for block in range(network.blocks):
            # Three summands of a third of the variance have the variance of one.
            found[f"weight{2 * block + 3}"] *= (1 / network.blocks) ** 0.5
    if isinstance(network, MLP) and network.batch_norm:
        names = {"scale": "weight", "shift": "bias", "running_mean": "running_mean", "running_variance": "running_var"}
        for number, width in enumerate(network.hidden, 1):
            own = nn.BatchNorm1d(width).state_dict()
            found |= {f"{ours}{number}": own[theirs] for ours, theirs in names.items()}
    return found


def shapes(network, features, classes):
    """The shapes of each layer's weights, as torch lays them out, and of its bias."""
    if isinstance(network, GRU):
        rows, width = features // network.steps, network.width
        sizes = {"_input": (3 * width, rows), "_state": (3 * width, width), "_output": (classes, width)}
    elif isinstance(network, CNN):
        sizes = {"_filters1": (32, 1, 3, 3), "_filters2": (48, 32, 3, 3), "1": (60, 48 * 2 * 2), "2": (classes, 60)}
    else:
        inner = network.hidden if isinstance(network, MLP) else (network.width,) * (1 + 2 * network.blocks)
        widths = (features, *inner, classes)
        sizes = {str(number): (widths[number], widths[number - 1]) for number in range(1, len(widths))}
    return {f"weight{name}": (size, size[0]) for name, size in sizes.items()}


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_parameters_start_as_torchs_own(blobs, network):
    """Kolmogorov and Smirnov's test of two samples for each parameter: each a false alarm in ten million."""
    wide = replace(blobs, inputs=np.tile(blobs.inputs, 4), shape=(1, 8, 8))
    ours = network.initial(wide, stream(0, Purpose.WEIGHTS))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torchs_own(network, 64, 4)
    assert set(ours) == set(theirs)
    for name, peer in theirs.items():
        assert ours[name].dtype == np.float32
        # Dense matrices are (in, out) here and (out, in) there.
        assert ours[name].shape == tuple(peer.shape if peer.dim() != 2 else peer.t().shape)
        one, other = ours[name].ravel(), peer.numpy().ravel()
        if np.ptp(other):
            assert stats.ks_2samp(one, other).pvalue > 1e-7, name
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_no_two_parameters_start_alike(blobs, network):
    """Each parameter is drawn anew from the replica's stream: neither a parameter nor a seed repeats another's."""
    wide = replace(blobs, inputs=np.tile(blobs.inputs, 4), shape=(1, 8, 8))
    drawn = [network.initial(wide, stream(seed, Purpose.WEIGHTS)) for seed in (0, 1)]
    heads = [values.ravel()[:4] for one in drawn for values in one.values() if np.ptp(values)]
    directions = {tuple((head / np.abs(head).max()).round(4)) for head in heads}
    assert len(directions) == len(heads)
