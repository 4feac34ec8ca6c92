"""Stacks against networks trained one by one, in plain torch, with the same draws."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dropout_lab.experiments import data, measures, replicas
from dropout_lab.experiments.draws import Purpose, stream
from dropout_lab.experiments.examples import Examples
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.stack_noise import Bernoulli, Gaussian
from dropout_lab.experiments.training import Recipe, Replica, train

SMALL = Recipe(network=MLP((12, 8)), train_size=40, steps=60, batch_size=10)


def keep_masks(seed, place, keep_prob):
    """Masks as the streams define them: 16 bits an element, kept where they lie below p · 65536."""
    source = stream(seed, Purpose.NOISE, place)

    def draw(shape):
        words = source.integers(0, 2**64 - 1, -(-int(np.prod(shape)) // 4), np.uint64, endpoint=True)
        levels = words.view(np.int16)[: int(np.prod(shape))].reshape(shape).astype(np.int64) + 32768
        return torch.from_numpy((levels < round(keep_prob * 65536)).astype(np.float32))

    return draw


def one_by_one(dataset, seed, recipe):
    """One network, trained by torch's own modules and optimizer."""
    chosen = data.split(dataset, recipe.train_size, seed).train
    inputs, labels = torch.from_numpy(dataset.inputs[chosen]), torch.from_numpy(dataset.labels[chosen])
    if recipe.label_noise:
        random = stream(seed, Purpose.LABELS)
        order, drawn = random.permutation(len(labels)), random.integers(0, dataset.classes, len(labels))
        wrong = order[: round(recipe.label_noise * len(labels))]
        labels[wrong] = torch.from_numpy(drawn[wrong])
    initial = recipe.network.initial(dataset, stream(seed, Purpose.WEIGHTS))
    layers = []
    for number in range(1, len(recipe.network.hidden) + 2):
        layer = torch.nn.Linear(*initial[f"weight{number}"].shape)
        layer.load_state_dict(
            {
                "weight": torch.from_numpy(initial[f"weight{number}"].T.copy()),
                "bias": torch.from_numpy(initial[f"bias{number}"]),
            }
        )
        layers.append(layer)
    decayed, plain = [layer.weight for layer in layers], [layer.bias for layer in layers]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain}]
    optimizer = torch.optim.SGD(groups, recipe.learning_rate, recipe.momentum)
    noise = recipe.noise_by_place()
    draws = {
        place: keep_masks(seed, number, noise[place].keep_prob)
        for number, place in enumerate(place.name for place in recipe.network.places)
        if place in noise
    }
    order, waiting = stream(seed, Purpose.ORDER), []
    for step in range(recipe.steps):
        if len(waiting) < recipe.batch_size:
            waiting = [*waiting, *order.permutation(recipe.train_size)]
        batch, waiting = waiting[: recipe.batch_size], waiting[recipe.batch_size :]

        def dropped(place, values):
            return values * draws[place](values.shape) / noise[place].keep_prob if place in draws else values

        values = dropped("input", inputs[batch])
        for number, layer in enumerate(layers[:-1], 1):
            values = dropped(f"hidden{number}", layer(values).relu())
        loss = F.cross_entropy(layers[-1](values), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (1 - step / recipe.steps if recipe.schedule == "linear" else 1)
        optimizer.step()
        if np.isfinite(recipe.max_norm):
            with torch.no_grad():
                for layer in layers:
                    layer.weight.copy_(layer.weight.renorm(2, 0, recipe.max_norm))
    return layers


ARMS = {
    "none": SMALL,
    "input": SMALL.with_noise(input=Bernoulli(0.8)),
    "both": replace(SMALL.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5)), learning_rate=0.1, momentum=0.5),
    "second layer": SMALL.with_noise(hidden2=Bernoulli(0.3)),
    "decay": replace(SMALL.with_noise(hidden=Bernoulli(0.7)), weight_decay=0.01),
    "max-norm": replace(SMALL, max_norm=1.0),
    "noisy labels": replace(SMALL, label_noise=0.5),
}


WIDE = replace(ARMS["both"], network=MLP((20, 8)))


def test_a_stack_equals_the_networks_trained_one_by_one(blobs):
    """Every arm in one stack, against torch.nn.Linear and torch.optim.SGD: the same weights to rounding."""
    (stack,) = replicas.stacks(ARMS, [0, 5])
    assert len(stack) == 14
    trained = train(blobs, stack)
    for row, replica in enumerate(stack):
        layers = one_by_one(blobs, replica.seed, replica.recipe)
        for number, layer in enumerate(layers, 1):
            for name, expected in (("weight", layer.weight.T), ("bias", layer.bias)):
                found = trained.parameters[f"{name}{number}"][row]
                torch.testing.assert_close(found, expected.detach(), rtol=0, atol=2e-5, msg=f"{replica.arm} {name}")


def test_arms_differ(blobs):
    """Were the arms alike, the test above could not tell whether settings are mixed up."""
    (stack,) = replicas.stacks(ARMS, [0])
    weights = train(blobs, stack).parameters["weight2"]
    for one in range(len(stack)):
        for other in range(one):
            assert (weights[one] - weights[other]).abs().max() > 1e-3


def test_no_replica_sees_its_neighbours(blobs):
    """A replica alone and in company: the same weights to rounding, for each arm."""
    (stack,) = replicas.stacks(ARMS, [0, 5])
    together = train(blobs, stack)
    for row, replica in enumerate(stack):
        alone = train(blobs, [replica])
        for name, values in together.parameters.items():
            torch.testing.assert_close(values[row], alone.parameters[name][0], rtol=0, atol=2e-5)


def test_a_seed_pairs_the_arms(blobs):
    stack = [Replica(arm, 3, replace(ARMS[arm], steps=1, learning_rate=0.0)) for arm in ("none", "both")]
    trained = train(blobs, stack)
    assert all(torch.equal(values[0], values[1]) for values in trained.parameters.values())
    np.testing.assert_array_equal(trained.splits[0].train, trained.splits[1].train)
    batches = [inputs for inputs, _ in Examples(blobs, trained.replicas, "cpu").drawn(10, 12)]
    assert all(torch.equal(batch[0], batch[1]) for batch in batches)


def test_each_epoch_shows_each_example_once(blobs):
    trained = train(blobs, [Replica("none", 0, replace(SMALL, steps=1))])
    seen = torch.cat([inputs[0] for inputs, _ in Examples(blobs, trained.replicas, "cpu").drawn(10, 8)])
    for epoch in (seen[:40], seen[40:]):
        assert len(torch.unique(epoch, dim=0)) == 40
    assert not torch.equal(seen[:40], seen[40:])


def test_more_label_noise_keeps_the_wrong_labels_wrong(blobs):
    stack = [Replica(str(noise), 0, replace(SMALL, steps=1, label_noise=noise)) for noise in (0.0, 0.3, 0.6)]
    clean, some, more = train(blobs, stack).labels("train")
    wrong = some != clean
    assert 0 < wrong.sum() <= 12 and (more != clean).sum() > wrong.sum()
    assert torch.equal(more[wrong], some[wrong])


def test_workers_and_threads_change_nothing(blobs):
    """Two stacks: in this process, in two workers, and with another number of threads set: bit for bit."""
    arms = {"none": SMALL, "wide": WIDE}
    alone = replicas.run(blobs, arms, [1, 2, 3], [measures.error, measures.nll], workers=1)
    several = replicas.run(blobs, arms, [1, 2, 3], [measures.error, measures.nll], workers=2)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        threaded = replicas.run(blobs, arms, [1, 2, 3], [measures.error, measures.nll], workers=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for arm in arms:
        for name in ("error", "nll"):
            assert alone[arm][name].tobytes() == several[arm][name].tobytes() == threaded[arm][name].tobytes()


def test_a_stack_is_trained_and_measured_with_one_thread(blobs):
    def threads_seen(trained):
        return {"threads": np.full(len(trained), torch.get_num_threads())}

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        alone = replicas.run(blobs, {"none": SMALL}, [1], threads_seen, workers=1)
        several = replicas.run(blobs, {"none": SMALL, "wide": WIDE}, [1], threads_seen, workers=2)
    finally:
        torch.set_num_threads(before)
    assert alone["none"]["threads"] == several["none"]["threads"] == several["wide"]["threads"] == 1


def test_workers_are_all_cores_or_what_joblib_was_told():
    assert replicas._workers(None) == joblib.cpu_count() and replicas._workers(2) == 2
    with joblib.parallel_config("threading", n_jobs=3):
        assert replicas._workers(None) == 3


def test_results_are_by_arm_and_in_the_order_of_the_seeds(blobs):
    forward = replicas.run(blobs, ARMS, [4, 7], measures.error, workers=1)
    assert list(forward) == list(ARMS) and forward.seeds == (4, 7)
    assert forward.table("error").shape == (2, len(ARMS))
    backward = replicas.run(blobs, {"none": SMALL}, [7, 4], measures.nll, workers=1)
    again = replicas.run(blobs, {"none": SMALL}, [4, 7], measures.nll, workers=1)
    np.testing.assert_allclose(backward["none"]["nll"], again["none"]["nll"][::-1], rtol=1e-4)
    with pytest.raises(KeyError, match="no arm 'all'"):
        forward["all"]


def test_stacks_hold_about_32_replicas_of_one_form():
    wide = replace(SMALL, network=MLP((20, 8)))
    arms = {**ARMS, "gaussian": SMALL.with_noise(hidden=Gaussian(0.5)), "wide": wide}
    planned = replicas.stacks(arms, range(10))
    assert sum(map(len, planned)) == 90 and all(len(stack) <= 48 for stack in planned)
    for stack in planned:
        assert len({replica.recipe.network for replica in stack}) == 1
        kinds = {type(noise) for replica in stack for noise in replica.recipe.noise.values()}
        assert not {Bernoulli, Gaussian} <= kinds
    assert [len(stack) for stack in replicas.stacks({"none": SMALL}, range(70))] == [35, 35]


def test_bad_requests_are_refused(blobs):
    for arms, seeds in (({}, [0]), (ARMS, []), (ARMS, [1, 1])):
        with pytest.raises(ValueError, match="at least one arm and distinct seeds"):
            replicas.run(blobs, arms, seeds, measures.error)
    with pytest.raises(ValueError, match="no place 'hiden'"):
        SMALL.with_noise(hiden=Bernoulli(0.5))
    with pytest.raises(ValueError, match="keep probability"):
        Bernoulli(0.0)
    with pytest.raises(ValueError, match="batch_size"):
        replace(SMALL, batch_size=41)
    with pytest.raises(ValueError, match="two measures are called 'error'"):
        replicas.run(blobs, {"none": SMALL}, [0], [measures.error, measures.error], workers=1)


def test_tuning_seeds_are_never_reported_and_neither_replications_nor_series_share_any(monkeypatch):
    seen = set(replicas.tuning(500))
    for series in (0, 1, 9):
        for number in ("0", "1", "2", "99"):
            monkeypatch.setenv(replicas.REPLICATION, number)
            seeds = set(replicas.reported(1000, series))
            assert len(seeds) == 1000 and seeds.isdisjoint(seen)
            seen |= seeds
    assert replicas.reported(3, series=9) == range(999_000, 999_003)
    monkeypatch.setenv(replicas.REPLICATION, "")
    assert replicas.reported(3) == range(3)


@pytest.mark.parametrize("number", ("-1", "100", "1.5", "one"))
def test_a_replication_that_is_none_is_refused(monkeypatch, number):
    monkeypatch.setenv(replicas.REPLICATION, number)
    with pytest.raises(ValueError, match=f"DROPOUT_LAB_REPLICATION must be a number from 0 to 99, got '{number}'"):
        replicas.reported(3)


@pytest.mark.parametrize("series", (-1, 10, 0.5))
def test_a_series_that_is_none_is_refused(series):
    with pytest.raises(ValueError, match=f"series is a number from 0 to 9, got {series}"):
        replicas.reported(3, series)


@pytest.mark.parametrize("count", (0, 1001))
def test_a_result_has_some_seeds_and_at_most_a_thousand(count):
    with pytest.raises(ValueError, match=f"from 1 to 1000 seeds, got {count}"):
        replicas.reported(count)


def test_read_only_data_as_workers_get_them_are_taken_without_a_warning(blobs):
    """joblib hands large arrays to its processes as read-only memory maps, and a warning would stand in the book."""
    arrays = blobs.inputs.copy(), blobs.labels.copy()
    for array in arrays:
        array.flags.writeable = False
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(replace(blobs, inputs=arrays[0], labels=arrays[1]), [Replica("none", 0, replace(SMALL, steps=1))])
    finally:
        torch.set_warn_always(False)


def test_a_line_shows_the_stacks_that_are_done_if_it_is_asked_for(blobs, capsys):
    arms = {"none": replace(SMALL, steps=1)}
    for progress, shown in ((None, False), (False, False), (True, True)):
        replicas.run(blobs, arms, [0, 1], measures.error, workers=1, progress=progress)
        assert ("stacks" in capsys.readouterr().err) is shown


def test_a_single_stack_goes_where_joblib_was_told_to_send_it(blobs):
    """Without a configuration it stays in this thread; with one it is handed over, though there is nothing to share."""
    here = threading.get_ident()

    def elsewhere(trained):
        return {"elsewhere": np.full(len(trained.replicas), float(threading.get_ident() != here))}

    arms = {"none": Recipe(network=MLP((4,)), train_size=20, steps=1, batch_size=10)}
    assert replicas.run(blobs, arms, [0], elsewhere)["none"]["elsewhere"].tolist() == [0]
    with joblib.parallel_config("threading", n_jobs=2):
        assert replicas.run(blobs, arms, [0], elsewhere)["none"]["elsewhere"].tolist() == [1]
