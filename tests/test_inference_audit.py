"""The audit of a model: every kind of fault is found where it was planted, and nothing is found in sound models."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from architectures import (
    ARCHITECTURES,
    DropPath,
    LockedDropout,
    ResNet,
    StochasticDepth,
    TextEncoder,
    UNet,
    VisionTransformer,
)
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_lab import claims, inference
from dropout_lab import nn as dnn
from dropout_lab.inference.auditing.report import KINDS
from dropout_lab.noise import Stream


def found(model: nn.Module, x: object, **arguments: int) -> list[tuple[str, str]]:
    """Module and kind of each finding."""
    return [(finding.module, finding.kind) for finding in inference.audit(model, x, **arguments).findings]


def around(*middle: nn.Module, last: bool = True) -> nn.Sequential:
    """Layers between two linear ones."""
    return nn.Sequential(nn.Linear(6, 5), *middle, *([nn.Linear(5, 2)] if last else []))


class Calls(nn.Module):
    """A model whose own code drops by the function that it is given."""

    def __init__(self, drop: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.before, self.after, self.drop = nn.Linear(6, 5), nn.Linear(5, 2), drop

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.drop(self, self.before(x)))


class Drops(nn.Module):
    """A module that drops by torch's function."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, self.training)


class Residual(nn.Module):
    """A residual branch with a layer on it."""

    def __init__(self, drop: nn.Module) -> None:
        super().__init__()
        self.branch, self.drop, self.head = nn.Linear(6, 6), drop, nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.drop(self.branch(x)))


class Recurrent(nn.Module):
    """A recurrent layer, and what follows it."""

    def __init__(self, layer: nn.Module, drop: nn.Module) -> None:
        super().__init__()
        self.layer, self.drop, self.head = layer, drop, nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.layer(x)[0]))


class Keeps(nn.Module):
    """A model that keeps the mode of its dropout, whatever it is told."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.layers, self.mode = around(nn.Dropout(0.5)), mode

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def train(self, mode: bool = True) -> Keeps:
        super().train(mode)
        if hasattr(self, "mode"):
            self.layers[1].training = self.mode
        return self


def bernoulli(
    shape: Callable[[Tensor], tuple[int, ...]], always: bool = False
) -> Callable[[nn.Module, Tensor], Tensor]:
    """A home-made mask of this shape."""
    return lambda model, x: x * (torch.rand(shape(x)) < 0.5).to(x.dtype) / 0.5 if model.training or always else x


def attention(rate: float, guarded: bool) -> Callable[[nn.Module, Tensor], Tensor]:
    """Attention of the features to one another, with dropout in the kernel."""

    def attend(model: nn.Module, x: Tensor) -> Tensor:
        q = x.unsqueeze(1).unsqueeze(-1)
        p = rate if model.training or not guarded else 0.0
        return F.scaled_dot_product_attention(q, q, q, dropout_p=p).flatten(1)

    return attend


def shared_twice() -> nn.Module:
    layer = dnn.Dropout(0.5, stream=Stream(0))
    return nn.Sequential(nn.Linear(6, 5), layer, nn.Linear(5, 5), layer, nn.Linear(5, 2))


X = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
SEQUENCE = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
IMAGE = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))

PLANTED = {
    "F.dropout without a mode": (Calls(lambda m, x: F.dropout(x)), X, [("", "on-in-eval")]),
    "F.alpha_dropout always on": (Calls(lambda m, x: F.alpha_dropout(x, 0.5, True)), X, [("", "on-in-eval")]),
    "torch.dropout always on": (Calls(lambda m, x: torch.dropout(x, 0.5, True)), X, [("", "on-in-eval")]),
    "native_dropout always on": (Calls(lambda m, x: torch.native_dropout(x, 0.5, True)[0]), X, [("", "on-in-eval")]),
    "attention always on": (Calls(attention(0.5, guarded=False)), X, [("", "on-in-eval")]),
    "home-made always on": (Calls(bernoulli(lambda x: x.shape, always=True)), X, [("", "on-in-eval")]),
    "NumPy's mask always on": (
        Calls(lambda m, x: x * torch.from_numpy(np.random.binomial(1, 0.5, x.shape)).float()),
        X,
        [("", "on-in-eval")],
    ),
    "stays on": (Keeps(True), X, [("layers.1", "on-in-eval")]),
    "stays off": (Keeps(False), X, [("layers.1", "off-in-train")]),
    "F.dropout off": (Calls(lambda m, x: F.dropout(x, 0.5, False)), X, [("", "off-in-train")]),
    "before batch norm": (around(nn.Dropout(0.5), nn.BatchNorm1d(5)), X, [("1", "before-batch-norm")]),
    "before batch norm, linear between": (
        around(nn.Dropout(0.5), nn.Linear(5, 5), nn.ReLU(), nn.BatchNorm1d(5)),
        X,
        [("1", "before-batch-norm")],
    ),
    "channels before batch norm": (
        nn.Sequential(nn.Conv2d(3, 4, 1), dnn.SpatialDropout(0.5), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)),
        IMAGE,
        [("1", "before-batch-norm")],
    ),
    "function before batch norm": (
        nn.Sequential(Calls(lambda m, x: F.dropout(x, 0.5, m.training)), nn.BatchNorm1d(2)),
        X,
        [("0", "before-batch-norm")],
    ),
    "Dropout2d on three axes": (
        nn.Sequential(nn.Conv1d(4, 3, 1), nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(18, 2)),
        SEQUENCE,
        [("1", "ambiguous-axis")],
    ),
    "F.dropout2d on three axes": (
        Calls(lambda m, x: F.dropout2d(x.unsqueeze(-1), 0.5, m.training).flatten(1)),
        X,
        [("", "ambiguous-axis")],
    ),
    "Dropout3d on four axes": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout3d(0.5), nn.Flatten(), nn.Linear(64, 2)),
        IMAGE,
        [("1", "ambiguous-axis")],
    ),
    "Dropout1d on features": (around(nn.Dropout1d(0.5)), X, [("1", "no-channels")]),
    "Dropout2d on features": (around(nn.Dropout2d(0.5)), X, [("1", "no-channels")]),
    "rate 0": (around(nn.Dropout(0.0)), X, [("1", "rate-zero")]),
    "keep probability 1": (around(dnn.GaussianDropout(1.0)), X, [("1", "rate-zero")]),
    "rate 1": (around(nn.Dropout(1.0)), X, [("1", "rate-one")]),
    "keep probability 0": (around(dnn.Dropout(0.0)), X, [("1", "rate-one")]),
    "two in a row": (around(nn.Dropout(0.5), nn.Identity(), nn.Dropout(0.2)), X, [("3", "two-in-a-row")]),
    "two in a row, ours": (
        around(dnn.Dropout(0.5), nn.Flatten(), dnn.GaussianDropout(0.8)),
        X,
        [("3", "two-in-a-row")],
    ),
    "layer and function in a row": (
        around(nn.Dropout(0.5), Drops(), nn.ReLU()),
        X,
        [("2", "two-in-a-row")],
    ),
    "after the last layer": (around(nn.Dropout(0.5), last=False), X, [("1", "after-last-layer")]),
    "after the last layer, flattened": (
        around(dnn.Dropout(0.5), nn.Flatten(), last=False),
        X,
        [("1", "after-last-layer")],
    ),
    "recurrent, one layer": (
        Recurrent(nn.GRU(6, 5, dropout=0.5), nn.Identity()),
        SEQUENCE,
        [("layer", "recurrent-without-effect")],
    ),
    "path without rescaling": (Residual(dnn.DropPath(0.5, rescale=False)), X, [("drop", "not-rescaled")]),
    "timm's path without rescaling": (Residual(DropPath(0.5, scale_by_keep=False)), X, [("drop", "not-rescaled")]),
    "time first": (
        Recurrent(nn.LSTM(6, 5, batch_first=True), dnn.VariationalDropout(0.5, time_dim=0)),
        SEQUENCE,
        [("drop", "time-first")],
    ),
    "batch behind time": (
        Recurrent(nn.LSTM(6, 5), dnn.VariationalDropout(0.5)),
        SEQUENCE,
        [("drop", "time-first")],
    ),
    "original convention": (around(dnn.Dropout(0.5, rescale=False)), X, [("1", "original-convention")]),
    "one mask of words for the batch": (
        nn.Sequential(dnn.EmbeddingDropout(torch.nn.Embedding(9, 4), per_example=False), torch.nn.Flatten()),
        torch.arange(6).view(2, 3),
        [("0", "shared-over-batch")],
    ),
    "a rate of 0 in a layer that is skipped as a whole": (
        dnn.LayerDrop([torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.0), torch.nn.Linear(4, 4))]),
        torch.ones(3, 4),
        [("0.1", "rate-zero")],
    ),
    "one mask for the batch": (Calls(bernoulli(lambda x: (1, x.shape[1]))), X, [("", "shared-over-batch")]),
    "stochastic depth by batch": (Residual(StochasticDepth(0.5, "batch")), X, [("drop", "shared-over-batch")]),
    "DropConnect for the batch": (
        nn.Sequential(dnn.DropConnect(nn.Linear(6, 2), per_example=False)),
        X,
        [("0", "shared-over-batch")],
    ),
    "no stream": (
        around(dnn.Dropout(0.5, stream=Stream(0)), nn.ReLU(), dnn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5)),
        X,
        [("3", "no-stream"), ("5", "no-stream")],
    ),
    "stream drawn twice": (shared_twice(), X, [("1", "stream-drawn-twice")]),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_fault_is_found(case):
    model, x, expected = PLANTED[case]
    assert found(model, x) == expected


SOUND = {
    "dropout between layers": (around(nn.ReLU(), nn.Dropout(0.5)), X),
    "F.dropout with a mode": (Calls(lambda m, x: F.dropout(x, 0.5, m.training)), X),
    "attention with a mode": (Calls(attention(0.5, guarded=True)), X),
    "home-made, one mask an example": (Calls(bernoulli(lambda x: x.shape)), X),
    "behind batch norm": (around(nn.BatchNorm1d(5), nn.Dropout(0.5)), X),
    "before layer norm": (around(nn.Dropout(0.5), nn.LayerNorm(5)), X),
    "two with a layer between": (around(nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5)), X),
    "recurrent, two layers": (Recurrent(nn.GRU(6, 5, 2, dropout=0.5), nn.Identity()), SEQUENCE),
    "time first, as told": (Recurrent(nn.LSTM(6, 5), dnn.VariationalDropout(0.5, time_dim=0)), SEQUENCE),
    "ours, batch first": (Recurrent(dnn.VariationalLSTM(6, 5, batch_first=True), dnn.VariationalDropout()), SEQUENCE),
    "locked dropout": (Recurrent(nn.LSTM(6, 5), LockedDropout()), SEQUENCE),
    "path": (Residual(dnn.DropPath(0.5)), X),
    "timm's path": (Residual(DropPath(0.5)), X),
    "converted": (inference.weight_scaling(around(dnn.Dropout(0.5, rescale=False))), X),
    "DropConnect": (nn.Sequential(dnn.DropConnect(nn.Linear(6, 2))), X),
    "layers with noise inside, last": (
        nn.Sequential(
            dnn.LearnedGaussianDropout(6, 5), dnn.ConcreteDropout(nn.Linear(5, 5)), dnn.LayerDrop([nn.Tanh()])
        ),
        X,
    ),
    "streams everywhere": (dnn.add_streams(around(dnn.Dropout(0.5), nn.ReLU(), dnn.Dropout(0.5)), 0), X),
    "an encoder that draws its code": (Calls(lambda m, x: x + torch.randn_like(x) * x.exp()), X),
    "dropout by itself": (nn.Dropout(0.5), X),
    "in place": (around(nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True)), X),
}


@pytest.mark.parametrize("case", SOUND)
def test_nothing_is_found_in_a_sound_model(case):
    model, x = SOUND[case]
    assert not found(model, x)


def test_every_kind_is_planted_and_rests_on_a_claim():
    planted = {kind for _, _, expected in PLANTED.values() for _, kind in expected}
    assert planted == set(KINDS)
    assert set(KINDS.values()) <= set(claims.load())


def test_the_model_and_all_random_states_stay_as_they_are():
    model = nn.Sequential(ResNet(), nn.BatchNorm1d(5), dnn.Dropout(0.5, stream=Stream(3)), nn.Linear(5, 2))
    model[2].eval()
    x = ARCHITECTURES["ResNet"]()[1]
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    inference.audit(model, x)
    after = model.state_dict()
    assert all(torch.equal(torch.as_tensor(before[k]), torch.as_tensor(after[k])) for k in before if "extra" not in k)
    assert modes == [module.training for module in model.modules()]
    assert hooks == [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == (np.random.get_state()[1].tolist(), random.getstate())


def test_the_model_stays_as_it_is_after_an_error():
    model = around(nn.Dropout(0.5), nn.BatchNorm1d(5)).eval()
    with pytest.raises(
        ValueError, match=r"Sequential cannot be audited: a forward pass in eval\(\) failed with RuntimeError"
    ):
        inference.audit(model, torch.ones(2, 7))
    assert not any(module.training or module._forward_hooks for module in model.modules())


def test_two_threads_find_what_one_finds():
    cases = [PLANTED[name] for name in ("stays on", "time first", "no stream", "two in a row")] * 2
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda case: found(case[0], case[1]), cases))
    assert results == [case[2] for case in cases]


def test_inputs_by_position_and_by_name():
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    pair = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    assert not found(model, pair) and not found(model, {"src": pair[0], "tgt": pair[1]})
    with pytest.raises(TypeError, match="x must be a tensor, or a tuple or dict of arguments with tensors; got int"):
        inference.audit(model, 3)
    with pytest.raises(TypeError, match=r"audit needs a torch\.nn\.Module, got function"):
        inference.audit(lambda x: x, X)


def test_the_axis_of_examples_can_be_told():
    model = Recurrent(dnn.VariationalLSTM(6, 5), nn.Identity())
    assert not found(model, SEQUENCE)
    assert found(model, SEQUENCE, batch_dim=0) == [("layer", "time-first")]


def test_a_rate_of_0_that_the_class_takes_as_an_argument_is_a_setting():
    assert not found(VisionTransformer(), ARCHITECTURES["ViT"]()[1])
    assert not found(TextEncoder(dropout=0.0), ARCHITECTURES["TransformerEncoder"]()[1])
    assert found(nn.Sequential(UNet(), nn.Dropout(0.0), nn.Flatten()), ARCHITECTURES["U-Net"]()[1]) == [
        ("1", "rate-zero")
    ]


def test_a_batch_of_one_and_a_compiled_model():
    assert found(around(nn.Dropout(0.5), nn.BatchNorm1d(5)), X[:1]) == [("1", "before-batch-norm")]
    compiled = torch.compile(around(nn.Dropout(0.5), nn.BatchNorm1d(5)), backend="eager")
    assert [kind for _, kind in found(compiled, X)] == ["before-batch-norm"]


def test_the_report_shows_itself():
    model = around(nn.Dropout(1.0), nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(5)))
    report = inference.audit(model, X)
    assert len(report) == 2 and list(report) == list(report.findings) and report[0].kind == "rate-one"
    lines = str(report).splitlines()
    assert lines[0].split() == ["module", "kind", "claim", "what", "to", "do"]
    assert any(line.startswith("2.0") and "before-batch-norm" in line and "8.5" in line for line in lines)
    assert report._repr_html_().count("<tr>") == 3 and "&#x27;2.1&#x27;" in report._repr_html_()
    assert repr(inference.audit(around(nn.Dropout(0.5)), X)) == "Nothing was found."
