"""Embedding dropout: words are dropped, each with all of its occurrences in a sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dropout_lab import functional
from dropout_lab.functional import variants
from dropout_lab.noise import Source
from dropout_lab.weights import OnWeights


class EmbeddingDropout(OnWeights):
    """Drops the rows of a table of words: :func:`dropout_lab.functional.embedding_dropout` as a module.

    The table stays what it was, and is reached as ``.layer``. In ``eval()`` and at keep probability 1 the module is the
    layer as it is called, hooks included. The input has shape (N, T) or (N, …), the examples first, or (T,) for one
    example; (T, N) has to be transposed, or each step would be an example.

    Args:
        layer: the table to wrap, a ``torch.nn.Embedding`` with its weights and its options (``padding_idx``,
            ``max_norm``, ``scale_grad_by_freq``, ``sparse``).
        keep_prob: the keep probability of each word.

    Raises TypeError for another kind of layer, and ValueError for one that does more than look its rows up when it is
    called: hooks, a ``forward`` of its own. Source: Gal and Ghahramani 2016, on the dropout of word embeddings.

    >>> layer = EmbeddingDropout(torch.nn.Embedding(9, 4), 0.5)
    >>> words = torch.tensor([[3, 1, 3, 8]])
    >>> y = layer(words)
    >>> torch.equal(y[:, 0], y[:, 2])
    True
    >>> torch.equal(layer.eval()(words), layer.layer(words))
    True
    """

    variant = variants.EMBEDDING_DROPOUT
    kinds = (torch.nn.Embedding,)
    wraps = "an embedding"
    layer: torch.nn.Embedding

    def with_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return the rows for ``x`` from other ``weights``: a table (V, D), or one for each example, (N, V, D).

        ``max_norm`` bounds the layer's own rows where they are looked up, and not those that are given here.
        """
        weight = self.layer.weight
        if weights.dim() == weight.dim() or len(weights) == 1:
            return weights.view(weight.shape)[x]
        return torch.vmap(lambda own, table: table[own])(x, weights)

    def dropped(self, x: Tensor, generator: Source | None) -> Tensor:
        options: dict[str, Any] = {
            name: getattr(self.layer, name)
            for name in ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
        }
        return functional.embedding_dropout(
            x, self.layer.weight, **self._arguments(), **options, training=self.training, generator=generator
        )
