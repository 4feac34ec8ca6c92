"""Which units of a traced network are constant under recorded masks, and which of them anybody reads.

A unit is a feature of a linear layer's output or a channel of a convolution's. Forwards, a dropped unit is the constant
0, and stays a constant behind functions that act on each number. Backwards, a unit is needed where something reads it
that could tell. What is constant or not needed can be left out of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from dropout_lab import nn

#: Functions of each number by itself, as modules and as functions. The first scale with a positive factor.
_HOMOGENEOUS = (torch.nn.ReLU, torch.nn.LeakyReLU, torch.nn.Identity)
_POINTWISE = (
    *(torch.nn.GELU, torch.nn.SiLU, torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.ELU, torch.nn.SELU, torch.nn.CELU),
    *(torch.nn.Softplus, torch.nn.Hardswish, torch.nn.Hardtanh, torch.nn.ReLU6, torch.nn.Mish, torch.nn.Softsign),
    *(torch.nn.Hardsigmoid, torch.nn.LogSigmoid, torch.nn.Tanhshrink),
)
FUNCTIONS: dict[Any, bool] = {
    **dict.fromkeys((torch.relu, torch.nn.functional.relu, "relu", "relu_", torch.nn.functional.leaky_relu), True),
    **dict.fromkeys((torch.nn.functional.gelu, torch.nn.functional.silu, torch.nn.functional.elu), False),
    **dict.fromkeys((torch.tanh, torch.nn.functional.tanh, "tanh", torch.sigmoid, torch.nn.functional.sigmoid), False),
    **dict.fromkeys(("sigmoid", torch.nn.functional.softplus, torch.nn.functional.hardswish), False),
}
_POOLS = (
    *(torch.nn.MaxPool1d, torch.nn.MaxPool2d, torch.nn.MaxPool3d),
    *(torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d),
    *(torch.nn.AdaptiveMaxPool1d, torch.nn.AdaptiveMaxPool2d, torch.nn.AdaptiveMaxPool3d),
)
_AVERAGES = (torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d)
_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
_CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


@dataclass
class Place:
    """What is known of the output of one node: the axis of its units, the constants among them, and who is needed.

    ``constant`` is NaN where a unit varies.
    """

    axis: int
    constant: Tensor
    #: What has to be done at this node: the name of a step of the cut.
    step: str
    node: fx.Node
    #: The factors of dropout at this node, one for each unit.
    factor: Tensor | None = None
    #: How many features of the output stand for one unit of the input: positions that were flattened.
    positions: int = 1
    #: A linear layer or a convolution, and its weight, with the recorded mask if it has one.
    layer: Any = None
    weight: Tensor | None = None
    needed: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.needed = torch.zeros(len(self.constant), dtype=torch.bool)

    @property
    def varies(self) -> Tensor:
        """Which units are no constants."""
        return self.constant.isnan()

    @property
    def present(self) -> Tensor:
        """Which units the smaller network computes here."""
        return self.needed & self.varies


Places = dict[fx.Node, Place]


def constants(graph: fx.Graph, modules: dict[str, Any], noise: dict[fx.Node, Tensor]) -> Places:
    """Forwards: the places whose units can be told apart. All other nodes need their inputs whole."""
    places: Places = {}
    calls = [node.target for node in graph.nodes if node.op == "call_module"]
    for node in graph.nodes:
        found = None
        if node in noise:
            found = _dropped(node, places, noise[node], modules[str(node.target)])
        elif node.op == "call_module":
            module = modules[str(node.target)]
            # Weights that several calls read cannot be cut for one of them.
            if isinstance(module, torch.nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
                found = _flattened(node, places, modules, noise)
            elif calls.count(node.target) == 1 or next(module.parameters(), None) is None:
                found = _called(node, places, module)
        elif node.op in ("call_function", "call_method") and node.target in FUNCTIONS:
            found = _pointwise(node, places, FUNCTIONS[node.target], _applied_by(node))
        elif node.target in (torch.flatten, "flatten") and tuple(node.args[1:]) == (1,) and not node.kwargs:
            found = _flattened(node, places, modules, noise)
        if found is not None:
            places[node] = found
    return places


def _applied_by(node: fx.Node) -> Any:
    rest, kwargs = node.args[1:], node.kwargs

    def apply(values: Tensor) -> Tensor:
        if isinstance(node.target, str):
            return getattr(values, node.target.rstrip("_"))(*rest, **kwargs)
        return node.target(values, *rest, **{k: v for k, v in kwargs.items() if k != "inplace"})

    return apply


def _varying(count: int, like: Tensor) -> Tensor:
    return torch.full((count,), torch.nan, dtype=like.dtype, device=like.device)


def _read(node: fx.Node) -> fx.Node | None:
    """The single tensor that a node reads."""
    return node.args[0] if len(node.all_input_nodes) == 1 and isinstance(node.args[0], fx.Node) else None


def _called(node: fx.Node, places: Places, module: Any) -> Place | None:
    source = _read(node)
    if source is None:
        return None
    before = places.get(source)
    if isinstance(module, torch.nn.Linear):
        return Place(
            -1, _varying(module.out_features, module.weight), "weigh", node, layer=module, weight=module.weight
        )
    if isinstance(module, _CONVOLUTIONS):
        return Place(1, _varying(module.out_channels, module.weight), "weigh", node, layer=module, weight=module.weight)
    if before is None:
        return None
    if isinstance(module, _HOMOGENEOUS):
        return _pointwise(node, places, True, module)
    if isinstance(module, _POINTWISE):
        return _pointwise(node, places, False, module)
    if isinstance(module, _NORMS) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var + module.eps) ** -0.5 * (1.0 if module.weight is None else module.weight)
        constant = (before.constant - module.running_mean) * scale
        constant = constant if module.bias is None else constant + module.bias
        return Place(before.axis, constant.detach(), "normalize", node)
    if isinstance(module, _POOLS) and before.axis == 1:
        return Place(1, before.constant, "pass", node)
    if isinstance(module, _AVERAGES) and before.axis == 1 and (_is_0(before) or not _pads(module)):
        return Place(1, before.constant, "pass", node)
    return None


def _is_0(place: Place) -> bool:
    return bool((place.constant[~place.varies] == 0).all())


def _pads(module: Any) -> bool:
    padding = module.padding
    return any(padding) if isinstance(padding, tuple) else padding not in (0, "valid")


def _pointwise(node: fx.Node, places: Places, homogeneous: bool, apply: Any) -> Place | None:
    source = _read(node)
    before = places.get(source) if source is not None else None
    if before is None:
        return None
    constant = torch.where(before.varies, torch.nan, apply(before.constant.nan_to_num().clone()))
    return Place(before.axis, constant.detach(), "pass" if homogeneous else "apply", node)


def _dropped(node: fx.Node, places: Places, values: Tensor, module: torch.nn.Module) -> Place | None:
    source = _read(node)
    if source is None:
        return None
    if isinstance(module, nn.DropConnect):
        layer = module.layer
        weight = torch.where(values.view(layer.weight.shape) == 0, 0.0, layer.weight * values.view(layer.weight.shape))
        axis = -1 if isinstance(layer, torch.nn.Linear) else 1
        constant = _varying(len(weight), weight)
        silent = (weight == 0).flatten(1).all(1)
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias
        constant[silent] = bias.detach()[silent]
        return Place(axis, constant, "weigh", node, layer=layer, weight=weight.detach())
    before = places.get(source)
    axes = [axis for axis in range(values.dim()) if not bool((values == values.narrow(axis, 0, 1)).all())]
    if len(axes) > 1 or (axes and axes[0] == 0):
        return None
    if not axes and before is None and values.dim() == 2:
        axes = [1]
    if not axes:
        # One factor for everything: that of a branch, or of a single unit.
        if before is None:
            return None
        factor = values.flatten()[:1].to(before.constant.dtype).expand(len(before.constant))
        axis = before.axis
    else:
        axis = -1 if axes[0] == values.dim() - 1 else axes[0]
        if axis == -1 and values.dim() == 2 and before is not None:
            axis = before.axis
        if axis not in (1, -1) or (before is not None and before.axis != axis):
            return None
        factor = values.movedim(axes[0], 0).flatten(1)[:, 0]
        if before is not None and len(before.constant) != len(factor):
            return None
    constant = _varying(len(factor), factor) if before is None else before.constant * factor
    constant = torch.where(factor == 0, 0.0, constant)
    return Place(axis, constant, "drop", node, factor)


def _flattened(node: fx.Node, places: Places, modules: dict[str, Any], noise: dict[fx.Node, Tensor]) -> Place | None:
    source = _read(node)
    before = places.get(source) if source is not None else None
    if before is None or before.axis != 1:
        return None
    size = _features_behind(node, modules, noise)
    if size is None or size % len(before.constant):
        return None
    positions = size // len(before.constant)
    return Place(-1, before.constant.repeat_interleave(positions), "flatten", node, None, positions)


def _features_behind(node: fx.Node, modules: dict[str, Any], noise: dict[fx.Node, Tensor]) -> int | None:
    """How many features a flattened tensor has, told by what reads it."""
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node in noise and not isinstance(modules[str(node.target)], nn.DropConnect):
            if noise[node].shape[-1] > 1:
                return noise[node].shape[-1]
            continue
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        module = module.layer if isinstance(module, nn.DropConnect) else module
        if isinstance(module, torch.nn.Linear):
            return module.in_features
        if isinstance(module, torch.nn.BatchNorm1d):
            return module.num_features
        if not (isinstance(module, (*_HOMOGENEOUS, *_POINTWISE, *nn.OF_TORCH)) or node.target in FUNCTIONS):
            return None
    return None


def find_needed(graph: fx.Graph, places: Places) -> None:
    """Backwards: each place learns which of its units are read."""
    for node in reversed(graph.nodes):
        for source in node.all_input_nodes:
            if source in places:
                places[source].needed |= _reads(node, places.get(node), places[source])


def reads_units(node: fx.Node, place: Place | None, source: Place) -> bool:
    """Whether ``node`` can do without some units of what it reads."""
    if place is None:
        return False
    if place.step != "weigh":
        return len(place.constant) == len(source.constant) * place.positions and (
            place.axis == source.axis or place.step == "flatten"
        )
    weight = place.weight
    assert weight is not None
    if weight.dim() == 2:
        return source.axis == -1 and weight.shape[1] == len(source.constant)
    # What a convolution pads with is 0, so that another constant is none at the border.
    plain = place.layer.groups == 1 and weight.shape[1] == len(source.constant)
    return source.axis == 1 and plain and (_is_0(source) or not _pads(place.layer))


def _reads(node: fx.Node, place: Place | None, source: Place) -> Tensor:
    if not reads_units(node, place, source):
        return torch.ones_like(source.needed)
    assert place is not None
    if place.step == "weigh":
        assert place.weight is not None
        rows = place.weight[place.present]
        return (rows != 0).transpose(0, 1).flatten(1).any(1)
    if place.step == "flatten":
        return place.needed.view(-1, place.positions).any(1)
    return place.needed & (place.factor != 0) if place.factor is not None else place.needed
