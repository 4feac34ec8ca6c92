"""Weight scaling against the model it was made from, in both modes, and every case in which it must not be done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dropout_lab import ensemble, inference, nn


def chain(*layers: torch.nn.Module, seed: int = 0) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(*layers).double()


def deep() -> torch.nn.Sequential:
    return chain(
        nn.Dropout(0.8, rescale=False),
        torch.nn.Linear(4, 6),
        torch.nn.ReLU(),
        torch.nn.Sequential(nn.Dropout(0.5, rescale=False), torch.nn.Linear(6, 3)),
    )


def convolutional() -> torch.nn.Sequential:
    return chain(
        torch.nn.Unflatten(1, (1, 2, 2)),
        torch.nn.Conv2d(1, 3, 1),
        nn.SpatialDropout(0.6, rescale=False),
        torch.nn.Conv2d(3, 2, 2, padding=1, padding_mode="reflect"),
        torch.nn.Tanh(),
        nn.Dropout(0.9, rescale=False),
        torch.nn.AvgPool2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(2, 3),
    )


class Written(torch.nn.Module):
    """A forward() of its own, with views between the dropout layer and two layers that read it."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.3, rescale=False)
        self.twice = nn.Dropout(0.5, rescale=False)
        self.one, self.two = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        dropped = self.twice(self.dropout(x)).view(x.shape[0], 2, 2)
        return torch.relu(self.one(dropped.flatten(0, 1)).reshape(-1, 2, 3).sum(1)) - self.two(dropped[:, 0])


def connected() -> torch.nn.Sequential:
    return chain(
        nn.DropConnect(torch.nn.Linear(4, 3), keep_prob=0.4, rescale=False),
        torch.nn.ReLU(),
        nn.Dropout(0.7, rescale=False),
        nn.DropConnect(torch.nn.Linear(3, 2), keep_prob=0.9, rescale=False),
    )


MODELS = [deep, convolutional, lambda: Written().double(), connected]
NAMES = ["deep", "convolutional", "written", "connected"]


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_the_copy_says_at_test_time_what_the_model_says(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scaled = inference.weight_scaling(model)
    assert not scaled.training
    torch.testing.assert_close(scaled(batch), model.eval()(batch), rtol=1e-13, atol=1e-13)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(not module.rescale for module in model.modules() if hasattr(module, "rescale"))


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_in_training_the_copy_draws_the_same_subnetworks(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make()
    scaled = inference.weight_scaling(model).train()
    for seed in range(5):
        torch.manual_seed(seed)
        expected = model.train()(batch)
        torch.manual_seed(seed)
        torch.testing.assert_close(scaled(batch), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_undone_it_is_the_model_again(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make().eval()
    undone = inference.undo_weight_scaling(inference.weight_scaling(model))
    for (name, found), expected in zip(undone.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=5e-16, atol=0, msg=name)
    torch.testing.assert_close(undone(batch), model(batch), rtol=1e-13, atol=1e-13)
    assert str(undone) == str(model)


def test_weights_and_nothing_else_are_scaled() -> None:
    model = deep()
    scaled = inference.weight_scaling(model)
    assert torch.equal(scaled[1].weight, 0.8 * model[1].weight)
    assert torch.equal(scaled[3][1].weight, 0.5 * model[3][1].weight)
    assert torch.equal(scaled[1].bias, model[1].bias)
    assert torch.equal(scaled[3][1].bias, model[3][1].bias)


def test_it_is_the_mean_over_all_masks_of_a_linear_output() -> None:
    model = chain(nn.Dropout(0.3, rescale=False), torch.nn.Linear(4, 3))
    x = torch.tensor([0.5, -1.0, 2.0, 3.0], dtype=torch.float64)
    expected = ensemble.exact_mean(model, x.unsqueeze(0), output="raw")[0]
    torch.testing.assert_close(inference.weight_scaling(model)(x), expected, rtol=0, atol=1e-14)


class Shortcut(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x + self.dropout(x))


class Twice(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(torch.tanh(self.linear(x))))


class Tied(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.linear(torch.tanh(self.linear(self.dropout(x))), self.linear.weight.T)


class Branching(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(x) if x.sum() > 0 else x)


def shared() -> torch.nn.Sequential:
    model = chain(nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    model[3].weight = model[1].weight
    return model


def normalized() -> torch.nn.Sequential:
    linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 4))
    return torch.nn.Sequential(nn.Dropout(0.5, rescale=False), linear)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            chain(nn.Dropout(0.5, rescale=False), torch.nn.ReLU(), torch.nn.Linear(4, 4)),
            "Dropout '0'.*ReLU '1'.*not lin",
        ),
        (chain(nn.Dropout(0.5, rescale=False), torch.nn.LayerNorm(4), torch.nn.Linear(4, 4)), "LayerNorm '1'"),
        (chain(nn.Dropout(0.5, rescale=False), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4)), "BatchNorm1d '1'"),
        (chain(torch.nn.Linear(4, 4), nn.Dropout(0.5, rescale=False)), "Dropout '1' is read by no layer"),
        (nn.Dropout(0.5, rescale=False), "nothing reads its output|cannot follow"),
        (chain(nn.Dropout(0.5), torch.nn.Linear(4, 4)), "nothing to convert.*original"),
        (chain(torch.nn.Dropout(0.5), torch.nn.Linear(4, 4)), "nothing to convert"),
        (Shortcut(), "read by add"),
        (Twice(), "'linear' is called more than once"),
        (Tied(), "tied"),
        (shared(), "tied"),
        (normalized(), "parametrized"),
        (Branching(), "cannot follow.*Branching"),
    ],
)
def test_where_no_factor_is_right_it_is_refused(model: torch.nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inference.weight_scaling(model)


def test_a_keep_probability_of_zero_cannot_be_undone() -> None:
    scaled = inference.weight_scaling(chain(nn.Dropout(0.0, rescale=False), torch.nn.Linear(4, 2)))
    assert torch.equal(scaled(torch.ones(1, 4, dtype=torch.float64))[0], scaled[1].bias)
    with pytest.raises(ValueError, match="keep_prob 0"):
        inference.undo_weight_scaling(scaled)
