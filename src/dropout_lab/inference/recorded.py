"""How the noise of each kind of layer is drawn by itself, kept, and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dropout_lab import functional, nn
from dropout_lab.ensemble import asking
from dropout_lab.membership import FUNCTIONS_OF_TORCH
from dropout_lab.recurrent import Masks

#: What alpha dropout puts in the place of a dropped number: SELU's limit at minus infinity (Klambauer et al. 2017).
_ALPHA = -1.7580993408473766


class Factor(NamedTuple):
    """The noise that one call of a layer was multiplied by.

    Attributes:
        name: the layer's name in the model.
        values: the mask, divided by the keep probability in the inverted convention. It has the shape of the layer's
            input; for DropConnect that of its weights, for each example or once; for EmbeddingDropout one number for
            each word; for a recurrent layer its masks, one after the other.
        shift: what alpha dropout adds afterwards, or None.

    >>> Factor("drop", torch.tensor([[0.0, 2.0]])).values
    tensor([[0., 2.]])
    """

    name: str
    values: Tensor
    shift: Tensor | None = None


class Kind:
    """Noise that multiplies the input of a layer, or of a function of torch."""

    def __init__(self, layer: Any, drop: Callable[[Tensor], Tensor]) -> None:
        self.layer = layer
        self._drop = drop

    def described(self, name: str) -> str:
        """The layer or function as errors name it."""
        return asking.described(name, self.layer) if self.layer is not None else name

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """For a while the layer itself does not drop."""
        training = self.layer.training
        self.layer.training = False
        try:
            yield
        finally:
            self.layer.training = training

    def draw(self, name: str, x: Tensor) -> Factor:
        """New noise for the input ``x``: what dropout makes of ones."""
        return Factor(name, self._drop(torch.ones_like(x)).detach())

    def apply(
        self, name: str, x: Tensor, factor: Factor, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What the layer gives under this noise."""
        result = self._product(name, x, factor.values)
        if factor.shift is not None:
            result = (result + self._fitting(name, x, factor.shift)).to(x.dtype)
        return x.copy_(result) if getattr(self.layer, "inplace", False) else result

    def _product(self, name: str, x: Tensor, values: Tensor) -> Tensor:
        values = self._fitting(name, x, values)
        # A dropped element is exactly 0, whatever stands there.
        return torch.where(values == 0, 0.0, x * values).to(x.dtype)

    def _fitting(self, name: str, x: Tensor, values: Tensor) -> Tensor:
        fits = values.dim() == x.dim() and all(
            size in (1, extent) for size, extent in zip(values.shape, x.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{self.described(name)} has to mask {tuple(x.shape)}, and its recorded noise is of shape "
                f"{tuple(values.shape)}: only axes along which that has extent 1 may be longer. Record with one example"
            )
        return values.to(x.device)


class _Alpha(Kind):
    """Alpha dropout: a dropped number becomes a constant, and all are scaled and shifted to mean 0 and variance 1."""

    def __init__(self, layer: Any, keep: Callable[[Tensor], Tensor], rate: float) -> None:
        super().__init__(layer, keep)
        self._rate = rate

    def draw(self, name: str, x: Tensor) -> Factor:
        rate = self._rate
        if rate == 1:
            return Factor(name, torch.zeros_like(x))
        kept = (self._drop(torch.ones_like(x)) != 0).to(x.dtype)
        scale = ((1 - rate) * (1 + rate * _ALPHA**2)) ** -0.5
        return Factor(name, scale * kept, scale * _ALPHA * (1 - kept) - scale * _ALPHA * rate)


class _OnWeights(Kind):
    """Noise that multiplies the weights of a layer that the dropout layer wraps."""

    def draw(self, name: str, x: Tensor) -> Factor:
        layer = self.layer
        ones = layer.layer.weight.new_ones(nn.mask_shape(layer, x))
        drawn = functional.dropout(ones, layer.keep_prob, rescale=bool(layer.rescale), generator=layer.source())
        return Factor(name, drawn)

    def apply(
        self, name: str, x: Tensor, factor: Factor, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        weight, values = self.layer.layer.weight, factor.values
        if values.dim() == weight.dim() or len(values) == 1:
            values = values.view(values.shape[-weight.dim() :])
        else:
            weight = weight.expand(len(x), *weight.shape)
        return self.layer.with_weights(x, self._product(name, weight, values))


class _Inside(Kind):
    """Relaxed masks on the input of a layer that the dropout layer wraps."""

    def draw(self, name: str, x: Tensor) -> Factor:
        return Factor(name, self.layer.draw_mask(x).detach())

    def apply(
        self, name: str, x: Tensor, factor: Factor, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self.layer.layer(self._product(name, x, factor.values))


class _Recurrent(Kind):
    """The masks of a recurrent layer: kept as one vector of numbers for each sequence."""

    def draw(self, name: str, x: Tensor) -> Factor:
        drawn = [mask for masks in self.layer.draw_masks_for(x) for mask in masks if mask is not None]
        return Factor(name, torch.cat([mask.transpose(0, 1).flatten(1) for mask in drawn], 1))

    def apply(
        self, name: str, x: Tensor, factor: Factor, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        shapes = self.layer.mask_shapes(x)
        every = [shape for own in shapes for shape in own.values()]
        count, width = every[0][1], sum(draws * features for draws, _, features in every)
        values = factor.values.to(next(self.layer.parameters()).device)
        if values.dim() != 2 or values.shape[1] != width or len(values) not in (1, count):
            raise ValueError(
                f"{self.described(name)} has to mask {count} sequences by {width} numbers each, and its recorded masks "
                f"are of shape {tuple(values.shape)}. Record with one sequence"
            )
        rows, start, given = values.expand(count, -1), 0, []
        for own in shapes:
            parts: dict[str, Tensor | None] = {"input": None, "recurrent": None}
            for place, (draws, _, features) in own.items():
                part = rows[:, start : start + draws * features].unflatten(1, (draws, features))
                parts[place] = part.transpose(0, 1).contiguous()
                start += draws * features
            given.append(Masks(**parts))
        self.layer.training = True
        try:
            # Not by way of its hooks, of which one is ours.
            return type(self.layer).forward(self.layer, *args, **{**(kwargs or {}), "masks": given})
        finally:
            self.layer.training = False


def kind_of(name: str, layer: torch.nn.Module) -> Kind:
    """How the noise of a layer is recorded. ValueError if it cannot be given again."""
    variant = nn.variant_of(layer)
    given: Any = layer

    def drop(ones: Tensor) -> Tensor:
        layer.training = True
        try:
            # Not by way of its hooks, of which one is ours.
            return type(given).forward(layer, ones)
        finally:
            layer.training = False

    if isinstance(layer, nn.OnWeights):
        return _OnWeights(layer, drop)
    if isinstance(layer, (torch.nn.AlphaDropout, torch.nn.FeatureAlphaDropout)):
        return _alpha(layer, given.p, by_channel=isinstance(layer, torch.nn.FeatureAlphaDropout))
    if variant is not None and hasattr(layer, "draw_masks"):
        return _Recurrent(layer, drop)
    if variant is not None and hasattr(layer, "draw_mask"):
        return _Inside(layer, drop)
    if asking.multiplies_input(layer):
        return Kind(layer, drop)
    raise ValueError(
        f"the noise of {asking.described(name, layer)} is no factor on its input or its weights that could be "
        "recorded. Use inference.monte_carlo"
    )


def _alpha(layer: Any, rate: float, by_channel: bool) -> Kind:
    def keep(ones: Tensor) -> Tensor:
        if by_channel and ones.dim() > 2:
            return torch.nn.functional.dropout1d(ones.flatten(2), rate, True).view(ones.shape)
        return torch.nn.functional.dropout(ones, rate, True)

    return _Alpha(layer, keep, rate)


def kind_of_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kind | None:
    """How the noise of a function of torch is recorded, if it is one of dropout that is called with a rate above 0.

    ValueError for attention that drops inside.
    """
    name = getattr(function, "__name__", "")
    if name == "scaled_dot_product_attention":
        if kwargs.get("dropout_p", (args[4:5] or (0.0,))[0]) > 0:
            raise ValueError(
                "scaled_dot_product_attention drops inside, which cannot be recorded: use nn.AttentionDropout"
            )
        return None
    plain = name.rstrip("_")
    if plain not in FUNCTIONS_OF_TORCH or not hasattr(torch.nn.functional, plain):
        return None
    rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    if not rate:
        return None
    if "alpha" in plain:
        return _alpha(None, rate, by_channel="feature" in plain)
    dropout = getattr(torch.nn.functional, plain)
    return Kind(None, lambda ones: dropout(ones, rate, True))
