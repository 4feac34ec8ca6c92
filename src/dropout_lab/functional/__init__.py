"""The family of variants as functions: each applies one mask, of one shape, by one multiplication.

These arguments mean the same in every function that takes them:

- ``x``: the input, a floating point tensor. N is the axis of the samples.
- ``keep_prob``: the probability p of keeping, between 0 and 1.
- ``training``: whether noise is drawn. With False the function is the identity, or multiplies by ``keep_prob`` if
  ``rescale`` is False.
- ``rescale``: True for inverted dropout: what is kept is divided by ``keep_prob``, so that the mean of the output is
  ``x``. False for the original convention: what is kept stays as it is.
- ``exact_zeros``: whether a dropped inf or NaN becomes exactly 0. With False a product may be used where it is faster
  (for small inputs, and for masks that many elements share): the mask is the same, but a dropped inf or NaN becomes
  NaN, as in torch's own layers, and a dropped negative number becomes −0.
- ``generator``: the source of the draws: a ``torch.Generator``, a :class:`~dropout_lab.noise.Stream`, or None for
  torch's global generator.
- ``batched``: False for a single sample without the axis N, as it is inside ``torch.vmap`` over samples.

A dropped element is exactly 0, even where it was inf or NaN, and passes exactly 0 gradient. Each function returns a
tensor of the shape and type of ``x``, unless its entry says otherwise. Each raises ValueError for a keep probability
outside [0, 1] and for a wrong number of axes, and TypeError for input that is not floating point.

A ``torch.Generator`` is drawn from again where a forward pass is repeated, as ``torch.utils.checkpoint`` does in the
backward pass. The gradient then belongs to another mask than the output. Pass a stream there: its masks are the same in
both passes.
"""

from dropout_lab.functional.blocks import block_gamma, block_keep_probs, drop_block
from dropout_lab.functional.elements import (
    drop_path,
    dropout,
    gaussian_dropout,
    linear_decay,
    spatial_dropout,
    variational_dropout,
)
from dropout_lab.functional.masking import masked
from dropout_lab.functional.sequences import attention_dropout, embedding_dropout, token_dropout
from dropout_lab.functional.variants import VARIANTS, Variant
from dropout_lab.functional.weights import drop_connect

__all__ = [
    "VARIANTS",
    "Variant",
    "attention_dropout",
    "block_gamma",
    "block_keep_probs",
    "drop_block",
    "drop_connect",
    "drop_path",
    "dropout",
    "embedding_dropout",
    "gaussian_dropout",
    "linear_decay",
    "masked",
    "spatial_dropout",
    "token_dropout",
    "variational_dropout",
]
