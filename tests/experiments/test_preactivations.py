"""The mean of a ReLU over masks on its weights: what the measure finds by drawing, against all masks."""

from __future__ import annotations

from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
import torch

from dropout_lab.ensemble import masks
from dropout_lab.experiments.measures import preactivations
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import Bernoulli, Connect
from dropout_lab.experiments.training import train
from dropout_lab.inference import moment_matching

SMALL = Recipe(network=MLP((10, 8)), train_size=40, steps=60, batch_size=10)
KEEP_PROBS = (0.5, 0.8)


@pytest.fixture(scope="module")
def stack(blobs):
    recipes = [SMALL.with_noise(weight2=Connect(keep_prob, "gaussian")) for keep_prob in KEEP_PROBS]
    return train(blobs, [Replica(f"weights {number}", 3, recipe) for number, recipe in enumerate(recipes)])


def over_all_masks(stack, row, keep_prob):
    """(examples, 8): the exact mean of the second layer's ReLUs over the 2¹⁰ masks of each unit's weights."""
    one = {name: value[row].double() for name, value in stack.parameters.items()}
    inputs = stack.sample(60)[0][row].double()
    hidden = (inputs @ one["weight1"] + one["bias1"]).relu()
    bits, probabilities = masks(10, keep_prob)
    summed = torch.einsum("mi,bi,io->mbo", bits.double(), hidden, one["weight2"]) / keep_prob + one["bias2"]
    exact = torch.einsum("m,mbo->bo", probabilities.double(), summed.relu())
    return hidden, one, exact


@pytest.mark.parametrize(("row", "keep_prob"), list(enumerate(KEEP_PROBS)))
def test_the_errors_are_those_against_all_masks(stack, row, keep_prob):
    """Within five standard deviations over streams, 2 and 4 % of the larger error: a false alarm in a million."""
    found = preactivations.rectified_mean(2, draws=8000, examples=60)(stack)
    hidden, one, exact = over_all_masks(stack, row, keep_prob)
    moments = moment_matching(hidden, one["weight2"].T, one["bias2"], keep_prob)
    scale = exact.square().mean()
    one_pass = ((moments.mean.relu() - exact).square().mean() / scale).item()
    gaussian = ((moments.relu().mean - exact).square().mean() / scale).item()
    # Otherwise one rule could pass for the other.
    assert gaussian < one_pass / 3
    assert found["one_pass_mse"][row] == pytest.approx(one_pass, rel=0.1)
    assert found["gaussian_mse"][row] == pytest.approx(gaussian, abs=0.2 * one_pass)


def test_the_measure_travels_to_workers_and_gives_the_same_numbers(stack):
    measure = preactivations.rectified_mean(2, draws=5)
    there = cloudpickle.loads(cloudpickle.dumps(measure))
    for name, values in measure(stack).items():
        np.testing.assert_array_equal(there(stack)[name], values)


@pytest.mark.parametrize("layer", [1, 3])
def test_a_layer_without_masks_on_its_weights_or_without_relu_is_refused(blobs, layer):
    recipe = SMALL.with_noise(weight2=Connect(0.5), weight3=Connect(0.5), hidden1=Bernoulli(0.5))
    one = train(blobs, [Replica("masked", 0, recipe)])
    said = {
        1: "arm 'masked' has no DropConnect on the weights of hidden layer 1",
        3: "no dense layer 3 .* a ReLU reads",
    }
    with pytest.raises(ValueError, match=said[layer]):
        preactivations.rectified_mean(layer)(one)


def test_the_noise_of_the_draws_adds_nothing_where_a_rule_is_exact(blobs):
    """Units far above zero: the ReLU does nothing. All of 20 signs alike would have the probability 2⁻¹⁹."""
    recipe = replace(SMALL, steps=1).with_noise(weight2=Connect(0.5))
    many = train(blobs, [Replica("weights", seed, recipe) for seed in range(20)])
    many.parameters["bias2"] += 100
    found = preactivations.rectified_mean(2, draws=10)(many)["one_pass_mse"]
    assert (found > 0).any() and (found < 0).any()
