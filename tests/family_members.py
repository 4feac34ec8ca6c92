"""The members of the family as the tests of their common promises see them: read from the registry of variants."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dropout_lab import functional, nn
from dropout_lab.functional import VARIANTS, Variant


@dataclass(frozen=True)
class Member:
    """One form of a variant: what it is called with, and the inputs that it takes and refuses."""

    name: str
    variant: Variant
    #: (x, keep_prob, **options) -> a tensor like x.
    call: Callable[..., Tensor]
    #: (keep_prob, **options) -> the module.
    module: Callable[..., torch.nn.Module]
    #: A small input, and one large enough for the path that works in stretches.
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    #: Axes along which all elements of a sample share one draw.
    shared: tuple[int, ...] = ()
    #: Shapes that are refused, and what the message says is expected.
    refused: tuple[tuple[tuple[int, ...], str], ...] = ()

    @property
    def drops(self) -> bool:
        """Whether single elements are set to 0."""
        return self.variant.noise != "Gaussian"

    @property
    def is_plain(self) -> bool:
        """Whether a factor is 0 or 1/p, the same p everywhere."""
        return self.drops and self.variant.noise_mean == "p"

    @property
    def side(self) -> int | None:
        """The side of a block, for DropBlock."""
        return next((form["block_size"] for form in self.variant.forms if "block_size" in form), None)

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


def _embedding_dropout(weight: Tensor, keep_prob: float = 0.5, **options: object) -> Tensor:
    """Embedding dropout as a function of its table: (K, 1) rows, each of which is looked up once, for one example."""
    words = torch.arange(len(weight)).unsqueeze(0)
    return functional.embedding_dropout(words, weight, keep_prob, **options).view_as(weight)


class TableOfEmbeddingDropout(torch.nn.Module):
    """The module for :func:`_embedding_dropout`: hands its input to an EmbeddingDropout layer as its table."""

    def __init__(self, keep_prob: float, **options: object) -> None:
        super().__init__()
        self.inner = nn.EmbeddingDropout(torch.nn.Embedding(1, 1), keep_prob, **options)

    def forward(self, weight: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        words = torch.arange(len(weight)).unsqueeze(0)
        values = {"layer.weight": weight}
        outputs = torch.func.functional_call(self.inner, values, (words,), {"generator": generator})
        return outputs.view_as(weight)


#: The members whose masks stand on weights, as a function and as a module of these weights.
_ON_WEIGHTS = {
    "drop_connect": (_drop_connect, WeightsOfDropConnect),
    "embedding_dropout": (_embedding_dropout, TableOfEmbeddingDropout),
}


#: Extents of the axes that layouts name: small ones, and some whose product is at least 2^18.
_SMALL = {"N": 3, "C": 4, "L": 10, "T": 5, "S": 6, "D": 7, "…": 10}
_LARGE = {"N": 8, "C": 32, "L": 1100, "T": 64, "S": 66, "D": 520, "…": 1100}


def _shapes(layout: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    axes = layout.split()
    if axes == ["…"] or axes == ["N", "…"]:
        axes = ["N", "C", "H", "W"]
    # H is a height beside W, and a number of heads elsewhere; D a depth between C and H, and else the features.
    if "W" in axes:
        small, large = {"H": 10, "W": 9}, {"H": 32, "W": 33}
        if "D" in axes:
            small, large = {"D": 5, "H": 6, "W": 7}, {"D": 17, "H": 32, "W": 18, "C": 8, "N": 4}
    else:
        small, large = {"H": 4}, {"H": 8}
    return tuple((_SMALL | small)[axis] for axis in axes), tuple((_LARGE | large)[axis] for axis in axes)


def _refused(variant: Variant) -> tuple[tuple[tuple[int, ...], str], ...]:
    """One shape with an axis too few, and one with an axis too many, if there are such."""
    counts = [len(layout.replace("…", "").split()) for layout in variant.layouts]
    wrong = [(1,) * (min(counts) - 1)] if min(counts) else []
    if not any("…" in layout for layout in variant.layouts):
        wrong.append((1,) * (max(counts) + 1))
    return tuple((shape, f"({layout.replace(' ', ', ')})") for shape in wrong for layout in variant.layouts)


def _members() -> list[Member]:
    found = []
    for variant in VARIANTS.values():
        if not variant.is_function:
            continue
        if variant.multiplies == "weights":
            found.append(Member(variant.name, variant, *_ON_WEIGHTS[variant.name], ((40, 1), (2**18 + 7, 1))))
            continue
        (name,) = variant.modules
        function, module = getattr(functional, variant.name), getattr(nn, name)
        # A layout that ends in further axes is tried without them.
        layouts = [layout for layout in variant.layouts if layout in ("…", "N …") or "…" not in layout]
        for layout in layouts[1:] if variant.name == "variational_dropout" else layouts:
            for form in variant.forms:
                small, large = _shapes(layout)
                own = {key: value for key, value in form.items() if key in variant.options}
                mask = variant.mask_shape(small, **own) if variant.is_function else small
                shared = tuple(axis for axis, (one, all_) in enumerate(zip(mask, small, strict=True)) if one < all_)
                words = [variant.name, *(f"{key}={value}" for key, value in form.items())]
                if len(layouts) > 1:
                    words.append(layout.replace(" ", ""))
                found.append(
                    Member(
                        " ".join(words),
                        variant,
                        partial(function, **form),
                        partial(module, **form),
                        (small, large),
                        () if variant.noise == "structured" else shared,
                        _refused(variant),
                    )
                )
    return found


MEMBERS = tuple(_members())
DROPPING = tuple(member for member in MEMBERS if member.drops)
#: Those that can multiply instead of selecting, ``exact_zeros=False``.
CHOOSING = tuple(member for member in MEMBERS if hasattr(member.module(0.5), "exact_zeros"))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def elements(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    """Numbers of both signs, none of them 0, so that a 0 in an output was put there."""
    draws = torch.rand(shape, generator=seeded(seed))
    return torch.where(draws < 0.5, draws - 1, draws + 0.5).to(dtype)


def deviation(count: int | Tensor, draws: int, probability: float) -> float:
    """How many standard deviations a binomial count is from its mean."""
    return (float(count) - draws * probability) / math.sqrt(draws * probability * (1 - probability))
