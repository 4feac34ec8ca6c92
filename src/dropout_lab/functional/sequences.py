"""Members for transformers: whole tokens, and the links between them that attention makes."""

from __future__ import annotations

from torch import Tensor

from dropout_lab.arguments import flag
from dropout_lab.functional.elements import masked
from dropout_lab.functional.variants import ATTENTION_DROPOUT, TOKEN_DROPOUT
from dropout_lab.noise import Source


def token_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop whole tokens of a sequence, each by itself. ``x`` is (N, T, D).

    A dropped token becomes a vector of zeros and keeps its place, so the sequence keeps its length. With ``rescale`` a
    kept one is divided by ``keep_prob``, so that each entry keeps its mean. (A mean over the kept tokens alone, as in
    the source, would divide by their random number instead.) Source: Iyyer et al. 2015, section 3.1 (word dropout).

    >>> import torch
    >>> token_dropout(torch.ones(1, 3, 2), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([[[0., 0.],
             [2., 2.],
             [0., 0.]]])
    """
    return masked(TOKEN_DROPOUT, x, keep_prob, training=training, rescale=rescale, generator=generator, batched=batched)


def attention_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    share_heads: bool = False,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop attention probabilities. ``x`` is (N, H, T, S): how much each of T targets reads from each of S sources.

    Each is dropped by itself, or with ``share_heads`` for all heads at once: then what a target reads from a source is
    lost in every head. What remains is not normalized again, so the mean of each probability stays what it is, and a
    row's sum does not stay 1. Source: Lin et al. 2019.

    >>> import torch
    >>> even = torch.full((1, 1, 2, 2), 0.5)
    >>> attention_dropout(even, 0.5, generator=torch.Generator().manual_seed(1))
    tensor([[[[1., 0.],
              [0., 1.]]]])
    """
    if share_heads is not False:
        flag("share_heads", share_heads)
    return masked(
        ATTENTION_DROPOUT,
        x,
        keep_prob,
        training=training,
        rescale=rescale,
        generator=generator,
        share_heads=share_heads,
        batched=batched,
    )
