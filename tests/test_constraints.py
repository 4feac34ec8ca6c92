"""Max-norm: what is inside the ball is untouched, per output unit, in both forms."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from dropout_lab import constraints

LAYERS = {
    "linear": lambda: nn.Linear(6, 4),
    "conv1d": lambda: nn.Conv1d(4, 6, 3),
    "conv2d": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "conv3d": lambda: nn.Conv3d(2, 3, 2),
    "transposed1d": lambda: nn.ConvTranspose1d(4, 6, 3),
    "transposed2d": lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
    "transposed3d": lambda: nn.ConvTranspose3d(4, 3, 2),
}


def incoming(layer: nn.Module) -> list[torch.Tensor]:
    """Each output unit's weights, found by asking autograd which weights an output reads: knows no layout."""
    channels = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
    spatial = {2: (), 3: (5,), 4: (5, 5), 5: (5, 5, 5)}[layer.weight.dim()]
    out = layer(torch.ones(1, channels, *spatial))
    units = []
    for unit in range(out.shape[1]):
        grad = torch.autograd.grad(out[0, unit].sum(), layer.weight, retain_graph=True)[0]
        units.append(layer.weight.detach()[grad != 0])
    return units


@pytest.mark.parametrize("name", LAYERS)
def test_only_units_outside_the_ball_change_and_they_keep_their_direction(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    before = incoming(layer)
    norms = [float(unit.double().norm()) for unit in before]
    bound = (max(norms) + min(norms)) / 2
    bias = layer.bias.detach().clone()
    constraints.max_norm_(layer, bound)
    after = incoming(layer)
    for old, new, norm in zip(before, after, norms, strict=True):
        if norm <= bound:
            assert torch.equal(old, new)
        else:
            torch.testing.assert_close(new, old * (bound / norm))
            assert bound * (1 - 3e-7) <= new.double().norm() <= bound
    assert torch.equal(layer.bias, bias)
    assert [tuple(unit.shape) for unit in after] == [tuple(unit.shape) for unit in before]


@pytest.mark.parametrize("name", LAYERS)
def test_unit_norms_are_in_the_order_of_the_outputs(name: str) -> None:
    torch.manual_seed(1)
    layer = LAYERS[name]()
    axis, groups = (1, layer.groups) if "transposed" in name else (0, 1)
    expected = torch.stack([unit.double().norm() for unit in incoming(layer)])
    torch.testing.assert_close(constraints.unit_norms(layer.weight, unit_axis=axis, groups=groups), expected)


def test_columns_inside_the_ball_do_not_shrink() -> None:
    """Keras's MaxNorm multiplies by clip(norm) / (epsilon + norm), so a column inside the ball
    whose norm is n loses 1e-7/n of itself at every step."""
    torch.manual_seed(2)
    weight = torch.randn(5, 3) * 1e-3
    kept = weight.clone()
    for _ in range(1000):
        constraints.max_norm_(weight, 1.0)
    assert torch.equal(weight, kept)
    keras_like = kept.clone()
    for _ in range(1000):
        norms = keras_like.norm(dim=1, keepdim=True)
        keras_like *= norms.clamp(max=1.0) / (1e-7 + norms)
    assert not torch.allclose(keras_like, kept, rtol=1e-2)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
    axis=st.integers(0, 1),
    bound=st.floats(0.05, 20.0),
    seed=st.integers(0, 10_000),
)
def test_projecting_twice_is_projecting_once(shape, dtype, axis: int, bound: float, seed: int) -> None:
    weight = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 5).to(dtype)
    constraints.max_norm_(weight, bound, unit_axis=axis)
    once = weight.clone()
    assert (constraints.unit_norms(weight, unit_axis=axis) <= bound).all()
    constraints.max_norm_(weight, bound, unit_axis=axis)
    assert torch.equal(weight, once)


def test_it_agrees_with_renorm_outside_the_ball() -> None:
    torch.manual_seed(3)
    weight = torch.randn(8, 5) * 3
    expected = torch.renorm(weight, p=2, dim=0, maxnorm=2.0)
    constraints.max_norm_(weight, 2.0)
    torch.testing.assert_close(weight, expected)


def test_units_of_zeros_stay_and_huge_or_tiny_ones_do_not_overflow() -> None:
    weight = torch.tensor([[0.0, 0.0], [1e30, 1e30], [3e-30, 4e-30]])
    constraints.max_norm_(weight, 1.0)
    assert torch.equal(weight[0], torch.zeros(2))
    torch.testing.assert_close(weight[1], torch.full((2,), math.sqrt(0.5)))
    assert torch.equal(weight[2], torch.tensor([3e-30, 4e-30]))
    wide = torch.tensor([[3e200, 4e200], [3e-200, 4e-200]], dtype=torch.float64)
    torch.testing.assert_close(constraints.unit_norms(wide), torch.tensor([5e200, 5e-200], dtype=torch.float64))
    constraints.max_norm_(torch.empty(0, 3), 1.0)
    constraints.max_norm_(torch.empty(3, 0), 1.0)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_weights_that_are_not_finite_are_refused_and_nothing_is_changed(bad: float) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4))
    with torch.no_grad():
        model[0].weight.fill_(9.0)
        model[1].weight[2, 1] = bad
    with pytest.raises(ValueError, match=r"1\.weight is not finite in unit 2"):
        constraints.max_norm_(model, 1.0)
    assert torch.equal(model[0].weight, torch.full((2, 3), 9.0))


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
def test_bounds_that_are_no_bounds(bound: float) -> None:
    for call in (lambda: constraints.max_norm_(torch.ones(2, 2), bound), lambda: constraints.MaxNorm(bound)):
        with pytest.raises(ValueError, match=f"bound must be positive and finite, got {bound}"):
            call()


def test_what_has_no_units_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        constraints.max_norm_(torch.ones(3), 1.0)
    with pytest.raises(TypeError, match="int64"):
        constraints.max_norm_(torch.ones(3, 3, dtype=torch.int64), 1.0)
    with pytest.raises(ValueError, match="Sequential holds no linear layer"):
        constraints.max_norm_(nn.Sequential(nn.ReLU()), 1.0)
    with pytest.raises(ValueError, match="groups=2"):
        constraints.unit_norms(torch.ones(3, 3), groups=2)
    with pytest.raises(ValueError, match="a module's layers have their own"):
        constraints.max_norm_(nn.Linear(2, 2), 1.0, unit_axis=1)
    with pytest.raises(TypeError, match="bound must be a number"):
        constraints.max_norm_(torch.ones(2, 2), "2")


@pytest.mark.parametrize("name", LAYERS)
def test_the_parametrization_reads_what_the_call_would_leave(name: str) -> None:
    torch.manual_seed(4)
    layer = LAYERS[name]()
    called = copy.deepcopy(layer)
    trained = layer.weight.detach().clone()
    constraints.max_norm_(called, 0.4)
    constraints.bound_weights(layer, 0.4)
    assert torch.equal(layer.weight, called.weight) and not torch.equal(layer.weight, trained)
    assert torch.equal(layer.parametrizations.weight.original, trained)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert torch.equal(layer.weight, trained)


def test_the_parametrized_layer_can_be_trained_copied_pickled_and_loaded() -> None:
    torch.manual_seed(5)
    layer = constraints.bound_weights(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), 0.5)
    optimizer = torch.optim.SGD(layer.parameters(), lr=5.0)
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(8, 3)).square().sum().backward()
        optimizer.step()
        assert all((constraints.unit_norms(layer[i].weight) <= 0.5).all() for i in (0, 2))
    x = torch.randn(2, 3)
    twin = copy.deepcopy(layer)
    fresh = constraints.bound_weights(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), 0.5)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(twin(x), layer(x)) and torch.equal(fresh(x), layer(x))
    constraint = pickle.loads(pickle.dumps(layer[0].parametrizations.weight[0]))
    assert repr(constraint) == "MaxNorm(bound=0.5, unit_axis=0)"
    layer[0].weight = torch.full((4, 3), 7.0)
    torch.testing.assert_close(layer[0].weight, torch.full((4, 3), 0.5 / math.sqrt(3)))
    with pytest.raises(ValueError, match="0 has a parametrized weight"):
        constraints.max_norm_(layer, 1.0)


def test_gradients_pass_inside_the_ball_and_are_tangent_outside() -> None:
    weight = torch.tensor([[0.1, 0.2], [3.0, 4.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    projected = constraints.MaxNorm(1.0)(weight)
    cotangent = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(projected, weight, cotangent)
    assert torch.equal(gradient[0], cotangent[0]) and torch.equal(gradient[2], cotangent[2])
    direction = weight.detach()[1] / 5
    expected = (cotangent[1] - direction * (direction @ cotangent[1])) / 5
    torch.testing.assert_close(gradient[1], expected)
    torch.manual_seed(6)
    smooth = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(constraints.MaxNorm(1.3), smooth)
    assert torch.autograd.gradgradcheck(constraints.MaxNorm(1.3), smooth)


def test_the_parametrization_lets_what_is_not_finite_through_without_harm_to_its_neighbors() -> None:
    weight = torch.tensor([[math.inf, 1.0], [math.nan, 1.0], [3.0, 4.0]], requires_grad=True)
    projected = constraints.MaxNorm(1.0)(weight)
    projected[2].sum().backward()
    assert projected[0, 0] == math.inf and projected[1, 0].isnan()
    torch.testing.assert_close(projected[2], torch.tensor([0.6, 0.8]))
    assert weight.grad.isfinite().all()


def test_channels_last_weights_keep_their_layout() -> None:
    layer = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    constraints.max_norm_(layer, 0.1)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert (constraints.unit_norms(layer.weight) <= 0.1).all()


def test_a_bounded_layer_has_bounded_gain() -> None:
    """Claim 6.8: |w h| <= c |h| for each unit, so a ReLU layer of d units without biases gains at most c sqrt(d)."""
    torch.manual_seed(7)
    layer = nn.Linear(20, 9, bias=False)
    with torch.no_grad():
        layer.weight.mul_(100)
    constraints.max_norm_(layer, 1.5)
    inputs = torch.cat([torch.randn(50, 20), layer.weight.detach()])  # the rows themselves are where the bound is met
    sizes = inputs.norm(dim=1, keepdim=True)
    assert (layer(inputs).abs() <= 1.5 * sizes * (1 + 1e-5)).all()
    assert (layer(inputs).relu().norm(dim=1, keepdim=True) <= 1.5 * math.sqrt(9) * sizes).all()
    assert (layer(inputs).abs() / sizes).max() > 1.4999
