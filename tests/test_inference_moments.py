"""Moment matching against enumeration of the weight masks, quadrature and sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from dropout_lab import ensemble, inference
from dropout_lab.inference import Moments


def case(inputs: int, outputs: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((inputs,), (outputs, inputs), (outputs,))
    )


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("keep_prob", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_moments_are_those_over_all_weight_masks(keep_prob: float, rescale: bool) -> None:
    x, weight, bias = case(5, 2)
    scale = 1 / keep_prob if rescale and keep_prob > 0 else 1.0

    def outputs(table: Tensor) -> Tensor:
        return (table.reshape(-1, 2, 5) * weight * scale) @ x + bias

    mean = ensemble.exact_mean(outputs, 10, keep_prob)
    variance = ensemble.exact_mean(lambda table: (outputs(table) - mean).square(), 10, keep_prob)
    found = inference.moment_matching(x, weight, bias, keep_prob, rescale=rescale)
    torch.testing.assert_close(found.mean, mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.variance, variance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rescale", [True, False])
def test_random_inputs_add_their_variance(rescale: bool) -> None:
    """Inputs that are themselves signs, ±: three values and their masks enumerated together."""
    _, weight, bias = case(3, 2)
    centers, widths = torch.tensor([[1.0, -2.0, 0.5], [0.5, 1.0, 2.0]], dtype=torch.float64)
    scale = 1 / 0.7 if rescale else 1.0
    keep_probs = [0.7] * 6 + [0.5] * 3

    def outputs(table: Tensor) -> Tensor:
        x = centers + widths * (2 * table[:, 6:] - 1)
        return torch.einsum("moi,mi->mo", table[:, :6].reshape(-1, 2, 3) * weight * scale, x) + bias

    mean = ensemble.exact_mean(outputs, 9, keep_probs)
    variance = ensemble.exact_mean(lambda table: (outputs(table) - mean).square(), 9, keep_probs)
    found = inference.moment_matching(Moments(centers, widths.square()), weight, bias, 0.7, rescale=rescale)
    torch.testing.assert_close(found.mean, mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.variance, variance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mean", [-3.0, -0.5, 0.0, 1.0, 6.0])
@pytest.mark.parametrize("deviation", [0.1, 1.0, 4.0])
def test_the_moments_through_relu_are_the_integrals(mean: float, deviation: float) -> None:
    density = stats.norm(mean, deviation).pdf
    low, high = max(0.0, mean - 12 * deviation), max(0.0, mean + 12 * deviation)
    first, second = (
        integrate.quad(lambda u, k=k: u**k * density(u), low, high, epsabs=1e-14, limit=200)[0] for k in (1, 2)
    )
    moments = Moments(*torch.tensor([[mean], [deviation**2]], dtype=torch.float64)).relu()
    assert float(moments.mean) == pytest.approx(first, abs=1e-12)
    assert float(moments.variance) == pytest.approx(second - first**2, abs=1e-11)


def test_certain_values_go_through_relu_unchanged_with_finite_gradients() -> None:
    mean = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    variance = torch.zeros(3, requires_grad=True)
    found = Moments(mean, variance).relu()
    assert found.mean.tolist() == [0.0, 0.0, 2.0]
    assert found.variance.tolist() == [0.0, 0.0, 0.0]
    (found.mean.sum() + found.variance.sum()).backward()
    assert mean.grad.isfinite().all()
    assert variance.grad.isfinite().all()


def test_far_above_zero_relu_changes_nothing() -> None:
    """In float32 the difference of second moment and squared mean would have lost all digits."""
    found = Moments(torch.tensor([1e4]), torch.tensor([1.0])).relu()
    assert float(found.mean) == 1e4
    assert float(found.variance) == pytest.approx(1, rel=1e-6)


def test_far_below_zero_nothing_is_negative() -> None:
    found = Moments(torch.linspace(-60, -5, 200), torch.ones(200)).relu()
    assert (found.mean >= 0).all()
    assert (found.variance >= 0).all()


def test_samples_have_the_moments() -> None:
    """100 000 draws, six figures, each within 5 standard errors: false alarm 6 · 6e-7. Seed fixed."""
    moments = inference.moment_matching(*case(4, 3), 0.5)
    generator = torch.Generator().manual_seed(1)
    drawn = moments.sample(100_000, generator=generator)
    assert drawn.shape == (100_000, 3)
    error = 5 / math.sqrt(100_000)
    assert ((drawn.mean(0) - moments.mean).abs() < error * moments.variance.sqrt()).all()
    assert ((drawn.var(0) / moments.variance - 1).abs() < error * math.sqrt(2)).all()
    again = moments.sample(100_000, generator=generator.manual_seed(1))
    assert torch.equal(again, drawn)


def test_the_gaussian_is_closer_than_the_mean_rule_with_many_weights_and_not_with_one() -> None:
    """E relu over all masks at n = 16: the closed form is nearer than relu of the mean, on every one of 50 layers.

    With one weight that dominates the law is not Gaussian, and the error is over a tenth of the true mean.
    """
    errors = []
    for seed in range(50):
        x, weight, _ = case(16, 1, seed)
        moments = inference.moment_matching(x, weight, None, 0.5)
        exact = ensemble.exact_mean(lambda table, w=weight, h=x: torch.relu(2 * table @ (w[0] * h)), 16)
        errors.append([abs(float(moments.relu().mean - exact)), abs(float(moments.mean.clamp(min=0) - exact))])
    gaussian, rule = np.mean(errors, axis=0)
    assert gaussian < rule / 5
    single = inference.moment_matching(torch.ones(1).double(), torch.ones(1, 1).double(), None, 0.1)
    assert abs(float(single.relu().mean) - 1.0) > 0.1


def test_requests_that_make_no_sense_name_what_is_wrong() -> None:
    x, weight, bias = case(4, 3)
    with pytest.raises(ValueError, match="in_features"):
        inference.moment_matching(x[:3], weight)
    for other in (weight[0], weight[None]):
        with pytest.raises(ValueError, match="in_features"):
            inference.moment_matching(x, other)
    with pytest.raises(ValueError, match="in_features"):
        inference.moment_matching(x[0], weight)
    with pytest.raises(ValueError, match=r"bias must have shape \(3,\)"):
        inference.moment_matching(x, weight, bias[:2])
    with pytest.raises(ValueError, match="one shape"):
        inference.moment_matching(Moments(x, x[:2]), weight)
    with pytest.raises(TypeError, match="x must be a floating point tensor"):
        inference.moment_matching(x.long(), weight)
    with pytest.raises(ValueError, match=r"1\.5"):
        inference.moment_matching(x, weight, bias, 1.5)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        inference.moment_matching(x, weight).sample(0)
