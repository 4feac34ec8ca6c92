"""The family of variants as torch modules: :mod:`dropout_lab.functional` with its arguments remembered.

``train()`` switches the noise on, ``eval()`` off. Every module's ``forward`` takes ``generator=`` as its function does;
shapes, conventions, errors and sources are the function's. Every module may own its source: ``stream=`` a
:class:`~dropout_lab.noise.Stream` (masks as a function of seed, layer, step and example) or ``generator=`` a
``torch.Generator`` when it is made, or :func:`~dropout_lab.drawing.add_streams` for a whole model. Under activation
checkpointing take a stream: a generator of your own is drawn from again when the forward pass is repeated.

The members that are layers of their own, recurrent ones, those with learned rates and those for transformers, are
defined in :mod:`dropout_lab.recurrent`, :mod:`dropout_lab.bayes` and :mod:`dropout_lab.transformer` and stand here too,
loaded when they are first asked for.

Each class names its :class:`~dropout_lab.functional.Variant`, and :func:`~dropout_lab.membership.variant_of` asks a
module for it, torch's own dropout layers included.

>>> layer = SpatialDropout(0.8)
>>> layer
SpatialDropout(keep_prob=0.8, batched=True, rescale=True)
>>> torch.equal(layer.eval()(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))
True
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from dropout_lab import functional, noise, pinned
from dropout_lab.arguments import flag, integer
from dropout_lab.drawing import Drawing
from dropout_lab.drawing import add_streams as add_streams
from dropout_lab.drawing import set_streams as set_streams
from dropout_lab.drawing import streams as streams
from dropout_lab.functional import blocks, variants
from dropout_lab.functional.variants import Variant
from dropout_lab.membership import OF_TORCH as OF_TORCH
from dropout_lab.membership import mask_shape as mask_shape
from dropout_lab.membership import variant_of as variant_of
from dropout_lab.noise import Source, Stream
from dropout_lab.wrapped import beyond_weights

if TYPE_CHECKING:
    from dropout_lab.bayes import ConcreteDropout as ConcreteDropout
    from dropout_lab.bayes import LearnedGaussianDropout as LearnedGaussianDropout
    from dropout_lab.recurrent import VariationalGRU as VariationalGRU
    from dropout_lab.recurrent import VariationalLSTM as VariationalLSTM
    from dropout_lab.transformer.attention import Attention as Attention
    from dropout_lab.transformer.block import EncoderBlock as EncoderBlock
    from dropout_lab.transformer.depth import LayerDrop as LayerDrop
    from dropout_lab.transformer.words import EmbeddingDropout as EmbeddingDropout

_ELSEWHERE = {
    "Attention": "transformer.attention",
    "ConcreteDropout": "bayes",
    "EmbeddingDropout": "transformer.words",
    "EncoderBlock": "transformer.block",
    "LayerDrop": "transformer.depth",
    "LearnedGaussianDropout": "bayes",
    "VariationalGRU": "recurrent",
    "VariationalLSTM": "recurrent",
}


def __getattr__(name: str) -> type[torch.nn.Module]:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"dropout_lab.{_ELSEWHERE[name]}"), name)


#: Arguments that are True or False.
_FLAGS = ("batched", "rescale", "share_heads", "per_example")


class _Member(Drawing):
    """A member of the family: its variant, which is its function too, and the arguments that the module remembers.

    A subclass gives ``variant`` and hands its arguments to ``super().__init__``. One that computes something else in a
    ``forward`` of its own gives its variant anew, or the test-time rules refuse it.
    """

    variant: Variant
    function: Callable[..., Tensor]
    options: tuple[str, ...]
    keep_prob: float

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        given = vars(cls).get("variant")
        if given is not None and hasattr(functional, given.name):
            cls.function = staticmethod(getattr(functional, given.name))

    def __init__(self, *, generator: Source | None = None, stream: Stream | None = None, **arguments: Any) -> None:
        super().__init__()
        noise.check_keep_prob(arguments["keep_prob"])
        for name, value in arguments.items():
            setattr(self, name, flag(name, value) if name in _FLAGS else value)
        self.options = tuple(arguments)
        self.own_source(generator, stream)

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.options}

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        return type(self).function(x, **self._arguments(), training=self.training, generator=self.source(generator))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())


class Dropout(_Member):
    """Drop each element by itself: :func:`dropout_lab.functional.dropout`.

    >>> layer = Dropout(0.8)
    >>> layer(torch.ones(5), generator=torch.Generator().manual_seed(1))
    tensor([1.2500, 1.2500, 1.2500, 1.2500, 0.0000])
    >>> layer.eval()(torch.ones(5))
    tensor([1., 1., 1., 1., 1.])
    """

    variant = variants.DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(keep_prob=keep_prob, rescale=rescale, generator=generator, stream=stream)


class GaussianDropout(_Member):
    """Multiply by Gaussian noise: :func:`dropout_lab.functional.gaussian_dropout`.

    >>> GaussianDropout(0.8)(torch.ones(3), generator=torch.Generator().manual_seed(0))
    tensor([ 1.7705,  0.8533, -0.0894])
    """

    variant = variants.GAUSSIAN_DROPOUT

    def __init__(
        self, keep_prob: float = 0.5, *, generator: Source | None = None, stream: Stream | None = None
    ) -> None:
        super().__init__(keep_prob=keep_prob, generator=generator, stream=stream)
        if keep_prob == 0:
            raise ValueError("GaussianDropout has no limit at keep_prob=0, where the variance would be infinite")


class SpatialDropout(_Member):
    """Drop whole channels of (N, C, …): :func:`dropout_lab.functional.spatial_dropout`.

    >>> SpatialDropout(0.5)(torch.ones(1, 3, 2), generator=torch.Generator().manual_seed(0))
    tensor([[[0., 0.],
             [2., 2.],
             [0., 0.]]])
    """

    variant = variants.SPATIAL_DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        batched: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(keep_prob=keep_prob, batched=batched, rescale=rescale, generator=generator, stream=stream)


class DropBlock(_Member):
    """Drop blocks of neighboring positions: :func:`dropout_lab.functional.drop_block`.

    >>> DropBlock(0.7, 2)(torch.ones(1, 1, 4, 6), generator=torch.Generator().manual_seed(2)).eq(0).sum()
    tensor(4)
    """

    variant = variants.DROP_BLOCK

    def __init__(
        self,
        keep_prob: float = 0.9,
        block_size: int = 7,
        *,
        gamma: Literal["exact", "published"] = "exact",
        batched: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            block_size=blocks.check_block(block_size, gamma),
            gamma=gamma,
            batched=batched,
            rescale=rescale,
            generator=generator,
            stream=stream,
        )


class VariationalDropout(_Member):
    """Drop features for a whole sequence: :func:`dropout_lab.functional.variational_dropout`.

    >>> VariationalDropout(0.5)(torch.ones(1, 2, 3), generator=torch.Generator().manual_seed(0))
    tensor([[[0., 2., 0.],
             [0., 2., 0.]]])
    """

    variant = variants.VARIATIONAL_DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        time_dim: int = 1,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        time_dim = integer("time_dim", time_dim)
        super().__init__(keep_prob=keep_prob, time_dim=time_dim, rescale=rescale, generator=generator, stream=stream)


class DropPath(_Member):
    """Drop a residual branch, sample by sample: :func:`dropout_lab.functional.drop_path`.

    >>> DropPath(0.5)(torch.ones(3, 2), generator=torch.Generator().manual_seed(0))
    tensor([[0., 0.],
            [2., 2.],
            [0., 0.]])
    """

    variant = variants.DROP_PATH

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        batched: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(keep_prob=keep_prob, batched=batched, rescale=rescale, generator=generator, stream=stream)


class TokenDropout(_Member):
    """Drop whole tokens of (N, T, D): :func:`dropout_lab.functional.token_dropout`.

    >>> TokenDropout(0.5)(torch.ones(1, 3, 2), generator=torch.Generator().manual_seed(0))
    tensor([[[0., 0.],
             [2., 2.],
             [0., 0.]]])
    """

    variant = variants.TOKEN_DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        batched: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(keep_prob=keep_prob, batched=batched, rescale=rescale, generator=generator, stream=stream)


class AttentionDropout(_Member):
    """Drop attention probabilities (N, H, T, S): :func:`dropout_lab.functional.attention_dropout`.

    >>> even = torch.full((1, 2, 1, 3), 1 / 3)
    >>> AttentionDropout(0.5, share_heads=True)(even, generator=torch.Generator().manual_seed(0))
    tensor([[[[0.0000, 0.6667, 0.0000]],
             [[0.0000, 0.6667, 0.0000]]]])
    """

    variant = variants.ATTENTION_DROPOUT

    def __init__(
        self,
        keep_prob: float = 0.5,
        *,
        share_heads: bool = False,
        batched: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            share_heads=share_heads,
            batched=batched,
            rescale=rescale,
            generator=generator,
            stream=stream,
        )


class OnWeights(_Member):
    """A layer whose weights are dropped in training: what the members have in common that wrap one.

    >>> isinstance(DropConnect(torch.nn.Linear(2, 2)), OnWeights)
    True
    """

    #: The classes of layers that are wrapped, and in words.
    kinds: tuple[type[torch.nn.Module], ...]
    wraps: str
    layer: Any
    per_example: bool

    def __init__(
        self,
        layer: torch.nn.Module,
        keep_prob: float = 0.5,
        *,
        per_example: bool = True,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob, per_example=per_example, rescale=rescale, generator=generator, stream=stream
        )
        if not isinstance(layer, self.kinds):
            raise TypeError(f"{type(self).__name__} wraps {self.wraps}, got {type(layer).__name__}")
        self.layer = layer
        self._check_layer()

    def _check_layer(self) -> None:
        more = beyond_weights(self.layer)
        if more is not None:
            raise ValueError(
                f"{type(self).__name__} masks the weights of {self.wraps}, and {type(self.layer).__name__} has {more}, "
                "which it would pass by"
            )

    def with_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        """What the wrapped layer does to ``x`` with other weights, given once, or for each example of ``x``."""
        raise NotImplementedError

    def dropped(self, x: Tensor, generator: Source | None) -> Tensor:
        """What the wrapped layer does to ``x`` with masked weights: the function, with the layer's own options."""
        raise NotImplementedError

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        # Exactly the layer as it is called, with whatever was hooked to it since.
        if self.keep_prob == 1 or (self.rescale and not self.training):
            return self.layer(x)
        self._check_layer()
        return self.dropped(x, self.source(generator))


class DropConnect(OnWeights):
    """A linear layer or a convolution whose weights are dropped: :func:`dropout_lab.functional.drop_connect`.

    Wraps ``layer``, trained weights and all: a ``torch.nn.Linear``, ``Conv1d``, ``Conv2d`` or ``Conv3d``, which stays
    what it was and is reached as ``.layer``. Raises TypeError for another kind of layer, and ValueError for one that
    does more than its linear map when it is called: hooks, a ``forward`` of its own. In ``eval()`` and at keep
    probability 1 it is the layer as it is called, hooks included.

    >>> layer = DropConnect(torch.nn.Linear(3, 2), 0.5)
    >>> x = torch.ones(4, 3)
    >>> torch.equal(layer.eval()(x), layer.layer(x))
    True
    >>> layer.train()(x).unique(dim=0).shape[0] > 1
    True
    """

    variant = variants.DROP_CONNECT
    kinds = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    wraps = "a linear layer or a convolution"
    layer: torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d

    def linear_map(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What the wrapped layer does to ``x``, with another weight and bias."""
        if isinstance(self.layer, torch.nn.Linear):
            return torch.nn.functional.linear(x, weight, bias)
        # A convolution's own way, for it knows its stride, padding and groups.
        return pinned.apply_convolution(self.layer, x, weight, bias)

    def with_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        """What the wrapped layer does to ``x`` with other weights, given once, or for each example of ``x``."""
        weight, bias = self.layer.weight, self.layer.bias
        if weights.dim() == weight.dim() or len(weights) == 1:
            return self.linear_map(x, weights.view(weight.shape), bias)
        return torch.vmap(self.linear_map, (0, 0, None))(x, weights, bias)

    def dropped(self, x: Tensor, generator: Source | None) -> Tensor:
        return functional.drop_connect(
            x,
            self.layer.weight,
            self.layer.bias,
            **self._arguments(),
            linear_map=self.linear_map,
            training=self.training,
            generator=generator,
        )
