"""LayerDrop: whole layers are skipped in training, so that a part of them can be left out when training is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import Any, overload

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.arguments import flag, integer
from dropout_lab.drawing import Drawing
from dropout_lab.functional.variants import LAYER_DROP
from dropout_lab.noise import Source, Stream


class LayerDrop(Drawing):
    """Layers one after the other, each of which is skipped in training with probability 1 − ``keep_prob``.

    A skipped layer hands on what it is given, for the whole batch, and costs no computation. Nothing is rescaled, and
    ``eval()`` runs all layers: the network has to be right at several depths, and not at their mean. Each layer takes
    and gives a tensor of one shape. What else ``forward`` is given goes to every layer, but for ``generator``, from
    which the choice of layers is drawn.

    All layers are computed with ``per_example``, and where values may not be looked at: compiled, exported, traced,
    under ``vmap`` (there leave ``per_example`` off, since each example is alone). The same draws then select what
    counts, so a compiled model has one graph and saves nothing.

    The layers are named as in a ``torch.nn.ModuleList``, and so are the entries of the ``state_dict``. Iterating gives
    all of them; :meth:`.LayerDrop.kept` gives those that a pass of your own has to run.

    Args:
        layers: the layers, in their order.
        keep_prob: the probability with which each layer runs.
        per_example: whether each example (axis 0) skips layers by itself. To drop each example's *residual branch* and
            rescale it, put a :class:`~dropout_lab.nn.DropPath` into the layers instead.

    Raises TypeError for what is no module, ValueError for no layers and for a keep probability outside [0, 1], and in a
    forward pass ValueError for a layer that changes the shape. Source: Fan et al. 2020 (LayerDrop).

    >>> layers = LayerDrop([torch.nn.Linear(4, 4) for _ in range(6)], 0.5)
    >>> len(layers), layers(torch.ones(2, 4)).shape
    (6, torch.Size([2, 4]))
    >>> len(layers.pruned(range(0, 6, 2)))
    3
    """

    variant = LAYER_DROP

    def __init__(
        self,
        layers: Iterable[torch.nn.Module],
        keep_prob: float = 0.8,
        *,
        per_example: bool = False,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        self.keep_prob = noise.check_keep_prob(keep_prob)
        self.per_example = flag("per_example", per_example)
        if isinstance(layers, torch.nn.Module) and not isinstance(layers, Iterable):
            raise TypeError(f"LayerDrop needs a list of layers, got one {type(layers).__name__}")
        given = list(layers)
        for layer in given:
            if not isinstance(layer, torch.nn.Module):
                raise TypeError(f"LayerDrop needs layers that are modules, got {type(layer).__name__}")
        if not given:
            raise ValueError("LayerDrop needs at least one layer, got none")
        for place, layer in enumerate(given):
            self.add_module(str(place), layer)
        self._count = len(given)
        self.own_source(generator, stream)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> torch.nn.Module: ...

    @overload
    def __getitem__(self, place: slice) -> list[torch.nn.Module]: ...

    def __getitem__(self, place: int | slice) -> torch.nn.Module | list[torch.nn.Module]:
        return list(self)[place]

    def __iter__(self) -> Iterator[torch.nn.Module]:
        return (self.get_submodule(str(place)) for place in range(self._count))

    def kept(self, *, generator: Source | None = None) -> list[torch.nn.Module]:
        """Return the layers of one pass, in their order: all of them in ``eval()``, else those that a draw keeps.

        Each call draws anew (from a stream: at each step).

        Args:
            generator: a source of draws for this call alone, instead of the layer's own.

        Raises ValueError with ``per_example``, where each example has other layers.

        >>> parts = [torch.nn.Identity() for _ in range(9)]
        >>> layers = LayerDrop(parts, 0.5, stream=Stream(1))
        >>> len(layers.kept()), len(layers.eval().kept())
        (5, 9)
        """
        if self.per_example:
            raise ValueError("with per_example each example keeps other layers: call the module instead")
        if not self._drops():
            return list(self)
        mask = self._mask((self._count,), None, None, generator).tolist()
        return [layer for layer, kept in zip(self, mask, strict=True) if kept]

    def pruned(self, keep: Sequence[int]) -> LayerDrop:
        """Return a shallower network of the layers at the places ``keep``, which are shared and not copied.

        Args:
            keep: the places, counted from 0, in ascending order; ``range(0, len(layers), 2)`` is the paper's "every
                other".

        Raises ValueError for places that do not exist, or in another order, or none; TypeError for what is no integer.

        >>> layers = LayerDrop([torch.nn.Linear(4, 4) for _ in range(6)], 0.5)
        >>> layers.pruned([1, 5])[1] is layers[5]
        True
        """
        places = [integer("keep", place) for place in keep]
        in_order = all(one < other for one, other in pairwise(places))
        if not places or not in_order or places[0] < 0 or places[-1] >= self._count:
            raise ValueError(f"keep must be ascending places from 0 to {self._count - 1}, got {places}")
        layers = [self.get_submodule(str(place)) for place in places]
        own = LayerDrop(layers, self.keep_prob, per_example=self.per_example, generator=self.source())
        # Not train(): the modes of the layers, which are shared, stay what they are.
        own.training = self.training
        return own

    def forward(self, x: Tensor, *args: Any, generator: Source | None = None, **options: Any) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x, *args, **options)
        if not self._drops():
            return self._run(x, list(self), args, options)
        if noise.is_free(x) and not self.per_example:
            return self._run(x, self.kept(generator=generator), args, options)
        own = self.per_example and x.dim() > 0
        shape = (self._count, len(x)) if own else (self._count,)
        masks = self._mask(shape, 1 if own else None, x, generator)
        for layer, mask in zip(self, masks.unbind(), strict=True):
            kept = mask.view(-1, *(1,) * (x.dim() - 1)) if own else mask
            # A layer may work in place, and what it is given has to stay for those who skip it.
            x = torch.where(kept, self._run(x.clone(), [layer], args, options), x)
        return x

    def _drops(self) -> bool:
        return self.training and noise.check_keep_prob(self.keep_prob) < 1

    def _mask(self, shape: Sequence[int], axis: int | None, x: Tensor | None, generator: Source | None) -> Tensor:
        source = noise.placed(self.source(generator), axis)
        # A few draws that Python looks at: on the CPU, wherever the layers are, unless a generator lies elsewhere.
        device = source.device if isinstance(source, torch.Generator) else torch.device("cpu")
        with nullcontext() if x is None else noise.mode_of(x):
            mask = noise.bernoulli(shape, self.keep_prob, generator=source, device=device, dtype=torch.bool)
        return mask if x is None else mask.to(x.device)

    def _run(
        self, x: Tensor, layers: Sequence[torch.nn.Module], args: Sequence[Any], options: dict[str, Any]
    ) -> Tensor:
        for layer in layers:
            y = layer(x, *args, **options)
            if not isinstance(y, Tensor) or y.shape != x.shape:
                found = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
                raise ValueError(
                    f"a layer that can be skipped gives a tensor of the shape that it is given; {type(layer).__name__} "
                    f"made {found} of {tuple(x.shape)}"
                )
            x = y
        return x

    def extra_repr(self) -> str:
        return f"keep_prob={self.keep_prob!r}, per_example={self.per_example!r}"
