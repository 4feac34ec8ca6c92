"""A subnetwork cut out of a model computes what the masked model computes, for any batch, with fewer weights."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_lab import inference
from dropout_lab import nn as dnn


def recorded(model: nn.Module, x: Tensor, seed: int = 0) -> inference.Recording:
    """The masks of one example."""
    torch.manual_seed(seed)
    with inference.record(model) as masks, torch.no_grad():
        model(x[:1])
    return masks


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def shaken(model: nn.Module) -> nn.Module:
    """In double precision and ``eval()``, with statistics and biases that are not the ones of the start."""
    draw = torch.Generator().manual_seed(7)
    for part in [*model.parameters(), *model.buffers()]:
        if part.is_floating_point():
            part.data = torch.rand(part.shape, generator=draw, dtype=torch.float64) - 0.4
    for module in model.modules():
        if hasattr(module, "running_var"):
            module.running_var.add_(1.0)
    return model.double().eval()


class Shortcut(nn.Module):
    """A residual block, with dropout on the branch and before it."""

    def __init__(self, drop: nn.Module) -> None:
        super().__init__()
        self.first, self.inside = nn.Linear(6, 8), nn.Linear(8, 8)
        self.drop, self.path, self.last = nn.Dropout(0.5), drop, nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(F.relu(self.first(x)))
        x = x + self.path(self.inside(x).relu())
        return self.last(x)


class InPlace(nn.Module):
    """What reads the same numbers before they are dropped, and writes over them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        y = self.drop(h)
        y = F.relu_(y)
        y += 1.0
        return self.last(y) + h


class Twice(nn.Module):
    """A dropout layer and a linear one that are called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.again, self.last = (
            nn.Linear(6, 8),
            nn.Dropout(0.5),
            nn.Linear(8, 8),
            nn.Linear(8, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.first(x).tanh())
        return self.last(self.drop(self.again(self.again(x))))


class Attends(nn.Module):
    """Tokens whose features are dropped, token by token and for all tokens alike."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.token, self.tied = nn.Linear(6, 8), nn.Dropout(0.5), dnn.VariationalDropout(0.5)
        self.norm, self.last = nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tied(F.gelu(self.first(x)))
        weights = (x @ x.transpose(1, 2)).softmax(-1)
        return self.last(self.norm(self.token(weights @ x)))


def mlp(*middle: nn.Module, drop: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(6, 16), *middle, drop or nn.Dropout(0.5), nn.Linear(16, 16), *middle, nn.Linear(16, 3)
    )


FLAT, MAPS, TOKENS = torch.randn(5, 6), torch.randn(5, 3, 8, 8), torch.randn(5, 4, 6)
#: Model, input, whether it becomes smaller, and the layers whose masks stay.
CASES = {
    "ReLU": (mlp(nn.ReLU()), FLAT, True, ()),
    "ReLU in place": (mlp(nn.ReLU(inplace=True)), FLAT, True, ()),
    "sigmoid": (mlp(nn.Sigmoid()), FLAT, True, ()),
    "sigmoid behind dropout": (
        nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.5), nn.Sigmoid(), nn.Dropout(0.3), nn.Linear(9, 2)),
        FLAT,
        True,
        (),
    ),
    "softplus, no bias": (
        nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.5), nn.Softplus(), nn.Linear(9, 2, bias=False)),
        FLAT,
        True,
        (),
    ),
    "input": (
        nn.Sequential(nn.Dropout(0.4), nn.Linear(6, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)),
        FLAT,
        True,
        (),
    ),
    "output": (nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5)), FLAT, True, ()),
    "Gaussian": (mlp(nn.ReLU(), drop=dnn.GaussianDropout(0.5)), FLAT, False, ()),
    "Gaussian before ReLU": (
        nn.Sequential(nn.Linear(6, 9), dnn.GaussianDropout(0.5), nn.ReLU(), nn.Linear(9, 2)),
        FLAT,
        False,
        (),
    ),
    "original convention": (mlp(nn.ReLU(), drop=dnn.Dropout(0.5, rescale=False)), FLAT, True, ()),
    "leaky": (mlp(nn.LeakyReLU(0.2)), FLAT, True, ()),
    "batch norm": (
        nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.5), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 2)),
        FLAT,
        True,
        (),
    ),
    "batch norm before": (
        nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 2)),
        FLAT,
        True,
        (),
    ),
    "two in a row": (
        nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.5), nn.Dropout(0.3), nn.ReLU(), nn.Linear(9, 2)),
        FLAT,
        True,
        (),
    ),
    "DropConnect": (nn.Sequential(dnn.DropConnect(nn.Linear(6, 3), 0.2), nn.ReLU(), nn.Linear(3, 2)), FLAT, True, ()),
    "channels": (
        nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.5), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(), dnn.SpatialDropout(0.5), nn.AvgPool2d(2), nn.Flatten()),
            *(nn.Linear(24, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)),
        ),
        MAPS,
        True,
        (),
    ),
    "channels, 0 becomes another constant at the border": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout2d(0.5), nn.Sigmoid(), nn.Conv2d(8, 6, 3, padding=1), nn.Flatten()),
        MAPS,
        True,
        (),
    ),
    "groups": (
        nn.Sequential(nn.Conv2d(3, 8, 1), nn.Dropout2d(0.5), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 2, 1)),
        MAPS,
        True,
        (),
    ),
    "flattened and dropped": (
        nn.Sequential(nn.Conv2d(3, 4, 8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2)),
        MAPS,
        True,
        (),
    ),
    "one by one": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2)),
        MAPS,
        False,
        ("1",),
    ),
    "blocks": (nn.Sequential(dnn.DropBlock(0.7, 3), nn.Conv2d(3, 2, 3), nn.Flatten()), MAPS, False, ("0",)),
    "shortcut": (Shortcut(nn.Dropout(0.5)), FLAT, True, ()),
    "path": (Shortcut(dnn.DropPath(0.5)), FLAT, True, ()),
    "in place": (InPlace(), FLAT, False, ()),
    "called twice": (Twice(), FLAT, True, ()),
    "attention": (Attends(), TOKENS, False, ("token",)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_cut_network_computes_what_the_masked_one_does(case, seed):
    model, x, is_smaller, kept = CASES[case]
    model, x = shaken(copy.deepcopy(model)), x.double()
    before = copy.deepcopy(model.state_dict())
    masks = recorded(model, x, seed)
    small = inference.subnetwork(model, masks)
    with inference.replay(model, masks), torch.no_grad():
        expected = model(x)
    with torch.no_grad():
        torch.testing.assert_close(small(x.clone()), expected, rtol=1e-10, atol=1e-10)
    drops = any(bool((factor.values == 0).any()) for factor in masks)
    assert parameters(small) < parameters(model) if is_smaller and drops else parameters(small) <= parameters(model)
    assert (
        tuple(part.layer for part in small.modules() if isinstance(part, inference.Masked)) == kept
        and not small.training
    )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_as_many_weights_as_the_kept_units_have():
    model = mlp(nn.ReLU())
    masks = recorded(model.eval(), FLAT)
    kept = int(masks[0].values.count_nonzero())
    small = inference.subnetwork(model, masks)
    assert 0 < kept < 16
    assert parameters(small) == 6 * kept + kept + kept * 16 + 16 + 16 * 3 + 3
    assert small.get_submodule("0").out_features == small.get_submodule("3").in_features == kept


def test_units_that_nobody_reads_any_more_go_with_all_that_led_to_them():
    model = shaken(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1), nn.Dropout(0.5), nn.Linear(1, 2)))
    masks = inference.Recording([inference.Factor("3", torch.zeros(1, 1, dtype=torch.float64))])
    small = inference.subnetwork(model, masks)
    assert parameters(small) == 2
    torch.testing.assert_close(small(FLAT.double()), model[4].bias.expand(5, 2))


def test_the_result_is_a_module_like_any_other():
    model = shaken(CASES["channels"][0])
    x = MAPS.double()
    small = inference.subnetwork(model, recorded(model, x))
    expected = small(x)
    assert torch.equal(copy.deepcopy(small)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(small))(x), expected)
    assert torch.equal(torch.export.export(small, (x,)).module()(x), expected)
    small.load_state_dict(small.state_dict())
    small(x).sum().backward()
    assert all(weight.grad is not None for weight in small.parameters())
    assert not any(weight.grad is not None for weight in model.parameters())


def test_what_cannot_be_cut_is_refused():
    model = mlp(nn.ReLU()).eval()
    with inference.record(model) as masks:
        model(FLAT)
    with pytest.raises(ValueError, match=r"recording of Dropout '2' has noise of shape \(5, 16\), which differs"):
        inference.subnetwork(model, masks)
    with pytest.raises(ValueError, match=r"the recording is of \['2'\], and the model calls \['1'\]"):
        inference.subnetwork(nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 2)), recorded(model, FLAT))

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.drop(x) if x.sum() > 0 else self.drop(-x)

    branches = Branches().eval()
    with pytest.raises(ValueError, match="cannot follow the activations through Branches"):
        inference.subnetwork(branches, recorded(branches, FLAT))
