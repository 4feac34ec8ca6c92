"""What every layer of the family promises, kept by the layers that learn their rates."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dropout_lab import bayes
from dropout_lab.bayes import ConcreteDropout, LearnedGaussianDropout

SHARINGS = ("layer", "unit", "weight")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def variants() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Every learned layer, in float64, with an input for it."""
    torch.manual_seed(5)
    learned = {s: LearnedGaussianDropout(3, 4, sharing=s, dtype=torch.float64) for s in SHARINGS}
    concrete = {
        "concrete": ConcreteDropout(nn.Linear(3, 4).double(), keep_prob=0.6, temperature=0.5),
        "concrete channels": ConcreteDropout(nn.Conv1d(3, 4, 2).double(), keep_prob=0.6, temperature=0.5),
        "concrete, original": ConcreteDropout(nn.Linear(3, 4).double(), keep_prob=0.6, temperature=0.5, rescale=False),
    }
    flat, long = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, 4, dtype=torch.float64)
    layers = learned | concrete
    return {name: (layer, long if name == "concrete channels" else flat) for name, layer in layers.items()}


every_variant = pytest.mark.parametrize("name", variants())


@every_variant
def test_modes_copies_pickles_and_state_dicts(name: str) -> None:
    layer, x = variants()[name]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1)
    trained = layer(x, generator=seeded(8))
    still = layer.eval()(x)
    assert torch.equal(layer(x), still) and not torch.equal(still, trained)
    assert torch.equal(layer.train()(x, generator=seeded(8)), trained)
    fresh = variants()[name][0]
    fresh.load_state_dict(layer.state_dict())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), fresh):
        assert torch.equal(twin(x, generator=seeded(8)), trained)
        assert torch.equal(twin.regularizer(), layer.regularizer())
    assert len(layer.state_dict()) == 3


@every_variant
def test_gradients_with_fixed_noise(name: str) -> None:
    layer, x = variants()[name]
    names = [parameter for parameter, _ in layer.named_parameters()]

    def run(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, given, (x,), {"generator": seeded(9)})

    inputs = (x.requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)
    # The rate itself has a gradient.
    layer(x, generator=seeded(9)).square().sum().backward()
    rate = layer.log_alpha if isinstance(layer, LearnedGaussianDropout) else layer.logit
    assert (rate.grad != 0).all()


@every_variant
def test_samples_do_not_depend_on_each_other_and_draw_their_own_noise(name: str) -> None:
    layer, x = variants()[name]
    changed = x.clone()
    changed[1:] = math.nan
    assert torch.equal(layer(x, generator=seeded(10))[0], layer(changed, generator=seeded(10))[0])
    alike = layer(x[:1].expand_as(x), generator=seeded(10))
    assert not torch.allclose(alike[0], alike[1])


@every_variant
def test_generators(name: str) -> None:
    layer, x = variants()[name]
    state = torch.get_rng_state()
    one, two = layer(x, generator=seeded(1)), layer(x, generator=seeded(2))
    assert torch.equal(torch.get_rng_state(), state) and not torch.equal(one, two)
    first = layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), first)


@every_variant
def test_vmap_compile_and_export(name: str) -> None:
    layer, x = variants()[name]
    many = x.expand(3, *x.shape)
    same = torch.vmap(layer, randomness="same")(many)
    different = torch.vmap(layer, randomness="different")(many)
    assert torch.equal(same[0], same[1]) and not torch.allclose(different[0], different[1])
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.manual_seed(6)
    expected = layer(x)
    torch.manual_seed(6)
    torch.testing.assert_close(compiled(x), expected)
    layer.eval()
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), layer(x))


@every_variant
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_types(name: str, dtype: torch.dtype) -> None:
    layer, x = variants()[name]
    layer.to(dtype)
    outputs = layer(x.to(dtype) * 300)  # squares leave float16's range
    assert outputs.dtype == dtype and outputs.isfinite().all()
    outputs.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
    assert layer.regularizer().isfinite()


@settings(max_examples=30, deadline=None)
@given(leading=st.lists(st.integers(0, 3), max_size=3), which=st.sampled_from(["unit", "concrete"]))
def test_leading_axes_none_and_empty_ones_included(leading: list[int], which: str) -> None:
    layer, _ = variants()[which]
    assert layer(torch.ones(*leading, 3, dtype=torch.float64)).shape == (*leading, 4)


@every_variant
def test_bad_input(name: str) -> None:
    layer, x = variants()[name]
    with pytest.raises(TypeError, match="int64"):
        layer(x.long())
    shape = r"\(N, 3, length\)" if name == "concrete channels" else r"\(…, 3\)"
    with pytest.raises(ValueError, match=shape + r", got \(5, 2"):
        layer(x[:, :2])
    with pytest.raises(ValueError, match=shape + r", got \(\)"):
        layer(torch.ones(()).double())


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, -0.1, 1.1, math.nan])
def test_keep_probabilities_that_cannot_be_learned_from(value: float) -> None:
    with pytest.raises(ValueError, match=str(value)):
        LearnedGaussianDropout(3, 4, keep_prob=value)
    with pytest.raises(ValueError, match=str(value)):
        ConcreteDropout(nn.Linear(3, 4), keep_prob=value)


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="sharing must be one of layer, unit, weight; got 'row'"):
        LearnedGaussianDropout(3, 4, sharing="row")
    with pytest.raises(ValueError, match="kl must be one of exact, cubic, sigmoid; got 'none'"):
        LearnedGaussianDropout(3, 4, kl="none")
    with pytest.raises(ValueError, match="bound must be positive and finite, got 0"):
        LearnedGaussianDropout(3, 4).bound_alpha_(0)
    with pytest.raises(TypeError, match="got ReLU"):
        ConcreteDropout(nn.ReLU())
    for option in ("precision", "temperature"):
        with pytest.raises(ValueError, match=f"{option} must be positive and finite, got nan"):
            ConcreteDropout(nn.Linear(2, 2), **{option: math.nan})
    with pytest.raises(ValueError, match="temperature must be positive and finite, got 0"):
        bayes.concrete_mask((2,), torch.zeros(()), 0.0)


def test_repr_names_what_matters() -> None:
    layer = LearnedGaussianDropout(3, 4, sharing="unit", kl="sigmoid")
    assert layer.extra_repr() == "in_features=3, out_features=4, bias=True, sharing='unit', kl='sigmoid'"
    concrete = ConcreteDropout(nn.Linear(3, 4), rescale=False)
    assert concrete.extra_repr() == "precision=1.0, temperature=0.1, rescale=False"
