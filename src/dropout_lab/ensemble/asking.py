"""What the test-time rules ask a model: which of its modules have noise, at which rates, and how it is switched off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from dropout_lab import nn
from dropout_lab.functional import Variant

#: In ``eval()`` this takes a short cut past the dropout layers in it; its mode decides about nothing else.
_SHORTCUT = torch.nn.TransformerEncoderLayer


def keep_probs(module: torch.nn.Module) -> list[torch.Tensor]:
    """The keep probabilities of a module's own noise, where its kind of noise is known; empty where it has none.

    Raises TypeError for a subclass of this package's layers that gives no variant.
    """
    own: Any = module
    if isinstance(module, torch.nn.RNNBase):
        values = [1 - own.dropout] if own.num_layers > 1 else []
    elif isinstance(module, torch.nn.MultiheadAttention):
        values = [1 - own.dropout]
    elif isinstance(module, nn.OF_TORCH):
        values = [1 - own.p]
    elif isinstance(getattr(type(module), "variant", None), Variant):
        if not hasattr(module, "keep_prob"):
            raise TypeError(f"{type(module).__name__} gives a variant and no keep_prob, which goes with it")
        values = [own.keep_prob, *getattr(own, "other_keep_probs", ())]
    else:
        # It is ours, and says nothing.
        nn.variant_of(module)
        values = []
    # In float32 a keep probability just below 1 would be 1.
    return [
        torch.as_tensor(value, dtype=None if isinstance(value, torch.Tensor) else torch.float64) for value in values
    ]


def has_noise(module: torch.nn.Module) -> bool:
    """Whether ``module`` itself multiplies by known noise in training mode: some keep probability is below 1."""
    return any(bool((value < 1).any()) for value in keep_probs(module))


def is_random(module: torch.nn.Module) -> bool:
    """Whether the known noise of ``module`` itself is random: some keep probability lies strictly between 0 and 1."""
    return any(bool(((value > 0) & (value < 1)).any()) for value in keep_probs(module))


def is_enumerable(module: torch.nn.Module) -> bool:
    """Whether the masks of ``module`` are independent 0/1 draws that can be given in place of drawn ones.

    Raises TypeError for a subclass of this package's or torch's dropout layers whose noise is not known.
    """
    variant = nn.variant_of(module)
    return variant is not None and variant.enumerable


def multiplies_input(module: torch.nn.Module) -> bool:
    """Whether ``module`` does nothing but multiply its input by noise: its factor goes to what reads its output.

    Raises TypeError as :func:`is_enumerable` does.
    """
    variant = nn.variant_of(module)
    if variant is None or variant.multiplies == "weights":
        return False
    return variant.is_function or isinstance(module, nn.OF_TORCH)


def keep_prob(module: torch.nn.Module) -> float:
    """The keep probability of a module with an enumerable variant."""
    own: Any = module
    return 1 - own.p if isinstance(module, nn.OF_TORCH) else own.keep_prob


def eagerly() -> AbstractContextManager[object]:
    """A context in which compiled parts of a model run operation by operation, so that hooks are called in them."""
    # Where nothing was compiled, the compiler has not been imported, and need not be.
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def hookable(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules of ``model`` that take hooks, by name: not those that were scripted or traced.

    Nor a layer inside a member that reads its weights, which refuses one that has hooks.
    """
    inside = {id(module.layer) for module in model.modules() if isinstance(module, nn.OnWeights)}
    for name, part in model.named_modules():
        if not isinstance(part, torch.jit.ScriptModule) and id(part) not in inside:
            yield name, part


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """``model.eval()`` for a while; afterwards, also after an error, each module's mode is what it was."""
    modes = [(module, module.training) for module in model.modules()]
    switch_off(model)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def switch_off(model: torch.nn.Module) -> None:
    """``model.eval()``, and no short cut is taken past the dropout layers in it."""
    model.eval()
    for module in model.modules():
        if isinstance(module, _SHORTCUT):
            module.training = True


def input_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """What a dropout layer was called with, by position or by the name that it has there."""
    return args[0] if args else kwargs["x" if "x" in kwargs else "input"]


def described(name: str, module: torch.nn.Module) -> str:
    """A module as errors name it: its class, and its name in the model."""
    return f"{type(module).__name__} {name!r}" if name else type(module).__name__
