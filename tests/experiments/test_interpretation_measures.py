"""Measures of the chapters on the ensemble and on co-adaptation, on networks made by hand."""

from __future__ import annotations

from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
import torch

from dropout_lab.experiments import measures
from dropout_lab.experiments.data import Dataset, hold_out
from dropout_lab.experiments.measures import inputs, members, readout
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.recipes import MNIST
from dropout_lab.experiments.recipes import interpretations as recipes
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.trained import Trained, mean_loss
from dropout_lab.experiments.training import train

SMALL = Recipe(network=MLP((12, 8)), train_size=40, steps=60, batch_size=10)


def by_hand(dataset: Dataset, **parameters: list) -> Trained:
    """A network of one hidden layer with the parameters given, for one seed."""
    tensors = {name: torch.tensor(value, dtype=torch.float32).unsqueeze(0) for name, value in parameters.items()}
    width = tensors["weight1"].shape[-1]
    recipe = Recipe(network=MLP((width,)), train_size=20, batch_size=10)
    return Trained(dataset, [Replica("by hand", 0, recipe)], tensors)


@pytest.fixture(scope="module")
def two_classes() -> Dataset:
    """Input 0 is the class, input 1 is drawn apart from it, input 2 is always 1."""
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1], 50)
    inputs = np.stack([labels, random.permutation(labels), np.ones(100)], 1).astype(np.float32)
    return Dataset("two classes", inputs, labels, 2, (3,))


@pytest.fixture(scope="module")
def stack(blobs) -> Trained:
    arms = {"none": SMALL, "dropout": SMALL.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))}
    return train(blobs, [Replica(arm, seed, recipe) for arm, recipe in arms.items() for seed in (0, 3)])


def test_unit_information_is_one_for_the_class_and_nearly_none_for_noise(two_classes):
    """Unit 0 shows the class, unit 1 the noise, unit 2 never changes and is left out."""
    trained = by_hand(two_classes, weight1=np.eye(3).tolist(), bias1=[0] * 3, weight2=[[0, 0]] * 3, bias2=[0, 0])
    inputs, labels = (part[0].double().numpy() for part in trained.sample(1000))
    noise = [inputs[labels == label, 1] for label in (0, 1)]
    between = sum(len(part) * (part.mean() - inputs[:, 1].mean()) ** 2 for part in noise)
    expected = (1 + between / (len(labels) * inputs[:, 1].var())) / 2
    assert readout.unit_information(trained)["unit_information1"] == pytest.approx([expected], rel=1e-9)


@pytest.mark.parametrize(("lead", "units"), [([1, 0, 0, 0], 1), ([1, 1, 1, 1], 4), ([3, 1, 0, 0], 16 / 10)])
def test_decision_units_count_the_units_behind_a_decision(two_classes, lead, units):
    """Four units that are always 1: class 1 leads class 0 by what each adds."""
    trained = by_hand(
        two_classes,
        weight1=np.zeros((3, 4)).tolist(),
        bias1=[1] * 4,
        weight2=[[0.0, float(value)] for value in lead],
        bias2=[0, 0],
    )
    assert readout.decision_units(trained)["decision_units"] == pytest.approx([units])


def test_decision_units_among_do_not_mind_how_many_units_are_silent(two_classes):
    """Eight equal units, of which four are silent: eight and four decide, three among three."""
    ends = {"weight1": np.zeros((3, 8)).tolist(), "weight2": [[0.0, 1.0]] * 8, "bias2": [0, 0]}
    for bias1, active in (([1] * 8, 8), ([1, 0] * 4, 4)):
        trained = by_hand(two_classes, bias1=bias1, **ends)
        assert readout.decision_units(trained)["decision_units"] == pytest.approx([active])
        found = readout.decision_units_among(3)(trained)
        assert found["decision_units_among"] == pytest.approx([3])
        assert found["active_units"] == pytest.approx([active])
    with pytest.raises(ValueError, match=r"count must lie in 1 … 8"):
        readout.decision_units_among(9)(trained)


def test_a_part_alone_is_lost_where_it_needs_its_partner(two_classes):
    """Class 1 wins by one for input 0 and loses by half without it: units 0 and 2 see it, or unit 0 alone does."""
    ends = {"bias1": [0] * 4, "weight2": [[0, 1]] * 4, "bias2": [0.5, 0]}
    copies, lonely = np.zeros((3, 4)), np.zeros((3, 4))
    copies[0, [0, 2]], lonely[0, 0] = 1, 1
    found = measures.parts_alone(2)(by_hand(two_classes, weight1=copies.tolist(), **ends))
    assert found["part_error"].tolist() == found["part_train_error"].tolist() == [0]
    found = measures.parts_alone(2)(by_hand(two_classes, weight1=lonely.tolist(), **ends))
    # The half without the unit calls everything class 0, and is wrong for half of the examples.
    assert found["part_error"] == pytest.approx([25], abs=1)
    with pytest.raises(ValueError, match=r"parts must lie in 1 … 4"):
        measures.parts_alone(5)(by_hand(two_classes, weight1=lonely.tolist(), **ends))


def test_the_most_active_units_go_and_the_others_are_left_as_they_are(two_classes):
    """The busier unit always fires, the other tells the class; then the other way round."""
    ends = {"bias1": [0, 0], "bias2": [0.5, 0]}
    class_is_left = by_hand(two_classes, weight1=[[0, 1], [0, 0], [5, 0]], weight2=[[0, 9], [0, 1]], **ends)
    assert measures.most_active_removed(class_is_left)["most_active_removed_error"].tolist() == [0]
    class_goes = by_hand(two_classes, weight1=[[0, 9], [0, 0], [1, 0]], weight2=[[0, 0], [0, 1]], **ends)
    assert measures.most_active_removed(class_goes)["most_active_removed_error"] == pytest.approx([50], abs=2)


def test_a_read_out_of_few_units_finds_the_class_where_every_unit_has_it(two_classes):
    """Six copies of the class: one unit is as good as all. One unit with it among six: one unit mostly misses it."""
    copies, single = np.zeros((3, 6)), np.zeros((3, 6))
    copies[0], single[0, 0] = 1, 1
    ends = {"bias1": [0] * 6, "weight2": [[0, 0]] * 6, "bias2": [0, 0]}
    measure = readout.few_units((1, 6), draws=12)
    redundant = measure(by_hand(two_classes, weight1=copies.tolist(), **ends))["readout_error"]
    alone = measure(by_hand(two_classes, weight1=single.tolist(), **ends))["readout_error"]
    np.testing.assert_array_equal(redundant, [[0, 0]])
    # All twelve choices would have to find the one unit for this to fail: 6⁻¹².
    assert alone[0, 0] > 0 and alone[0, 1] == 0


def test_a_member_is_one_mask_for_all_examples_and_all_passes(stack):
    member = members.Member(stack.noisy(7))
    first = member.factor(stack.network.place("hidden1"), (5, 12))
    assert first.shape == (4, 1, 12)
    assert member.factor(stack.network.place("hidden1"), (9, 12)) is first
    # The first two replicas have no dropout; the others keep about half, doubled.
    assert (first[:2] == 1).all()
    assert set(first[2:].unique().tolist()) == {0.0, 2.0}


def test_members_are_the_same_for_all_seeds_and_one_mask_each(stack):
    """Whoever else is in the stack; without dropout each of them is the network itself."""
    found = members.predictions(3)(stack)["members"]
    probabilities = stack.outputs().softmax(-1)
    np.testing.assert_allclose(found[:2], probabilities[:2, None].expand(-1, 3, -1, -1), atol=1e-6)
    alone = Trained(stack.dataset, stack.replicas[3:], {name: value[3:] for name, value in stack.parameters.items()})
    np.testing.assert_allclose(members.predictions(3)(alone)["members"], found[3:], atol=1e-6)
    # One network under the names of two seeds, on images that all seeds share.
    twice = {name: value[3:].repeat(2, *[1] * (value.dim() - 1)) for name, value in stack.parameters.items()}
    held = hold_out(stack.dataset, 60)
    one, other = members.predictions(3)(Trained(held, stack.replicas[2:], twice))["members"]
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert not np.allclose(one[0], one[1], atol=0.01)


def test_members_are_at_least_one(stack):
    with pytest.raises(ValueError, match="at least 1; got 0"):
        members.predictions(0)


def test_one_update_against_networks_changed_by_hand(stack):
    """The step and the comparison written out for one replica: weights moved along its own gradient alone, twice."""
    rate, row, updates, others = 0.05, 3, 2, 6
    found = members.one_update(rate, batch=10, others=others, updates=updates)(stack)
    inputs, labels = (part[row : row + 1] for part in stack.sample(10, "train"))

    def mask(key):
        member = members.Member(stack.noisy(key))
        widths = (("input", 16), ("hidden1", 12), ("hidden2", 8))
        factors = {place: member.factor(stack.network.place(place), (1, width)) for place, width in widths}
        return {place: factor[row] for place, factor in factors.items()}

    def loss(weights, kept):
        values = inputs[0] * kept["input"]
        for layer in (1, 2):
            values = (values @ weights[f"weight{layer}"] + weights[f"bias{layer}"]).relu() * kept[f"hidden{layer}"]
        outputs = values @ weights["weight3"] + weights["bias3"]
        return mean_loss(stack.dataset, outputs.unsqueeze(0), labels)[0]

    better = []
    for first in (1000, 1000 + others + 1):
        weights = {name: value[row].clone().requires_grad_() for name, value in stack.parameters.items()}
        loss(weights, mask(first)).backward()
        moved = {name: (value - rate * value.grad).detach() for name, value in weights.items()}
        masks = [mask(first + 1 + other) for other in range(others)]
        better.append(np.mean([bool(loss(moved, kept) < loss(weights, kept)) for kept in masks]))
    assert found["others_improved"][row] == pytest.approx(100 * np.mean(better))
    assert found["trained_improved"][row] == 100
    # Without dropout there is one member, and it is the one that was trained.
    assert found["others_improved"][:2].tolist() == [100, 100]


def test_the_steps_of_one_update_are_averaged(stack):
    """A small step improves the loss of the member that it was computed for, in every one of three updates: 100 %."""
    found = members.one_update(1e-4, batch=40, others=2, updates=3)(stack)
    assert found["trained_improved"].tolist() == [100, 100, 100, 100]
    assert all(0 <= share <= 100 for values in found.values() for share in values)


def test_a_step_uphill_improves_no_trained_member(stack):
    """With the sign of the step turned, the measure has to say so."""
    found = members.one_update(-0.01, batch=40, others=2, updates=2)(stack)
    assert found["trained_improved"].tolist() == [0, 0, 0, 0]


def test_the_radius_of_a_unit_that_looks_at_one_pixel_or_at_two(blobs):
    """Images of 4×4: one pixel has the radius 0, two opposite corners of equal share half the diagonal, 3/√2."""
    weights = np.zeros((16, 2))
    recipe = Recipe(network=MLP((2,)), train_size=20, batch_size=10)
    trained = Trained(blobs, [Replica("by hand", 0, recipe)], {"weight1": torch.zeros(1, 16, 2)})
    deviation = trained.sample(1000)[0][0].double().std(0).numpy()
    weights[5, 0] = 1
    weights[[0, 15], 1] = 1 / deviation[[0, 15]]
    trained.parameters["weight1"] = torch.tensor(weights).unsqueeze(0)
    assert inputs.filter_radius(trained)["filter_radius"] == pytest.approx([3 / 2**0.5 / 2], rel=1e-6)


def test_the_radius_needs_images(two_classes):
    with pytest.raises(ValueError, match="images of shape"):
        inputs.filter_radius(by_hand(two_classes, weight1=[[1], [1], [1]], bias1=[0], weight2=[[1, 1]], bias2=[0, 0]))


def test_the_radius_needs_images_of_one_channel(blobs):
    colored = replace(blobs, inputs=np.repeat(blobs.inputs, 3, 1), shape=(3, 4, 4))
    recipe = Recipe(network=MLP((2,)), train_size=20, batch_size=10)
    trained = Trained(colored, [Replica("by hand", 0, recipe)], {"weight1": torch.ones(1, 48, 2)})
    with pytest.raises(ValueError, match=r"images of shape \(1, height, width\) are needed, got \(3, 4, 4\)"):
        inputs.filter_radius(trained)


@pytest.mark.parametrize("count", [0, 9])
def test_no_more_filters_than_units(blobs, count):
    recipe = Recipe(network=MLP((8,)), train_size=20, batch_size=10)
    trained = Trained(blobs, [Replica("by hand", 0, recipe)], {"weight1": torch.ones(1, 16, 8)})
    assert inputs.filters(8)(trained)["filters"].shape == (1, 8, 4, 4)
    with pytest.raises(ValueError, match=f"1 … 8, the width of the first layer, got {count}"):
        inputs.filters(count)(trained)


@pytest.mark.parametrize(
    "measure",
    [
        readout.unit_information,
        readout.decision_units,
        readout.decision_units_among(3),
        readout.few_units((4, 8), draws=2),
        measures.parts_alone(4),
        measures.most_active_removed,
        members.one_update(0.05, batch=10, others=2, updates=1),
        inputs.filter_radius,
        inputs.filters(2),
    ],
)
def test_measures_travel_to_workers_and_give_numbers_of_each_replica(stack, measure):
    """By cloudpickle, as joblib sends them; the same measure of the same stack gives the same numbers."""
    there = cloudpickle.loads(cloudpickle.dumps(measure))
    for name, values in measure(stack).items():
        assert values.shape[0] == len(stack) and np.isfinite(values).all()
        np.testing.assert_array_equal(there(stack)[name], values)


@pytest.mark.parametrize(
    "arms",
    [
        recipes.random_labels,
        recipes.memorizing,
        recipes.few_examples,
        recipes.few_examples_with_dropout,
        recipes.deep_ensemble,
        recipes.stages,
        recipes.representation,
        recipes.plain_and_dropout,
        recipes.training_sets,
        recipes.in_parts,
        recipes.tuned_sweep,
    ],
)
def test_the_arms_of_an_experiment_follow_its_base(arms):
    """A larger base gives the same arms at another scale, and no two arms are alike."""
    usual, longer = arms(), arms(replace(MNIST, batch_size=25))
    assert list(usual) == list(longer) and len(usual) > 1
    assert all(recipe.batch_size == 25 for recipe in longer.values())
    plans = list(usual.values())
    assert all(plans[one] != plans[other] for one in range(len(plans)) for other in range(one))
