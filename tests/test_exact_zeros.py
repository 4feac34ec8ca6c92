"""``exact_zeros=False``: the same mask by a product, and what is given up for it."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from family_members import CHOOSING, Member, seeded
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from dropout_lab import functional, nn
from dropout_lab.noise import Stream

SIZES = [0, 1]


def normal(member: Member, size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(member.shapes[size], generator=seeded(size)).to(dtype)


def test_the_choice_is_offered_by_all_whose_mask_is_a_shape() -> None:
    assert len({member.variant.name for member in CHOOSING}) == 6


@pytest.mark.parametrize("keep_prob", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_finite_input_gives_the_same_output_and_gradient(
    member: Member, size: int, rescale: bool, keep_prob: float
) -> None:
    x = normal(member, size)
    found = []
    for exact_zeros in (True, False):
        leaf = x.clone().requires_grad_()
        y = member.call(leaf, keep_prob, rescale=rescale, exact_zeros=exact_zeros, generator=seeded(3))
        found.append((y.detach(), torch.autograd.grad((y * x.cos()).sum(), leaf)[0]))
    for exact, product in zip(*found, strict=True):
        torch.testing.assert_close(product, exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_every_type_is_kept_and_rounded_once(member: Member, dtype: torch.dtype) -> None:
    x = normal(member, 0, dtype)
    product = member.call(x, 0.3, exact_zeros=False, generator=seeded(3))
    exact = member.call(x, 0.3, generator=seeded(3))
    assert product.dtype == dtype
    torch.testing.assert_close(product, exact, rtol=torch.finfo(dtype).eps if dtype != torch.float64 else 1e-7, atol=0)


@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_what_is_given_up_is_a_dropped_inf_and_nothing_by_default(member: Member) -> None:
    x = torch.full(member.shapes[0], math.inf)
    kept = member.call(torch.ones_like(x), 0.5, generator=seeded(4)) != 0
    assert torch.equal(member.call(x, 0.5, generator=seeded(4)), torch.where(kept, math.inf, 0.0))
    product = member.call(x, 0.5, exact_zeros=False, generator=seeded(4))
    assert torch.equal(product.isnan(), ~kept) and 0 < int(kept.sum()) < kept.numel()


def test_a_factor_beyond_the_type_leaves_zeros_alone() -> None:
    found = functional.dropout(torch.tensor([0.0] * 8), 1e-40, exact_zeros=False, generator=seeded(0))
    assert torch.equal(found, torch.zeros(8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_a_stream_gives_the_same_masks(member: Member, size: int) -> None:
    x = normal(member, size)
    exact, product = (member.call(x, 0.5, exact_zeros=choice, generator=Stream(1, "layer")) for choice in (True, False))
    torch.testing.assert_close(product, exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_layers_remember_the_choice(member: Member) -> None:
    layer = member.module(0.5, exact_zeros=False)
    x = torch.full(member.shapes[0], math.inf)
    assert "exact_zeros=False" in repr(layer) and "exact_zeros" not in repr(member.module(0.5))
    for twin in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin(x, generator=seeded(4)).isnan().any()
    assert not member.module(0.5)(x, generator=seeded(4)).isnan().any()


@pytest.mark.parametrize("value", [0, 1, None, "no"])
def test_a_choice_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="exact_zeros must be True or False"):
        functional.dropout(torch.ones(3), 0.5, exact_zeros=value)
    with pytest.raises(TypeError, match="exact_zeros must be True or False"):
        nn.Dropout(0.5, exact_zeros=value)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_stand_ins_traces_maps_and_second_derivatives(member: Member, size: int) -> None:
    x = normal(member, size)

    def call(one: torch.Tensor) -> torch.Tensor:
        return member.call(one, 0.5, exact_zeros=False)

    with FakeTensorMode():
        assert call(torch.empty(x.shape)).shape == x.shape
    traced = make_fx(call)(x)(x)
    assert ((traced == 0) | torch.isclose(traced, 2 * x)).all()
    mapped = torch.vmap(call, randomness="different")(torch.stack((x, x)))
    assert ((mapped == 0) | torch.isclose(mapped, 2 * x)).all()
    y, tangent = torch.func.jvp(call, (x,), (x,))
    assert torch.equal(y, tangent)


def test_it_compiles_and_exports() -> None:
    x = torch.randn(4, 16, 4, 4, generator=seeded(0))
    layer = torch.nn.Sequential(nn.SpatialDropout(0.5, exact_zeros=False), nn.Dropout(0.5, exact_zeros=False))
    for call in (torch.compile(layer, backend="eager", fullgraph=True), torch.export.export(layer, (x,)).module()):
        y = call(x)
        assert ((y == 0) | torch.isclose(y, 4 * x)).all()
