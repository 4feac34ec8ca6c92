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
    """Drop whole tokens of a sequence, each by itself.

    A dropped token becomes a vector of zeros and keeps its place, so the sequence keeps its length. With ``rescale`` a
    kept token is divided by ``keep_prob``, so that each entry keeps its mean. (The source takes a mean over the kept
    tokens alone, and so divides by their random number instead.)

    Args:
        x: the input, of shape (N, T, D).

    Source: Iyyer et al. 2015, section 3.1 (word dropout).

    >>> seeded = torch.Generator().manual_seed(0)
    >>> token_dropout(torch.ones(1, 3, 2), 0.5, generator=seeded)
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
    """Drop attention probabilities, each by itself or for all heads at once.

    What remains is not normalized again. The mean of each probability stays what it is, and the sum of a row does not
    stay 1.

    Args:
        x: the attention probabilities, of shape (N, H, T, S): how much each of T targets reads from each of S sources.
        share_heads: whether a source is dropped for a target in every head at once.

    Source: Lin et al. 2019.

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
    """Look words up in a table whose rows are dropped: a sequence loses all occurrences of a word together.

    N · V numbers are drawn, also for words that do not occur, so that what becomes of a word does not depend on the
    other words. Where time comes first, (T, N), transpose the indices and then the result: otherwise each step would
    count as an example.

    Args:
        indices: the words, integers from 0 to V − 1, of shape (N, T); indices without the axis N are one example.
        weight: the table, of shape (V, D).
        per_example: True for a mask of the V words for each of the N examples; False for one mask for all of them, as
            in AWD-LSTM (Merity et al. 2018, section 4.3).
        padding_idx: the word that gets no gradient, as in ``torch.nn.functional.embedding``; it is dropped as any word
            is.
        max_norm: the largest norm of a row; longer rows are shortened in place, before they are masked.
        norm_type: the p of the p-norm that ``max_norm`` bounds.
        scale_grad_by_freq: whether gradients are divided by how often a word occurs; dropped occurrences count too.
        sparse: whether the gradient of ``weight`` is a sparse tensor.

    Returns:
        The rows of the words, of shape (N, T, D).

    Raises TypeError for indices that are no integers, and ValueError for a table that is not (V, D). Source: Gal and
    Ghahramani 2016, on the dropout of word embeddings.

    >>> words = torch.tensor([[0, 1, 0, 2]])
    >>> seeded = torch.Generator().manual_seed(0)
    >>> embedding_dropout(words, torch.ones(3, 2), 0.5, generator=seeded)
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
