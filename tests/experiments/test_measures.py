"""Measures against slow and plain computation, and against cases whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dropout_lab.experiments import measures
from dropout_lab.experiments.draws import NormalDraws, Purpose, stream
from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.measures import activations, curvature
from dropout_lab.experiments.networks import CNN, MLP
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.trained import Trained
from dropout_lab.experiments.training import Recipe, Replica, train

SMALL = Recipe(network=MLP((12, 8)), train_size=40, steps=100, batch_size=10)
DROPPED = SMALL.with_noise(hidden=Bernoulli(0.5))


def a_stack(dataset, *recipes):
    return train(dataset, [Replica(str(number), number, recipe) for number, recipe in enumerate(recipes)])


def parts(trained, row):
    """One replica's test examples and its layers."""
    split, dataset = trained.splits[row], trained.dataset
    inputs, labels = torch.from_numpy(dataset.inputs[split.test]), torch.from_numpy(dataset.labels[split.test])
    return inputs, labels, {name: value[row] for name, value in trained.parameters.items()}


def hidden_layers(one, inputs, kept=None):
    values, found = inputs, []
    for layer in range(1, sum(name.startswith("weight") for name in one)):
        values = (values @ one[f"weight{layer}"] + one[f"bias{layer}"]).relu()
        values = values if kept is None else values * kept[layer - 1]
        found.append(values)
    return found


def logits(one, inputs, kept=None):
    last = sum(name.startswith("weight") for name in one)
    below = hidden_layers(one, inputs, kept)[-1] if last > 1 else inputs
    return below @ one[f"weight{last}"] + one[f"bias{last}"]


@pytest.fixture(scope="module")
def trained(blobs):
    return a_stack(blobs, SMALL, DROPPED, replace(SMALL, label_noise=0.5))


def test_error_and_loss(trained):
    found = measures.error(trained) | measures.nll(trained)
    found |= measures.train_error(trained) | measures.train_nll(trained)
    for row in range(3):
        inputs, labels, one = parts(trained, row)
        wrong = (logits(one, inputs).argmax(1) != labels).double().mean()
        assert found["error"][row] == pytest.approx(100 * wrong.item())
        assert found["nll"][row] == pytest.approx(F.cross_entropy(logits(one, inputs), labels).item(), rel=1e-5)
    assert found["train_error"][0] == 0 < found["error"][0] and found["train_nll"][0] < 0.1 < found["train_nll"][2]


def test_an_output_that_is_not_a_number_is_wrong():
    outputs = torch.tensor([[[torch.nan, 0.0], [1.0, 0.0]]])
    assert measures.outcome.percent_wrong(outputs, torch.tensor([[0, 0]])).tolist() == [50]


def test_sparsity(trained):
    found = measures.sparsity(trained)
    for row in range(3):
        inputs, _, one = parts(trained, row)
        for number, values in enumerate(hidden_layers(one, inputs), 1):
            assert found[f"zeros{number}"][row] == pytest.approx((values == 0).double().mean().item())
            assert found[f"dead{number}"][row] == pytest.approx((values.amax(0) == 0).double().mean().item())
            assert found[f"mean{number}"][row] == pytest.approx(values.double().mean().item(), rel=1e-5)
            size = values.shape[1] ** 0.5
            hoyer = [(size - float(v.sum() / v.norm())) / (size - 1) for v in values if v.any()]
            assert found[f"hoyer{number}"][row] == pytest.approx(np.mean(hoyer), rel=1e-4)


def test_correlation_of_units_that_are_copies_and_of_units_that_are_not():
    """Independent units: the mean |r| of 1000 examples is √(2/π)/√1000 = 0.025."""
    values = torch.tensor(np.random.default_rng(0).normal(size=(1000, 6)))
    apart, copies = activations._alike(values), activations._alike(values[:, :1].expand(-1, 6) + 1e-6 * values)
    assert apart[0] < 0.05 and apart[1] > 0.95 and apart[2] < 0.05
    assert copies[0] == pytest.approx(1, abs=1e-6) and copies[1] == pytest.approx(1 / 6, abs=1e-6)
    # Six copies with the ridge ε: the inverse's diagonal is (1 − 1/(6 + ε))/ε, here 83.4.
    assert copies[2] == pytest.approx(1 - 0.01 / (1 - 1 / 6.01), abs=1e-6)


def test_removing_each_unit_by_hand(trained):
    found = measures.single_removal(trained)
    inputs, labels = trained.sample(500)
    for row in range(3):
        _, _, one = parts(trained, row)
        intact, flips, rises = logits(one, inputs[row]), [], []
        for layer, width in ((0, 12), (1, 8)):
            for unit in range(width):
                kept = [torch.ones(12), torch.ones(8)]
                kept[layer][unit] = 0
                outputs = logits(one, inputs[row], kept)
                flips.append(100 * (outputs.argmax(1) != intact.argmax(1)).double().mean().item())
                rises.append((F.cross_entropy(outputs, labels[row]) - F.cross_entropy(intact, labels[row])).item())
        assert found["worst_flips"][row] == pytest.approx(max(flips))
        assert found["worst_nll"][row] == pytest.approx(max(rises), abs=1e-5)
        assert found["mean_nll"][row] == pytest.approx(np.mean(rises), abs=1e-5)


def test_a_layer_of_copies_does_not_mind_losing_half(trained):
    """Each hidden layer of twelve and of eight equal units: half of them, doubled, do what all did."""
    copies = {name: value.clone() for name, value in trained.parameters.items()}
    for name, axis in (("weight1", 2), ("bias1", 1), ("weight2", 1), ("weight2", 2), ("bias2", 1), ("weight3", 1)):
        copies[name] = copies[name].narrow(axis, 0, 1).expand_as(copies[name]).contiguous()
    alike = Trained(trained.dataset, trained.replicas, copies)
    np.testing.assert_allclose(measures.half_removed(alike)["half_removed_error"], measures.error(alike)["error"])
    assert (measures.half_removed(trained)["half_removed_error"] > measures.error(trained)["error"] + 5).any()


def test_disturbances_of_size_zero_do_nothing(trained):
    none = measures.disturbed(0.0)(trained)["disturbed_error"]
    np.testing.assert_allclose(none, measures.error(trained)["error"])
    assert (measures.disturbed(3.0)(trained)["disturbed_error"] > none + 5).all()


def test_weight_noise_does_not_see_how_layers_are_scaled(trained):
    scaled = {name: value.clone() for name, value in trained.parameters.items()}
    for name, factor in (("weight1", 4.0), ("bias1", 4.0), ("weight2", 0.25)):
        scaled[name] *= factor
    other = Trained(trained.dataset, trained.replicas, scaled)
    one, two = measures.weight_noise()(trained), measures.weight_noise()(other)
    np.testing.assert_allclose(one["sharpness"], two["sharpness"], rtol=1e-4)
    np.testing.assert_allclose(one["noisy_weights_error"], two["noisy_weights_error"], atol=0.3)
    assert (one["sharpness"] > 0.001).all()
    np.testing.assert_allclose(measures.weight_noise(0.0)(trained)["sharpness"], 0, atol=1e-7)


def test_weight_noise_is_in_proportion_to_each_units_own_weights(trained):
    normal = NormalDraws(trained.streams(0))
    for name in ("weight1", "weight2"):
        value = trained.parameters[name]
        (layer,) = (one for one in trained.network.layers if one.weight == name)
        moved = curvature._moved(value, layer, 0.3, normal)
        torch.testing.assert_close((moved - value).norm(dim=1), 0.3 * value.norm(dim=1))


def test_half_of_all_draws_of_a_sign_are_negative():
    class EveryLevel:
        def draw(self, shape):
            return np.arange(-(2**15), 2**15, dtype=np.int16).reshape(1, *shape)

    signs = curvature._signs(EveryLevel(), torch.empty(1, 256, 256))
    assert signs.sum() == 0 and set(signs.unique().tolist()) == {-1, 1}


def test_the_trace_of_the_hessian(blobs):
    """2000 probes against the exact trace; 5 standard errors, √(2 Σ_{i≠j} H²_ij / probes)."""
    trained = a_stack(blobs, replace(SMALL, network=MLP(())), replace(SMALL, network=MLP(()), learning_rate=0.01))
    found = measures.hessian_trace(2000)(trained)["hessian_trace"]
    inputs, labels = trained.sample(1000, "train")
    for row in range(2):
        one = {name: value[row] for name, value in trained.parameters.items()}
        start = torch.cat([one["weight1"].flatten(), one["bias1"]])

        def loss(flat, row=row):
            return F.cross_entropy(inputs[row] @ flat[:64].view(16, 4) + flat[64:], labels[row])

        hessian = torch.autograd.functional.hessian(loss, start)
        off = hessian - hessian.diagonal().diag()
        assert abs(found[row] - hessian.trace()) < 5 * (2 * off.square().sum() / 2000).sqrt()


def test_weight_scaling_is_the_geometric_mean_for_one_layer_before_the_softmax_only(blobs):
    """What the draws add to the distance gets less with their number for one layer, and leaves a rest for two."""
    one_layer = replace(SMALL, network=MLP((6,))).with_noise(hidden=Bernoulli(0.7))
    two_layers = replace(SMALL, network=MLP((6, 6))).with_noise(hidden=Bernoulli(0.7))
    shallow, deep = (measures.monte_carlo((50, 800))(a_stack(blobs, recipe)) for recipe in (one_layer, two_layers))
    few, many = shallow["to_geometric"][0]
    assert many < 0.4 * few and many < 0.1 * shallow["to_arithmetic"][0, 1]
    assert deep["to_geometric"][0, 1] > 2 * many
    assert shallow["between"][0, 1] == pytest.approx(shallow["to_arithmetic"][0, 1], rel=0.1)


def test_monte_carlo_averages(trained):
    """The replicas without noise give the plain prediction; with noise, the means of draws made by hand."""
    found = measures.monte_carlo((1, 4))(trained)
    plain = measures.error(trained)["error"]
    np.testing.assert_allclose(found["mc_error"][[0, 2]], plain[[0, 2], None].repeat(2, 1))
    assert found["to_geometric"][0, 1] < 1e-6 < found["to_geometric"][1, 1]
    # The two means of a single draw are that draw.
    np.testing.assert_allclose(found["between"][:, 0], 0, atol=1e-12)
    at = trained.noisy()
    draws = [trained.outputs(at=at)[1].double().softmax(-1) for _ in range(4)]
    labels = trained.labels()[1]
    wrong = 100 * (sum(draws).argmax(-1) != labels).double().mean().item()
    assert found["mc_error"][1, 1] == pytest.approx(wrong)
    assert found["mc_nll"][1, 0] == pytest.approx(F.nll_loss(draws[0].log(), labels).item(), rel=1e-5)
    left_on = measures.mask_left_on(trained)
    assert left_on["error_with_mask"][1] == pytest.approx(found["mc_error"][1, 0])
    assert left_on["error_with_mask"][0] == pytest.approx(plain[0])


def test_the_variance_between_training_sets():
    predicted = np.random.default_rng(0).random((6, 5, 3))
    by_hand = [predicted[start : start + 3].var(0, ddof=1).sum(1).mean() for start in (0, 3)]
    np.testing.assert_allclose(measures.training_set_variance(predicted, 2), by_hand)
    of_members = measures.training_set_variance(np.stack([predicted, 2 * predicted], 1), 2)
    np.testing.assert_allclose(of_members, np.stack([by_hand, 4 * np.array(by_hand)], 1))
    with pytest.raises(ValueError, match="6 seeds do not divide into 4 groups"):
        measures.training_set_variance(predicted, 4)


def test_what_normalization_meets_over_what_it_remembers(blobs):
    trained = a_stack(blobs, replace(SMALL, network=MLP((6, 5), batch_norm=True)))
    sums = activations.recorded(trained, "sum")
    trained.parameters["running_variance2"].copy_(sums[trained.network.place("sum2")].var(1) / 0.25)
    np.testing.assert_allclose(measures.variance_shift(trained)["variance_ratio2"], 0.25, rtol=1e-4)


def test_neighbors_tell_a_ramp_and_not_noise():
    """White noise, 20 000 pixels on five regressors: R² of about 2.5e-4."""
    random = np.random.default_rng(0)
    ramp = np.arange(6.0) * np.ones((6, 1)) * random.random((200, 1, 1, 1))
    noise = random.normal(size=(1250, 1, 6, 6))
    assert activations._neighbors_tell(ramp) == pytest.approx(1)
    assert activations._neighbors_tell(noise) < 2e-3


@pytest.mark.parametrize(("image", "found"), [((4, 4), []), ((4, 12), []), ((6, 8), [1]), ((12, 12), [1, 2])])
def test_reconstruction_takes_the_maps_that_have_inner_pixels(blobs, image, found):
    """Pooling halves the sides: 2×2 and 2×6 pixels have no inner ones, 3×4 and 3×3 have."""
    features = image[0] * image[1]
    wide = replace(blobs, inputs=np.tile(blobs.inputs, features // 16), shape=(1, *image))
    trained = a_stack(wide, replace(SMALL, network=CNN((3, 4), (6,), (1, *image)), steps=5))
    if not found:
        with pytest.raises(ValueError, match="no feature map of CNN"):
            measures.reconstruction(trained)
        return
    shares = measures.reconstruction(trained)
    assert list(shares) == [f"r2_features{number}" for number in found]
    assert all(0 <= share[0] <= 1 for share in shares.values())


def test_learned_rates_start_where_they_should(blobs):
    still = replace(SMALL, steps=1, learning_rate=0.0)
    gaussian = measures.learned_keep_probs(a_stack(blobs, still.with_noise(weight1=LearnedGaussian(0.8, "weight"))))
    concrete = measures.learned_keep_probs(a_stack(blobs, still.with_noise(input=Concrete(0.9))))
    assert gaussian["keep_weight1"][0] == pytest.approx(0.8) and concrete["keep_input"][0] == pytest.approx(0.9)


def test_at_equal_loss_no_decision_and_no_rescaling_of_the_outputs_counts(trained):
    """Outputs that are three times as large are another network with the same flatness, once losses are equal."""
    surer = {name: value.clone() for name, value in trained.parameters.items()}
    for name in ("weight3", "bias3"):
        surer[name] *= 3
    other = Trained(trained.dataset, trained.replicas, surer)
    raw = measures.hessian_trace(5)
    assert (abs(raw(other)["hessian_trace"] / raw(trained)["hessian_trace"] - 1) > 0.03).all()
    equal = measures.at_equal_loss(1.0, raw, measures.weight_noise(), measures.train_nll, measures.error)
    one, two = equal(trained), equal(other)
    np.testing.assert_allclose(one["output_scale"], 3 * two["output_scale"], rtol=1e-5)
    for name in ("hessian_trace", "sharpness"):
        np.testing.assert_allclose(one[name], two[name], rtol=1e-3)
    np.testing.assert_allclose(one["train_nll"], 1.0, rtol=1e-5)
    np.testing.assert_allclose(one["error"], measures.error(trained)["error"])


@pytest.mark.parametrize("loss", [1e-12, 10.0])
def test_a_loss_that_no_factor_reaches_is_refused(trained, loss):
    with pytest.raises(ValueError, match="every training loss"):
        measures.at_equal_loss(loss)(trained)


def test_a_network_that_was_not_trained_has_not_travelled(trained):
    start = [trained.network.initial(trained.dataset, stream(one.seed, Purpose.WEIGHTS)) for one in trained.replicas]
    stacked = {name: torch.from_numpy(np.stack([one[name] for one in start])) for name in start[0]}
    still = Trained(trained.dataset, trained.replicas, stacked)
    np.testing.assert_allclose(measures.travelled(still)["travelled"], 0, atol=1e-7)
    doubled = Trained(trained.dataset, trained.replicas, {name: 2 * value for name, value in stacked.items()})
    np.testing.assert_allclose(measures.travelled(doubled)["travelled"], 1, rtol=1e-6)
    assert (measures.travelled(trained)["travelled"] > 0.01).all()
