"""A model's subnetworks as a function of masks: where it drops, and how given masks take the place of drawn ones.

A mask has the shape that the layer draws for one example alone. If all examples of a batch can be run together, they
share each mask: the mean for an example does not depend on what the others' masks are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dropout_lab import nn
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import Pass, Prepare, Watched, switch_on
from dropout_lab.functional import Variant

_INSTEAD = "Use inference.monte_carlo"


class Subnetworks(NamedTuple):
    """All subnetworks of a model at a batch of inputs."""

    #: From masks (M, n) to the outputs (M, …) of the subnetworks.
    function: Callable[[Tensor], Tensor]
    #: The keep probabilities of the n units, float64 (n,), in the order in which the forward pass meets them.
    probabilities: Tensor
    #: The number of elements of the largest array in a forward pass of one subnetwork.
    largest: int
    #: Whether the examples had to be taken together, so that each has masks of its own.
    is_whole: bool


class _Site(NamedTuple):
    """One call of a dropout layer: its name in the model, the shape of its mask, and its keep probability."""

    name: str
    shape: tuple[int, ...]
    keep_prob: float

    @property
    def units(self) -> int:
        """How many masked units have to be enumerated: none where the mask is certain."""
        return math.prod(self.shape) if 0 < self.keep_prob < 1 else 0


def members(model: torch.nn.Module, x: Tensor) -> Subnetworks:
    """The subnetworks of ``model`` at the batch ``x`` (N, …).

    Raises ValueError for a model with nothing to drop, with noise that is not 0/1 and independent, with random numbers
    from elsewhere, and for inputs without a batch axis; TypeError for a subclass of a dropout layer whose noise is not
    known, and for an output that is not a tensor.
    """
    noisy = [name for name, module in asking.hookable(model) if asking.has_noise(module)]
    for name in noisy:
        module = model.get_submodule(name)
        if not asking.is_enumerable(module):
            raise ValueError(
                f"the noise of {asking.described(name, module)} is no list of independent 0/1 masks that could be "
                f"enumerated. {_INSTEAD}"
            )
    with Watched(model, x) as watched:
        _refuse_draws(model, watched.run(_evaluation))
        sites, largest, output = _find_sites(model, x, noisy)
        _refuse_draws(model, watched.run_training(_training_under_masks(sites, noisy)))
    if not isinstance(output, Tensor):
        raise TypeError(f"an ensemble needs a model that gives a tensor, {type(model).__name__} gave {_kind(output)}")
    if output.is_complex():
        raise TypeError(f"an ensemble has no mean of complex outputs, and {type(model).__name__} gave {output.dtype}")
    if not sum(site.units for site in sites):
        raise ValueError(
            "nothing to enumerate: no dropout layer with a keep_prob strictly between 0 and 1 took part in the forward "
            f"pass of {type(model).__name__}"
        )
    pieces, shared = _pieces(model, x, sites, output, noisy)
    sites = shared or sites
    sizes = [site.units for site in sites]
    probabilities = torch.cat([torch.full((site.units,), site.keep_prob, dtype=torch.float64) for site in sites])

    def one(row: Tensor) -> Tensor:
        given = [
            part.reshape(site.shape) if site.units else row.new_full(site.shape, site.keep_prob)
            for part, site in zip(row.split(sizes), sites, strict=True)
        ]
        outputs = []
        for piece in pieces:
            with _forced(model, sites, given, noisy):
                # An operation in place would leave the next pass another input.
                outputs.append(model(piece.clone()))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    with torch.no_grad(), asking.eagerly(), asking.evaluating(model):
        can_batch = _can_batch(one, probabilities.new_tensor([[1.0], [0.0]], device=x.device).expand(2, sum(sizes)))

    def function(table: Tensor) -> Tensor:
        table = table.to(x.device)
        with torch.no_grad(), asking.eagerly(), asking.evaluating(model):
            return torch.vmap(one)(table) if can_batch else torch.stack([one(row) for row in table])

    return Subnetworks(function, probabilities, largest, shared is None and len(x) != 1)


def _kind(output: object) -> str:
    return type(output).__name__


def _can_batch(one: Callable[[Tensor], Tensor], table: Tensor) -> bool:
    """Whether ``torch.vmap`` can run ``one`` for many masks at once, tried on a few.

    Recurrent layers, operations in place and branches on values cannot be batched. A true error returns in the loop.
    """
    try:
        found = torch.vmap(one)(table)
    except torch.OutOfMemoryError:
        raise
    except Exception:
        return False
    return torch.allclose(found, torch.stack([one(row) for row in table]), rtol=1e-3, atol=1e-5, equal_nan=True)


def _evaluation(twin: torch.nn.Module) -> AbstractContextManager[None]:
    asking.switch_off(twin)
    return nullcontext()


def _training_under_masks(sites: list[_Site], noisy: list[str]) -> Prepare:
    """Training mode, but the layers of ``sites`` are given fixed masks: then nothing random is left."""

    def prepare(twin: torch.nn.Module) -> AbstractContextManager[None]:
        switch_on(twin)
        for name in {site.name for site in sites}:
            twin.get_submodule(name).training = False
        return _forced(twin, sites, _some_masks(sites), noisy)

    return prepare


def _some_masks(sites: list[_Site]) -> list[Tensor]:
    """One mask for each site, always the same."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(site.shape, generator=generator).lt(site.keep_prob).double() for site in sites]


def _refuse_draws(model: torch.nn.Module, seen: Pass) -> None:
    """Raise ValueError, naming the module, if something drew random numbers."""
    for name in seen.draws:
        raise ValueError(
            f"{asking.described(name, model.get_submodule(name))} draws random numbers of its own, which are no list "
            "of independent 0/1 masks that could be enumerated: drop with a layer of dropout_lab.nn or of torch.nn "
            f"there, or sample. {_INSTEAD}"
        )


def _find_sites(model: torch.nn.Module, x: Tensor, noisy: list[str]) -> tuple[list[_Site], int, Any]:
    """The calls of dropout layers in a forward pass, in order, the elements of the largest output in it, its output."""
    sites: list[_Site] = []
    largest = x.numel()

    def look_at(name: str, is_site: bool) -> Callable[..., None]:
        def look(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
            nonlocal largest
            if isinstance(output, Tensor):
                largest = max(largest, output.numel())
            if not is_site or not isinstance(output, Tensor):
                return
            values = asking.input_of(args, kwargs)
            _check_batched(module, values)
            shape = nn.mask_shape(module, values)
            largest = max(largest, math.prod(shape))
            sites.append(_Site(name, shape, asking.keep_prob(module)))
            expected = _applied(module, values, None)
            if not torch.allclose(output, expected, rtol=1e-4, atol=1e-6, equal_nan=True):
                raise ValueError(
                    f"{asking.described(name, module)} does more than its variant, "
                    f"{_variant(module).name}, says: in eval() it changes what it is given. {_INSTEAD}"
                )

        return look

    with torch.no_grad(), asking.eagerly(), asking.evaluating(model), ExitStack() as stack:
        for name, module in asking.hookable(model):
            stack.callback(module.register_forward_hook(look_at(name, name in noisy), with_kwargs=True).remove)
        output = model(x.clone())
    return sites, largest, output


def _variant(layer: torch.nn.Module) -> Variant:
    variant = nn.variant_of(layer)
    assert variant is not None
    return variant


def _check_batched(layer: torch.nn.Module, x: Tensor) -> None:
    if _variant(layer).multiplies != "weights" and getattr(layer, "batched", True) and x.dim() < 2:
        raise ValueError(
            f"{type(layer).__name__} got an input of shape {tuple(x.shape)}: an ensemble needs a batch axis first, "
            "x.unsqueeze(0) for one example"
        )


def _pieces(
    model: torch.nn.Module, x: Tensor, sites: list[_Site], output: Tensor, noisy: list[str]
) -> tuple[list[Tensor], list[_Site] | None]:
    """The inputs to run one after the other, and the sites of one example alone, whose masks all examples share.

    No such sites where the examples cannot be taken apart: axis 0 of ``x`` or of the output is not that of examples, or
    one example's output depends on another. Then ``x`` is one whole, with all the masks that are drawn for it.
    """
    whole = [x], None
    count = len(x) if x.dim() else 1
    if count < 2 or output.dim() < 1 or len(output) != count:
        return whole
    try:
        first, _, first_output = _find_sites(model, x[:1], noisy)
    except torch.OutOfMemoryError:
        raise
    # The batch as a whole has passed: the model needs its size.
    except Exception:
        return whole
    with torch.no_grad(), asking.eagerly(), asking.evaluating(model):
        if _share(first, sites, count):
            outputs = []
            for piece in (x, x[:1], x[1:]):
                with _forced(model, first, _some_masks(first), noisy):
                    outputs.append(model(piece.clone()))
            return ([x], first) if _agree(outputs[0], torch.cat(outputs[1:])) else whole
    with torch.no_grad(), asking.eagerly(), asking.evaluating(model):
        rest = model(x[1:].clone())
    if not _agree(output, torch.cat((first_output, rest))):
        return whole
    pieces = list(x.split(1))
    if any(_find_sites(model, piece, noisy)[0] != first for piece in pieces):
        return whole
    return pieces, first


def _share(alone: list[_Site], together: list[_Site], count: int) -> bool:
    """Whether the masks of one example broadcast against those of ``count``, along axes of that extent."""
    return len(alone) == len(together) and all(
        one.name == many.name
        and len(one.shape) == len(many.shape)
        and all(
            size == extent or (extent == 1 and size == count)
            for extent, size in zip(one.shape, many.shape, strict=True)
        )
        for one, many in zip(alone, together, strict=True)
    )


def _agree(one: Tensor, two: Tensor) -> bool:
    """Whether two outputs are the same, up to rounding in sums of another order."""
    if one.shape != two.shape:
        return False
    tolerance = torch.finfo(one.dtype).eps ** 0.5 if one.is_floating_point() else 0.0
    largest = one.abs().max().item() if one.numel() and one.is_floating_point() else 1.0
    scale = largest if math.isfinite(largest) else 1.0
    return torch.allclose(one, two, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def _applied(layer: torch.nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """What a dropout layer gives under a mask; without one, what its variant says that ``eval()`` gives."""
    keep_prob = asking.keep_prob(layer)
    is_inverted = getattr(layer, "rescale", True)
    connected = layer if isinstance(layer, nn.OnWeights) else None
    values = connected.layer.weight if connected else x
    if mask is None:
        masked = values if is_inverted else values * keep_prob
    else:
        scale = keep_prob if keep_prob > 0 and is_inverted else 1.0
        masked = torch.where(mask > 0, values, 0.0) / scale
    return connected.with_weights(x, masked) if connected else masked


@contextmanager
def _forced(model: torch.nn.Module, sites: list[_Site], given: list[Tensor], noisy: list[str]) -> Iterator[None]:
    """The given masks take the place of drawn ones, call by call, while the layers themselves are in ``eval()``.

    ``noisy`` names all layers with known noise. Raises ValueError if they are not called as ``sites`` says.
    """
    masks = iter(zip(sites, given, strict=True))

    def replace(name: str) -> Callable[..., Tensor]:
        def put(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _: object) -> Tensor:
            site, mask = next(masks, (None, None))
            if site is None or mask is None or site.name != name:
                raise ValueError(_other_order(name, layer))
            values = asking.input_of(args, kwargs)
            return _applied(layer, values, mask.to(values.device))

        return put

    with ExitStack() as stack:
        for name in noisy:
            handle = model.get_submodule(name).register_forward_hook(replace(name), with_kwargs=True)
            stack.callback(handle.remove)
        yield
    for site, _ in masks:
        raise ValueError(_other_order(site.name, model.get_submodule(site.name)))


def _other_order(name: str, layer: torch.nn.Module) -> str:
    return (
        f"{asking.described(name, layer)} is not called in the same place in every pass: whether it is depends on the "
        f"mode or on the values, so its masks are no list that could be enumerated. {_INSTEAD}"
    )
