"""The members of the family as the tests of their common promises see them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dropout_lab import functional, nn


@dataclass(frozen=True)
class Member:
    """One variant: what it is called with, and which axes of its input share a draw."""

    name: str
    #: (x, keep_prob, **options) -> a tensor like x.
    call: Callable[..., Tensor]
    #: (keep_prob, **options) -> the module.
    module: Callable[..., torch.nn.Module]
    #: A small input, and one large enough for the path that works in stretches.
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    #: Axes along which all elements of a sample share one draw.
    shared: tuple[int, ...] = ()
    #: Whether single elements are set to 0.
    drops: bool = True
    #: Shapes that are refused, and what the message says is expected.
    refused: tuple[tuple[tuple[int, ...], str], ...] = ()

    def __str__(self) -> str:
        return self.name


def _drop_connect(weight: Tensor, keep_prob: float = 0.5, **options: object) -> Tensor:
    """DropConnect as a function of its weights: (K, 1) weights that an input of 1 carries to K outputs."""
    example = torch.ones(1, 1, dtype=weight.dtype if weight.is_floating_point() else torch.float32)
    return functional.drop_connect(example, weight, None, keep_prob, **options).view_as(weight)


class WeightsOfDropConnect(torch.nn.Module):
    """The module for :func:`_drop_connect`: hands its input to a DropConnect layer as its weights."""

    def __init__(self, keep_prob: float, **options: object) -> None:
        super().__init__()
        self.inner = nn.DropConnect(torch.nn.Linear(1, 1, bias=False), keep_prob, **options)

    def forward(self, weight: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        example = torch.ones(1, 1, dtype=weight.dtype)
        values = {"layer.weight": weight}
        outputs = torch.func.functional_call(self.inner, values, (example,), {"generator": generator})
        return outputs.view_as(weight)


MAPS = ((3, 4, 10, 9), (4, 64, 32, 33))
SEQUENCES = ((3, 5, 7), (8, 64, 520))
MEMBERS = (
    Member("dropout", functional.dropout, nn.Dropout, MAPS),
    Member("gaussian_dropout", functional.gaussian_dropout, nn.GaussianDropout, MAPS, drops=False),
    Member(
        "spatial_dropout",
        functional.spatial_dropout,
        nn.SpatialDropout,
        MAPS,
        shared=(2, 3),
        refused=(((3, 4), "(N, C, L)"), ((1, 1, 1, 1, 1, 1), "(N, C, D, H, W)")),
    ),
    Member(
        "drop_block_2d",
        lambda x, keep_prob=0.5, **options: functional.drop_block(x, keep_prob, 4, **options),
        lambda keep_prob, **options: nn.DropBlock(keep_prob, 4, **options),
        MAPS,
        refused=(((4, 9, 9), "(N, C, H, W)"), ((9,) * 6, "(N, C, D, H, W)")),
    ),
    Member(
        "drop_block_3d",
        lambda x, keep_prob=0.5, **options: functional.drop_block(x, keep_prob, 3, **options),
        lambda keep_prob, **options: nn.DropBlock(keep_prob, 3, **options),
        ((3, 2, 4, 5, 6), (4, 8, 17, 32, 18)),
        refused=(((4, 9, 9), "(N, C, H, W)"), ((9,) * 6, "(N, C, D, H, W)")),
    ),
    Member(
        "variational_dropout",
        functional.variational_dropout,
        nn.VariationalDropout,
        SEQUENCES,
        shared=(1,),
        refused=(((5,), "(N, T, D)"),),
    ),
    Member("drop_path", functional.drop_path, nn.DropPath, MAPS, shared=(1, 2, 3), refused=(((), "(N, …)"),)),
    Member("drop_connect", _drop_connect, WeightsOfDropConnect, ((40, 1), (2**18 + 7, 1))),
)
DROPPING = tuple(member for member in MEMBERS if member.drops)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def elements(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    """Numbers of both signs, none of them 0, so that a 0 in an output was put there."""
    draws = torch.rand(shape, generator=seeded(seed))
    return torch.where(draws < 0.5, draws - 1, draws + 0.5).to(dtype)


def deviation(count: int | Tensor, draws: int, probability: float) -> float:
    """How many standard deviations a binomial count is from its mean."""
    return (float(count) - draws * probability) / math.sqrt(draws * probability * (1 - probability))
