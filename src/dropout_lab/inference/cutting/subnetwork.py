"""The cut: a traced network without the units that its masks dropped."""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from dropout_lab import nn
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import alone
from dropout_lab.inference.cutting.parts import Masked, Restored, Scaled, Selected
from dropout_lab.inference.cutting.units import FUNCTIONS, Place, Places, constants, find_needed, reads_units
from dropout_lab.inference.recorded import Factor
from dropout_lab.inference.tracing import target, trace


def subnetwork(model: torch.nn.Module, masks: Sequence[Factor]) -> fx.GraphModule:
    """Cut the subnetwork that ``masks`` describe out of ``model``, as a smaller network of its own in ``eval()``.

    For any batch the result computes what ``model`` in ``eval()`` computes under :func:`~dropout_lab.inference.replay`.
    Dropped units are gone: their rows from the weights of the layer before, their columns from those of the layer
    behind, and their entries from batch normalizations between. The factor 1/p of the kept units is in the weights. A
    dropped unit whose value behind a function is not 0, such as σ(0) = ½ behind a sigmoid, adds it through the next
    layer's bias. Where something reads all units (a sum with a shortcut, a layer normalization), they are put back as
    constants. Noise that differs from position to position stays, as a constant mask.

    All members of the ensemble share the weights of one network (section 3 of the book). This is one of them on its
    own.

    Args:
        model: the network with dropout layers.
        masks: a recording of one example (:func:`~dropout_lab.inference.record`).

    Returns:
        A ``torch.fx.GraphModule`` with copies of the weights. The masks that stayed are modules of the class
        :class:`~dropout_lab.inference.Masked` in it, which know the ``layer`` that they come from.

    Raises ValueError for a recording of several examples or of another model, and for a model that ``torch.fx`` cannot
    trace.

    >>> from dropout_lab.inference import record, replay
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), nn.Dropout(0.5), torch.nn.Linear(8, 2)
    ... )
    >>> x = torch.ones(3, 4)
    >>> with record(model.eval()) as masks:
    ...     _ = model(x[:1])
    >>> kept = int(masks[0].values.count_nonzero())
    >>> small = subnetwork(model, masks)
    >>> size = sum(weight.numel() for weight in small.parameters())
    >>> size == 4 * kept + kept + kept * 2 + 2
    True
    >>> with replay(model, masks):
    ...     torch.allclose(small(x), model(x), atol=1e-6)
    True
    """
    with alone(model) as unchanged, torch.no_grad():
        copied = copy.deepcopy(unchanged).eval()
        graph = trace(copied)
        modules: dict[str, Any] = dict(copied.named_modules())
        noise = _matched(graph, modules, masks)
        places = constants(graph, modules, noise)
        find_needed(graph, places)
        return _Cut(copied, modules, places, noise).made(graph)


def _matched(graph: fx.Graph, modules: dict[str, Any], masks: Sequence[Factor]) -> dict[fx.Node, Tensor]:
    """The recorded noise of each call of a layer."""
    calls = [node for node in graph.nodes if node.op == "call_module" and asking.has_noise(modules[target(node)])]
    named = [target(node) for node in calls]
    if named != [factor.name for factor in masks]:
        raise ValueError(
            f"the recording is of {[factor.name for factor in masks]}, and the model calls {named}: record this model"
        )
    found = {}
    for node, factor in zip(calls, masks, strict=True):
        layer, values = modules[target(node)], factor.values
        if isinstance(layer, nn.DropConnect):
            alike = values.dim() == layer.layer.weight.dim() or len(values) == 1
        else:
            alike = values.dim() > 0 and values.shape[0] == 1
        if not alike:
            raise ValueError(
                f"the recording of {asking.described(factor.name, layer)} has noise of shape {tuple(values.shape)}, "
                "which differs from example to example: a subnetwork is one. Record with one example, batch first"
            )
        found[node] = values
    return found


#: Writing over a tensor that others read too, now that dropout no longer stands between, would change what they read.
_NOT_IN_PLACE = {operator.iadd: operator.add, operator.imul: operator.mul, operator.isub: operator.sub}


class _Cut:
    """Writes the smaller graph: each node of the old one in turn, with what its readers get."""

    def __init__(
        self, model: torch.nn.Module, modules: dict[str, Any], places: Places, noise: dict[fx.Node, Tensor]
    ) -> None:
        self._model, self._modules, self._places, self._noise = model, modules, places, noise
        self._graph = fx.Graph()
        #: What the new graph calls and gets, by name.
        self._parts: dict[str, Any] = {}
        #: The node that stands for an old one, the factor of its units that is still to be applied, and all its units.
        self._made: dict[fx.Node, fx.Node] = {}
        self._factor: dict[fx.Node, Tensor] = {}
        self._whole: dict[fx.Node, fx.Node] = {}

    def made(self, graph: fx.Graph) -> fx.GraphModule:
        """The smaller network."""
        for module in self._modules.values():
            if getattr(module, "inplace", False):
                module.inplace = False
        for node in graph.nodes:
            place = self._places.get(node)
            if place is None:
                self._copy(node)
            elif place.step == "weigh":
                self._weigh(node, place)
            elif place.step == "drop":
                self._drop(node, place)
            else:
                self._follow(node, place)
        root = torch.nn.Module()
        for name, part in self._parts.items():
            _put(root, name, part)
        result = fx.GraphModule(root, self._graph, class_name="Subnetwork")
        return result.eval()

    def _copy(self, node: fx.Node) -> None:
        """A node that needs its inputs whole, and gives its output whole."""
        new = self._made[node] = self._graph.node_copy(node, self._read_whole)
        if node.op == "get_attr":
            self._parts[target(node)] = operator.attrgetter(target(node))(self._model)
        elif node in self._noise:
            new.target = self._named(f"{node.name}_mask", Masked(self._noise[node], target(node)))
        else:
            self._same_part(node, new)

    def _same_part(self, node: fx.Node, new: fx.Node) -> None:
        if node.op == "call_module":
            self._parts[target(node)] = self._modules[target(node)]
        elif node.op == "call_function":
            new.target = _NOT_IN_PLACE.get(node.target, node.target)  # type: ignore[arg-type]
            new.kwargs = {name: value for name, value in new.kwargs.items() if name != "inplace"}
        elif node.op == "call_method" and node.target in FUNCTIONS:
            new.target = target(node).rstrip("_")

    def _weigh(self, node: fx.Node, place: Place) -> None:
        """A linear layer or a convolution, with the rows and columns that are left."""
        read = _read(node)
        source = self._places.get(read)
        if source is not None and reads_units(node, place, source):
            layer = self._weighed(node, place, source.present, source.constant, self._factor.get(read))
            x = self._made[read]
        else:
            assert place.weight is not None
            layer = self._weighed(node, place, torch.ones(place.weight.shape[1], dtype=torch.bool), None, None)
            x = self._read_whole(read)
        self._made[node] = self._call(target(node) if self._is_called_once(node) else node.name, layer, x)

    def _is_called_once(self, node: fx.Node) -> bool:
        return sum(other.target == node.target for other in node.graph.nodes) == 1

    def _drop(self, node: fx.Node, place: Place) -> None:
        """Dropout: some units go, and the others get a factor."""
        read = _read(node)
        source, before = self._places.get(read), self._factor.get(read)
        assert place.factor is not None
        present = torch.ones(len(place.constant), dtype=torch.bool) if source is None else source.present
        self._made[node] = self._narrowed(node, place, self._made[read], present)
        self._note(node, place, place.factor if before is None else place.factor * before)

    def _follow(self, node: fx.Node, place: Place) -> None:
        """What acts on each unit by itself."""
        read = _read(node)
        source, x, factor = self._places[read], self._made[read], self._factor.get(read)
        # Only what is linear for positive factors lets them pass.
        if factor is not None and (place.step in ("apply", "normalize") or bool((factor < 0).any())):
            x, factor = self._scaled(node, x, source, factor), None
        present = source.present
        if place.step == "normalize":
            new = self._call(target(node), _normalized(self._modules[target(node)], present), x)
        else:
            new = self._graph.node_copy(node, lambda old: x if old is read else self._read_whole(old))
            self._same_part(node, new)
        if place.step == "flatten":
            present = present.repeat_interleave(place.positions)
            factor = None if factor is None else factor.repeat_interleave(place.positions)
        self._made[node] = self._narrowed(node, place, new, present)
        self._note(node, place, factor)

    def _note(self, node: fx.Node, place: Place, factor: Tensor | None) -> None:
        if factor is not None and bool((factor[place.present] != 1).any()):
            self._factor[node] = factor

    def _narrowed(self, node: fx.Node, place: Place, x: fx.Node, present: Tensor) -> fx.Node:
        """``x`` holds the units ``present``; of these, only those of ``place``."""
        wanted = place.present[present]
        if bool(wanted.all()):
            return x
        return self._call(f"{node.name}_kept", Selected(wanted.nonzero().flatten(), place.axis), x)

    def _scaled(self, node: fx.Node, x: fx.Node, source: Place, factor: Tensor | None) -> fx.Node:
        if factor is None:
            return x
        return self._call(f"{node.name}_factor", Scaled(factor[source.present], source.axis), x)

    def _read_whole(self, node: fx.Node) -> fx.Node:
        """What a reader of all units gets."""
        place = self._places.get(node)
        if place is None:
            return self._made[node]
        if node not in self._whole:
            x = self._scaled(node, self._made[node], place, self._factor.get(node))
            if not bool(place.present.all()):
                index = place.present.nonzero().flatten()
                x = self._call(f"{node.name}_all", Restored(place.constant.nan_to_num(), index, place.axis), x)
            self._whole[node] = x
        return self._whole[node]

    def _weighed(
        self, node: fx.Node, place: Place, present: Tensor, constant: Tensor | None, factor: Tensor | None
    ) -> torch.nn.Module:
        """A linear layer or a convolution with the rows and columns that are left."""
        layer, rows = place.layer, place.present
        assert place.weight is not None
        weight = place.weight[rows]
        bias = None if layer.bias is None else layer.bias[rows]
        if constant is not None:
            still = torch.where(constant.isnan(), 0.0, constant)
            said = torch.tensordot(weight.flatten(2).sum(2) if weight.dim() > 2 else weight, still, dims=1)
            if bias is not None or bool((said != 0).any()):
                bias = said if bias is None else bias + said
        weight = weight[:, present]
        if factor is not None:
            shape = (-1, *[1] * (weight.dim() - 2))
            weight = weight * factor[present].view(shape)
        made = copy.deepcopy(layer)
        made.weight = torch.nn.Parameter(weight.clone(), requires_grad=layer.weight.requires_grad)
        made.bias = None if bias is None else torch.nn.Parameter(bias.clone(), requires_grad=layer.weight.requires_grad)
        kind = "features" if isinstance(layer, torch.nn.Linear) else "channels"
        setattr(made, f"out_{kind}", weight.shape[0])
        setattr(made, f"in_{kind}", weight.shape[1])
        return made

    def _named(self, name: str, part: torch.nn.Module) -> str:
        self._parts[name] = part
        return name

    def _call(self, name: str, part: torch.nn.Module, x: fx.Node) -> fx.Node:
        return self._graph.call_module(self._named(name, part), (x,))


def _normalized(norm: Any, present: Tensor) -> torch.nn.Module:
    """A batch normalization of the channels that are left."""
    made = copy.deepcopy(norm)
    made.num_features = int(present.sum())
    for name in ("running_mean", "running_var"):
        setattr(made, name, getattr(norm, name)[present].clone())
    for name in ("weight", "bias"):
        if getattr(norm, name) is not None:
            setattr(made, name, torch.nn.Parameter(getattr(norm, name)[present].clone()))
    return made


def _read(node: fx.Node) -> fx.Node:
    """The tensor whose units a node acts on."""
    read = node.args[0]
    assert isinstance(read, fx.Node)
    return read


def _put(root: torch.nn.Module, name: str, part: Any) -> None:
    """Set a module or parameter at a dotted name."""
    *path, last = name.split(".")
    for step in path:
        if not hasattr(root, step):
            root.add_module(step, torch.nn.Module())
        root = getattr(root, step)
    if isinstance(part, torch.nn.Module):
        root.add_module(last, part)
    elif isinstance(part, torch.nn.Parameter):
        root.register_parameter(last, part)
    else:
        root.register_buffer(last, part)
