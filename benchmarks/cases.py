"""What is compared: each variant of the package, and what the peers have for the same purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dropout_lab import functional
from dropout_lab.functional import VARIANTS
from dropout_lab.noise import Stream

#: The peer of a case from a stream that is the package's own: the same call from torch's next numbers.
PLAIN = "plain"
#: Inputs of 2^10, 2^16 and 2^22 elements.
SHAPES = ((4, 16, 4, 4), (16, 16, 16, 16), (64, 64, 32, 32))


@dataclass(frozen=True)
class Case:
    """One function of ours and its peers, all of one tensor, at inputs of the given shapes."""

    variant: str
    ours: Callable[[Tensor], Tensor]
    peers: dict[str, Callable[[Tensor], Tensor]]
    shapes: tuple[tuple[int, ...], ...] = SHAPES


def _timm() -> dict[str, Callable[[Tensor], Tensor]]:
    from timm.layers import drop_block_2d, drop_path

    return {
        "drop_path": lambda x: drop_path(x, 0.5, training=True),
        # Its exact form, with a mask for each channel, as ours has; the default shares one among the channels.
        "drop_block": lambda x: drop_block_2d(x, 0.1, 7, couple_channels=False),
    }


def _keras() -> dict[str, Callable[[Tensor], Tensor]]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    layers = {"dropout": keras.layers.Dropout(0.5), "gaussian_dropout": keras.layers.GaussianDropout(0.5)}
    return {name: lambda x, layer=layer: layer(x, training=True) for name, layer in layers.items()}


def load_peers() -> tuple[dict[str, dict[str, Callable[[Tensor], Tensor]]], dict[str, str]]:
    """The optional peers that can be imported, and for each of the others why it cannot."""
    found, absent = {}, {}
    for name, load in (("timm", _timm), ("keras", _keras)):
        try:
            found[name] = load()
        except Exception as error:  # Whatever is wrong with a peer, the others are compared.
            first, *_ = str(error).splitlines() or [""]
            absent[name] = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return found, absent


def _torch() -> dict[str, Callable[[Tensor], Tensor]]:
    functions = torch.nn.functional
    return {
        "dropout": lambda x: functions.dropout(x, 0.5),
        "dropout, keep .9": lambda x: functions.dropout(x, 0.1),
        "spatial_dropout": lambda x: functions.dropout2d(x, 0.5),
        # Attention probabilities are dropped as any elements are.
        "attention_dropout": lambda x: functions.dropout(x, 0.5),
    }


#: Whose masks are shared by many elements: also without exact zeros, by a product.
_PRODUCTS = ("spatial_dropout", "drop_path")
#: Inputs other than the usual ones, by the most axes that the layouts of a variant name.
_SHAPES = {3: ((16, 8, 8), (64, 32, 32), (256, 128, 128))}


def cases() -> tuple[list[Case], dict[str, str]]:
    """A comparison for each variant that is a function of its input, in each of its forms; and the absent peers.

    The latter come with the reason.
    """
    found, absent = load_peers()
    peers = {"torch": _torch(), **found}

    def others(name: str) -> dict[str, Callable[[Tensor], Tensor]]:
        return {who: functions[name] for who, functions in peers.items() if name in functions}

    listed = []
    for variant in VARIANTS.values():
        if not variant.is_function or variant.multiplies == "weights":
            continue
        function = getattr(functional, variant.name)
        axes = max(len(layout.replace("…", "").split()) for layout in variant.layouts)
        shapes = _SHAPES.get(axes, SHAPES)
        if variant.noise == "structured":
            # In its published form, at its usual rate, on maps that have room for its blocks.
            listed.append(Case(variant.name, function, others(variant.name), shapes=((16, 64, 32, 32),)))
            continue
        for form in variant.forms:
            name = ", ".join((variant.name, *(key.replace("_", " ") for key in form)))
            listed.append(Case(name, partial(function, **form), others(name), shapes=shapes))
            if variant.name in _PRODUCTS:
                product = partial(function, **form, exact_zeros=False)
                listed.append(Case(f"{name}, product", product, others(name), shapes=shapes))
        if variant is VARIANTS["dropout"]:
            name = "dropout, keep .9"
            listed.append(Case(name, lambda x: functional.dropout(x, 0.9), others(name)))
            product = partial(function, keep_prob=0.9, exact_zeros=False)
            listed.append(Case(f"{name}, product", product, others(name)))
            # What it costs that a mask depends on its place alone.
            own = partial(function, generator=Stream(0, "benchmark"))
            listed.append(Case("dropout, from a stream", own, {PLAIN: function, **others(variant.name)}))
    return listed, absent
