"""Faults that were found in other packages: each as a test that ours has not got it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from family_members import DROPPING, MEMBERS, Member, deviation, elements, seeded

from dropout_lab import functional, nn

each = pytest.mark.parametrize("member", MEMBERS, ids=str)
each_dropping = pytest.mark.parametrize("member", DROPPING, ids=str)


@pytest.mark.parametrize("side", (7, 14, 28))
def test_drop_block_drops_what_is_asked_on_small_maps(side: int) -> None:
    """A peer drops .93 on 7 × 7 and .21 on 14 × 14 where .1 is asked for. |z| < 5: a false alarm with 2e-6."""
    y = functional.drop_block(torch.ones(3000, 4, side, side), 0.9, 7, generator=seeded(1))
    dropped = (y == 0).double().mean(dim=(1, 2, 3))
    assert abs(dropped.mean() - 0.1) < 5 * dropped.std() / math.sqrt(3000)


def test_drop_block_of_many_half_precision_elements_is_no_tensor_of_zeros() -> None:
    """A peer's sum of the mask overflows in float16. |z| < 5 over 128 maps: a false alarm with 2e-6 (Student's t)."""
    y = functional.drop_block(torch.ones(2, 64, 56, 56, dtype=torch.float16), 0.5, 7, generator=seeded(2))
    kept = (y != 0).double().mean(dim=(2, 3)).flatten()
    assert abs(kept.mean() - 0.5) < 5 * kept.std() / math.sqrt(128)


@each
def test_the_factor_does_not_depend_on_what_else_was_dropped(member: Member) -> None:
    """Peers divide by the part of the whole batch that was kept: then one element takes other values every time."""
    if not member.drops:
        return
    x = torch.ones(20, *member.shapes[0][1:], dtype=torch.float64)
    torch.manual_seed(3)
    outputs = torch.stack([member.call(x, 0.7) for _ in range(20)]).flatten(2)
    for position in range(outputs.shape[2]):
        values = outputs[..., position].unique()
        assert (len(values) <= 2 and values[0] == 0) or len(values) == 1


@each_dropping
@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
@pytest.mark.parametrize("keep_prob", (0.0, 1e-8, 1e-5, 0.001))
def test_half_precision_with_all_dropped_is_not_nan(member: Member, dtype: torch.dtype, keep_prob: float) -> None:
    x = elements(member.shapes[0], dtype).requires_grad_()
    for seed in range(5):
        y = member.call(x, keep_prob, generator=seeded(seed))
        (gradient,) = torch.autograd.grad(y.sum(), x)
        assert not y.isnan().any() and not gradient.isnan().any()


@each_dropping
def test_a_dropped_inf_is_no_nan(member: Member) -> None:
    y = member.call(torch.full(member.shapes[0], math.inf), 0.5, generator=seeded(4))
    assert not y.isnan().any()
    assert (y == 0).any()


@each
def test_integers_are_refused_whatever_the_keep_probability(member: Member) -> None:
    for keep_prob in (0.3, 1.0):
        with pytest.raises(TypeError, match="int64"):
            member.call(torch.ones(member.shapes[0], dtype=torch.int64), keep_prob)


@each
def test_nan_does_not_pass_the_constructor(member: Member) -> None:
    with pytest.raises(ValueError, match="nan"):
        member.module(math.nan)


@pytest.mark.parametrize("keep_prob", (0.999, 0.001, 0.9999))
@pytest.mark.parametrize("side", (150, 600), ids=("uniform", "bits"))
def test_bfloat16_draws_are_not_rounded(keep_prob: float, side: int) -> None:
    """Draws in bfloat16 are 0 in .2 % of cases, and .999 becomes 1. |z| < 5 in 6 tests: a false alarm with 2e-5.

    22 500 and 360 000 draws: 2 to 360 of the rarer kind are expected, so at .9999 and 150 a side the bound is 9.
    """
    y = functional.dropout(torch.ones(side, side, dtype=torch.bfloat16), keep_prob, generator=seeded(5))
    z = deviation((y != 0).sum(), side * side, keep_prob)
    assert abs(z) < (9 if side == 150 and keep_prob > 0.9995 else 5)


def test_under_vmap_a_path_is_a_sample() -> None:
    """A peer masks the first axis that is visible, which is a channel when vmap runs over the samples."""
    x = torch.ones(200, 5, 4, 4)
    layer = nn.DropPath(0.5, batched=False)
    torch.manual_seed(6)
    y = torch.vmap(layer, randomness="different")(x)
    whole = y.flatten(1)
    assert ((whole == 0).all(1) | (whole == 2).all(1)).all()
    assert 60 < (whole[:, 0] == 0).sum() < 140  # 5.7 standard deviations either way: a false alarm with 2e-8.


@pytest.mark.parametrize(
    ("name", "shape", "axes"),
    (("spatial_dropout", (50, 6, 7), (2,)), ("drop_path", (50, 6, 7), (1, 2))),
)
def test_under_vmap_a_single_sample_shares_what_it_shares_in_a_batch(
    name: str, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    function = getattr(functional, name)
    torch.manual_seed(7)
    y = torch.vmap(lambda x: function(x, 0.5, batched=False), randomness="different")(torch.ones(shape))
    for axis in axes:
        assert torch.equal(y, y.narrow(axis, 0, 1).expand_as(y))
    assert not torch.equal(y, y[:1].expand_as(y))


def test_a_wrapped_layer_survives_train_eval_train_and_copies() -> None:
    """A peer's weight drop raises on the way back to training, and cannot be deep-copied after a call."""
    layer = torch.nn.Linear(5, 4)
    wrapped = nn.DropConnect(layer, 0.5)
    x = elements((3, 5))
    first = wrapped.train()(x, generator=seeded(8))
    assert torch.equal(wrapped.eval()(x), layer(x))
    assert torch.equal(wrapped.train()(x, generator=seeded(8)), first)
    twin = copy.deepcopy(wrapped)
    assert torch.equal(twin(x, generator=seeded(8)), first)
    assert twin.layer.weight is not layer.weight


@pytest.mark.parametrize("layer", (torch.nn.Linear(5, 4), torch.nn.Conv1d(5, 4, 3), torch.nn.Conv2d(5, 4, 3)), ids=str)
def test_a_wrapped_layer_keeps_its_trained_weights(layer: torch.nn.Module) -> None:
    trained = {name: value.clone() for name, value in layer.state_dict().items()}
    wrapped = nn.DropConnect(layer, 0.5)
    assert wrapped.layer is layer
    assert all(torch.equal(wrapped.state_dict()[f"layer.{name}"], value) for name, value in trained.items())


def test_three_axes_are_samples_channels_and_positions() -> None:
    """A peer's Dropout2d takes (N, C, L) for one sample (C, H, W), and so drops samples."""
    mask = functional.spatial_dropout(torch.ones(30, 20, 9), 0.5, generator=seeded(9)) != 0
    assert torch.equal(mask, mask[:, :, :1].expand_as(mask))
    assert mask[:, :, 0].any(1).all() and not mask[:, :, 0].all(1).any()


@each
def test_nothing_is_dropped_in_eval_mode(member: Member) -> None:
    """torch's attention drops whenever its argument says so, in eval mode too."""
    module = member.module(0.2)
    model = torch.nn.Sequential(module, torch.nn.Identity()).eval()
    x = elements(member.shapes[0])
    assert torch.equal(model(x), x)


@each
def test_a_generator_is_taken_by_function_and_module(member: Member) -> None:
    x = elements(member.shapes[0])
    by_function = member.call(x, 0.5, generator=seeded(10))
    assert torch.equal(member.module(0.5)(x, generator=seeded(10)), by_function)
    assert not torch.equal(member.module(0.5)(x, generator=seeded(11)), by_function)
