"""Which member of the family a torch module is: this package's modules say it, and torch's dropout layers have it here.

The test-time rules, the exact ensembles and the experiments ask a module for its variant, instead of listing types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dropout_lab.drawing import Drawing
from dropout_lab.functional import variants
from dropout_lab.functional.variants import Variant

#: torch's own dropout layers, and the number of axes of an input without the axis N, where torch takes such.
_OF_TORCH: Mapping[type[torch.nn.Module], tuple[Variant, int | None]] = {
    torch.nn.Dropout: (variants.DROPOUT, None),
    torch.nn.Dropout1d: (variants.SPATIAL_DROPOUT, 2),
    torch.nn.Dropout2d: (variants.SPATIAL_DROPOUT, None),
    torch.nn.Dropout3d: (variants.SPATIAL_DROPOUT, 4),
    torch.nn.AlphaDropout: (variants.ALPHA_DROPOUT, None),
    torch.nn.FeatureAlphaDropout: (variants.ALPHA_DROPOUT, None),
}
#: torch's own dropout layers.
OF_TORCH = tuple(_OF_TORCH)
#: The names of torch's own functions of dropout, those of ``torch`` and those of ``torch.nn.functional``.
FUNCTIONS_OF_TORCH = frozenset(
    (
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "native_dropout"),
        *("alpha_dropout", "feature_alpha_dropout"),
    )
)


def variant_of(module: torch.nn.Module) -> Variant | None:
    """Return the variant of a module's own noise, for this package's modules and torch's dropout layers.

    Args:
        module: the module; the modules inside it do not count.

    Returns:
        The variant, or None for a module that is no member of the family. None does not say that the module draws
        nothing.

    Raises TypeError for a subclass of this package's or of torch's dropout layers whose noise is not known: one that
    gives no variant, or that has a ``forward`` of its own and does not give its variant anew.

    >>> variant_of(torch.nn.Dropout2d(0.1)).name, variant_of(torch.nn.Linear(2, 2))
    ('spatial_dropout', None)
    """
    kind = type(module)
    given = next((parent for parent in kind.__mro__ if _variant_given_by(parent) is not None), None)
    if given is None and not isinstance(module, Drawing):
        return None
    if given is not None and "forward" not in vars(module):
        computed = next(parent for parent in kind.__mro__ if "forward" in vars(parent))
        if issubclass(given, computed):
            return _variant_given_by(given)
    reason = "gives no variant" if given is None else f"has a forward of its own, and not that of {given.__name__}"
    raise TypeError(
        f"{kind.__name__} {reason}: what noise it has is not known. Give its class the attribute "
        "variant = dropout_lab.functional.Variant(…) that describes it"
    )


def _variant_given_by(kind: type) -> Variant | None:
    """The variant that a class itself gives, or that stands for it in the table above."""
    given = vars(kind).get("variant")
    if isinstance(given, Variant):
        return given
    return next((variant for one, (variant, _) in _OF_TORCH.items() if one is kind), None)


def mask_shape(module: Any, x: Tensor) -> tuple[int, ...]:
    """Return the shape of the mask that a module draws for its input ``x``.

    The shape broadcasts against that of ``x``, or for noise on weights against the weights of each example.

    Args:
        module: a module whose variant can be enumerated.
        x: the input of the module.

    Raises TypeError for a module without such a mask.

    >>> from dropout_lab import nn
    >>> mask_shape(nn.VariationalDropout(), torch.ones(2, 9, 5))
    (2, 1, 5)
    """
    variant = variant_of(module)
    if variant is None or not variant.enumerable:
        raise TypeError(f"{type(module).__name__} has no mask that could be given from outside")
    if variant.multiplies == "weights":
        weight = module.layer.weight
        own = module.per_example and x.dim() >= weight.dim()
        return tuple(variant.mask_shape(weight.shape, examples=x.shape[0] if own else None))
    options = {name: getattr(module, name) for name in variant.options if hasattr(module, name)}
    own = getattr(module, "alone", None)
    alone = next((axes for kind, (_, axes) in _OF_TORCH.items() if isinstance(module, kind)), own)
    if alone is not None:
        options["batched"] = x.dim() != alone
    return tuple(variant.mask_shape(x.shape, **options))
