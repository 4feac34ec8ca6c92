"""The family of variants as torch modules, which remember the arguments of the functions.

``train()`` switches the noise on, and ``eval()`` switches it off. Shapes, errors and sources are those of the functions
(:mod:`dropout_lab.functional`), and every module's ``forward`` takes ``generator=`` as its function does. These
arguments mean the same in every module that takes them:

- ``keep_prob``: the probability p of keeping, between 0 and 1.
- ``rescale``: True for inverted dropout: in training what is kept is divided by ``keep_prob``. False for the original
  convention: in ``eval()`` the module multiplies by ``keep_prob`` instead.
- ``exact_zeros``: whether a dropped inf or NaN becomes exactly 0. With False a product may be used where it is faster:
  the mask is the same, but a dropped inf or NaN becomes NaN, as in torch's own layers.
- ``batched``: False for a single sample without the axis N, as it is inside ``torch.vmap`` over samples.
- ``per_example``: True for a mask for each example, False for one mask for the whole batch.
- ``generator``: the module's own source of draws, a ``torch.Generator``. By default it is torch's global generator.
- ``stream``: the module's own source of draws, a :class:`~dropout_lab.noise.Stream`: masks as a function of seed,
  layer, step and example. Take one under activation checkpointing, where a ``torch.Generator`` is drawn from again when
  the forward pass is repeated.

:func:`~dropout_lab.drawing.add_streams` gives every layer of a model a stream.

The recurrent layers, those with learned rates and those for transformers are defined in :mod:`dropout_lab.recurrent`,
:mod:`dropout_lab.bayes` and :mod:`dropout_lab.transformer`. They stand here too, and are loaded when they are first
asked for. Each class names its :class:`~dropout_lab.functional.Variant`, and :func:`~dropout_lab.membership.variant_of`
asks a module for it, torch's own dropout layers included.

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
    """Drops each element by itself: :func:`dropout_lab.functional.dropout` as a module.

    The input has any shape, and the output has the same.

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
    """Multiplies each element by Gaussian noise: :func:`dropout_lab.functional.gaussian_dropout` as a module.

    The input has any shape, and the output has the same. The noise has mean 1 and variance (1 − p)/p.

    Args:
        keep_prob: the probability p that sets the variance, above 0 and at most 1.

    Raises ValueError for a ``keep_prob`` of 0, where the variance would be infinite.

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
    """Drops whole channels, each by itself: :func:`dropout_lab.functional.spatial_dropout` as a module.

    The input has shape (N, C, L), (N, C, H, W) or (N, C, D, H, W), and the output has the same.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> SpatialDropout(0.5)(torch.ones(1, 3, 2), generator=seeded)
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
    """Drops blocks of neighboring positions: :func:`dropout_lab.functional.drop_block` as a module.

    The input has shape (N, C, H, W) or (N, C, D, H, W), and the output has the same.

    Args:
        keep_prob: the expected part of the positions that is kept.
        block_size: the number of positions along a side of a block.
        gamma: "exact" meets ``keep_prob``; "published" takes the rate of the paper, which neglects that blocks overlap.

    >>> seeded = torch.Generator().manual_seed(2)
    >>> DropBlock(0.7, 2)(torch.ones(1, 1, 4, 6), generator=seeded).eq(0).sum()
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
    """Drops features for a whole sequence: :func:`dropout_lab.functional.variational_dropout` as a module.

    The input has shape (N, T, D), or (T, N, D) with ``time_dim=0``, and the output has the same.

    Args:
        time_dim: the axis of the time steps, along which the mask is the same.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> VariationalDropout(0.5)(torch.ones(1, 2, 3), generator=seeded)
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
    """Drops a whole residual branch, sample by sample: :func:`dropout_lab.functional.drop_path` as a module.

    The input, which is what the branch gives, has shape (N, …), and the output has the same.

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
    """Drops whole tokens of a sequence: :func:`dropout_lab.functional.token_dropout` as a module.

    The input has shape (N, T, D), and the output has the same.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> TokenDropout(0.5)(torch.ones(1, 3, 2), generator=seeded)
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
    """Drops attention probabilities: :func:`dropout_lab.functional.attention_dropout` as a module.

    The input has shape (N, H, T, S), how much each of T targets reads from each of S sources, and the output has the
    same.

    Args:
        share_heads: whether a source is dropped for a target in every head at once.

    >>> even = torch.full((1, 2, 1, 3), 1 / 3)
    >>> seeded = torch.Generator().manual_seed(0)
    >>> AttentionDropout(0.5, share_heads=True)(even, generator=seeded)
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
