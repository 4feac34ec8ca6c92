"""What reads a place of a network: confirmed faults of code that guessed it from names."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from dropout_lab.experiments import measures
from dropout_lab.experiments.draws import Purpose
from dropout_lab.experiments.learned import Concrete
from dropout_lab.experiments.measures import readout
from dropout_lab.experiments.networks import CNN, ResidualMLP
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.training import train

SMALL = Recipe(train_size=40, steps=15, batch_size=10)
CONV = CNN((3, 4), (6,), (1, 4, 4))


def a_stack(dataset, recipe):
    return train(dataset, [Replica("a", seed, recipe) for seed in (0, 1)])


def penalty(trained):
    return Noisy(trained.replicas, trained.parameters, Purpose.NOISE).penalty()


def divergence(weight, logit, units):
    """½ ‖W‖²/p − K H(p), written out for one replica (Gal, Hron and Kendall 2017, section 3)."""
    p = torch.sigmoid(logit).item()
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    return weight.double().square().sum().item() / (2 * p) - units * entropy


@pytest.mark.parametrize(
    ("network", "place", "weight", "units"),
    [
        (ResidualMLP(6, 2), "input", "weight1", 16),
        (ResidualMLP(6, 2), "hidden1", "weight3", 6),
        (ResidualMLP(6, 2), "hidden2", "weight5", 6),
        (CONV, "input", "weight_filters1", 1),
        (CONV, "features1", "weight_filters2", 3),
        (CONV, "features2", "weight1", 4),
        (CONV, "hidden1", "weight2", 6),
    ],
)
def test_concrete_dropout_penalizes_the_weights_that_read_its_units(blobs, network, place, weight, units):
    trained = a_stack(blobs, replace(SMALL, network=network).with_noise(**{place: Concrete(0.8)}))
    one = trained.parameters
    expected = [divergence(one[weight][row], one[f"logit.{place}"][row], units) for row in (0, 1)]
    assert penalty(trained).tolist() == pytest.approx(expected, rel=1e-5)


def test_concrete_dropout_is_refused_where_nothing_linear_reads(blobs):
    with pytest.raises(ValueError, match="Concrete does not stand at branch1"):
        replace(SMALL, network=ResidualMLP(6, 2)).with_noise(branch=Concrete(0.8))


def test_decisions_of_a_residual_network_rest_on_what_its_last_layer_reads(blobs):
    trained = a_stack(blobs, replace(SMALL, network=ResidualMLP(6, 2)))
    inputs = trained.sample(1000)[0]
    for row in (0, 1):
        one = {name: value[row] for name, value in trained.parameters.items()}

        def dense(values, layer, one=one):
            return values @ one[f"weight{layer}"] + one[f"bias{layer}"]

        stream = dense(inputs[row], 1)
        for inner, outer in ((2, 3), (4, 5)):
            stream = stream + dense(dense(stream.relu(), inner).relu(), outer)
        first, second = dense(stream.relu(), 6).topk(2).indices.T
        shares = (stream.relu() * (one["weight6"][:, first] - one["weight6"][:, second]).T).abs().double()
        expected = (shares.sum(1) ** 2 / shares.square().sum(1)).nanmean().item()
        assert readout.decision_units(trained)["decision_units"][row] == pytest.approx(expected, rel=1e-5)


def test_all_masks_of_a_residual_network_without_masks_is_a_clear_refusal(blobs):
    with pytest.raises(ValueError, match="hidden"):
        measures.all_masks(a_stack(blobs, replace(SMALL, network=ResidualMLP(6, 2))))
