"""The table of contexts: every member of the family, functions and layers, where ``torch.nn.functional.dropout`` works.

The members come from the registry of variants: a new function is in the table by itself, and so is a new layer whose
constructor asks for what the others ask for; another one fails until it is said what it is made with.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from family_members import MEMBERS
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

from dropout_lab import nn
from dropout_lab.functional import VARIANTS

#: What a layer's constructor must be given, by the names of its arguments, for inputs of ``width`` features.
ARGUMENTS: dict[str, Callable[[int], object]] = {
    "layer": lambda width: torch.nn.Linear(width, width),
    "in_features": lambda width: width,
    "out_features": lambda width: width,
    "input_size": lambda width: width,
    "hidden_size": lambda width: 16,
}
#: Layers on other than activations, which have the same contexts in test files of their own.
ELSEWHERE = {"EmbeddingDropout": "test_transformer_words.py", "LayerDrop": "test_transformer_depth.py"}
#: Settings of a layer that draw otherwise.
FORMS: dict[str, tuple[dict[str, object], ...]] = {
    "per_example": ({}, {"per_example": False}),
    "sharing": ({"sharing": "layer"}, {"sharing": "unit"}, {"sharing": "weight"}),
    "masks": ({"masks": "input"}, {"masks": "tied"}, {"masks": "untied"}),
}
#: Inputs with about 2^10 and 2^19 elements or draws.
SIZES = (10, 19)


@dataclass(frozen=True)
class Case:
    """A member with an input of one of the sizes, as a module in training mode."""

    name: str
    size: int
    make: Callable[[], torch.nn.Module]
    shape: tuple[int, ...]
    is_layer: bool = False

    def input(self) -> Tensor:
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(0))

    def __str__(self) -> str:
        return f"{self.name} 2^{self.size}"


class First(torch.nn.Module):
    """A layer's first output: recurrent layers give their state besides."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return y if isinstance(y, Tensor) else y[0]


def layer_cases(name: str) -> list[Case]:
    """The cases of a class of :mod:`dropout_lab.nn` that must be given something when it is made."""
    kind = getattr(nn, name)
    parameters = inspect.signature(kind).parameters
    needed = [key for key, parameter in parameters.items() if parameter.default is parameter.empty]
    assert set(needed) <= set(ARGUMENTS), f"say what {name} is made with in ARGUMENTS: {needed}"
    forms = next((options for key, options in FORMS.items() if key in parameters), ({},))
    found = []
    for size, width in zip(SIZES, (16, 128), strict=True):
        # A mask on the weights of a wrapped layer is drawn for each row of the input.
        rows = 2**size // (width**2 if kind.variant.multiplies == "weights" and "layer" in needed else width)
        shape = (2, rows // 2, width) if "input_size" in needed else (rows, width)
        # What a setting changes is the same at every size.
        for form in forms if size == SIZES[0] else forms[:1]:

            def make(width: int = width, form: dict[str, object] = form) -> torch.nn.Module:
                torch.manual_seed(0)
                return First(kind(*(ARGUMENTS[key](width) for key in needed), **form))

            found.append(Case(" ".join((name, *map(str, form.values()))), size, make, shape, True))
    return found


def cases() -> list[Case]:
    found = []
    for member in MEMBERS:
        if member.variant.multiplies == "weights":
            continue
        small, large = member.shapes
        for size, shape in zip(SIZES, (small, (2 * large[0], *large[1:])), strict=True):
            found.append(Case(member.name, size, lambda member=member: First(member.module(0.5)), shape))
    layers = {name for variant in VARIANTS.values() for name in variant.modules}
    made = {type(case.make().layer).__name__ for case in found}
    for name in sorted(layers - made - set(ELSEWHERE)):
        found.extend(layer_cases(name))
    return found


CASES = cases()


def differs(function: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether a function draws anew: DropPath's mask of three samples is the same again with probability 8^-9."""
    first = function(x)
    return any(not torch.equal(function(x), first) for _ in range(9))


def fake_inside(module: torch.nn.Module, x: Tensor) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert module(mode.from_tensor(x)).shape == module(torch.empty_like(mode.from_tensor(x))).shape


def fake_outside(module: torch.nn.Module, x: Tensor) -> None:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    expected = module(x).shape
    assert module(mode.from_tensor(x)).shape == expected


def jit_traced(module: torch.nn.Module, x: Tensor) -> None:
    assert differs(torch.jit.trace(module, x, check_trace=False), x)


def fx_real(module: torch.nn.Module, x: Tensor) -> None:
    assert differs(make_fx(module)(x), x)


def fx_symbolic(module: torch.nn.Module, x: Tensor) -> None:
    graph = make_fx(module, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)
    assert differs(graph, x)


def linearized(module: torch.nn.Module, x: Tensor) -> None:
    """From torch's generator the linear function draws anew, as torch's own dropout does; from a stream it does not."""
    # A parameter with a gradient under vmap stops torch's linear function, also without dropout.
    module.requires_grad_(False)
    y, linear = torch.func.linearize(module, x)
    assert linear(x).shape == y.shape
    if isinstance(module, torch.nn.Dropout):
        return
    nn.add_streams(module, 0)
    expected, slope = torch.func.jvp(module, (x,), (x,))
    y, linear = torch.func.linearize(module, x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(linear(x), slope)


def batched_gradients(module: torch.nn.Module, x: Tensor) -> None:
    x = x.clone().requires_grad_()
    y = module(x * 1)
    gradients = torch.stack((torch.ones_like(y), torch.zeros_like(y)))
    (found,) = torch.autograd.grad(y, x, gradients, is_grads_batched=True, retain_graph=True)
    (alone,) = torch.autograd.grad(y, x, gradients[0])
    torch.testing.assert_close(found[0], alone)
    assert not found[1].any()


def mapped(module: torch.nn.Module, x: Tensor) -> None:
    xs = x.expand(4, *x.shape)
    y = torch.vmap(module, randomness="different")(xs)
    assert y[0].shape == module(x).shape
    # Four pieces of three samples of DropPath are all the same with probability 8^-3: three tries.
    assert any(
        not torch.equal(found, found[:1].expand_as(found))
        for found in (y, *(torch.vmap(module, randomness="different")(xs) for _ in range(8)))
    )
    same = torch.vmap(module, randomness="same")(xs)
    torch.testing.assert_close(same, same[:1].expand_as(same))


def checkpointed(module: torch.nn.Module, x: Tensor, use_reentrant: bool) -> None:
    found = []
    for run in (module, lambda value: checkpoint(module, value, use_reentrant=use_reentrant)):
        torch.manual_seed(2)
        given = x.clone().requires_grad_()
        y = run(given * 1)
        (gradient,) = torch.autograd.grad(y.square().sum(), given) if not use_reentrant else (None,)
        if gradient is None:
            y.square().sum().backward()
            gradient = given.grad
        found.append((y.detach(), gradient))
    for plain, again in zip(*found, strict=True):
        torch.testing.assert_close(again, plain)


def checkpointed_reentrant(module: torch.nn.Module, x: Tensor) -> None:
    checkpointed(module, x, True)


def checkpointed_anew(module: torch.nn.Module, x: Tensor) -> None:
    checkpointed(module, x, False)


def compiled(module: torch.nn.Module, x: Tensor) -> None:
    torch.compiler.reset()
    graph = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert graph(x).shape == module(x).shape
    assert differs(graph, x)


def exported(module: torch.nn.Module, x: Tensor) -> None:
    assert differs(torch.export.export(module, (x,)).module(), x)


EAGER = (
    fake_inside,
    fake_outside,
    jit_traced,
    fx_real,
    fx_symbolic,
    linearized,
    batched_gradients,
    mapped,
    checkpointed_reentrant,
    checkpointed_anew,
)
#: They cost seconds a case, and know of one road whatever the size.
SLOW = (compiled, exported)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("context", EAGER, ids=lambda context: context.__name__)
def test_a_member_works_where_dropout_of_torch_works(context: Callable, case: Case) -> None:
    context(case.make(), case.input())


@pytest.mark.parametrize(
    "case",
    # Functions are compiled and exported in test_family_transforms.py.
    [case for case in CASES if case.size == SIZES[0] and case.is_layer],
    ids=str,
)
@pytest.mark.parametrize("context", SLOW, ids=lambda context: context.__name__)
def test_a_layer_is_compiled_and_exported(context: Callable, case: Case) -> None:
    context(case.make(), case.input())


@pytest.mark.parametrize("context", EAGER, ids=lambda context: context.__name__)
def test_the_contexts_are_those_where_dropout_of_torch_works(context: Callable) -> None:
    context(torch.nn.Dropout(0.5), torch.randn(4, 2**8, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("context", (jit_traced, fx_real, fx_symbolic, batched_gradients), ids=lambda one: one.__name__)
def test_a_constant_mask_is_found(context: Callable) -> None:
    """Each context tells a module whose draws were looked at, or whose mask is a constant, from one that draws."""
    mask = torch.ones(4, 2**8)

    class Fixed(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.mul(x, mask, out=torch.empty(x.shape)) if context is batched_gradients else x * mask

    with pytest.raises((AssertionError, RuntimeError)):
        context(Fixed(), torch.randn(4, 2**8))
