"""What every variant promises, one test a promise, for every variant."""

from __future__ import annotations

import math

import pytest
import torch
from family_members import DROPPING, MEMBERS, Member, elements, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from dropout_lab import functional

each = pytest.mark.parametrize("member", MEMBERS, ids=str)
each_dropping = pytest.mark.parametrize("member", DROPPING, ids=str)
both_sizes = pytest.mark.parametrize("size", (0, 1), ids=("small", "large"))
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def kept(member: Member, shape: tuple[int, ...], keep_prob: float = 0.5, seed: int = 1) -> torch.Tensor:
    """The mask, as the zeros of the output for ones show it."""
    return member.call(torch.ones(shape), keep_prob, rescale=False, generator=seeded(seed)) != 0


@each
@pytest.mark.parametrize("value", (-0.1, 1.1, math.nan, math.inf, -math.inf))
def test_a_keep_prob_that_is_no_probability_is_named(member: Member, value: float) -> None:
    for training in (True, False):
        with pytest.raises(ValueError, match=f"keep_prob.* {value}"):
            member.call(elements(member.shapes[0]), value, training=training)
    with pytest.raises(ValueError, match=f"keep_prob.* {value}"):
        member.module(value)


@each
@pytest.mark.parametrize("value", (True, "0.5", None, 0.5j))
def test_a_keep_prob_that_is_no_number_is_refused(member: Member, value: object) -> None:
    with pytest.raises(TypeError, match="keep_prob must be a number"):
        member.call(elements(member.shapes[0]), value)
    with pytest.raises(TypeError, match="keep_prob must be a number"):
        member.module(value)


@each
@both_sizes
def test_keep_prob_1_is_the_identity(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    assert torch.equal(member.call(x, 1.0), x)
    assert torch.equal(member.module(1)(x), x)


@each_dropping
@both_sizes
@pytest.mark.parametrize("rescale", (True, False))
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_keep_prob_0_gives_zeros_with_finite_gradients(
    member: Member, size: int, rescale: bool, dtype: torch.dtype
) -> None:
    x = elements(member.shapes[size], dtype).requires_grad_()
    y = member.call(x, 0.0, rescale=rescale)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert (y == 0).all()
    assert (gradient == 0).all()


@each_dropping
def test_keep_prob_0_gives_zeros_at_test_time_of_the_original_convention(member: Member) -> None:
    x = elements(member.shapes[0])
    assert (member.call(x, 0.0, rescale=False, training=False) == 0).all()


def test_gaussian_noise_has_no_limit_at_0() -> None:
    gaussian = next(member for member in MEMBERS if not member.drops)
    for attempt in (lambda: gaussian.call(torch.ones(3), 0.0), lambda: gaussian.module(0.0)):
        with pytest.raises(ValueError, match="keep_prob=0"):
            attempt()


@each
@pytest.mark.parametrize("dtype", (torch.int64, torch.uint8, torch.bool, torch.complex64), ids=str)
@pytest.mark.parametrize("options", ({}, {"training": False}), ids=("train", "eval"))
def test_what_is_not_floating_point_is_refused(member: Member, dtype: torch.dtype, options: dict[str, bool]) -> None:
    for keep_prob in (0.5, 1.0):
        with pytest.raises(TypeError, match="floating point"):
            member.call(torch.ones(member.shapes[0], dtype=dtype), keep_prob, **options)


@each
def test_a_wrong_number_of_axes_is_told_what_is_expected(member: Member) -> None:
    for shape, expected in member.refused:
        for training in (True, False):
            with pytest.raises(ValueError) as raised:
                member.call(torch.ones(shape), 0.5, training=training)
            assert expected in str(raised.value)
            assert str(tuple(shape)) in str(raised.value) or shape == ()


@each_dropping
@both_sizes
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_dropped_element_is_0_and_passes_no_gradient(member: Member, size: int, dtype: torch.dtype) -> None:
    shape = member.shapes[size]
    wild = torch.tensor([math.inf, -math.inf, math.nan], dtype=dtype)
    x = wild[torch.arange(math.prod(shape)) % 3].view(shape).requires_grad_()
    incoming = wild[torch.arange(math.prod(shape)) % 2].view(shape)
    y = member.call(x, 0.5, generator=seeded(1))
    (gradient,) = torch.autograd.grad(y, x, incoming)
    mask = kept(member, shape)
    assert 0 < mask.sum() < mask.numel()
    assert (y[~mask] == 0).all()
    assert (gradient[~mask] == 0).all()
    assert not y[mask].isfinite().any()
    assert not gradient[mask].isfinite().any()


@each
@both_sizes
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_type_gets_the_mask_of_float32_in_its_own_precision(
    member: Member, size: int, dtype: torch.dtype
) -> None:
    x = elements(member.shapes[size], dtype)
    y = member.call(x, 0.7, generator=seeded(2))
    exact = member.call(x.double(), 0.7, generator=seeded(2))
    assert y.dtype == dtype
    assert torch.equal(y == 0, exact == 0)
    # Gaussian noise is drawn in the precision of its input, so float64 sees other numbers than float32 …
    if member.drops or dtype == torch.float64:
        torch.testing.assert_close(y.double(), exact, rtol=1.01 * torch.finfo(dtype).eps, atol=0)
    # … and half precision the numbers of float32.
    else:
        single = member.call(x.float(), 0.7, generator=seeded(2))
        torch.testing.assert_close(y.float(), single, rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).tiny)


@each
@pytest.mark.parametrize("training", (True, False))
def test_empty_input_stays_empty(member: Member, training: bool) -> None:
    shape = (0, *member.shapes[0][1:])
    x = torch.ones(shape, requires_grad=True)
    y = member.call(x, 0.5, training=training)
    assert y.shape == shape
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.shape == shape


@each
@both_sizes
def test_neither_layout_nor_threads_change_the_mask(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    reference = member.call(x, 0.6, generator=seeded(3))
    reverse = tuple(reversed(range(x.dim())))
    layouts = {
        "transposed": x.permute(reverse).contiguous().permute(reverse),
        "every second": torch.stack((x, x), dim=-1)[..., 0],
    }
    if x.dim() in (4, 5):
        form = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
        layouts["channels last"] = x.to(memory_format=form)
    for name, same in layouts.items():
        y = member.call(same, 0.6, generator=seeded(3))
        assert torch.equal(y, reference), name
        if name != "every second" and member.variant.multiplies != "weights":
            assert y.stride() == same.stride(), name
    threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            assert torch.equal(member.call(x, 0.6, generator=seeded(3)), reference)
    finally:
        torch.set_num_threads(threads)


@each
@both_sizes
def test_a_sample_does_not_depend_on_the_others(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    other = x.clone()
    other[1:] = elements(tuple(other[1:].shape), seed=5) * 100
    first = member.call(x, 0.6, generator=seeded(4))
    again = member.call(other, 0.6, generator=seeded(4))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[1:], again[1:])


@each
@both_sizes
def test_the_generator_alone_decides(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = member.call(x, 0.6, generator=seeded(6))
    assert torch.equal(torch.get_rng_state(), state), "the default generator was used"
    assert torch.equal(member.call(x, 0.6, generator=seeded(6)), one)
    assert not torch.equal(member.call(x, 0.6, generator=seeded(7)), one)
    torch.manual_seed(6)
    assert torch.equal(member.call(x, 0.6), one)


@each
@both_sizes
def test_test_time_is_the_identity(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    module = member.module(0.5).eval()
    state = torch.get_rng_state()
    assert torch.equal(member.call(x, 0.5, training=False), x)
    assert torch.equal(module(x), x)
    assert torch.equal(torch.get_rng_state(), state)


@each_dropping
def test_test_time_of_the_original_convention_multiplies_by_the_keep_probability(member: Member) -> None:
    x = elements(member.shapes[0], torch.float64)
    y = member.call(x, 0.3, rescale=False, training=False)
    if member.side:
        sizes, side = x.shape[2:], member.side
        factor = functional.block_keep_probs(sizes, side, functional.block_gamma(sizes, 0.3, side))
    else:
        factor = torch.tensor(0.3, dtype=torch.float64)
    torch.testing.assert_close(y, x * factor)
    assert torch.equal(member.module(0.3, rescale=False).eval()(x), y)


@each_dropping
@both_sizes
def test_the_original_convention_keeps_what_it_keeps(member: Member, size: int) -> None:
    x = elements(member.shapes[size])
    y = member.call(x, 0.5, rescale=False, generator=seeded(1))
    mask = kept(member, member.shapes[size])
    assert torch.equal(y, torch.where(mask, x, 0.0))


@each_dropping
@both_sizes
def test_shared_axes_share_a_draw_and_the_others_do_not(member: Member, size: int) -> None:
    mask = kept(member, member.shapes[size])
    for axis in member.shared:
        assert torch.equal(mask, mask.narrow(axis, 0, 1).expand_as(mask))
    for axis in set(range(mask.dim())) - set(member.shared):
        if mask.shape[axis] > 1:
            assert not torch.equal(mask, mask.narrow(axis, 0, 1).expand_as(mask))


PLAIN = tuple(member for member in DROPPING if member.is_plain)


@pytest.mark.parametrize("member", PLAIN, ids=str)
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_shape_layout_type_and_rate_gives_0_or_the_scaled_input(member: Member, data: st.DataObject) -> None:
    axes = len(member.shapes[0])
    shape = data.draw(st.lists(st.integers(0, 7), min_size=axes, max_size=axes))
    if member.variant.multiplies == "weights":
        shape[1] = 1
    dtype = data.draw(st.sampled_from(FLOATS))
    order = data.draw(st.permutations(range(axes)))
    keep_prob = data.draw(st.floats(0, 1))
    dense = elements(tuple(shape[axis] for axis in order), dtype)
    x = dense.permute([order.index(axis) for axis in range(axes)])
    y = member.call(x, keep_prob, generator=seeded(8))
    assert y.shape == x.shape and y.dtype == dtype
    # The factor is a double, and the product is rounded once, or twice where float32 stands between.
    scaled = x.double() / keep_prob if keep_prob > 0 else torch.zeros_like(x.double())
    error = (y.double() - scaled).abs() <= 1.01 * torch.finfo(dtype).eps * scaled.abs() + torch.finfo(dtype).tiny
    beyond = scaled.abs() > torch.finfo(dtype).max
    assert ((y == 0) | error | beyond).all()
