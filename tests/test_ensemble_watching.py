"""Models of which an exact ensemble has to see what they draw and when: it is right, or the layer is named."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dropout_lab import ensemble, inference, nn
from dropout_lab.ensemble.watching import switch_on


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)


class Mode(torch.nn.Module):
    """A container that drops in training alone, by its own mode or by that of its values."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if self.training else x


class Sometimes(Mode):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x)) if (self.inner(x) == 0).any() else x


@pytest.mark.parametrize("kind", [Mode, Sometimes])
def test_a_layer_that_is_not_always_called_is_named(kind: type[Mode], batch: Tensor) -> None:
    model = torch.nn.Sequential(nn.Dropout(0.5), kind(nn.Dropout(0.6)))
    with pytest.raises(ValueError, match=r"Dropout '1.inner' is not called in the same place"):
        ensemble.exact_mean(model, batch)


class Swapped(torch.nn.Module):
    """Two layers that change places between the modes."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Dropout(0.5), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(self.two(x).tanh()) if self.training else self.two(self.one(x).tanh())


def test_layers_that_change_places_are_named(batch: Tensor) -> None:
    with pytest.raises(ValueError, match=r"Dropout 'two' is not called in the same place"):
        ensemble.exact_mean(Swapped(), batch)


def test_a_layer_that_does_more_than_its_variant_says_is_named(batch: Tensor) -> None:
    class Twice(nn.Dropout):
        variant = nn.Dropout.variant

        def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
            return 2 * super().forward(x, generator=generator)

    hooked = nn.Dropout(0.5)
    hooked.register_forward_hook(lambda module, inputs, output: output + 1)
    for layer in (Twice(0.5), hooked):
        with pytest.raises(ValueError, match=rf"{type(layer).__name__} '0' does more than its variant, dropout"):
            ensemble.exact_mean(torch.nn.Sequential(layer), batch)


def test_a_subclass_that_changes_no_forward_is_its_parent(batch: Tensor) -> None:
    class Named(nn.Dropout):
        """Only another name."""

    named, plain = torch.nn.Sequential(Named(0.3)), torch.nn.Sequential(nn.Dropout(0.3))
    assert torch.equal(ensemble.exact_mean(named, batch), ensemble.exact_mean(plain, batch))


class Counting(torch.nn.Module):
    """Changes from one pass in training mode to the next, and draws nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self.mean += x.mean()
        return x + self.steps + self.mean


class Uncopyable(torch.nn.Module):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean += x.mean()
        return x


@pytest.mark.parametrize(
    "quiet",
    [
        lambda: torch.nn.BatchNorm1d(3),
        lambda: torch.nn.LayerNorm(3),
        lambda: torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 3)),
        lambda: torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 3)),
        lambda: torch.nn.Dropout(0.0),
        lambda: torch.nn.LSTM(3, 3, dropout=0.0, num_layers=2),
        lambda: torch.nn.TransformerEncoderLayer(3, 1, 4, dropout=0.0, batch_first=True),
        Counting,
        Uncopyable,
    ],
)
@pytest.mark.parametrize("examples", [1, 5])
def test_what_draws_nothing_raises_no_alarm(quiet: Callable[[], torch.nn.Module], examples: int) -> None:
    torch.manual_seed(0)
    inner = quiet()
    if isinstance(inner, torch.nn.LSTM):
        inner = torch.nn.Sequential(inner, First())
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), nn.Dropout(0.5), inner, torch.nn.Linear(3, 2)).double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(examples, 4, dtype=torch.float64)
    found = ensemble.exact_mean(model, x)
    drawn = inference.monte_carlo(model, x, 200)
    assert found.shape == drawn.mean.shape == (examples, 2)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class First(torch.nn.Module):
    def forward(self, x: tuple[Tensor, ...]) -> Tensor:
        return x[0]


def test_lazy_layers_draw_their_weights_and_no_masks() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.LazyLinear(2))
    x = torch.randn(4, 3)
    found = ensemble.exact_mean(model, x)
    assert isinstance(model[1], torch.nn.Linear) and model[1].in_features == 3
    torch.testing.assert_close(found, ensemble.exact_mean(model, x), rtol=0, atol=0)


class Failing(torch.nn.Module):
    """Fails with one kind of error, in the call of a given number."""

    def __init__(self, error: type[Exception], call: int, once: bool = False) -> None:
        super().__init__()
        self.error, self.call, self.calls, self.once = error, call, [0], once

    def __deepcopy__(self, memo: object) -> Failing:
        return self

    def forward(self, x: Tensor) -> Tensor:
        self.calls[0] += 1
        if self.calls[0] == self.call or (self.calls[0] > self.call and not self.once):
            raise self.error("in the model")
        return x


@pytest.mark.parametrize("error", [RuntimeError, torch.OutOfMemoryError, KeyError])
def test_a_true_error_is_not_hidden(error: type[Exception], batch: Tensor) -> None:
    """Whenever it comes: in the first pass, in the passes that look, or when masks are enumerated."""
    counting = Failing(error, 10**9)
    ensemble.exact_mean(torch.nn.Sequential(nn.Dropout(0.5), counting), batch)
    for call in range(1, counting.calls[0] + 1):
        failing = torch.nn.Sequential(nn.Dropout(0.5), Failing(error, call))
        with pytest.raises((error, ValueError), match="in the model"):
            ensemble.exact_mean(failing, batch)


def test_a_lack_of_memory_is_not_taken_for_something_else(batch: Tensor) -> None:
    """Not even once: no slower way is chosen for it, and no other one."""
    counting = Failing(RuntimeError, 10**9)
    ensemble.exact_mean(torch.nn.Sequential(nn.Dropout(0.5), counting), batch)
    for call in range(1, counting.calls[0] + 1):
        failing = torch.nn.Sequential(nn.Dropout(0.5), Failing(torch.OutOfMemoryError, call, once=True))
        with pytest.raises((torch.OutOfMemoryError, ValueError), match="in the model"):
            ensemble.exact_mean(failing, batch)


def test_training_mode_leaves_out_batch_normalization_alone() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.5), torch.nn.InstanceNorm1d(2)).eval()
    switch_on(model)
    assert [layer.training for layer in model] == [False, True, False] and model.training
