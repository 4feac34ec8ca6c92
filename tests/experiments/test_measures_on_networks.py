"""Every measure with every network: it is right, by an independent plain form, or it raises ValueError and says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plain_measures
import pytest
from plain_measures import SEEDS, Plain

from dropout_lab.experiments import data, measures
from dropout_lab.experiments.measures import inputs as of_inputs
from dropout_lab.experiments.measures import members, readout
from dropout_lab.experiments.networks import CNN, GRU, MLP, ResidualMLP
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import Bernoulli, Variational
from dropout_lab.experiments.training import train

SMALL = Recipe(train_size=40, steps=25, batch_size=10)
HALF = Bernoulli(0.5)
PLANS = {
    "mlp": replace(SMALL, network=MLP((7, 5))).with_noise(hidden=HALF),
    "norm": replace(SMALL, network=MLP((6, 5), batch_norm=True)).with_noise(hidden=HALF),
    "residual": replace(SMALL, network=ResidualMLP(5, 2)).with_noise(hidden=HALF),
    "gru": replace(SMALL, network=GRU(6, 4)).with_noise(input=Variational(0.8), state=Variational(0.7), output=HALF),
    "cnn": replace(SMALL, network=CNN((3, 4), (6,), (1, 8, 8))).with_noise(hidden=HALF),
    "one": replace(SMALL, network=MLP((9,))).with_noise(hidden=HALF),
    "none": replace(SMALL, network=MLP(())).with_noise(input=Bernoulli(0.8)),
}


@pytest.fixture(scope="module")
def stacks(blobs):
    """Blobs as images of 8×8, since the convolutional network needs some."""
    wide = replace(blobs, inputs=np.tile(blobs.inputs, 4), shape=(1, 8, 8))
    return {name: train(wide, [Replica(name, seed, plan) for seed in SEEDS]) for name, plan in PLANS.items()}


def all_outcomes(trained):
    return measures.error(trained) | measures.nll(trained) | measures.train_error(trained) | measures.train_nll(trained)


EVERY, HIDDEN = set(PLANS), {"mlp", "norm", "residual", "cnn", "one"}
#: The measure, its plain form, and the networks for which it has a meaning.
MEASURES = {
    "outcome": (all_outcomes, plain_measures.outcome, EVERY),
    "sparsity": (measures.sparsity, plain_measures.sparsity, HIDDEN),
    "lengths": (measures.lengths, plain_measures.lengths, HIDDEN),
    "correlation": (measures.correlation, plain_measures.correlation, HIDDEN),
    "variance_shift": (measures.variance_shift, plain_measures.variance_shift, EVERY),
    "reconstruction": (measures.reconstruction, plain_measures.reconstruction, {"cnn"}),
    "mask_left_on": (measures.mask_left_on, plain_measures.mask_left_on, EVERY),
    "monte_carlo": (measures.monte_carlo((1, 3)), plain_measures.monte_carlo, EVERY),
    "probabilities": (measures.probabilities, plain_measures.probabilities, EVERY),
    "weight_noise": (measures.weight_noise(0.3, 2), plain_measures.weight_noise, EVERY),
    "hessian_trace": (measures.hessian_trace(3), plain_measures.hessian_trace, EVERY),
    # A convolutional network of this stack is dead: its outputs do not depend on the image.
    "at_equal_loss": (
        measures.at_equal_loss(1.35, measures.train_nll),
        plain_measures.at_equal_loss,
        EVERY - {"cnn"},
    ),
    "travelled": (measures.travelled, plain_measures.travelled, EVERY),
    "single_removal": (measures.single_removal, plain_measures.single_removal, HIDDEN),
    "half_removed": (measures.half_removed, plain_measures.half_removed, HIDDEN),
    "most_active_removed": (measures.most_active_removed, plain_measures.most_active_removed, HIDDEN),
    "parts_alone": (measures.parts_alone(3), plain_measures.parts_alone, HIDDEN - {"residual"}),
    "disturbed": (measures.disturbed(1.0, 2), plain_measures.disturbed, HIDDEN),
    "unit_information": (readout.unit_information, plain_measures.unit_information, HIDDEN),
    "decision_units": (readout.decision_units, plain_measures.decision_units, EVERY - {"none"}),
    "decision_units_among": (
        readout.decision_units_among(2),
        plain_measures.decision_units_among,
        EVERY - {"none"},
    ),
    "few_units": (readout.few_units((4,), 3), plain_measures.few_units, EVERY - {"none"}),
    "filter_radius": (
        of_inputs.filter_radius,
        plain_measures.filter_radius,
        {"mlp", "norm", "residual", "one", "none"},
    ),
    "filters": (of_inputs.filters(2), plain_measures.filters, {"mlp", "norm", "residual", "one", "none"}),
    "predictions": (members.predictions(4), plain_measures.predictions, EVERY),
    "one_update": (members.one_update(0.05, 10, 4, 1), plain_measures.one_update, EVERY),
}


@pytest.mark.parametrize("network", PLANS)
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_right_or_says_why_not(stacks, name, network):
    measure, plainly, meaningful = MEASURES[name]
    trained = stacks[network]
    if network not in meaningful:
        with pytest.raises(ValueError, match=r"none|reads the inputs|every training loss"):
            measure(trained)
        return
    found = measure(trained)
    for row in range(len(SEEDS)):
        expected = plainly(Plain(trained, row))
        assert set(found) == set(expected)
        for quantity, value in expected.items():
            # One test example of 360 may fall on the other side of a tie by rounding.
            percent = quantity in ("error", "mc_error") or quantity.endswith(
                ("error", "flips", "class", "error_with_mask")
            )
            tolerance = {"rtol": 0, "atol": 0.3} if percent else {"rtol": 2e-3, "atol": 2e-5}
            np.testing.assert_allclose(found[quantity][row], value, **tolerance, err_msg=quantity)


def test_every_measure_is_in_the_table():
    """A new measure has to say for which networks it has a meaning."""
    functions = {
        getattr(module, name)
        for module in (measures, readout, of_inputs)
        for name in vars(module)
        if callable(getattr(module, name))
        and not name.startswith("_")
        and getattr(module, name).__module__.startswith("dropout_lab.experiments.measures")
    }
    names = {function.__name__ for function in functions}
    elsewhere = {"error", "nll", "train_error", "train_nll", "learned_keep_probs", "training_set_variance", "recorded"}
    helpers = {"percent_wrong", "need_classes"}
    assert names - helpers == (set(MEASURES) - {"outcome", "one_update", "predictions"}) | elsewhere


@pytest.mark.parametrize(
    "name",
    [name for name in MEASURES if name not in ("variance_shift", "sparsity", "lengths", "correlation", "travelled")],
)
def test_a_measure_of_classes_refuses_a_regression(name):
    plan = replace(SMALL, network=MLP((5,)), learning_rate=0.01).with_noise(hidden=HALF)
    trained = train(data.diabetes(), [Replica("a", 0, plan)])
    if name in ("hessian_trace", "one_update"):
        assert all(np.isfinite(values).all() for values in MEASURES[name][0](trained).values())
        return
    with pytest.raises(ValueError, match=r"regression|images|features places"):
        MEASURES[name][0](trained)
