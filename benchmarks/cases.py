"""What is compared: each variant of the package, and what the peers have for the same purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dropout_lab import functional

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
        except (ImportError, OSError, RuntimeError) as error:
            absent[name] = str(error).splitlines()[0]
    return found, absent


def cases() -> tuple[list[Case], dict[str, str]]:
    """All comparisons of variants, and the peers that are absent, with the reason."""
    found, absent = load_peers()

    def others(function: str, **more: Callable[[Tensor], Tensor]) -> dict[str, Callable[[Tensor], Tensor]]:
        return more | {name: functions[function] for name, functions in found.items() if function in functions}

    torch_functions = torch.nn.functional
    return [
        Case("dropout", functional.dropout, others("dropout", torch=lambda x: torch_functions.dropout(x, 0.5))),
        Case(
            "dropout, keep .9",
            lambda x: functional.dropout(x, 0.9),
            {"torch": lambda x: torch_functions.dropout(x, 0.1)},
        ),
        Case("gaussian_dropout", functional.gaussian_dropout, others("gaussian_dropout")),
        Case(
            "spatial_dropout",
            functional.spatial_dropout,
            others("spatial_dropout", torch=lambda x: torch_functions.dropout2d(x, 0.5)),
        ),
        Case("drop_path", functional.drop_path, others("drop_path")),
        Case("drop_block", functional.drop_block, others("drop_block"), shapes=((16, 64, 32, 32),)),
    ], absent
