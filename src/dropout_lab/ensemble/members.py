"""A model's subnetworks as a function of masks: where it drops, and how given masks take the place of drawn ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from dropout_lab import nn
from dropout_lab.bayes import ConcreteDropout, LearnedGaussianDropout
from dropout_lab.recurrent import VariationalGRU, VariationalLSTM

_UNITS = (nn.Dropout, torch.nn.Dropout)
_CHANNELS = (nn.SpatialDropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d)
_ENUMERABLE = (*_UNITS, *_CHANNELS, nn.VariationalDropout, nn.DropPath, nn.DropConnect)
#: Layers of this package whose noise is no list of independent 0/1 draws.
_OTHER = (
    nn.GaussianDropout,
    nn.DropBlock,
    ConcreteDropout,
    LearnedGaussianDropout,
    VariationalGRU,
    VariationalLSTM,
)


class _Site(NamedTuple):
    """One call of a dropout layer: the shape of its mask for one subnetwork, and its keep probability."""

    layer: torch.nn.Module
    shape: tuple[int, ...]
    keep_prob: float

    @property
    def units(self) -> int:
        """How many masked units have to be enumerated: none where the mask is certain."""
        return math.prod(self.shape) if 0 < self.keep_prob < 1 else 0


def is_random(module: torch.nn.Module) -> bool:
    """Whether ``module`` itself draws random numbers in training mode, at its present keep probability."""
    if isinstance(module, _DropoutNd):
        keep_probs = [1 - module.p]
    elif isinstance(module, torch.nn.RNNBase):
        keep_probs = [1 - module.dropout] if module.num_layers > 1 else []
    elif isinstance(module, torch.nn.MultiheadAttention):
        keep_probs = [1 - module.dropout]
    elif isinstance(module, (*_ENUMERABLE, *_OTHER)):
        keep_probs = [module.keep_prob, getattr(module, "recurrent_keep_prob", 1.0)]
    else:
        keep_probs = []
    values = [torch.as_tensor(keep_prob) for keep_prob in keep_probs]
    return any(bool(((value > 0) & (value < 1)).any()) for value in values)


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """``model.eval()`` for a while; afterwards, also after an error, each module's mode is what it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def members(model: torch.nn.Module, x: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor, int]:
    """The function from masks (M, n) to the outputs (M, …) of a model's subnetworks at the batch ``x``.

    Also the keep probabilities of its n units, float64 (n,), in the order in which the forward pass meets them, and
    the number of elements of the largest array in a forward pass of one subnetwork.

    Raises ValueError for a model with nothing to drop, with noise that is not 0/1 and independent, and for inputs
    without a batch axis.
    """
    for name, module in model.named_modules():
        if is_random(module) and not isinstance(module, _ENUMERABLE):
            raise ValueError(
                f"the noise of {type(module).__name__} {name!r} is no list of independent 0/1 masks that could be "
                "enumerated. Use inference.monte_carlo"
            )
    sites, largest = _find_sites(model, x)
    sizes = [site.units for site in sites]
    if not sum(sizes):
        raise ValueError(
            "nothing to enumerate: no dropout layer with a keep_prob strictly between 0 and 1 took part in the forward "
            f"pass of {type(model).__name__}"
        )
    probabilities = torch.cat([torch.full((site.units,), site.keep_prob, dtype=torch.float64) for site in sites])

    def one(row: Tensor) -> Tensor:
        given = [
            part.reshape(site.shape) if site.units else row.new_full(site.shape, site.keep_prob)
            for part, site in zip(row.split(sizes), sites, strict=True)
        ]
        with _forced(sites, given):
            return model(x)

    def function(table: Tensor) -> Tensor:
        table = table.to(x.device)
        with torch.no_grad(), evaluating(model):
            try:
                return torch.vmap(one)(table)
            # Recurrent layers, and operations in place, cannot be batched by vmap. A true error returns in the loop.
            except RuntimeError:
                return torch.stack([one(row) for row in table])

    return function, probabilities, largest


def _find_sites(model: torch.nn.Module, x: Tensor) -> tuple[list[_Site], int]:
    """The calls of dropout layers in a forward pass, in order, and the elements of the largest output in it."""
    sites: list[_Site] = []
    largest = x.numel()

    def look(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.numel())
        if isinstance(module, _ENUMERABLE):
            shape = _mask_shape(module, inputs[0])
            largest = max(largest, math.prod(shape))
            sites.append(_Site(module, shape, 1 - module.p if isinstance(module, _DropoutNd) else module.keep_prob))

    with torch.no_grad(), evaluating(model), ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_hook(look).remove)
        model(x)
    return sites, largest


def _mask_shape(layer: torch.nn.Module, x: Tensor) -> tuple[int, ...]:
    """The shape of one subnetwork's mask, which broadcasts against the layer's input ``x`` (or is its weight's)."""
    if isinstance(layer, nn.DropConnect):
        return tuple(layer.layer.weight.shape)
    batched = getattr(layer, "batched", True)
    if batched and x.dim() < 2:
        raise ValueError(
            f"{type(layer).__name__} got an input of shape {tuple(x.shape)}: an ensemble needs a batch axis first, "
            "x.unsqueeze(0) for one example"
        )
    if isinstance(layer, nn.DropPath):
        return (1,) * x.dim()
    if isinstance(layer, _CHANNELS):
        channels = 1 if batched else 0
        return tuple(size if axis == channels else 1 for axis, size in enumerate(x.shape))
    if isinstance(layer, nn.VariationalDropout):
        time = layer.time_dim % x.dim()
        batch = 1 if time == 0 else 0
        return tuple(1 if axis in (time, batch) else size for axis, size in enumerate(x.shape))
    return (1, *x.shape[1:])


@contextmanager
def _forced(sites: list[_Site], given: list[Tensor]) -> Iterator[None]:
    """The given masks take the place of drawn ones, call by call, while the layers themselves are in ``eval()``."""
    masks = iter(given)

    def replace(layer: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x, mask = inputs[0], next(masks)
        keep_prob = 1 - layer.p if isinstance(layer, _DropoutNd) else layer.keep_prob
        scale = keep_prob if keep_prob > 0 and getattr(layer, "rescale", True) else 1.0
        if isinstance(layer, nn.DropConnect):
            weight = torch.where(mask > 0, layer.layer.weight, 0.0) / scale
            return torch.func.functional_call(layer.layer, {"weight": weight}, (x,))
        return torch.where(mask > 0, x, 0.0) / scale

    with ExitStack() as stack:
        for layer in {id(site.layer): site.layer for site in sites}.values():
            stack.callback(layer.register_forward_hook(replace).remove)
        yield
