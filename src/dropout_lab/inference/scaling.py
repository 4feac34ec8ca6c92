"""Weight scaling: one deterministic pass of a network trained in the original convention (Srivastava et al. 2014).

Which layer reads a dropout layer's output is found by tracing the model (``torch.fx``), not guessed from the order of
its modules.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from dropout_lab import nn, pinned
from dropout_lab.constraints import LAYERS
from dropout_lab.ensemble.asking import described, multiplies_input
from dropout_lab.ensemble.watching import alone
from dropout_lab.inference.tracing import target, trace
from dropout_lab.transformer.depth import LayerDrop
from dropout_lab.wrapped import beyond_weights

#: What only moves or averages numbers: a factor before it is a factor after it.
_TRANSPARENT = (
    torch.nn.Identity,
    torch.nn.Flatten,
    torch.nn.Unflatten,
    torch.nn.AvgPool1d,
    torch.nn.AvgPool2d,
    torch.nn.AvgPool3d,
    torch.nn.AdaptiveAvgPool1d,
    torch.nn.AdaptiveAvgPool2d,
    torch.nn.AdaptiveAvgPool3d,
)
_TRANSPARENT_CALLS = (
    *("flatten", "reshape", "view", "transpose", "permute", "contiguous", "squeeze", "unsqueeze", "mean", "sum"),
    *(torch.flatten, torch.reshape, torch.transpose, torch.permute, torch.squeeze, torch.unsqueeze, torch.mean),
    *(torch.sum, operator.getitem),
)
#: Products that are linear in each operand: a factor on one of them is a factor on the result.
_PRODUCTS = ("matmul", "bmm", torch.matmul, torch.bmm, torch.einsum, operator.matmul)
#: What asks for an array's shape and not for its numbers.
_SHAPES = ("size", "dim", "numel")
#: A model's modules by name. Their classes are looked at where it matters.
_Modules = dict[str, Any]


def weight_scaling(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a trained model that needs no factor at test time, in ``eval()``.

    Wherever a dropout layer of the original convention (``rescale=False``) with keep probability p is read by a linear
    layer or a convolution, that layer's weights are multiplied by p and the dropout layer becomes the inverted one.
    Biases are not scaled: they were never masked. A DropConnect layer's own weights are scaled. Layers that are
    inverted already stay as they are. In ``eval()`` the copy computes what the model computes. Back in training mode it
    is the model in the inverted convention, with the same distribution over subnetworks. :func:`undo_weight_scaling`
    leads back.

    Which layers are scaled, their variants say: those whose noise has the mean p everywhere.

    Args:
        model: a model that was trained in the original convention.

    Raises ValueError where the output of a dropout layer is not read by such layers alone (an activation function, a
    normalization, a sum with a shortcut, or nothing), where weights are tied, parametrized, or also read something that
    was not dropped, for a model that ``torch.fx`` cannot trace, for one that draws random numbers in ``eval()`` too, so
    that no pass is deterministic, and for one with nothing to scale; TypeError for a subclass of a dropout layer whose
    noise is not known. Source: Srivastava et al. 2014, section 4.

    >>> model = torch.nn.Sequential(nn.Dropout(0.5, rescale=False), torch.nn.Linear(3, 2))
    >>> model = model.eval()
    >>> scaled = weight_scaling(model)
    >>> torch.equal(scaled[1].weight, model[1].weight / 2)
    True
    >>> torch.allclose(scaled(torch.ones(1, 3)), model(torch.ones(1, 3)))
    True
    """
    with alone(model) as unchanged:
        return _convert(unchanged, to_inverted=True).eval()


def undo_weight_scaling(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of an inverted model in the original convention, which takes :func:`weight_scaling` back.

    The weights are divided by p, which gives those of before up to one rounding, and every inverted dropout layer
    becomes the original one. The copy has the mode of ``model``.

    Args:
        model: a model in the inverted convention.

    Raises what :func:`weight_scaling` raises, and ValueError for a keep probability of 0, which left nothing to undo.

    >>> model = torch.nn.Sequential(nn.Dropout(0.5, rescale=False), torch.nn.Linear(3, 2))
    >>> undone = undo_weight_scaling(weight_scaling(model))
    >>> undone[0], torch.equal(undone[1].weight, model[1].weight)
    (Dropout(keep_prob=0.5, rescale=False), True)
    """
    with alone(model) as unchanged:
        return _convert(unchanged, to_inverted=False)


def _convert(model: torch.nn.Module, *, to_inverted: bool) -> torch.nn.Module:
    converted = copy.deepcopy(model)
    modules: _Modules = dict(converted.named_modules())
    for module in modules.values():
        # Those that do not say what their noise is are refused.
        nn.variant_of(module)
    changing = {
        name: module for name, module in modules.items() if getattr(module, "rescale", None) is (not to_inverted)
    }
    if not changing:
        wanted, found = ("original", "inverted") if to_inverted else ("inverted", "original")
        raise ValueError(
            f"nothing to convert: {type(model).__name__} has no dropout layer in the {wanted} convention "
            f"(rescale={not to_inverted}); the {found} convention and torch's own layers need no other weights"
        )
    for name, module in changing.items():
        variant = nn.variant_of(module)
        if variant is None or not variant.is_function or variant.noise_mean != "p":
            raise ValueError(f"{described(name, module)} has no weights of the next layer to scale")
        if module.keep_prob == 0 and not to_inverted:
            raise ValueError(f"{described(name, module)} has keep_prob 0: the weights cannot be divided by it")
        _check_plain(name, module)
        if isinstance(module, nn.OnWeights):
            _check_plain(f"{name}.layer", module.layer)
    with torch.no_grad():
        for layer, factor in _factors(converted, modules, changing):
            _own(layer)["weight"].mul_(factor if to_inverted else 1 / factor)
    for module in changing.values():
        module.rescale = to_inverted
    return converted


def _factors(model: torch.nn.Module, modules: _Modules, changing: _Modules) -> Iterator[tuple[torch.nn.Module, float]]:
    """Each layer whose weights have to be multiplied, with the factor."""
    own = {name: module for name, module in changing.items() if not multiplies_input(module)}
    dropped = {name: module for name, module in changing.items() if name not in own}
    nodes = list(trace(model).nodes) if dropped else []
    calls: dict[fx.Node, float] = {}
    for node in nodes:
        if node.op == "call_module" and node.target in dropped:
            name = target(node)
            for reader in _readers(node, node, modules):
                calls[reader] = calls.get(reader, 1.0) * modules[name].keep_prob
    unread = dropped.keys() - {target(node) for node in nodes if node.op == "call_module"}
    for name in sorted(unread):
        for around, module in modules.items():
            if isinstance(module, LayerDrop) and name.startswith(f"{around}." if around else ""):
                raise ValueError(
                    f"{described(name, modules[name])} stands inside {described(around, module)}, which skips layers: "
                    "what reads its output is not always the same"
                )
        raise ValueError(f"{described(name, modules[name])} is never called: nothing reads its output")
    for name in own:
        _check_owned(name, own[name].layer, modules, nodes)
        yield own[name].layer, own[name].keep_prob
    for name in {target(node): None for node in calls}:
        layer = modules[name]
        factors = [
            calls.get(node, 1.0) for node in nodes if node.op == "call_module" and modules[target(node)] is layer
        ]
        if any(not math.isclose(factor, factors[0]) for factor in factors):
            raise ValueError(
                f"{described(name, layer)} is called more than once, and not always on units dropped at the same rate: "
                "no one factor is right for its weights"
            )
        weighted = layer.layer if isinstance(layer, nn.DropConnect) else layer
        _check_owned(name, weighted, modules, nodes)
        yield weighted, factors[0]


def _readers(dropout: fx.Node, node: fx.Node, modules: _Modules) -> Iterator[fx.Node]:
    """The calls of linear layers and convolutions that read ``node``, the output of ``dropout`` or a view of it."""
    source = described(target(dropout), modules[target(dropout)])
    for user in node.users:
        if user.op == "call_module":
            module = modules[target(user)]
            _check_plain(target(user), module)
            if isinstance(module, (*LAYERS, nn.DropConnect)):
                yield user
            elif isinstance(module, _TRANSPARENT) or multiplies_input(module):
                yield from _readers(dropout, user, modules)
            else:
                raise ValueError(
                    f"{source} is read by {described(target(user), module)}, which is not linear: no factor on "
                    "weights does what the factor on activations does. Use inference.monte_carlo"
                )
        elif user.op == "output":
            raise ValueError(
                f"{source} is read by no layer: it is an output of the model, and no weights can be scaled"
            )
        elif user.target in _TRANSPARENT_CALLS:
            yield from _readers(dropout, user, modules)
        elif user.target in _PRODUCTS:
            # Both operands may be the same node: then the factor comes twice.
            for _ in range(sum(operand is node for operand in (*user.args, *user.kwargs.values()))):
                yield from _readers(dropout, user, modules)
        elif not (user.target in _SHAPES or (user.target is getattr and user.args[1] == "shape")):
            called = getattr(user.target, "__name__", user.target)
            raise ValueError(
                f"{source} is read by {called}(), not by a linear layer or a convolution: no factor on weights does "
                "what the factor on activations does. Use inference.monte_carlo"
            )


def _check_plain(name: str, module: torch.nn.Module) -> None:
    """Raise ValueError for a module that does more when it is called than a trace of it shows."""
    is_read = isinstance(module, (*LAYERS, torch.nn.Embedding))
    more = beyond_weights(module) if is_read else "hooks" if pinned.has_hooks(module) else None
    if more is None and getattr(module, "max_norm", None) is not None:
        more = f"max_norm={module.max_norm}"
    if more is not None:
        raise ValueError(
            f"{described(name, module)} has {more}: what it does with a factor on its input is not known, so no "
            "weights can be scaled for it"
        )


def _own(module: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return dict(module.named_parameters(recurse=False, remove_duplicate=False))


def _check_owned(name: str, layer: torch.nn.Module, modules: _Modules, nodes: list[fx.Node]) -> None:
    """Raise ValueError unless the layer's weight is a plain parameter which nothing else reads."""
    weight = _own(layer).get("weight")
    if weight is None:
        raise ValueError(f"the weight of {described(name, layer)} is parametrized: remove the parametrization first")
    owners = [other for other in modules.values() if any(weight is mine for mine in _own(other).values())]
    read = [
        node for node in nodes if node.op == "get_attr" and operator.attrgetter(target(node))(modules[""]) is weight
    ]
    if len(owners) > 1 or read:
        raise ValueError(f"the weight of {described(name, layer)} is tied to another use, which must not be scaled")
