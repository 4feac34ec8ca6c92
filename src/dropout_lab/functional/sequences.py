"""Members for sequences: whole tokens, the words behind them, and the links between them that attention makes."""

from __future__ import annotations

import torch
from torch import Tensor

from dropout_lab import noise
from dropout_lab.arguments import flag
from dropout_lab.functional.masking import masked
from dropout_lab.functional.selection import inverse, select
from dropout_lab.functional.variants import ATTENTION_DROPOUT, EMBEDDING_DROPOUT, TOKEN_DROPOUT
from dropout_lab.noise import Source


def token_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop whole tokens of a sequence, each by itself. ``x`` is (N, T, D).

    A dropped token becomes a vector of zeros and keeps its place, so the sequence keeps its length. With ``rescale`` a
    kept one is divided by ``keep_prob``, so that each entry keeps its mean. (A mean over the kept tokens alone, as in
    the source, would divide by their random number instead.) Source: Iyyer et al. 2015, section 3.1 (word dropout).

    >>> token_dropout(torch.ones(1, 3, 2), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([[[0., 0.],
             [2., 2.],
             [0., 0.]]])
    """
    return masked(
        TOKEN_DROPOUT,
        x,
        keep_prob,
        training=training,
        rescale=rescale,
        exact_zeros=exact_zeros,
        generator=generator,
        batched=batched,
    )


def attention_dropout(
    x: Tensor,
    keep_prob: float = 0.5,
    *,
    share_heads: bool = False,
    batched: bool = True,
    training: bool = True,
    rescale: bool = True,
    exact_zeros: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Drop attention probabilities. ``x`` is (N, H, T, S): how much each of T targets reads from each of S sources.

    Each is dropped by itself, or with ``share_heads`` for all heads at once: then what a target reads from a source is
    lost in every head. What remains is not normalized again, so the mean of each probability stays what it is, and a
    row's sum does not stay 1. Source: Lin et al. 2019.

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
        exact_zeros=exact_zeros,
        generator=generator,
        share_heads=share_heads,
        batched=batched,
    )


def embedding_dropout(
    indices: Tensor,
    weight: Tensor,
    keep_prob: float = 0.5,
    *,
    per_example: bool = True,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
    training: bool = True,
    rescale: bool = True,
    generator: Source | None = None,
) -> Tensor:
    """Look words up in a table whose rows are dropped: all occurrences of a word in a sequence are lost together.

    ``indices`` is (N, T), integers below V, with the examples first, and ``weight`` (V, D); the result is (N, T, D).
    Each of the N examples has its own mask of the V words, or with ``per_example=False`` all have the same one, as in
    AWD-LSTM (Merity et al. 2018, section 4.3). Indices without the axis N are one example. Where time comes first,
    (T, N), transpose the indices, and the result back: else each step would be an example. N · V numbers are drawn,
    also for words that do not occur, so that what becomes of a word does not depend on the others.

    The other options are those of ``torch.nn.functional.embedding``, and act as there: ``max_norm`` bounds the rows in
    place, before they are masked, ``padding_idx`` gets no gradient (it is dropped as any word is), gradients may be
    ``sparse``, and ``scale_grad_by_freq`` counts all occurrences, dropped ones too.

    Raises TypeError for indices that are no integers and ValueError for a table that is not (V, D). Source: Gal and
    Ghahramani 2016, on the dropout of word embeddings.

    >>> words = torch.tensor([[0, 1, 0, 2]])
    >>> embedding_dropout(words, torch.ones(3, 2), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([[[0., 0.],
             [2., 2.],
             [0., 0.],
             [0., 0.]]])
    """
    EMBEDDING_DROPOUT.check_type(weight)
    if not isinstance(indices, Tensor) or indices.dtype not in (torch.int32, torch.int64):
        found = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise TypeError(f"embedding_dropout needs indices that are integers (int32 or int64), got {found}")
    if weight.dim() != 2:
        raise ValueError(f"embedding_dropout needs a table of shape (V, D), got {tuple(weight.shape)}")
    keep_prob = noise.check_keep_prob(keep_prob)
    rows = torch.nn.functional.embedding(
        indices, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse
    )
    if keep_prob == 1 or (rescale and not training):
        return rows
    if not training and keep_prob > 0:
        return rows * keep_prob
    own = per_example and indices.dim() > 1
    shape = EMBEDDING_DROPOUT.mask_shape(weight.shape, examples=len(indices) if own else None)
    if generator is not None:
        generator = EMBEDDING_DROPOUT.draws_from(generator, shape, batched=own)
    with noise.mode_of(rows):
        mask = noise.bernoulli(shape, keep_prob, generator=generator, device=rows.device, dtype=torch.int8).squeeze(-1)
    # Each occurrence asks what became of its word.
    kept = mask.gather(1, indices.flatten(1).long()).view(indices.shape) if own else mask[indices]
    return select(rows, kept.unsqueeze(-1), inverse(keep_prob) if rescale else 1.0)
