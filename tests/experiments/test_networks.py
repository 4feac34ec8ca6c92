"""Each network's stack against torch's own modules with the same weights: outputs, gradients, optimizers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.examples import Examples
from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.networks import CNN, GRU, MLP, PartedMLP, ResidualMLP
from dropout_lab.experiments.optimizers import OPTIMIZERS, Settings
from dropout_lab.experiments.places import At, Fixed, FixedSets
from dropout_lab.experiments.stack_noise import Bernoulli, Block, Gaussian, Path, Spatial, Variational
from dropout_lab.experiments.training import Recipe, Replica, train

CONV = CNN((3, 4), (6,), (1, 4, 4))
CLOSE = {"rtol": 0, "atol": 2e-6}


def stacked(network, dataset, seeds=(0, 1, 2)):
    drawn = [network.initial(dataset, stream(seed, Purpose.WEIGHTS)) for seed in seeds]
    return {name: torch.from_numpy(np.stack([one[name] for one in drawn])) for name in drawn[0]}


def some_inputs(blobs, count=7):
    return torch.from_numpy(blobs.inputs[: 3 * count].reshape(3, count, -1))


def test_convolutions(blobs):
    parameters, inputs = stacked(CONV, blobs), some_inputs(blobs)
    found = CONV.forward(parameters, inputs, At())
    for row in range(3):
        one = {name: value[row] for name, value in parameters.items()}
        values = inputs[row].view(-1, 1, 4, 4)
        for layer in (1, 2):
            values = nn.functional.conv2d(values, one[f"weight_filters{layer}"], one[f"bias_filters{layer}"], padding=1)
            values = nn.functional.max_pool2d(values.relu(), 2)
        values = (values.flatten(1) @ one["weight1"] + one["bias1"]).relu()
        torch.testing.assert_close(found[row], values @ one["weight2"] + one["bias2"], **CLOSE)


def test_recurrence(blobs):
    network = GRU(5, steps=4)
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    found = network.forward(parameters, inputs, At())
    for row in range(3):
        layer = nn.GRU(4, 5, batch_first=True)
        names = {"weight_ih_l0": "weight_input", "weight_hh_l0": "weight_state"}
        names |= {"bias_ih_l0": "bias_input", "bias_hh_l0": "bias_state"}
        layer.load_state_dict({name: parameters[ours][row].t() for name, ours in names.items()})
        last = layer(inputs[row].view(-1, 4, 4))[0][:, -1]
        expected = last @ parameters["weight_output"][row] + parameters["bias_output"][row]
        torch.testing.assert_close(found[row], expected, **CLOSE)


def test_the_recurrent_mask_is_read_step_by_step_or_once_a_sequence(blobs):
    """A mask that drops everything at one step only, and one mask for the sequence, against a loop in plain torch."""
    network = GRU(5, steps=4)
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    for factor in (torch.rand(3, 7, 4, 5), torch.rand(3, 7, 1, 5)):
        found = network.forward(parameters, inputs, Fixed(network, {"state": factor}))
        cell = nn.GRUCell(4, 5)
        names = {
            "weight_ih": "weight_input",
            "weight_hh": "weight_state",
            "bias_ih": "bias_input",
            "bias_hh": "bias_state",
        }
        cell.load_state_dict({name: parameters[ours][1].t() for name, ours in names.items()})
        state = torch.zeros(7, 5)
        for step in range(4):
            # The cell carries what it is given; the difference to the unmasked state is put back, times the update
            # gate.
            seen = state * factor[1].expand(7, 4, 5)[:, step]
            row = inputs[1].view(7, 4, 4)[:, step]
            from_row = row @ cell.weight_ih[5:10].T + cell.bias_ih[5:10]
            from_state = seen @ cell.weight_hh[5:10].T + cell.bias_hh[5:10]
            state = cell(row, seen) + (from_row + from_state).sigmoid() * (state - seen)
        expected = state @ parameters["weight_output"][1] + parameters["bias_output"][1]
        torch.testing.assert_close(found[1], expected, **CLOSE)


def test_shortcuts(blobs):
    network = ResidualMLP(6, 2)
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    branch = torch.tensor([0.0, 2.0]).repeat(3, 7)[:, :7, None]
    found = network.forward(parameters, inputs, Fixed(network, {"branch1": branch}))

    def dense(values, layer):
        return values @ parameters[f"weight{layer}"][0] + parameters[f"bias{layer}"][0]

    values = dense(inputs[0], 1)
    values = values + branch[0] * dense(dense(values.relu(), 2).relu(), 3)
    values = values + dense(dense(values.relu(), 4).relu(), 5)
    torch.testing.assert_close(found[0], dense(values.relu(), 6), **CLOSE)


def test_parts_are_scored_one_by_one_in_training_and_are_one_network_otherwise(blobs):
    """Each part says three times what its units add; the mean of what the parts say is the network's output."""
    network = PartedMLP((5, 6), parts=3)
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    training = At()
    training.training = True
    whole = network.forward(parameters, inputs, At())
    assert torch.equal(whole, MLP((5, 6)).forward(parameters, inputs, At()))
    found = network.forward(parameters, inputs, training).unflatten(1, (7, 3))
    hidden = inputs
    for number in (1, 2):
        hidden = (hidden @ parameters[f"weight{number}"] + parameters[f"bias{number}"].unsqueeze(1)).relu()
    for part, outputs in enumerate(found.unbind(2)):
        units = slice(2 * part, 2 * part + 2)
        said = 3 * hidden[..., units] @ parameters["weight3"][:, units] + parameters["bias3"].unsqueeze(1)
        torch.testing.assert_close(outputs, said, **CLOSE)
    torch.testing.assert_close(found.mean(2), whole, **CLOSE)


def test_training_in_parts_is_training_small_networks_by_themselves(blobs):
    """One hidden layer in two parts: with plain gradient descent each half moves as a network of its own does."""
    recipe = Recipe(network=PartedMLP((6,), parts=2), train_size=40, steps=3, batch_size=10, momentum=0.0)
    trained = train(blobs, [Replica("a", 0, recipe), Replica("a", 1, recipe)])
    row, replica = 1, Replica("a", 1, recipe)
    one = {
        name: torch.from_numpy(value).requires_grad_()
        for name, value in recipe.network.initial(blobs, stream(1, Purpose.WEIGHTS)).items()
    }
    for step, (inputs, labels) in enumerate(Examples(blobs, [replica], "cpu").drawn(10, 3)):
        loss = 0
        for part in (slice(0, 3), slice(3, 6)):
            hidden = (inputs[0] @ one["weight1"][:, part] + one["bias1"][part]).relu()
            loss = loss + F.cross_entropy(2 * hidden @ one["weight2"][part] + one["bias2"], labels[0]) / 2
        for value, slope in zip(one.values(), torch.autograd.grad(loss, list(one.values())), strict=True):
            value.data -= recipe.learning_rate * (1 - step / 3) * slope
    for name, value in one.items():
        torch.testing.assert_close(trained.parameters[name][row], value.detach(), **CLOSE)


def test_parts_have_to_be_of_one_size():
    for parts in (0, 4):
        with pytest.raises(ValueError, match=f"must divide the width 6 of the last hidden layer, got {parts}"):
            PartedMLP((5, 6), parts=parts)


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (MLP((6, 5)), {"hidden1": (6,), "hidden2": (5,)}),
        (MLP((6, 5)), {"input": (16,), "hidden2": (5,)}),
        (MLP((6, 5)), {"hidden2": (5,), "hidden1": (6,)}),
        (CONV, {"features1": (3, 1, 1), "hidden1": (6,)}),
        (GRU(5, steps=4), {"state": (4, 5), "output": (5,)}),
        (ResidualMLP(6, 2), {"branch1": (1,), "hidden2": (6,)}),
    ],
)
def test_several_sets_of_factors_in_one_pass(blobs, network, shapes):
    """Row b · sets + i is example b under set i, wherever the places stand."""
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    factors = {place: torch.rand(3, 4, *shape) for place, shape in shapes.items()}
    found = network.forward(parameters, inputs, FixedSets(network, factors))
    for number, one in enumerate(found.unflatten(1, (7, 4)).unbind(2)):
        alone = Fixed(network, {place: factor[:, number : number + 1] for place, factor in factors.items()})
        torch.testing.assert_close(one, network.forward(parameters, inputs, alone), **CLOSE)


def test_sets_of_factors_that_do_not_match_are_refused():
    network = MLP((6, 5))
    with pytest.raises(ValueError, match=r"one number of sets at one place or more, got \[2, 3\]"):
        FixedSets(network, {"hidden1": torch.ones(1, 2, 6), "hidden2": torch.ones(1, 3, 5)})
    with pytest.raises(ValueError, match="at one place or more"):
        FixedSets(network, {})
    for given in (Fixed, FixedSets):
        with pytest.raises(ValueError, match="no place 'hidden3'"):
            given(network, {"hidden3": torch.ones(1, 2, 6)})
        with pytest.raises(ValueError, match="weight1 stands at weights"):
            given(network, {"weight1": torch.ones(1, 2, 6)})


def test_batch_normalization_trains_and_remembers_as_torch_does(blobs):
    network = MLP((6,), batch_norm=True)
    parameters, inputs = stacked(network, blobs), some_inputs(blobs)
    layers = [nn.BatchNorm1d(6) for _ in range(3)]
    training = At()
    training.training = True
    for batch in (inputs, inputs.flip(1) * 2):
        found = network.forward(parameters, batch, training)
        for row, layer in enumerate(layers):
            hidden = layer(batch[row] @ parameters["weight1"][row] + parameters["bias1"][row]).relu()
            torch.testing.assert_close(
                found[row], hidden @ parameters["weight2"][row] + parameters["bias2"][row], **CLOSE
            )
    found = network.forward(parameters, inputs, At())
    for row, layer in enumerate(layers):
        torch.testing.assert_close(parameters["running_variance1"][row], layer.running_var, **CLOSE)
        torch.testing.assert_close(parameters["running_mean1"][row], layer.running_mean, **CLOSE)
        hidden = layer.eval()(inputs[row] @ parameters["weight1"][row] + parameters["bias1"][row]).relu()
        torch.testing.assert_close(found[row], hidden @ parameters["weight2"][row] + parameters["bias2"][row], **CLOSE)


@pytest.mark.parametrize(
    ("name", "peer"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_optimizers_are_torchs(name, peer):
    """Twenty steps with a schedule, weight decay, and settings that differ between the replicas.

    Weights and gradients of three sizes, the smallest of the size of Adam's ε.
    """
    random, sizes = torch.Generator().manual_seed(0), torch.tensor([1, 1e-4, 1e-8])
    start = sizes * torch.randn(2, 4, 3, generator=random)
    slopes = sizes * torch.randn(20, 2, 4, 3, generator=random)
    recipes = [
        Recipe(learning_rate=rate, momentum=momentum, weight_decay=decay)
        for rate, momentum, decay in ((0.1, 0.9, 0.01), (0.02, 0.5, 0.1))
    ]
    ours = start.clone().requires_grad_()
    optimizer = OPTIMIZERS[name]({"weight1": ours}, Settings.of(recipes, "cpu"), {"weight1"})
    with torch.no_grad():
        for step, slope in enumerate(slopes):
            optimizer.step([slope], 1 - step / 20)
    for row, recipe in enumerate(recipes):
        theirs = start[row].clone().requires_grad_()
        extra = {"momentum": recipe.momentum} if name == "sgd" else {}
        reference = peer([theirs], recipe.learning_rate, weight_decay=recipe.weight_decay, **extra)
        for step, slope in enumerate(slopes):
            theirs.grad = slope[row].clone()
            reference.param_groups[0]["lr"] = recipe.learning_rate * (1 - step / 20)
            reference.step()
        torch.testing.assert_close(ours[row].detach(), theirs.detach(), rtol=1e-4, atol=1e-12)


SMALL = Recipe(train_size=40, steps=15, batch_size=10)
CASES = {
    "conv": replace(SMALL, network=CONV).with_noise(features=Spatial(0.7), hidden=Bernoulli(0.5), input=Bernoulli(0.8)),
    "block": replace(SMALL, network=CONV).with_noise(features1=Block(0.7, 2)),
    "gru": replace(SMALL, network=GRU(5, 4)).with_noise(
        state=Variational(0.7), input=Bernoulli(0.8), output=Gaussian(0.5)
    ),
    "residual": replace(SMALL, network=ResidualMLP(6, 2)).with_noise(branch=Path(0.7), hidden=Bernoulli(0.5)),
    "norm": replace(SMALL, network=MLP((8, 6), batch_norm=True)).with_noise(hidden=Gaussian(0.5)),
    "adam": replace(SMALL, network=MLP((8,)), optimizer="adam", weight_decay=0.01, masks_per_step=3),
    "learned": replace(SMALL, network=MLP((8,)), optimizer="adam").with_noise(weight=LearnedGaussian(0.8)),
    "concrete": replace(SMALL, network=MLP((8,)), optimizer="adam").with_noise(
        input=Concrete(0.9), hidden=Concrete(0.8)
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_replica_sees_its_neighbors(blobs, case):
    """Trained alone and trained in a stack beside a replica with other settings: the same to rounding."""
    recipe = CASES[case]
    other = replace(recipe, learning_rate=0.01, label_noise=0.5)
    stack = [Replica("a", 0, recipe), Replica("b", 0, other), Replica("a", 1, recipe)]
    together = train(blobs, stack)
    for row, replica in enumerate(stack):
        alone = train(blobs, [replica])
        for name, values in together.parameters.items():
            torch.testing.assert_close(values[row], alone.parameters[name][0], rtol=0, atol=2e-5, msg=f"{case} {name}")
    moved = [(values[0] - values[1]).abs().max() for values in together.parameters.values()]
    assert max(moved) > 1e-3


def test_max_norm_bounds_every_unit(blobs):
    recipe = replace(SMALL, network=CONV, max_norm=0.5, learning_rate=0.5)
    trained = train(blobs, [Replica("tight", 0, recipe), Replica("free", 0, replace(recipe, max_norm=float("inf")))])
    for layer in CONV.layers:
        norms = torch.linalg.vector_norm(trained.parameters[layer.weight], dim=layer.incoming)
        tight, free = norms.flatten(1).amax(1)
        assert tight <= 0.5 * (1 + 1e-6) < free


def test_noise_in_the_wrong_place_is_refused(blobs):
    with pytest.raises(ValueError, match="no place 'features'; its places are input, hidden1"):
        SMALL.with_noise(features=Spatial(0.5))
    with pytest.raises(ValueError, match="Bernoulli does not stand at weight1"):
        SMALL.with_noise(weight=Bernoulli(0.5))
    with pytest.raises(ValueError, match="LearnedGaussian does not stand at hidden1"):
        SMALL.with_noise(hidden=LearnedGaussian(0.5))
    with pytest.raises(ValueError, match=r"images of shape \(1, 14, 14\)"):
        train(blobs, [Replica("a", 0, replace(SMALL, network=CNN((2,), ())))])
    with pytest.raises(ValueError, match="16 features do not divide into 5 steps"):
        train(blobs, [Replica("a", 0, replace(SMALL, network=GRU(4, 5)))])
