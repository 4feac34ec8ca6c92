"""No silent wrong number: each test-time rule accounts for what a model draws, or names the module that draws it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab import ensemble, functional, inference, nn

WIDTH = 4


class Drawing(torch.nn.Module):
    """A module with a forward given as a function of itself and its input."""

    def __init__(self, act: Callable[[torch.nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.act = act
        self.keep = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self, x)


class Stream(Drawing):
    """One that owns a stream of random numbers."""

    def __init__(self, act: Callable[[torch.nn.Module, Tensor], Tensor], stream: object) -> None:
        super().__init__(act)
        self.stream = stream


class Wrapped(torch.nn.Module):
    """A module called with several arguments, or that gives several outputs."""

    def __init__(self, inner: torch.nn.Module, call: Callable[[torch.nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.inner, x)


class OwnForward(torch.nn.Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.p * torch.randn_like(x) if self.training else x


class OursOwnForward(nn.Dropout):
    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return 3 * super().forward(x, generator=generator)


class Unlisted(nn.Member):
    """A subclass of the base of our layers that gives no variant."""

    function = staticmethod(functional.dropout)

    def __init__(self, keep_prob: float = 0.5) -> None:
        super().__init__(keep_prob=keep_prob)


closure_torch, closure_numpy = torch.Generator().manual_seed(1), np.random.default_rng(1)


def _gumbel(module: torch.nn.Module, x: Tensor) -> Tensor:
    return F.gumbel_softmax(x, tau=0.5) if module.training else x.softmax(-1)


def _pooled(module: torch.nn.Module, x: Tensor) -> Tensor:
    return module(x.repeat(1, 4).view(len(x), 1, 4, 4)).flatten(1)


def _heads(module: torch.nn.Module, x: Tensor) -> Tensor:
    tokens = x.unsqueeze(1).expand(-1, 3, -1)
    return module(tokens, tokens, tokens)[0].mean(1)


def _steps(module: torch.nn.Module, x: Tensor) -> Tensor:
    return module(x.unsqueeze(1).expand(-1, 3, -1))[0].mean(1)


def _attend(module: torch.nn.Module, x: Tensor) -> Tensor:
    tokens = x.view(len(x), 1, 1, WIDTH).expand(-1, 1, 3, -1)
    return F.scaled_dot_product_attention(tokens, tokens, tokens, dropout_p=0.5 if module.training else 0.0).mean(
        (1, 2)
    )


#: What draws, and the class that an error has to name.
CASES: dict[str, tuple[Callable[[], torch.nn.Module], str]] = {
    "F.dropout": (lambda: Drawing(lambda m, x: F.dropout(x, 0.5, m.training)), "Drawing"),
    "F.dropout, always": (lambda: Drawing(lambda m, x: F.dropout(x, 0.5)), "Drawing"),
    "F.alpha_dropout": (lambda: Drawing(lambda m, x: F.alpha_dropout(x, 0.5, m.training)), "Drawing"),
    "ours as a function": (lambda: Drawing(lambda m, x: functional.dropout(x, training=m.training)), "Drawing"),
    "home-made": (lambda: Drawing(lambda m, x: x * (torch.rand(x.shape) < m.keep) if m.training else x), "Drawing"),
    "home-made, always": (lambda: Drawing(lambda m, x: x * (torch.rand(x.shape) < m.keep)), "Drawing"),
    "bernoulli_": (lambda: Drawing(lambda m, x: x * torch.empty_like(x).bernoulli_(0.5)), "Drawing"),
    "in eval() alone": (lambda: Drawing(lambda m, x: x if m.training else x + torch.randn_like(x)), "Drawing"),
    "a factor that changes nothing here": (lambda: Drawing(lambda m, x: x + 0 * torch.rand_like(x)), "Drawing"),
    "Gumbel-softmax": (lambda: Drawing(_gumbel), "Drawing"),
    "scaled_dot_product_attention": (lambda: Drawing(_attend), "Drawing"),
    "numpy": (lambda: Drawing(lambda m, x: x * float(np.random.rand() < 0.5)), "Drawing"),
    "random": (lambda: Drawing(lambda m, x: x * float(random.random() < 0.5)), "Drawing"),
    "layer drop": (lambda: Drawing(lambda m, x: x if m.training and random.random() < 0.5 else 2 * x), "Drawing"),
    "a closure's torch.Generator": (
        lambda: Drawing(lambda m, x: x * (torch.rand(x.shape, generator=closure_torch) < 0.999)),
        "Drawing",
    ),
    "a closure's NumPy generator": (lambda: Drawing(lambda m, x: x * closure_numpy.random()), "Drawing"),
    "its own torch.Generator": (
        lambda: Stream(lambda m, x: x * (torch.rand(x.shape, generator=m.stream) < 0.999), torch.Generator()),
        "Stream",
    ),
    "its own NumPy generator": (
        lambda: Stream(lambda m, x: x * float(m.stream.random() < 0.999), np.random.default_rng(0)),
        "Stream",
    ),
    "its own RandomState": (
        lambda: Stream(lambda m, x: x * float(m.stream.rand() < 0.999), np.random.RandomState(0)),
        "Stream",
    ),
    "its own random.Random": (
        lambda: Stream(lambda m, x: x * float(m.stream.random() < 0.999), random.Random(0)),
        "Stream",
    ),
    "RReLU": (lambda: torch.nn.RReLU(), "RReLU"),
    "fractional pooling": (
        lambda: Wrapped(torch.nn.FractionalMaxPool2d(2, output_size=2), _pooled),
        "FractionalMaxPool2d",
    ),
    "torch's dropout with another forward": (lambda: OwnForward(0.5), "OwnForward"),
    "ours with another forward": (lambda: OursOwnForward(0.5), "OursOwnForward"),
    "ours without a variant": (lambda: Unlisted(), "Unlisted"),
    "between layers of an LSTM": (
        lambda: Wrapped(torch.nn.LSTM(WIDTH, WIDTH, 2, dropout=0.5, batch_first=True), _steps),
        "LSTM",
    ),
    "between layers of a GRU": (
        lambda: Wrapped(torch.nn.GRU(WIDTH, WIDTH, 2, dropout=0.5, batch_first=True), _steps),
        "GRU",
    ),
    "between layers of an RNN": (
        lambda: Wrapped(torch.nn.RNN(WIDTH, WIDTH, 2, dropout=0.5, batch_first=True), _steps),
        "RNN",
    ),
    "in MultiheadAttention": (
        lambda: Wrapped(torch.nn.MultiheadAttention(WIDTH, 2, dropout=0.5, batch_first=True), _heads),
        "MultiheadAttention",
    ),
    "in TransformerEncoderLayer": (
        lambda: Wrapped(
            torch.nn.TransformerEncoderLayer(WIDTH, 2, 8, dropout=0.5, batch_first=True),
            lambda m, x: m(x.unsqueeze(1).expand(-1, 3, -1)).mean(1),
        ),
        "MultiheadAttention",
    ),
}
each = pytest.mark.parametrize("case", CASES)


def model_with(case: str) -> torch.nn.Sequential:
    torch.manual_seed(0)
    inner = CASES[case][0]()
    outputs = torch.nn.LazyLinear(3)
    model = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh(), nn.Dropout(0.5), inner, outputs)
    model(torch.randn(2, WIDTH))
    return model


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(1))


@each
@pytest.mark.parametrize("rule", (ensemble.exact_mean, ensemble.exact_geometric_mean), ids=("mean", "geometric"))
def test_an_exact_mean_names_what_it_cannot_enumerate(case: str, rule: Callable[..., Tensor], batch: Tensor) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"\b{CASES[case][1]}\b"):
        rule(model_with(case), batch)


#: Noise that Monte Carlo knows how to switch on.
SAMPLED = (
    "torch's dropout with another forward",
    "ours with another forward",
    *(case for case in CASES if case.startswith(("between layers", "in M", "in T"))),
)


@each
def test_monte_carlo_samples_as_training_does_or_names_what_it_would_leave_out(case: str, batch: Tensor) -> None:
    """The means of 3000 samples each, at 15 outputs, in 9 cases, differ by less than 5.5 standard errors.

    A false alarm for an arbitrary seed: 9 · 15 · 3.8e-8 = 5e-6.
    """
    model = model_with(case)
    if case not in SAMPLED:
        with pytest.raises((ValueError, TypeError), match=rf"\b{CASES[case][1]}\b"):
            inference.monte_carlo(model, batch, 10)
        return
    found = inference.monte_carlo(model, batch, 3000, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        drawn = torch.stack([model.train()(batch).softmax(-1) for _ in range(3000)]).double()
    error = (found.standard_error.double() ** 2 + drawn.var(0) / 3000).sqrt()
    assert ((found.mean - drawn.mean(0)).abs() < 5.5 * error + 1e-7).all()


@pytest.mark.parametrize("case", [case for case in CASES if case not in SAMPLED and "variant" not in case])
def test_named_in_also_it_is_sampled(case: str, batch: Tensor) -> None:
    if case == "in eval() alone":
        return
    model = model_with(case)
    kind = type(next(module for module in model.modules() if type(module).__name__ == CASES[case][1]))
    found = inference.monte_carlo(model, batch, 2000, also=(kind,), output="raw")
    with torch.no_grad():
        drawn = torch.stack([model.train()(batch) for _ in range(2000)]).double()
    error = (found.standard_error.double() ** 2 + drawn.var(0) / 2000).sqrt()
    assert ((found.mean - drawn.mean(0)).abs() < 5.5 * error + 1e-6).all()


@each
def test_looking_leaves_no_trace(case: str, batch: Tensor) -> None:
    """Whatever the answer: modes, buffers, hooks and all global random states are what they were."""
    model = model_with(case)
    model[0].eval()
    modes = [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].tobytes(), random.getstate()
    for rule in (ensemble.exact_mean, lambda m, x: inference.monte_carlo(m, x, 2, generator=torch.Generator())):
        # A closure's stream cannot be put back, and is no global one.
        with contextlib.suppress(ValueError, TypeError):
            rule(model, batch)
        assert [module.training for module in model.modules()] == modes
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.random.get_state()[1].tobytes() == states[1]
        assert random.getstate() == states[2]
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_in_a_compiled_part_the_masks_are_enumerated(batch: Tensor) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5), torch.nn.Tanh())
    outer = [nn.Dropout(0.5), torch.nn.Linear(WIDTH, 3)]
    expected = ensemble.exact_mean(torch.nn.Sequential(inner, *outer), batch)
    compiled = torch.nn.Sequential(torch.compile(inner, backend="aot_eager"), *outer)
    for training in (False, True):
        with torch.no_grad():
            compiled.train(training)(batch)
        assert torch.equal(ensemble.exact_mean(compiled, batch), expected)


@pytest.mark.parametrize("rule", (ensemble.exact_mean, inference.monte_carlo), ids=("exact", "drawn"))
def test_a_traced_part_that_draws_is_refused(rule: Callable[..., object], batch: Tensor) -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Dropout(0.5))
    traced = torch.jit.trace(layer.train(), batch, check_trace=False)
    with pytest.raises(ValueError, match="Sequential draws random numbers of its own"):
        rule(torch.nn.Sequential(traced, nn.Dropout(0.5)), batch)
