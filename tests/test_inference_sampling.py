"""Monte Carlo: what is drawn, what is computed from it, and what is left alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dropout_lab import ensemble, inference, nn


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(6, 4, generator=seeded(1), dtype=torch.float64)


def network(*layers: torch.nn.Module) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), *layers, torch.nn.Linear(5, 3)).double()


class Recorded(torch.nn.Module):
    """Remembers what passes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "raw"])
def test_every_figure_is_that_of_the_drawn_outputs(batch: Tensor, output: str) -> None:
    model = torch.nn.Sequential(network(nn.Dropout(0.5)), Recorded())
    found = inference.monte_carlo(model, batch, 20, output=output)
    drawn = torch.stack(model[1].seen)
    assert drawn.shape == (20, 6, 3)
    drawn = {"softmax": drawn.softmax(-1), "sigmoid": drawn.sigmoid(), "raw": drawn}[output]
    torch.testing.assert_close(found.mean, drawn.mean(0), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.variance, drawn.var(0), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.standard_error, drawn.std(0) / math.sqrt(20), rtol=1e-12, atol=1e-14)
    assert found.samples == 20
    if output == "raw":
        assert found.entropy is None
        assert found.mutual_information is None
        return

    def entropy(p: Tensor) -> Tensor:
        terms = -(p * p.log())
        return terms.sum(-1) if output == "softmax" else terms - (1 - p) * (1 - p).log()

    torch.testing.assert_close(found.entropy, entropy(drawn.mean(0)))
    torch.testing.assert_close(found.mutual_information, entropy(drawn.mean(0)) - entropy(drawn).mean(0))
    assert (found.mutual_information > 0).all()
    assert (found.mutual_information < found.entropy).all()


@pytest.mark.parametrize("layer", [nn.Dropout(0.6), nn.Dropout(0.6, rescale=False), torch.nn.Dropout(0.4)])
def test_the_mean_approaches_the_exact_ensemble(batch: Tensor, layer: torch.nn.Module) -> None:
    """2000 samples, 18 numbers, each within 5.1 standard errors: false alarm below 18 · 3.4e-7 = 6e-6, seed fixed."""
    model = network(layer)
    found = inference.monte_carlo(model, batch, 2000, generator=seeded(2))
    exact = ensemble.exact_mean(model, batch)
    assert ((found.mean - exact).abs() < 5.1 * found.standard_error + 1e-12).all()


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), torch.nn.Dropout(0.5), torch.nn.AlphaDropout(0.5)])
def test_a_generators_state_decides_and_global_generators_are_left_alone(batch: Tensor, layer: torch.nn.Module) -> None:
    model = network(layer)
    torch.manual_seed(9)
    state = torch.get_rng_state()
    one, two, other = (inference.monte_carlo(model, batch, 5, generator=seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.mean, two.mean)
    assert not torch.equal(one.mean, other.mean)
    generator = seeded(3)
    first = inference.monte_carlo(model, batch, 5, generator=generator)
    second = inference.monte_carlo(model, batch, 5, generator=generator)
    assert torch.equal(first.mean, one.mean)
    assert not torch.equal(second.mean, first.mean)


@pytest.mark.parametrize("size", [1, 4, 100])
def test_batches_are_no_larger_than_asked(batch: Tensor, size: int) -> None:
    model = torch.nn.Sequential(Recorded(), network(nn.Dropout(0.5)))
    found = inference.monte_carlo(model, batch, 3, batch_size=size)
    assert max(len(x) for x in model[0].seen) == min(size, 6)
    assert sum(len(x) for x in model[0].seen) == 18
    assert found.mean.shape == found.variance.shape == (6, 3)
    assert found.entropy.shape == found.mutual_information.shape == (6,)
    torch.testing.assert_close(found.mean.sum(1), torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize("training", [True, False])
def test_modes_and_batch_norm_are_left_as_they_were(batch: Tensor, training: bool) -> None:
    norm = torch.nn.BatchNorm1d(5)
    model = network(norm, nn.Dropout(0.5)).train(training)
    model[3].train(not training)
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    inference.monte_carlo(model, batch, 3)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    with pytest.raises(RuntimeError):
        inference.monte_carlo(model, batch[:, :2], 3)
    assert [module.training for module in model.modules()] == modes


def test_batch_norm_uses_its_statistics_and_not_the_batchs(batch: Tensor) -> None:
    """Two examples side by side or apart: batch statistics would couple them."""
    model = network(torch.nn.BatchNorm1d(5), nn.Dropout(0.5))
    model.train()(batch)
    together, apart = (
        inference.monte_carlo(model, batch, 2, generator=seeded(1), batch_size=size, output="raw") for size in (6, None)
    )
    assert torch.equal(together.mean, apart.mean)
    alone = torch.nn.Sequential(model[0], model[1], model[2], Recorded(), model[3], model[4])
    inference.monte_carlo(alone, batch, 2)
    expected = model[:3].eval()(batch)
    assert all(torch.equal(seen, expected) for seen in alone[3].seen)


class Functional(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.dropout(x, 0.5, self.training)


def test_a_class_that_drops_in_its_forward_is_named(batch: Tensor) -> None:
    model = network(Functional())
    with pytest.raises(ValueError, match=r"Functional '2' draws.*also=\(Functional,\)"):
        inference.monte_carlo(model, batch)
    assert (inference.monte_carlo(model, batch, 10, also=(Functional,)).variance > 0).any()


@pytest.mark.parametrize(
    "layer",
    [
        nn.GaussianDropout(0.5),
        nn.SpatialDropout(0.5),
        nn.VariationalDropout(0.5),
        nn.DropPath(0.5),
        torch.nn.Dropout1d(0.5),
        torch.nn.FeatureAlphaDropout(0.5),
    ],
)
def test_every_layer_that_samples_is_sampled(layer: torch.nn.Module) -> None:
    """Four samples of three examples all agree with a chance of at most 2^-9 (drop path). Seed fixed."""
    x = torch.randn(3, 2, 4, generator=seeded(5), dtype=torch.float64)
    model = network(layer)
    assert (inference.monte_carlo(model, x, 4, generator=seeded(6)).variance > 0).any()


def test_the_shortcut_of_torchs_transformer_layer_is_not_taken() -> None:
    """In eval() and without gradients it computes everything in one call, in which none of its own layers drops."""
    torch.manual_seed(0)
    model = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True)
    x = torch.randn(3, 2, 4, generator=seeded(5))
    assert (inference.monte_carlo(model, x, 4, generator=seeded(6)).variance > 0).all()


def test_recurrent_layers_and_attention_are_sampled() -> None:
    class Only(torch.nn.Module):
        def __init__(self, layer: torch.nn.Module, inputs: int) -> None:
            super().__init__()
            self.layer, self.inputs = layer, inputs

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(*[x] * self.inputs)[0]

    x = torch.randn(3, 2, 4, generator=seeded(5))
    for layer, inputs in (
        (torch.nn.GRU(4, 4, num_layers=2, dropout=0.5), 1),
        (torch.nn.MultiheadAttention(4, 1, dropout=0.5), 3),
    ):
        assert (inference.monte_carlo(Only(layer, inputs), x, 8, generator=seeded(6)).variance > 0).any()


@pytest.mark.parametrize(
    "layer",
    [nn.Dropout(1.0), nn.Dropout(0.0), torch.nn.Dropout(0.0), torch.nn.Dropout(1.0), torch.nn.BatchNorm1d(5)],
)
def test_a_model_with_nothing_to_sample_is_refused(batch: Tensor, layer: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match="nothing to sample"):
        inference.monte_carlo(network(layer), batch)


def test_dropping_in_place_does_not_change_the_inputs(batch: Tensor) -> None:
    x = batch.clone()
    model = torch.nn.Sequential(torch.nn.Dropout(0.5, inplace=True), torch.nn.Linear(4, 3).double())
    inference.monte_carlo(model, x, 10)
    assert torch.equal(x, batch)


def test_float32_outputs_come_back_as_float32_and_without_gradients(batch: Tensor) -> None:
    found = inference.monte_carlo(network(nn.Dropout(0.5)).float(), batch.float(), 3)
    assert {part.dtype for part in found[:4]} == {torch.float32}
    assert not found.mean.requires_grad


def test_requests_that_make_no_sense_name_what_is_wrong(batch: Tensor) -> None:
    model = network(nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"at least 2.*got 1"):
        inference.monte_carlo(model, batch, 1)
    with pytest.raises(ValueError, match=r"output must be.*'logits'"):
        inference.monte_carlo(model, batch, output="logits")
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        inference.monte_carlo(model, batch, batch_size=0)
    single = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Linear(4, 1).double())
    with pytest.raises(ValueError, match="output='sigmoid'"):
        inference.monte_carlo(single, batch)


class Activated(torch.nn.BatchNorm1d):
    """Batch normalization that contains its activation and a dropout layer."""

    def __init__(self, features: int, layer: torch.nn.Module) -> None:
        super().__init__(features)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(super().forward(x).relu())


def test_what_contains_the_noise_stays_in_eval(batch: Tensor) -> None:
    model = network(Activated(5, nn.Dropout(0.5)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = inference.monte_carlo(model, batch + 5, 10)
    assert (found.variance > 0).any()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class Alone(torch.nn.Module):
    """Drops in training alone: the layer is not called in eval()."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if self.training else x


def test_a_layer_that_only_training_calls_is_named(batch: Tensor) -> None:
    model = network(Alone())
    with pytest.raises(
        ValueError, match=r"Dropout '2.layer' is called in training alone, by Alone '2'.*also=\(Alone,\)"
    ):
        inference.monte_carlo(model, batch)
    assert (inference.monte_carlo(model, batch, 10, also=(Alone,)).variance > 0).any()


class Drifting(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls


def test_a_model_that_changes_from_sample_to_sample_is_named(batch: Tensor) -> None:
    model = network(nn.Dropout(0.5), Drifting())
    with pytest.raises(ValueError, match="Drifting '3' changes its buffers"):
        inference.monte_carlo(model, batch)
    assert model[3].calls == 0


class Votes(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(self.inner(x).argmax(-1), 3)


def test_frequencies_of_votes_are_no_integers(batch: Tensor) -> None:
    """4000 samples, 18 figures, each within 5.1 standard errors: a false alarm below 18 · 3.4e-7, seed fixed."""
    model = Votes(network(nn.Dropout(0.5)))
    found = inference.monte_carlo(model, batch, 4000, output="raw", generator=seeded(1))
    exact = ensemble.exact_mean(model, batch, output="raw")
    assert found.mean.dtype == torch.float64
    assert ((found.mean - exact).abs() < 5.1 * found.standard_error + 1e-12).all()
    assert ((found.mean > 0) & (found.mean < 1)).any()


def test_half_precision_does_not_bound_a_variance() -> None:
    model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Identity())
    found = inference.monte_carlo(model, torch.full((1, 4), 600.0, dtype=torch.float16), 50, output="raw")
    assert found.variance.dtype == torch.float32
    assert ((found.variance > 2e5) & found.variance.isfinite()).all()


def test_a_compiled_part_is_sampled_too(batch: Tensor) -> None:
    torch.compiler.reset()
    part = torch.compile(network(nn.Dropout(0.5)), backend="aot_eager")
    found = inference.monte_carlo(torch.nn.Sequential(part), batch, 10)
    assert (found.variance > 0).any()


def test_the_bits_for_a_generator_are_those_of_plain_passes(batch: Tensor) -> None:
    """To look first costs no random numbers: under a global seed the samples are those of a loop."""
    model = network(nn.Dropout(0.5))
    torch.manual_seed(3)
    found = inference.monte_carlo(model, batch, 5, output="raw")
    torch.manual_seed(3)
    with torch.no_grad():
        drawn = torch.stack([model.train()(batch) for _ in range(5)])
    torch.testing.assert_close(found.mean, drawn.mean(0))


def test_complex_outputs_are_refused() -> None:
    class Spectrum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = torch.nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft(self.drop(x))

    with pytest.raises(TypeError, match=r"a tensor of real numbers, got a tensor of torch\.complex64"):
        inference.monte_carlo(Spectrum(), torch.ones(2, 4), 3, output="raw")
