"""Stacks on a Dask cluster of two local worker processes: the same bits as in one process, and no loss with a
worker."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import joblib
import pytest
from distributed import Client, LocalCluster

from dropout_lab import pinned
from dropout_lab.experiments import measures, replicas
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.training import Recipe

SMALL = Recipe(network=MLP((8,)), train_size=40, steps=40, batch_size=10)
#: Four forms, so four stacks.
ARMS = {str(width): replace(SMALL, network=MLP((width,))).with_noise(hidden=Bernoulli(0.5)) for width in (8, 9, 10, 11)}


@pytest.fixture
def client(tmp_path):
    """A cluster without a dashboard, whose workers are restarted when they die."""
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)) as cluster,
        Client(cluster) as client,
    ):
        yield client


def deadly(marker):
    """A measure that kills its worker the first time that it is called there and at most once in all."""

    def measure(trained):
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return measures.nll(trained)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process went on")

    return measure


def test_a_cluster_gives_the_same_bits_even_when_a_worker_is_killed(blobs, client, tmp_path):
    expected = replicas.run(blobs, ARMS, [0, 1, 2], measures.nll, workers=1).table("nll")
    with joblib.parallel_config(backend="dask"):
        found = replicas.run(blobs, ARMS, [0, 1, 2], measures.nll).table("nll")
        marker = tmp_path / "killed"
        survived = replicas.run(blobs, ARMS, [0, 1, 2], deadly(str(marker))).table("nll")
    assert marker.exists()
    assert found.tobytes() == expected.tobytes()
    assert survived.tobytes() == expected.tobytes()


def test_a_backend_that_hands_over_all_at_once_gives_the_same_bits(blobs):
    """As Ray's does, which is made like this one of joblib's."""
    expected = replicas.run(blobs, ARMS, [0, 1, 2], measures.nll, workers=1).table("nll")
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        assert not pinned.joblib_hands_over_one_by_one()
        found = replicas.run(blobs, ARMS, [0, 1, 2], measures.nll).table("nll")
    assert found.tobytes() == expected.tobytes()
