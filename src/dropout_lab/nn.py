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
from typing import TYPE_CHECKING, Literal

import torch

from dropout_lab.arguments import integer
from dropout_lab.drawing import add_streams as add_streams
from dropout_lab.drawing import set_streams as set_streams
from dropout_lab.drawing import streams as streams
from dropout_lab.functional import blocks, variants
from dropout_lab.member import Member as Member
from dropout_lab.membership import OF_TORCH as OF_TORCH
from dropout_lab.membership import mask_shape as mask_shape
from dropout_lab.membership import variant_of as variant_of
from dropout_lab.noise import Source, Stream
from dropout_lab.weights import DropConnect as DropConnect
from dropout_lab.weights import OnWeights as OnWeights

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


class Dropout(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob, rescale=rescale, exact_zeros=exact_zeros, generator=generator, stream=stream
        )


class GaussianDropout(Member):
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


class SpatialDropout(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            batched=batched,
            rescale=rescale,
            exact_zeros=exact_zeros,
            generator=generator,
            stream=stream,
        )


class DropBlock(Member):
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


class VariationalDropout(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        time_dim = integer("time_dim", time_dim)
        super().__init__(
            keep_prob=keep_prob,
            time_dim=time_dim,
            rescale=rescale,
            exact_zeros=exact_zeros,
            generator=generator,
            stream=stream,
        )


class DropPath(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            batched=batched,
            rescale=rescale,
            exact_zeros=exact_zeros,
            generator=generator,
            stream=stream,
        )


class TokenDropout(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            batched=batched,
            rescale=rescale,
            exact_zeros=exact_zeros,
            generator=generator,
            stream=stream,
        )


class AttentionDropout(Member):
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
        exact_zeros: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(
            keep_prob=keep_prob,
            share_heads=share_heads,
            batched=batched,
            rescale=rescale,
            exact_zeros=exact_zeros,
            generator=generator,
            stream=stream,
        )
