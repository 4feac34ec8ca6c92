"""Learned rates: the divergences against quadrature of their definitions, the noise against its law."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import nn

from dropout_lab import bayes
from dropout_lab.bayes import ConcreteDropout, LearnedGaussianDropout

SHARINGS = ("layer", "unit", "weight")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def divergence_by_definition(alpha: float) -> float:
    """∫ q (log q − log p) for q = N(1, α) and log p = −log|w|, by adaptive quadrature of the definition, pole and all.

    Less the limit at α = ∞: there ∫ q log q = −½ log(2πeα), and E log|w| is that of √α z, which is ½ (log α − γ − log
    2).
    """
    spread = math.sqrt(alpha)

    def integrand(z: float) -> float:
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        log_q = -z * z / 2 - math.log(2 * math.pi * alpha) / 2
        return density * (log_q + math.log(abs(1 + spread * z)))

    pole = -1 / spread
    value = sum(
        integrate.quad(integrand, low, high, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
        for low, high in zip(sorted([-30, max(pole, -30), 0]), [*sorted([-30, max(pole, -30), 0])[1:], 30], strict=True)
        if high > low
    )
    return value + (math.log(2 * math.pi) + 1) / 2 + (np.euler_gamma + math.log(2)) / 2


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1 / 401, 1 / 400, 1 / 399, 0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 1e3, 1e5])
def test_the_exact_divergence_is_the_definitions(alpha: float) -> None:
    found = float(bayes.exact_kl(torch.tensor(alpha, dtype=torch.float64).log()))
    assert found == pytest.approx(divergence_by_definition(alpha), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("alpha", [1e-3, 1 / 401, 1 / 399, 1 / 300, 0.01, 0.3, 1.0, 30.0, 1e5])
def test_the_exact_divergence_is_a_poisson_mean_of_digammas_to_twelve_digits(alpha: float) -> None:
    """ε²/α is χ² with 1 + 2J degrees of freedom for a Poisson J of mean 1/2α, and E log χ²_k = log 2 + ψ(k/2)."""
    mean = 1 / (2 * alpha)
    counts = np.arange(int(mean + 40 * math.sqrt(mean) + 60))
    terms = stats.poisson.pmf(counts, mean) * (special.digamma(0.5 + counts) - special.digamma(0.5))
    found = bayes.exact_kl(torch.tensor(alpha, dtype=torch.float64).log()).item()
    assert found == pytest.approx(math.fsum(terms) / 2, rel=5e-13)


def test_the_exact_divergences_slope_is_dawsons_function() -> None:
    """d KL/d log α = −½ u D(√(u/2)) / √(u/2) with u = 1/α (Hron, Matthews and Ghahramani 2018), and falls to −½."""
    log_alpha = torch.linspace(-30, 12, 400, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(bayes.exact_kl(log_alpha).sum(), log_alpha)
    root = np.exp(-log_alpha.detach().numpy() / 2) / math.sqrt(2)
    np.testing.assert_allclose(slope.numpy(), -root * special.dawsn(root), rtol=5e-12)
    assert float(slope[0]) == pytest.approx(-0.5, abs=1e-9)


def test_the_exact_divergence_has_second_derivatives_and_its_limits() -> None:
    around = torch.tensor([-9.0, -6.1, -5.9, -1.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bayes.exact_kl, around)
    assert torch.autograd.gradgradcheck(bayes.exact_kl, around)
    ends = torch.tensor([-700.0, 800.0], requires_grad=True)
    values = bayes.exact_kl(ends)
    values.sum().backward()
    assert values[0].item() == pytest.approx(350 + (np.euler_gamma + math.log(2)) / 2) and values[1] == 0
    assert torch.equal(ends.grad, torch.tensor([-0.5, 0.0]))


def test_the_published_fits_and_their_errors() -> None:
    """The errors the docstrings state, and that they are no smaller than stated: both ends are reached within 0.001."""
    grid = torch.linspace(-16, 0, 4001, dtype=torch.float64)
    cubic = bayes.cubic_kl(grid) - bayes.exact_kl(grid)
    assert -0.041 < cubic.min() < -0.040 and -1e-3 < cubic.max() < 0
    grid = torch.linspace(-16, 16, 8001, dtype=torch.float64)
    sigmoid = bayes.sigmoid_kl(grid) - bayes.exact_kl(grid)
    assert -0.005 < sigmoid.min() < -0.004 and 0.009 < sigmoid.max() < 0.010


def test_the_cubic_refuses_what_it_was_not_fitted_to() -> None:
    with pytest.raises(ValueError, match="alpha up to 1, got 2"):
        bayes.cubic_kl(torch.tensor([-1.0, math.log(2)]))
    layer = LearnedGaussianDropout(2, 2, keep_prob=0.2, kl="cubic")
    with pytest.raises(ValueError, match="got 4"):
        layer.regularizer()
    layer.bound_alpha_()
    assert layer.keep_prob.item() == 0.5
    torch.testing.assert_close(layer.regularizer(), 4 * bayes.cubic_kl(torch.zeros(())))


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("kl", ["exact", "cubic", "sigmoid"])
def test_the_regularizer_sums_over_every_weight(sharing: str, kl: str) -> None:
    layer = LearnedGaussianDropout(3, 4, keep_prob=0.8, sharing=sharing, kl=kl, dtype=torch.float64)
    with torch.no_grad():
        layer.log_alpha.sub_(torch.rand_like(layer.log_alpha))
    function = {"exact": bayes.exact_kl, "cubic": bayes.cubic_kl, "sigmoid": bayes.sigmoid_kl}[kl]
    each = [function(value).item() for value in layer.log_alpha.expand(4, 3).reshape(-1)]
    assert layer.regularizer().item() == pytest.approx(math.fsum(each), rel=1e-12)
    (gradient,) = torch.autograd.grad(layer.regularizer(), layer.log_alpha)
    assert gradient.shape == {"layer": (1, 1), "unit": (1, 3), "weight": (4, 3)}[sharing] and (gradient < 0).all()


@pytest.mark.parametrize("sharing", SHARINGS)
def test_outputs_have_the_law_of_a_layer_whose_weights_are_drawn(sharing: str) -> None:
    """Against 100 000 draws of the weights themselves. Means, variances and correlations between outputs within 5.5
    standard errors of the closed forms for both: false alarm below 4e-8 each, 2e-6 in all (normal approximation)."""
    torch.manual_seed(0)
    layer = LearnedGaussianDropout(3, 2, sharing=sharing, dtype=torch.float64)
    with torch.no_grad():
        layer.log_alpha.add_(torch.randn_like(layer.log_alpha))
    alpha = layer.log_alpha.detach().exp().expand(2, 3)
    x = torch.tensor([0.5, -2.0, 1.5], dtype=torch.float64)
    draws = 100_000
    mean = torch.stack([sum(layer.weight[i, j] * x[j] for j in range(3)) + layer.bias[i] for i in range(2)]).detach()
    variances = [sum(alpha[i, j] * (layer.weight[i, j] * x[j]) ** 2 for j in range(3)) for i in range(2)]
    spread = torch.stack(variances).sqrt().detach()
    local = layer(x.expand(draws, 3), generator=seeded(1)).detach()
    noise = torch.randn(draws, 2, 3, dtype=torch.float64, generator=seeded(2))
    weights = layer.weight.detach() * (1 + alpha.sqrt() * noise)
    drawn = weights @ x + layer.bias.detach()
    for sample in (local, drawn):
        standard = (sample - mean) / spread
        assert (standard.mean(0).abs() < 5.5 / math.sqrt(draws)).all()
        assert ((standard.square().mean(0) - 1).abs() < 5.5 * math.sqrt(2 / draws)).all()
        assert abs(float((standard[:, 0] * standard[:, 1]).mean())) < 5.5 / math.sqrt(draws)
        assert ((standard**4).mean(0) - 3).abs().max() < 5.5 * math.sqrt(96 / draws)  # Gaussian: Var z⁴ = 96


def test_from_linear_keeps_the_trained_weights_and_eval_is_that_layer() -> None:
    torch.manual_seed(1)
    for bias in (True, False):
        linear = nn.Linear(3, 4, bias).double().eval()
        layer = LearnedGaussianDropout.from_linear(linear, sharing="unit")
        x = torch.randn(2, 5, 3, dtype=torch.float64)
        assert torch.equal(layer(x), linear(x)) and not layer.training
        assert not torch.equal(layer.train()(x), linear(x))
        assert layer.weight.data_ptr() != linear.weight.data_ptr() and (layer.bias is None) is not bias


def test_zeros_have_no_noise_and_finite_gradients() -> None:
    layer = LearnedGaussianDropout(3, 2)
    x = torch.zeros(2, 3, requires_grad=True)
    outputs = layer(x)
    assert torch.equal(outputs, layer.bias.expand(2, 2))
    outputs.sum().backward()
    assert x.grad.isfinite().all() and all(parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_learning_alpha_prunes_what_carries_no_signal() -> None:
    """The label reads one input and not the other: the first's α ends a hundred times lower. Gaussian likelihood with
    the noise's own variance, .01, full batch, both α from 1."""
    torch.manual_seed(2)
    x = torch.randn(256, 2)
    y = 3 * x[:, :1] + 0.1 * torch.randn(256, 1)
    layer = LearnedGaussianDropout(2, 1, sharing="weight")
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    generator = seeded(3)
    for _ in range(800):
        optimizer.zero_grad()
        (50 * (layer(x, generator=generator) - y).square().mean() + layer.regularizer() / 256).backward()
        optimizer.step()
    signal, noise = layer.log_alpha.detach().exp()[0].tolist()
    assert signal < 0.01 and noise > 100 * signal


@pytest.mark.parametrize("logit", [-2.0, 0.0, 0.4, 3.0])
def test_the_relaxed_masks_mean_and_the_slope_of_its_mean(logit: float) -> None:
    """Against quadrature over u, within 5 standard errors: false alarm below 6e-7 each. The mean is biased away from
    ½ towards it; its slope is the gradient that the relaxation follows."""
    temperature, draws = 0.5, 200_000

    def curve(u: float) -> float:
        return special.expit((logit + special.logit(u)) / temperature)

    expected = integrate.quad(curve, 0, 1, epsabs=1e-12)[0]
    slope = integrate.quad(lambda u: curve(u) * (1 - curve(u)) / temperature, 0, 1, epsabs=1e-12)[0]
    keep = special.expit(logit)
    assert keep == pytest.approx(expected, abs=1e-9) if logit == 0 else (expected - keep) * logit < 0
    logits = torch.full((draws,), logit, dtype=torch.float64, requires_grad=True)
    mask = bayes.concrete_mask((draws,), logits, temperature, generator=seeded(4))
    (gradients,) = torch.autograd.grad(mask.sum(), logits)
    for sample, value in ((mask.detach(), expected), (gradients, slope), ((mask > 0.5).double(), keep)):
        assert abs(float(sample.mean()) - value) < 5 * float(sample.std()) / math.sqrt(draws)


def test_masks_are_finite_at_every_draw_and_at_extreme_logits() -> None:
    logit = torch.tensor([-60.0, 0.0, 60.0], requires_grad=True)
    mask = bayes.concrete_mask((200_000, 3), logit, 0.01, generator=seeded(5))
    mask.sum().backward()
    assert mask.isfinite().all() and (mask >= 0).all() and (mask <= 1).all() and logit.grad.isfinite().all()


def test_a_uniform_draw_of_zero_drops_without_a_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))
    logit = torch.zeros((), requires_grad=True)
    mask = bayes.concrete_mask((2,), logit)
    mask.sum().backward()
    assert torch.equal(mask, torch.zeros(2)) and logit.grad == 0


def layers_under_concrete() -> dict[str, tuple[nn.Module, tuple[int, ...], int]]:
    torch.manual_seed(3)
    return {
        "linear": (nn.Linear(5, 4), (3, 5), 5),
        "linear in a sequence": (nn.Linear(5, 4), (3, 2, 5), 5),
        "conv1d": (nn.Conv1d(5, 4, 3), (3, 5, 6), 5),
        "conv2d": (nn.Conv2d(4, 6, 3, groups=2), (3, 4, 6, 6), 4),
        "transposed2d": (nn.ConvTranspose2d(4, 6, 3, groups=2), (3, 4, 6, 6), 4),
    }


@pytest.mark.parametrize("name", layers_under_concrete())
@pytest.mark.parametrize("rescale", [True, False])
def test_concrete_dropout_is_the_layer_on_masked_units_or_channels(name: str, rescale: bool) -> None:
    layer, shape, units = layers_under_concrete()[name]
    module = ConcreteDropout(layer, keep_prob=0.7, temperature=0.2, rescale=rescale)
    assert module.units == units
    x = torch.randn(shape)
    drawn = shape if isinstance(layer, nn.Linear) else (*shape[:2], *(1,) * (len(shape) - 2))
    mask = bayes.concrete_mask(drawn, module.logit, 0.2, generator=seeded(6))
    expected = layer(x * mask / 0.7) if rescale else layer(x * mask)
    torch.testing.assert_close(module(x, generator=seeded(6)), expected)
    module.eval()
    if rescale:
        assert torch.equal(module(x), layer(x))
    else:
        torch.testing.assert_close(module(x), layer(x * 0.7))


def test_the_concrete_regularizer_is_the_divergence_of_a_narrow_mixture() -> None:
    """One weight: q = p N(m, s²) + (1 − p) N(0, s²), prior N(0, 1/precision). The regularizer leaves out a constant,
    so differences between settings are compared with quadrature of the definition; what is neglected is of order
    exp(−m²/8s²)."""
    precision, s = 1.7, 0.01

    def divergence(p: float, m: float) -> float:
        def integrand(w: float) -> float:
            parts = np.array([math.log(p) - ((w - m) / s) ** 2 / 2, math.log(1 - p) - (w / s) ** 2 / 2])
            log_q = special.logsumexp(parts) - math.log(s * math.sqrt(2 * math.pi))
            log_prior = math.log(precision / (2 * math.pi)) / 2 - precision * w * w / 2
            return math.exp(log_q) * (log_q - log_prior)

        return sum(integrate.quad(integrand, at - 12 * s, at + 12 * s, epsabs=1e-11, limit=300)[0] for at in (0.0, m))

    def ours(p: float, m: float, rescale: bool) -> float:
        layer = nn.Linear(1, 1).double()
        module = ConcreteDropout(layer, keep_prob=p, precision=precision, rescale=rescale)
        with torch.no_grad():
            layer.weight.fill_(m * p if rescale else m)  # under rescale a kept unit's weight is the layer's over p
        return module.regularizer().item()

    settings_ = [(0.5, 1.0), (0.9, 1.0), (0.9, 2.5), (0.2, 2.5)]
    for rescale in (True, False):
        for one, other in itertools.pairwise(settings_):
            expected = divergence(*one) - divergence(*other)
            assert ours(*one, rescale) - ours(*other, rescale) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("rescale", [True, False])
def test_the_concrete_regularizers_terms_and_gradient(rescale: bool) -> None:
    layer = nn.Conv2d(3, 2, 2).double()
    module = ConcreteDropout(layer, keep_prob=0.8, precision=0.3, rescale=rescale)
    squares = float(layer.weight.detach().square().sum())
    entropy = -0.8 * math.log(0.8) - 0.2 * math.log(0.2)
    weight_term = 0.15 * squares * (1 / 0.8 if rescale else 0.8)
    assert module.weight_term().item() == pytest.approx(weight_term)
    assert module.entropy_term().item() == pytest.approx(-3 * entropy)
    assert module.regularizer().item() == pytest.approx(weight_term - 3 * entropy)
    (gradient,) = torch.autograd.grad(module.regularizer(), module.logit)
    by_p = 0.15 * squares * (-1 / 0.64 if rescale else 1.0) + 3 * math.log(0.8 / 0.2)
    assert float(gradient) == pytest.approx(by_p * 0.8 * 0.2)
    with torch.no_grad():
        module.logit.fill_(900.0)
    far = module.regularizer()
    far.backward()
    assert far.isfinite() and module.logit.grad.isfinite()


def test_concrete_dropout_learns_to_keep_what_is_needed() -> None:
    """A noiseless map of many data leaves no reason to drop; without data the entropy draws p to ½."""
    ends = []
    for examples in (100_000, 0):
        torch.manual_seed(4)
        module = ConcreteDropout(nn.Linear(4, 1), keep_prob=0.8, precision=1e-3)
        optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
        x = torch.randn(256, 4)
        y = x.sum(1, keepdim=True)
        generator = seeded(7)
        for _ in range(300):
            optimizer.zero_grad()
            (examples * (module(x, generator=generator) - y).square().mean() + module.regularizer()).backward()
            optimizer.step()
        ends.append(module.keep_prob.item())
    assert ends[0] > 0.97 and abs(ends[1] - 0.5) < 0.02


def test_no_slope_on_the_way_back_is_nan_either() -> None:
    """Not even one that would be taken out later: torch's own search for NaN must find nothing."""
    layer = LearnedGaussianDropout(3, 2)
    with torch.autograd.detect_anomaly():
        layer(torch.zeros(4, 3)).sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in layer.parameters())
