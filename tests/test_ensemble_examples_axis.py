"""Exact means of models that turn, fold or mix the axis of examples, against what training draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dropout_lab import ensemble, inference, nn
from dropout_lab.ensemble import members


class Spread(torch.nn.Module):
    """One output as three, so that few weights are enough."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).expand(*x.shape)


class Fold(torch.nn.Module):
    """(N, T, D) as (N·T, D), as every head does that is the same at all times."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.last = torch.nn.Linear(2, 3), layer, torch.nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(self.first(x.reshape(-1, 2)).tanh())
        return self.last(9 * hidden.reshape(*x.shape[:2], 3).square().mean(1))


class TimeFirst(Fold):
    """(N, T, D) as (T, N, D), the default layout of torch's recurrent layers."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(9 * self.layer(self.first(x.transpose(0, 1)).tanh()).square().mean(0))


class Table(Fold):
    """A mask on a table that all examples read: no axis of it is that of the examples."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(9 * (x.mean(1).softmax(-1) @ self.layer(self.first.weight.T)).square())


class Coupled(Fold):
    """One example's output depends on the masks of the others."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(self.first(x.mean(1)).tanh())
        return self.last(9 * hidden * (hidden - hidden.mean(0)))


class OneSize(Fold):
    """A model that runs with batches of two only."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(9 * self.layer(self.first(x.mean(1)).tanh().reshape(2, 3)).square())


@pytest.mark.parametrize("kind", [Fold, TimeFirst, Table, Coupled, OneSize], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.5),
        nn.Dropout(0.5, rescale=False),
        torch.nn.Dropout(0.5),
        Spread(nn.DropConnect(torch.nn.Linear(3, 1), 0.5)),
    ],
    ids=["inverted", "original", "torch", "weights"],
)
@pytest.mark.parametrize("examples", [1, 2])
def test_wherever_the_axis_of_examples_is_the_mean_is_that_of_what_training_draws(
    kind: type[Fold], layer: torch.nn.Module, examples: int
) -> None:
    """Against Monte Carlo, 4000 samples of 4 figures, in 36 cases: |z| < 5.5, a false alarm with 36 · 4 · 3.8e-8."""
    if kind is OneSize and examples == 1:
        return
    torch.manual_seed(0)
    model, x = kind(layer).double(), torch.randn(examples, 3, 2, dtype=torch.float64)
    exact = ensemble.exact_mean(model, x)
    drawn = inference.monte_carlo(model, x, 4000, generator=torch.Generator().manual_seed(1))
    assert ((drawn.mean - exact).abs() < 5.5 * drawn.standard_error + 1e-12).all()
    alone = torch.cat([ensemble.exact_mean(model, example) for example in x.split(1)]) if kind is Fold else exact
    torch.testing.assert_close(exact, alone, rtol=0, atol=1e-13)


def test_a_batch_that_cannot_be_taken_apart_and_is_too_large_says_so() -> None:
    torch.manual_seed(0)
    with pytest.raises(ensemble.TooManyMasks, match=r"cannot be taken apart.*one example at a time"):
        ensemble.exact_mean(Coupled(nn.Dropout(0.5)), torch.randn(20, 3, 2))


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_outputs_agree_up_to_rounding_of_the_largest_of_them(size: float) -> None:
    output = size * torch.tensor([1.0, 1e-6, -1.0])
    for change, agrees in ((1e-5, True), (1e-2, False)):
        other = output + size * torch.tensor([0.0, change, 0.0])
        assert members._agree(output, other) == members._agree(other, output) == agrees
    assert not members._agree(output, output[:2])


@pytest.mark.parametrize("special", [torch.inf, torch.nan])
def test_outputs_that_are_not_finite_agree_where_they_are_the_same(special: float) -> None:
    output = torch.tensor([special, 1.0])
    assert members._agree(output, output.clone())
    assert not members._agree(output, torch.tensor([special, 1.1]))
    assert not members._agree(output, torch.tensor([2.0, 1.0]))


def test_whole_numbers_agree_exactly() -> None:
    assert members._agree(torch.tensor([1, 2]), torch.tensor([1, 2]))
    assert not members._agree(torch.tensor([10**9, 2]), torch.tensor([10**9, 3]))
