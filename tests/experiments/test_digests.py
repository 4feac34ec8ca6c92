"""The digest of an experiment: the same in each replication and in each process, another for each setting."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dropout_lab.experiments import data, digests, measures, replicas
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.stack_noise import Bernoulli

SMALL = replicas.Recipe(network=MLP((12, 8)), train_size=40, steps=2, batch_size=10)
DROPPED = SMALL.with_noise(hidden=Bernoulli(0.5))


def digest(dataset=None, arms=None, seeds=(0, 1, 2), measured=(measures.error,)):
    return digests.of_run(dataset or data.digits(), arms or {"none": SMALL, "dropout": DROPPED}, seeds, measured)


def test_every_part_of_an_experiment_is_in_its_digest(blobs):
    others = [
        digest(dataset=blobs),
        digest(dataset=data.hold_out(data.digits(), 100)),
        digest(arms={"none": SMALL}),
        digest(arms={"none": SMALL, "masks": DROPPED}),
        digest(arms={"dropout": DROPPED, "none": SMALL}),
        digest(arms={"none": SMALL, "dropout": SMALL.with_noise(hidden=Bernoulli(0.6))}),
        digest(arms={"none": SMALL, "dropout": SMALL.with_noise(hidden1=Bernoulli(0.5))}),
        digest(arms={"none": replace(SMALL, steps=3), "dropout": DROPPED}),
        digest(seeds=(0, 1)),
        digest(seeds=(0, 1, 100_002)),
        digest(measured=(measures.nll,)),
        digest(measured=(measures.error, measures.nll)),
        digest(measured=(measures.error, measures.monte_carlo((1, 5)))),
        digest(measured=(measures.error, measures.monte_carlo((1, 6)))),
    ]
    assert len({digest(), *others}) == len(others) + 1


def test_noise_is_known_by_its_places_and_not_by_how_it_was_said():
    said = SMALL.with_noise(hidden2=Bernoulli(0.5), hidden1=Bernoulli(0.5))
    assert digest(arms={"none": SMALL, "dropout": said}) == digest()


def test_the_digest_is_that_of_the_book_in_each_replication(blobs, monkeypatch):
    def found(series=0):
        return replicas.run(blobs, {"none": SMALL}, replicas.reported(2, series), measures.error, workers=1)

    book, again = found(), found(series=1)
    monkeypatch.setenv(replicas.REPLICATION, "7")
    replicated, replicated_again = found(), found(series=1)
    assert replicated.seeds == (7000, 7001) and replicated_again.seeds == (107_000, 107_001)
    assert replicated.digest == book.digest != again.digest == replicated_again.digest
    tuned = [
        replicas.run(blobs, {"none": SMALL}, seeds, measures.error, workers=1) for seeds in ([1_000_000], [1_007_000])
    ]
    assert tuned[0].digest != tuned[1].digest


def test_another_process_finds_the_same_digest():
    program = (
        "from dropout_lab.experiments import data, digests, measures, replicas; "
        "print(digests.of_run(data.digits(), {'none': replicas.Recipe()}, range(3), [measures.monte_carlo((5, 1))]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = digest(arms={"none": replicas.Recipe()}, seeds=range(3), measured=[measures.monte_carlo((5, 1))])
    assert done.stdout.strip() == expected, done.stderr


def counted(trained, times=1):
    return {"times": np.full(len(trained.replicas), times)}


class Counting:
    def measure(self, trained):
        return counted(trained)


def test_settings_are_written_with_all_that_they_hold():
    values = [
        None, True, 1, 1.5, "1", b"1", (1, 2), {1, 2}, {"a": 1}, {"a": 2}, np.array([1.0, 2.0]), np.array([1.0, 3.0]),
        np.array([[1.0, 2.0]]), np.array([1.0, 2.0], np.float32), torch.tensor([1, 2]), data.digits(), SMALL, DROPPED,
        Bernoulli(0.5), Bernoulli(0.6), counted, functools.partial(counted, times=2),
        functools.partial(counted, times=3), MLP, measures.monte_carlo((1,)), measures.monte_carlo((2,)),
    ]  # fmt: skip
    assert len({digests.written(value) for value in values}) == len(values)
    assert digests.written(np.float64(0.5)) == digests.written(0.5)
    assert digests.written({"b", "a"}) == digests.written(frozenset("ab"))
    assert digests.written(torch.tensor([1.0])) == digests.written(np.array([1.0], np.float32))
    assert not any(" at 0x" in digests.written(value) for value in values)


def test_a_function_of_a_page_is_known_by_its_text(monkeypatch):
    name = digests.written(counted)
    assert "np.full" not in name
    monkeypatch.setattr(counted, "__module__", "__main__")
    assert "np.full(len(trained.replicas), times)" in digests.written(counted)


@pytest.mark.parametrize("setting", [object(), Counting(), iter([1]), np.random.default_rng(0)], ids=str)
def test_what_has_no_text_has_no_digest_and_says_so_only_when_asked(blobs, setting):
    def measure(trained):
        assert setting is not None
        return counted(trained)

    found = replicas.run(blobs, {"none": SMALL}, [0], measure, workers=1)
    with pytest.raises(TypeError, match=f"setting of type {type(setting).__name__} cannot be written into the digest"):
        found.digest  # noqa: B018
    with pytest.raises(TypeError, match=r"not made by replicas\.run"):
        replicas.Results([0], {}).digest  # noqa: B018


def test_a_function_without_a_text_has_no_digest():
    space = {"__name__": "__main__"}
    exec("def measure(trained): return {}", space)
    with pytest.raises(TypeError, match="the measure measure has no text"):
        digests.written(space["measure"])
