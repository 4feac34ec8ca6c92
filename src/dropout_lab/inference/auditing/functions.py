"""torch's functions, by what they do to the numbers that a pass of a model is followed by."""

from __future__ import annotations

#: Functions that only look at the same numbers in another way.
VIEWS = frozenset(
    (
        *("reshape", "view", "flatten", "unflatten", "transpose", "permute", "contiguous", "squeeze", "unsqueeze"),
        *("to", "float", "half", "double", "bfloat16", "clone", "detach", "expand", "expand_as", "view_as"),
        *("reshape_as", "swapaxes", "movedim", "moveaxis", "ravel", "t", "__getitem__", "chunk", "split", "unbind"),
        *("narrow", "select", "type", "type_as", "requires_grad_", "alias"),
    )
)
#: Functions after which a shift of the variance is another one: they normalize, or choose.
ENDS = frozenset(
    (
        *("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm", "normalize", "softmax"),
        *("log_softmax", "gumbel_softmax", "argmax", "argmin", "scaled_dot_product_attention"),
        *("multi_head_attention_forward", "cross_entropy"),
    )
)
#: Functions that draw, by their names without a final underscore.
DRAWS = frozenset(
    (
        *("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "bernoulli", "uniform", "normal"),
        *("random", "randperm"),
    )
)
#: Functions that multiply by a mask, or put zeros where a mask says so.
PRODUCTS = frozenset(
    ("mul", "multiply", "__mul__", "__rmul__", "__imul__", "div", "true_divide", "where", "masked_fill")
)
