"""A network answers for itself: what reads each place, by gradients, and what rests on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.learned import Concrete
from dropout_lab.experiments.measures import readout
from dropout_lab.experiments.networks import CNN, GRU, MLP, At, ResidualMLP
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.places import Fixed, Recorder
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.training import train

SMALL = Recipe(train_size=40, steps=15, batch_size=10)
CONV = CNN((3, 4), (6,), (1, 4, 4))


def a_stack(dataset, recipe):
    return train(dataset, [Replica("a", seed, recipe) for seed in (0, 1)])


def penalty(trained):
    return Noisy(trained.replicas, trained.parameters, Purpose.NOISE).penalty()


def divergence(weight, logit, units):
    """½ ‖W‖²/p − K H(p), written out for one replica (Gal, Hron and Kendall 2017)."""
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


NETWORKS = [
    MLP((6, 5)),
    MLP((6, 5), batch_norm=True),
    MLP(()),
    ResidualMLP(6, 3),
    GRU(5, 4),
    CNN((3, 4), (6,), (2, 4, 4)),
    CNN((3,), (), (2, 4, 4)),
]
#: What each parameter's axes run over where it reads, without the axis of replicas.
READ_AXIS = {2: 0, 4: 1}


def stacked(network, dataset):
    initial = network.initial(dataset, stream(0, Purpose.WEIGHTS))
    return {name: torch.from_numpy(value).unsqueeze(0) for name, value in initial.items()}


@pytest.fixture
def doubled(blobs):
    """The blobs as images of two channels."""
    return replace(blobs, inputs=np.tile(blobs.inputs, 2), shape=(2, 4, 4))


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_a_network_names_all_of_its_parameters_and_comes_to_all_of_its_places(doubled, network):
    parameters = stacked(network, doubled)
    assert network.learned | network.statistics == set(parameters) and not network.learned & network.statistics
    assert network.weights == {name for name, value in parameters.items() if value.dim() > 2}
    seen, at = [], Recorder()
    network.forward(parameters, torch.from_numpy(doubled.inputs[:3]).unsqueeze(0), at)
    for place in network.places:
        if place.at_weights:
            seen.append(place.readers[0].weight in at.read)
        elif place.name == "state":
            # The state is asked for its factor, step by step.
            factor = torch.zeros(1, 1, 1, network.width)
            outputs = [
                network.forward(parameters, torch.ones(1, 1, 32), one)
                for one in (At(), Fixed(network, {"state": factor}))
            ]
            seen.append(not torch.equal(*outputs))
        else:
            letters = place.layout.split()
            seen.append(at.values[place.name].dim() == 1 + len(letters))
    assert all(seen) and len({place.name for place in network.places}) == len(network.places)


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_readers_are_the_weights_whose_gradient_a_removed_unit_stops(doubled, network):
    """A unit that is always 0 where it is read leaves the weights that read it without a gradient, and no others."""
    random = torch.Generator().manual_seed(0)
    parameters = stacked(network, doubled)
    for name in sorted(network.learned - network.weights):
        # Biases and shifts that let a unit speak even where what it reads is 0.
        parameters[name] += torch.rand(parameters[name].shape, generator=random)
    parameters = {name: value.requires_grad_() for name, value in parameters.items()}
    inputs = torch.rand(1, 40, 32, generator=random) + 0.1
    shapes = {"state": (4, 5)} if isinstance(network, GRU) else {}
    recorder = Recorder()
    network.forward(parameters, inputs, recorder)
    shapes |= {place: tuple(values.shape[2:]) for place, values in recorder.values.items()}

    def gradients(at):
        # A loss to which every unit adds, so that no gradient is 0 by chance.
        outputs = network.forward(parameters, inputs, at)
        loss = (outputs * torch.rand(outputs.shape, generator=torch.Generator().manual_seed(1))).sum()
        return torch.autograd.grad(loss, [parameters[name] for name in sorted(network.weights)])

    names, whole = sorted(network.weights), gradients(At())
    for place in network.places:
        if place.at_weights:
            continue
        shape = shapes[place.name]
        by_map = len(shape) == 3
        units = shape[0] if by_map else shape[-1]
        # For each weight, whether its part stopped, of the units whose part had a gradient at all.
        stopped: dict[str, list[bool]] = {name: [] for name in names}
        for unit in range(units):
            factor = torch.ones(1, 1, *shape)
            # A unit, at all steps of a sequence, or a channel of a map.
            factor[(slice(None), slice(None), unit) if by_map else (..., unit)] = 0
            for name, before, after in zip(names, whole, gradients(Fixed(network, {place.name: factor})), strict=True):
                read = (
                    before.movedim(1 + READ_AXIS[before.dim() - 1], 0),
                    after.movedim(1 + READ_AXIS[before.dim() - 1], 0),
                )
                # Where a dense layer reads maps, a channel is as many of its rows as the channel has positions.
                rows = shape[1] * shape[2] if by_map and before.dim() == 3 else 1
                parts = [one[unit * rows : (unit + 1) * rows] for one in read]
                if parts[0].any():
                    stopped[name].append(not parts[1].any())
        assert {name for name, found in stopped.items() if found and all(found)} == {
            layer.weight for layer in place.readers
        }, place


def test_a_place_that_a_network_does_not_have_has_no_reader():
    with pytest.raises(ValueError, match="no place 'branch1'; its places are input, hidden1"):
        MLP((3,)).reader("branch1")


def test_the_order_of_the_places_is_that_of_the_streams():
    """A place's number is part of its stream's key: another order would change every result of the book."""
    names = {repr(network): " ".join(map(str, network.places)) for network in NETWORKS}
    assert list(names.values()) == [
        "input hidden1 hidden2 weight1 weight2 weight3",
        "input hidden1 hidden2 weight1 weight2 weight3 sum1 sum2",
        "input weight1",
        "input branch1 branch2 branch3 hidden1 hidden2 hidden3",
        "input state output",
        "input features1 features2 hidden1 weight1 weight2",
        "input features1 weight1",
    ]
