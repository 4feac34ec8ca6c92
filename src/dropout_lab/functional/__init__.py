"""The family of variants as functions: each gives one mask, of one shape, to one multiplication.

Common to all: ``keep_prob`` is the probability p of keeping. ``training=False`` is the identity. With ``rescale``
(inverted dropout) what is kept is divided by p, so that E[y] = x; without it (the original convention) it is not, and
``training=False`` multiplies by p instead. ``generator`` is the source of the draws: a ``torch.Generator``, a
:class:`~dropout_lab.noise.Stream`, or torch's global generator by default. A generator of your own is drawn from again
where a forward pass is repeated, as ``torch.utils.checkpoint`` does it in the backward pass: the gradient then belongs
to another mask than the output. Pass a stream there, whose masks are the same in both passes. A dropped
element is exactly 0, even where it was inf or NaN, and passes exactly 0 gradient. Functions with ``exact_zeros`` give
this up for speed when it is False, where a product is faster (small inputs, and masks that many elements share): the
mask is the same, a dropped inf or NaN becomes NaN as in torch's own layers, and a dropped negative number −0.
``batched=False`` says that ``x`` is
a single sample without the axis N, as it is inside ``torch.vmap`` over samples.

Errors common to all: ValueError for a keep probability outside [0, 1] and for a wrong number of axes, TypeError for
input that is not floating point.
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
