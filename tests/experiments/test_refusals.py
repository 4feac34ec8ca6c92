"""Requests at the ends of their ranges: the last that has a meaning is answered, the next is refused and told why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dropout_lab.experiments import data, measures, replicas
from dropout_lab.experiments.measures import inputs, members, readout
from dropout_lab.experiments.measures.preactivations import rectified_mean
from dropout_lab.experiments.networks import CNN, MLP, ResidualMLP
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import Bernoulli, Connect
from dropout_lab.experiments.statistics import Rule, compare
from dropout_lab.experiments.training import train

SMALL = Recipe(network=MLP((12, 8)), train_size=40, steps=3, batch_size=10)


@pytest.fixture(scope="module")
def stack(blobs):
    return train(blobs, [Replica("dropout", 0, SMALL.with_noise(hidden=Bernoulli(0.5)))])


@pytest.mark.parametrize(
    ("fits", "beyond", "said"),
    [
        (
            readout.few_units((1,)),
            readout.few_units((0,)),
            r"counts must lie in 1 … 8, the units there are; got \(0,\)",
        ),
        (readout.few_units((8, 2)), readout.few_units((9, 2)), r"got \(9, 2\)"),
        (readout.decision_units_among(1), readout.decision_units_among(0), "count must lie in 1 … 8"),
        (readout.decision_units_among(8), readout.decision_units_among(9), "count must lie in 1 … 8"),
        (measures.parts_alone(1), measures.parts_alone(0), "got 0"),
        (measures.parts_alone(8), measures.parts_alone(9), "got 9"),
    ],
)
def test_measures_up_to_the_ends_of_their_ranges(stack, fits, beyond, said):
    for values in fits(stack).values():
        assert len(values) == 1 and np.isfinite(values).all()
    with pytest.raises(ValueError, match=said):
        beyond(stack)


def test_one_member_is_enough_and_none_is_refused(stack):
    assert members.predictions(1)(stack)["members"].shape[:2] == (1, 1)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        members.predictions(0)(stack)


def test_the_dense_layers_of_a_convolutional_network_read_and_are_rectified_in_order():
    places = {place.name: place for place in CNN((2,), (5, 4), (1, 4, 4)).places}
    for number in (1, 2):
        place = places[f"hidden{number}"]
        assert [layer.weight for layer in place.readers] == [f"weight{number + 1}"]
        assert place.rectified is not None and place.rectified.weight == f"weight{number}"
    places = {place.name: place for place in MLP((5, 4)).places}
    for number in (1, 2):
        place = places[f"hidden{number}"]
        assert [layer.weight for layer in place.readers] == [f"weight{number + 1}"]
        assert place.rectified is not None and place.rectified.weight == f"weight{number}"


def test_the_blocks_of_a_residual_network_have_their_own_layers():
    places = {place.name: place for place in ResidualMLP(6, 3).places}
    for number, (inner, outer) in enumerate([("2", "3"), ("4", "5"), ("6", "7")], start=1):
        place = places[f"hidden{number}"]
        assert [layer.weight for layer in place.readers] == [f"weight{outer}"]
        assert place.rectified is not None and place.rectified.weight == f"weight{inner}"


@pytest.mark.parametrize("samples", [(), (0,), (3, 0)])
def test_averages_of_no_draws_are_refused(samples):
    with pytest.raises(ValueError, match="each at least 1; got"):
        measures.monte_carlo(samples)


def test_measures_refuse_networks_that_have_no_such_thing(blobs, stack):
    conv = replace(SMALL, network=CNN((2,), (3,), (1, 4, 4)))
    masked = replace(SMALL, network=MLP((4,))).with_noise(weight1=Connect(0.5))
    with pytest.raises(ValueError, match="a first layer that reads the whole image is needed; CNN"):
        inputs.filter_radius(train(blobs, [Replica("conv", 0, conv)]))
    with pytest.raises(ValueError, match="a member is a mask of values; there is noise at weight1"):
        members.one_update(0.05)(train(blobs, [Replica("masked", 0, masked)]))
    for layer in (0, 3, 4):
        with pytest.raises(ValueError, match=f"has no dense layer {layer} with weights to mask"):
            rectified_mean(layer)(stack)
    with pytest.raises(ValueError, match="arm 'dropout' has no DropConnect on the weights of hidden layer 2"):
        rectified_mean(2)(stack)
    with pytest.raises(ValueError, match="features places"):
        measures.reconstruction(stack)


def test_groups_of_two_seeds_have_a_variance_and_single_seeds_have_none():
    predicted = np.array([[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]], [[0.5, 0.5]]])
    np.testing.assert_allclose(measures.training_set_variance(predicted, 2), [1, 0])
    with pytest.raises(ValueError, match="4 seeds do not divide into 4 groups of two or more"):
        measures.training_set_variance(predicted, 4)


def test_regressions_have_no_labels_to_replace():
    recipe = replace(SMALL, network=MLP((4,)), label_noise=0.5)
    with pytest.raises(ValueError, match="label_noise needs classes"):
        train(data.diabetes(), [Replica("a", 0, recipe)])


def test_a_file_that_is_no_idx_is_named(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x0d\x01" + bytes(8))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte is not an IDX file of unsigned bytes"):
        data.full(tmp_path)


def test_runs_name_what_is_wrong_with_them(blobs):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        replicas.run(blobs, {"none": SMALL}, [0], measures.error, workers=0)
    with pytest.raises(ValueError, match=r"wrong has shape \(3,\); expected a first axis of 2 replicas"):
        replicas.run(blobs, {"none": SMALL}, [0, 1], lambda trained: {"wrong": np.zeros(3)}, workers=1)


def test_comparisons_are_at_least_one_and_seeds_at_least_three():
    values = [1.0, 2.0, 4.0]
    assert compare(values, rule=Rule.above(0), unit="", comparisons=1).seeds == 3
    with pytest.raises(ValueError, match="at least 1; got 0"):
        compare(values, rule=Rule.above(0), unit="", comparisons=0)
    with pytest.raises(ValueError, match=r"got \(1, 3\) and \(\)"):
        compare([values], rule=Rule.above(0), unit="")
