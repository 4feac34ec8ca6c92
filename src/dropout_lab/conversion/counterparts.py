"""torch's dropout layers and this package's, one for the other: what is the same, and what has no counterpart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from dropout_lab import functional, nn
from dropout_lab.arguments import complement, flag, real
from dropout_lab.drawing import Drawing
from dropout_lab.functional import variants
from dropout_lab.membership import OF_TORCH
from dropout_lab.noise import Source, Stream


class Found(NamedTuple):
    """The layer that takes another's place, and what to know about it; or no layer, and why."""

    layer: torch.nn.Module | None
    note: str = ""


class InPlaceDropout(nn.Dropout):
    """A :class:`dropout_lab.nn.Dropout` that writes into its input, as torch's layer does with ``inplace=True``.

    A model that reads the input once more gets what the layer left there, as before the conversion. The arguments
    ``keep_prob``, ``rescale``, ``exact_zeros``, ``generator`` and ``stream`` are those of
    :class:`dropout_lab.nn.Dropout`.

    >>> x = torch.ones(4)
    >>> InPlaceDropout(0.5)(x) is x
    True
    """

    variant = variants.DROPOUT

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        return _written_back(x, super().forward(x, generator=generator))


class ChannelDropout(nn.SpatialDropout):
    """A :class:`dropout_lab.nn.SpatialDropout` with the axes and the ``inplace`` of one of torch's layers.

    Args:
        keep_prob: the probability of keeping a channel.
        dims: 1 for ``torch.nn.Dropout1d``, with input (N, C, L) or (C, L); 2 for ``Dropout2d``, with input (N, C, H, W)
            or (N, C, L); 3 for ``Dropout3d``, with input (N, C, D, H, W) or (C, D, H, W).
        inplace: whether the layer writes into its input.
        generator: the layer's own source of draws, a ``torch.Generator``, or None.
        stream: the layer's own source of draws, a :class:`~dropout_lab.noise.Stream`, or None.

    Raises ValueError for inputs of other shapes.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> ChannelDropout(0.5, dims=1)(torch.ones(3, 2), generator=seeded)
    tensor([[0., 0.],
            [2., 2.],
            [0., 0.]])
    """

    variant = variants.SPATIAL_DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        dims: int,
        inplace: bool = False,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(keep_prob, generator=generator, stream=stream)
        if dims not in _LAYOUTS:
            raise ValueError(f"dims must be 1, 2 or 3, got {dims!r}")
        self.dims = dims
        self.inplace = flag("inplace", inplace)
        # The number of axes of an input without the axis N, where there is such.
        self.alone = None if dims == 2 else dims + 1

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        axes, spelled = _LAYOUTS[self.dims]
        if x.dim() not in axes:
            raise ValueError(
                f"ChannelDropout with dims={self.dims} needs input of shape {spelled}, got {tuple(x.shape)}"
            )
        dropped = functional.spatial_dropout(
            x,
            self.keep_prob,
            batched=x.dim() != self.alone,
            training=self.training,
            rescale=bool(self.rescale),
            generator=self.source(generator),
        )
        return _written_back(x, dropped) if self.inplace else dropped

    def extra_repr(self) -> str:
        return f"keep_prob={self.keep_prob!r}, dims={self.dims}{', inplace=True' if self.inplace else ''}"


_LAYOUTS: Mapping[int, tuple[tuple[int, int], str]] = {
    1: ((2, 3), "(C, L) or (N, C, L)"),
    2: ((3, 4), "(N, C, L) or (N, C, H, W)"),
    3: ((4, 5), "(C, D, H, W) or (N, C, D, H, W)"),
}


def _written_back(x: Tensor, dropped: Tensor) -> Tensor:
    """``dropped``, written into ``x``. What is no tensor stands for one while the model is traced."""
    return dropped if dropped is x or not isinstance(x, Tensor) else x.copy_(dropped)


def _dropout(keep_prob: float, inplace: bool) -> torch.nn.Module:
    return InPlaceDropout(keep_prob) if inplace else nn.Dropout(keep_prob)


def _channels(dims: int) -> Callable[[float, bool], torch.nn.Module]:
    def channels(keep_prob: float, inplace: bool) -> torch.nn.Module:
        if dims == 2 and not inplace:
            return nn.SpatialDropout(keep_prob)
        return ChannelDropout(keep_prob, dims=dims, inplace=inplace)

    return channels


_OURS: Mapping[type[torch.nn.Module], Callable[[float, bool], torch.nn.Module]] = {
    torch.nn.Dropout: _dropout,
    torch.nn.Dropout1d: _channels(1),
    torch.nn.Dropout2d: _channels(2),
    torch.nn.Dropout3d: _channels(3),
}


def of_torch(layer: torch.nn.Module) -> Found | None:
    """Our layer for one of torch's; None for what is of no class of torch's that drops.

    >>> of_torch(torch.nn.Dropout(0.1)).layer
    Dropout(keep_prob=0.9, rescale=True)
    """
    if isinstance(layer, torch.nn.MultiheadAttention) and layer.dropout:
        return Found(
            None,
            f"its dropout={layer.dropout} is a number that its own forward reads, and no layer: what it drops are "
            "attention probabilities, as dropout_lab.nn.AttentionDropout does in an attention of your own",
        )
    if isinstance(layer, torch.nn.RNNBase) and layer.dropout and layer.num_layers > 1:
        return Found(
            None,
            f"its dropout={layer.dropout} is a number that its own forward reads, and no layer; it acts between the "
            "layers: layers of one each, with a dropout layer between them, can be converted",
        )
    made = _OURS.get(type(layer))
    if made is None:
        if type(layer) in OF_TORCH:
            return Found(None, "what it drops takes another value than 0, which no layer of this package does")
        return None
    try:
        rate = real("p", layer.p)
        return Found(made(complement(rate), bool(layer.inplace)))
    except (TypeError, ValueError) as error:
        return Found(None, f"its p is no rate: {error}")


def to_torch(layer: torch.nn.Module) -> Found | None:
    """torch's layer for one of ours; None for what is none of ours.

    >>> to_torch(nn.SpatialDropout(0.9)).layer
    Dropout2d(p=0.1, inplace=False)
    """
    if not isinstance(layer, Drawing):
        return None
    kind, given = type(layer), cast(Any, layer)
    if kind not in _BACK:
        return Found(None, "torch has no such layer")
    if not given.rescale:
        return Found(None, "torch has no layer with rescale=False: its eval() would not multiply by keep_prob")
    made, reason = _BACK[kind](layer)
    if made is None:
        return Found(None, reason)
    new = made(complement(given.keep_prob), inplace=bool(getattr(layer, "inplace", kind is InPlaceDropout)))
    own = layer.source() is not None
    return Found(new, "it draws from torch's global generator, and no more from a source of its own" if own else "")


#: A class of torch's, or None and why none.
_Torch = tuple[Callable[..., torch.nn.Module] | None, str]


def _spatial(layer: Any) -> _Torch:
    # torch's Dropout2d takes three axes for (N, C, L), as ours does.
    return (torch.nn.Dropout2d, "") if layer.batched else (None, "torch has no layer for channels of (C, H, W)")


def _attention(layer: Any) -> _Torch:
    return (None, "torch has no layer whose heads share a mask") if layer.share_heads else (torch.nn.Dropout, "")


_OF_DIMS = {1: torch.nn.Dropout1d, 2: torch.nn.Dropout2d, 3: torch.nn.Dropout3d}
_BACK: Mapping[type[torch.nn.Module], Callable[[Any], _Torch]] = {
    nn.Dropout: lambda layer: (torch.nn.Dropout, ""),
    InPlaceDropout: lambda layer: (torch.nn.Dropout, ""),
    nn.SpatialDropout: _spatial,
    ChannelDropout: lambda layer: (_OF_DIMS[layer.dims], ""),
    # One draw for each entry of the axis before the last, with or without the axis N: just what Dropout1d does.
    nn.TokenDropout: lambda layer: (torch.nn.Dropout1d, ""),
    nn.AttentionDropout: _attention,
}
