"""The usual call is served without a detour: it has to give what the long way gives, and to leave nothing behind."""

from __future__ import annotations

import pytest
import torch
from family_members import CHOOSING, Member, seeded
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from dropout_lab import functional
from dropout_lab.functional import masking


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Each test makes its constants anew: the first call is the one that could spoil them."""
    masking._constants.cache_clear()
    yield
    masking._constants.cache_clear()


def test_all_that_choose_are_tried() -> None:
    assert len({member.variant.name for member in CHOOSING}) == 6


@pytest.mark.parametrize("exact_zeros", [True, False])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("keep_prob", [0.0, 1e-40, 1e-10, 0.1, 0.5, 0.9, 1 - 2**-30])
@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_torchs_own_numbers_give_the_mask_that_a_generator_of_the_same_seed_gives(
    member: Member, size: int, keep_prob: float, rescale: bool, exact_zeros: bool
) -> None:
    x = torch.randn(member.shapes[size], generator=seeded(1)).requires_grad_()
    found = []
    for generator in (None, seeded(7)):
        torch.manual_seed(7)
        y = member.call(x, keep_prob, rescale=rescale, exact_zeros=exact_zeros, generator=generator)
        found.append((y, *torch.autograd.grad(y, x, x)))
    for short, long in zip(*found, strict=True):
        assert torch.equal(short, long) and short.stride() == long.stride()


@pytest.mark.parametrize("exact_zeros", [True, False])
@pytest.mark.parametrize("member", CHOOSING, ids=str)
def test_another_layout_type_and_default_go_the_long_way(member: Member, exact_zeros: bool) -> None:
    x = torch.randn(member.shapes[0], generator=seeded(1))
    turned = x.transpose(0, -1).contiguous().transpose(0, -1)
    for other in (turned, x.to(torch.float64), x.to(torch.bfloat16)):
        torch.manual_seed(3)
        y = member.call(other, 0.5, exact_zeros=exact_zeros)
        assert y.dtype == other.dtype and y.stride() == other.stride()
        assert torch.equal(y, member.call(other, 0.5, exact_zeros=exact_zeros, generator=seeded(3)))
    torch.manual_seed(3)
    usual = member.call(x, 0.5, exact_zeros=exact_zeros)
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(3)
        with torch.device("meta"):
            assert torch.equal(member.call(x, 0.5, exact_zeros=exact_zeros), usual)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_factor_made_where_nothing_is_recorded_serves_where_gradients_are() -> None:
    x = torch.ones(8)
    with torch.inference_mode():
        functional.dropout(x, 0.8, exact_zeros=False)
    leaf = x.clone().requires_grad_()
    y = functional.dropout(leaf, 0.8, exact_zeros=False)
    assert torch.equal(*torch.autograd.grad(y.sum(), leaf), y.detach())


def test_a_factor_made_under_a_mode_is_a_number_afterwards() -> None:
    x = torch.ones(8)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert functional.dropout(x, 0.8, exact_zeros=False).shape == (8,)
    make_fx(lambda one: functional.dropout(one, 0.7, exact_zeros=False))(x)
    for keep_prob in (0.8, 0.7):
        y = functional.dropout(x, keep_prob, exact_zeros=False)
        assert type(y) is torch.Tensor and set(y.tolist()) <= {0.0, torch.tensor(1 / keep_prob).item()}


@pytest.mark.parametrize("exact_zeros", [True, False])
def test_a_trace_draws_anew(exact_zeros: bool) -> None:
    """False alarm: 64 elements get the same mask twice with probability 2^-64."""
    x = torch.ones(64)
    traced = make_fx(lambda one: functional.dropout(one, 0.5, exact_zeros=exact_zeros))(x)
    torch.manual_seed(0)
    assert not torch.equal(traced(x), traced(x))


def test_a_subclass_of_tensors_goes_the_long_way() -> None:
    class Own(torch.Tensor):
        pass

    y = functional.dropout(torch.ones(16).as_subclass(Own), 0.5, exact_zeros=False)
    assert type(y) is Own


def test_numbers_that_look_like_flags_are_refused_though_the_flags_were_met_before() -> None:
    x = torch.ones(3)
    functional.dropout(x, 0.5, rescale=True)
    for name in ("training", "rescale", "exact_zeros"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 1"):
            functional.dropout(x, 0.5, **{name: 1})
    with pytest.raises(TypeError, match="keep_prob must be a number"):
        functional.dropout(x, True)
