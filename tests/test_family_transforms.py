"""Every variant under what torch does to functions and modules: derivatives, vmap, compilation, export, copies."""

from __future__ import annotations

import copy
import math
import pickle
import shutil

import pytest
import torch
from family_members import DROPPING, MEMBERS, Member, deviation, elements, seeded
from torch import Tensor

each = pytest.mark.parametrize("member", MEMBERS, ids=str)
each_dropping = pytest.mark.parametrize("member", DROPPING, ids=str)
both_layouts = pytest.mark.parametrize("contiguous", (True, False), ids=("contiguous", "transposed"))

#: One that generates code where there is a C++ compiler, and one that only traces where there is none.
BACKEND = "inductor" if any(map(shutil.which, ("c++", "g++", "clang++"))) else "aot_eager"


def fixed(member: Member, contiguous: bool) -> tuple[object, Tensor]:
    """The member as a function of its input alone, its mask fixed, and a point in float64 to differentiate at.

    A transposed input takes the path that works on bits, which has derivatives of its own.
    """
    x = elements(tuple(min(extent, 4) for extent in member.shapes[0]), torch.float64)
    reverse = tuple(reversed(range(x.dim())))

    def function(values: Tensor) -> Tensor:
        given = values if contiguous else values.permute(reverse)
        return member.call(given, 0.6, generator=seeded(1))

    return function, (x if contiguous else x.permute(reverse).contiguous()).requires_grad_()


@each
@both_layouts
def test_first_and_second_derivatives_with_a_fixed_mask(member: Member, contiguous: bool) -> None:
    function, x = fixed(member, contiguous)
    assert torch.autograd.gradcheck(function, x, check_forward_ad=True, check_batched_grad=contiguous)
    # Squared, since all members are linear: a second derivative of 0 would show nothing.
    assert torch.autograd.gradgradcheck(lambda values: function(values).square(), x)


@each
def test_functions_of_torch_func_agree_with_autograd(member: Member) -> None:
    function, x = fixed(member, True)

    def loss(values: Tensor) -> Tensor:
        return function(values).square().sum()

    (expected,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(torch.func.grad(loss)(x), expected)
    _, slope = torch.func.jvp(loss, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(slope, expected.sum())


@each
def test_large_tensors_have_the_same_derivatives(member: Member) -> None:
    x = elements(member.shapes[1]).requires_grad_()
    y = member.call(x, 0.5, generator=seeded(2))
    factors = y.detach() / x.detach()
    weights = elements(member.shapes[1], seed=3)
    (gradient,) = torch.autograd.grad((y.square() * weights).sum(), x, create_graph=True)
    torch.testing.assert_close(gradient, 2 * weights * factors.square() * x)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    torch.testing.assert_close(second, 2 * weights * factors.square())


def is_member_output(member: Member, y: Tensor) -> bool:
    """Whether ``y`` may be what the member makes of ones: each axis that shares a draw does, and something varies."""
    shares = all(torch.equal(y, y.narrow(axis, 0, 1).expand_as(y)) for axis in member.shared)
    return shares and y.isfinite().all().item() and ((y == 0).any().item() or not member.drops)


@each
def test_vmap_draws_for_every_sample_or_once_for_all(member: Member) -> None:
    ones = torch.ones(40, *member.shapes[0])

    def call(x: Tensor) -> Tensor:
        return member.call(x, 0.5)

    torch.manual_seed(1)
    different = torch.vmap(call, randomness="different")(ones)
    same = torch.vmap(call, randomness="same")(ones)
    assert is_member_output(member, torch.cat(tuple(different))) or member.variant.multiplies == "weights"
    assert torch.equal(same, same[:1].expand_as(same))
    assert (different != different[:1]).flatten(1).any(1)[1:].all() or member.variant.multiplies == "a residual branch"
    # Three samples a piece, each kept with probability ½: forty pieces are the same with probability 8^-39.
    assert not torch.equal(different, different[:1].expand_as(different))
    unmapped = torch.vmap(lambda _: call(ones[0]), randomness="different")(torch.zeros(40))
    assert not torch.equal(unmapped, unmapped[:1].expand_as(unmapped))
    with pytest.raises(RuntimeError, match="random"):
        torch.vmap(call)(ones)


@each_dropping
def test_vmap_stops_inf_and_nan_too(member: Member) -> None:
    wild = torch.full((20, *member.shapes[0]), math.inf)
    y = torch.vmap(lambda x: member.call(x, 0.5), randomness="different")(wild)
    assert set(y.unique().tolist()) == {0.0, math.inf}


@each
def test_derivatives_for_each_sample(member: Member) -> None:
    x = elements((6, *member.shapes[0]))

    def loss(values: Tensor) -> Tensor:
        return member.call(values, 0.5).sum()

    torch.manual_seed(2)
    gradients = torch.vmap(torch.func.grad(loss), randomness="same")(x)
    assert torch.equal(gradients, gradients[:1].expand_as(gradients))
    assert gradients.unique().numel() > 1


@each
def test_compiled_in_one_graph(member: Member) -> None:
    torch.compiler.reset()
    module = member.module(0.5)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True, dynamic=True)
    torch.manual_seed(3)
    tail = member.shapes[0][1:]
    for samples in (50, 70, 2**15):
        if samples == 2**15 and member.variant.multiplies != "weights":
            continue
        x = torch.ones(samples, *tail, requires_grad=True)
        y = compiled(x)
        assert is_member_output(member, y.detach())
        assert not torch.equal(compiled(x), y), "the mask has become a constant"
        (gradient,) = torch.autograd.grad(y.sum(), x)
        assert torch.equal(gradient, y)
    module.eval()
    assert torch.equal(compiled(x), x)


@each_dropping
def test_compiled_code_drops_inf_and_nan_to_0(member: Member) -> None:
    torch.compiler.reset()
    compiled = torch.compile(member.module(0.5), backend="aot_eager", fullgraph=True)
    x = torch.full((60, *member.shapes[0][1:]), math.nan, requires_grad=True)
    y = compiled(x)
    (gradient,) = torch.autograd.grad(y, x, torch.full_like(y, math.inf))
    assert torch.equal(y == 0, gradient == 0)
    assert (y == 0).any() and y.isnan().any()


@pytest.mark.parametrize("name", ("dropout", "drop_block", "gaussian_dropout"))
def test_generated_code_has_the_right_rate(name: str) -> None:
    """The count of what is kept, over 300 samples: beyond 5 standard deviations with probability 6e-7 each.

    DropBlock's positions are correlated, so its standard deviation is measured over the samples.
    """
    torch.compiler.reset()
    member = next(member for member in MEMBERS if member.variant.name == name)
    compiled = torch.compile(member.module(0.7), backend=BACKEND, fullgraph=True)
    torch.manual_seed(4)
    y = compiled(torch.ones(300, *member.shapes[0][1:], dtype=torch.float64))
    means = (y if name == "gaussian_dropout" else (y > 0).double()).flatten(1).mean(1)
    expected = 1.0 if name == "gaussian_dropout" else 0.7
    assert abs(means.mean() - expected) < 5 * means.std() / math.sqrt(300)
    if name == "gaussian_dropout":
        assert abs(y.var() - 3 / 7) < 5 * (3 / 7) * math.sqrt(2 / y.numel())


@each
def test_exported(member: Member) -> None:
    x = torch.ones(50, *member.shapes[0][1:])
    samples = torch.export.Dim("samples", min=2, max=4096)
    # Weights, which DropConnect's test module takes as its input, have a fixed number.
    shapes = None if member.variant.multiplies == "weights" else ({0: samples},)
    program = torch.export.export(member.module(0.5), (x,), dynamic_shapes=shapes)
    torch.manual_seed(5)
    y = program.module()(x)
    assert is_member_output(member, y)
    assert not torch.equal(program.module()(x), y)
    if shapes:
        assert is_member_output(member, program.module()(torch.ones(123, *x.shape[1:])))
    still = torch.export.export(member.module(0.5).eval(), (x,)).module()
    assert torch.equal(still(x), x)


@each
def test_modules_are_copied_pickled_and_called_functionally(member: Member) -> None:
    module = member.module(0.3)
    x = elements(member.shapes[0])
    expected = module(x, generator=seeded(6))
    assert torch.equal(expected, member.call(x, 0.3, generator=seeded(6)))
    pickled = pickle.loads(pickle.dumps(module))
    for same in (copy.deepcopy(module), pickled):
        assert repr(same) == repr(module)
        assert torch.equal(same(x, generator=seeded(6)), expected)
    parameters = dict(module.named_parameters())
    called = torch.func.functional_call(module, parameters, (x,), {"generator": seeded(6)})
    assert torch.equal(called, expected)
    assert not copy.deepcopy(module.eval()).training


@each_dropping
def test_vmapped_rate(member: Member) -> None:
    """The mean of the kept part over 400 mapped calls: beyond 5 standard deviations with probability 6e-7."""
    torch.manual_seed(7)
    y = torch.vmap(lambda x: member.call(x, 0.8, rescale=False), randomness="different")(
        torch.ones(400, *member.shapes[0])
    )
    means = y.flatten(1).mean(1)
    assert abs(means.mean() - 0.8) < 5 * means.std() / math.sqrt(400)
    if not member.shared and member.is_plain:
        assert abs(deviation((y > 0).sum(), y.numel(), 0.8)) < 5
