"""The variants as objects: what each says, against words and shapes written down by hand; and who answers with one."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch
from family_members import MEMBERS, Member, seeded
from torch import Tensor

from dropout_lab import functional, nn
from dropout_lab.functional import VARIANTS, Variant
from dropout_lab.functional.selection import select

N, C, T, D, H, W, S = 2, 3, 5, 7, 11, 13, 17
#: The shape of what is multiplied, the options, and the shape of the mask.
RULES = [
    ("dropout", (N, C, H, W), {}, (N, C, H, W)),
    ("dropout", (), {}, ()),
    ("gaussian_dropout", (N, D), {}, (N, D)),
    ("spatial_dropout", (N, C, H), {}, (N, C, 1)),
    ("spatial_dropout", (N, C, H, W), {}, (N, C, 1, 1)),
    ("spatial_dropout", (C, H, W), {"batched": False}, (C, 1, 1)),
    ("drop_block", (N, C, H, W), {"block_size": 3}, (N, C, H - 2, W - 2)),
    ("drop_block", (C, H, W), {"block_size": 3, "batched": False}, (C, H - 2, W - 2)),
    ("variational_dropout", (N, T, D), {}, (N, 1, D)),
    ("variational_dropout", (T, N, D), {"time_dim": 0}, (1, N, D)),
    ("variational_dropout", (N, D, T), {"time_dim": -1}, (N, D, 1)),
    ("drop_path", (N, C, H, W), {}, (N, 1, 1, 1)),
    ("drop_path", (C, H, W), {"batched": False}, (1, 1, 1)),
    ("token_dropout", (N, T, D), {}, (N, T, 1)),
    ("token_dropout", (T, D), {"batched": False}, (T, 1)),
    ("attention_dropout", (N, H, T, S), {}, (N, H, T, S)),
    ("attention_dropout", (N, H, T, S), {"share_heads": True}, (N, 1, T, S)),
    ("attention_dropout", (H, T, S), {"share_heads": True, "batched": False}, (1, T, S)),
    ("drop_connect", (4, 6), {"examples": N}, (N, 4, 6)),
    ("drop_connect", (4, 6), {}, (4, 6)),
    ("embedding_dropout", (S, D), {"examples": N}, (N, S, 1)),
    ("embedding_dropout", (S, D), {}, (S, 1)),
    ("layer_drop", (N, T, D), {}, (1, 1, 1)),
    ("recurrent_dropout", (T, N, D), {}, (1, N, D)),
    ("recurrent_dropout", (N, T, D), {"batch_first": True}, (N, 1, D)),
    ("learned_gaussian_dropout", (4, 6), {"examples": N}, (N, 4, 6)),
    ("concrete_dropout", (N, D), {}, (N, D)),
]


@pytest.mark.parametrize(("name", "shape", "options", "expected"), RULES, ids=lambda part: str(part))
def test_which_axes_share_a_draw(name: str, shape: tuple[int, ...], options: dict, expected: tuple[int, ...]) -> None:
    assert VARIANTS[name].mask_shape(shape, **options) == expected


def test_every_rule_is_written_down_here() -> None:
    assert {name for name, *_ in RULES} == VARIANTS.keys()


@pytest.mark.parametrize("member", [member for member in MEMBERS if member.drops], ids=str)
@pytest.mark.parametrize("size", (0, 1), ids=("small", "large"))
def test_the_function_draws_as_many_numbers_as_its_rule_says(
    member: Member, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is not only told: numbers are asked for in the shape that it gives, and no others."""
    asked = []
    for name in ("bernoulli", "exceeding"):
        drawn = getattr(functional.elements.noise, name)

        def draw(shape: tuple[int, ...], *args: object, drawn=drawn, **options: object) -> object:
            asked.append(tuple(shape))
            return drawn(shape, *args, **options)

        monkeypatch.setattr(functional.elements.noise, name, draw)
    x = torch.ones(member.shapes[size])
    member.call(x, 0.5, generator=seeded(1))
    own = {key: value for key, value in getattr(member.call, "keywords", {}).items() if key in member.variant.options}
    shape, options = (x.shape, own) if member.variant.multiplies != "weights" else ((len(x), 1), {"examples": 1})
    assert set(asked) == {tuple(member.variant.mask_shape(tuple(shape), **options))}


def test_a_variant_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        functional.VARIANTS["dropout"].noise = "Gaussian"
    hash(functional.VARIANTS["dropout"])


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_a_variant_names_what_exists(variant: Variant) -> None:
    """Its function, its modules, which answer with it, and its source in the bibliography."""
    assert hasattr(functional, variant.name) == variant.is_function
    for name in variant.modules:
        assert getattr(nn, name).variant is variant
    sources = Path(__file__).resolve().parent.parent / "chapters" / "references.bib"
    assert re.search(rf"@\w+\{{{variant.source},", sources.read_text(encoding="utf-8"))
    assert "0x" not in repr(variant), "an address in the text would differ from run to run"


def test_every_module_of_ours_answers_with_a_variant_of_the_registry() -> None:
    named = {name for variant in VARIANTS.values() for name in variant.modules}
    kinds = [thing for thing in vars(nn).values() if isinstance(thing, type) and issubclass(thing, nn.Member)]
    assert {kind.__name__ for kind in kinds} - {"Member", "OnWeights"} <= named
    assert {member.variant.name for member in MEMBERS} == {v.name for v in VARIANTS.values() if v.is_function}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (torch.nn.Dropout(0.5), "dropout"),
        (torch.nn.Dropout1d(0.5), "spatial_dropout"),
        (torch.nn.Dropout2d(0.5), "spatial_dropout"),
        (torch.nn.Dropout3d(0.5), "spatial_dropout"),
        (torch.nn.AlphaDropout(0.5), "alpha_dropout"),
        (torch.nn.FeatureAlphaDropout(0.5), "alpha_dropout"),
        (nn.VariationalLSTM(2, 2), "recurrent_dropout"),
        (nn.VariationalGRU(2, 2), "recurrent_dropout"),
        (nn.LearnedGaussianDropout(2, 2), "learned_gaussian_dropout"),
        (nn.ConcreteDropout(torch.nn.Linear(2, 2)), "concrete_dropout"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_layers_of_torch_and_layers_with_weights_answer_too(module: torch.nn.Module, name: str) -> None:
    assert nn.variant_of(module).name == name


def test_what_is_no_member_has_no_variant() -> None:
    class Other(torch.nn.Module):
        variant = "large"

    for module in (torch.nn.Linear(2, 2), torch.nn.Sequential(nn.Dropout()), Other()):
        assert nn.variant_of(module) is None
        with pytest.raises(TypeError, match="no mask that could be given"):
            nn.mask_shape(module, torch.ones(2, 2))


def test_a_subclass_that_does_not_say_what_its_noise_is_is_named() -> None:
    class Silent(nn.Member):
        function = staticmethod(functional.dropout)

    class Other(nn.SpatialDropout):
        def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
            return super().forward(x, generator=generator)

    class Torch(torch.nn.Dropout2d):
        def forward(self, x: Tensor) -> Tensor:
            return x

    class Mixed:
        def forward(self, x: Tensor) -> Tensor:
            return x

    class Both(Mixed, nn.Dropout):
        pass

    patched = nn.Dropout()
    patched.forward = lambda x: x
    for module, reason in (
        (Silent(keep_prob=0.5), "Silent gives no variant"),
        (Other(), "Other has a forward of its own, and not that of SpatialDropout"),
        (Torch(), "Torch has a forward of its own, and not that of Dropout2d"),
        (Both(), "Both has a forward of its own"),
        (patched, "Dropout has a forward of its own"),
    ):
        with pytest.raises(TypeError, match=reason):
            nn.variant_of(module)


def test_a_subclass_that_gives_its_variant_anew_is_believed() -> None:
    class Named(nn.SpatialDropout):
        variant = nn.SpatialDropout.variant

        def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
            return super().forward(x, generator=generator)

    assert nn.variant_of(Named()) is nn.SpatialDropout.variant
    assert nn.variant_of(type("Same", (nn.Dropout,), {})()) is nn.Dropout.variant


def test_a_member_of_ones_own_takes_one_definition() -> None:
    rows = Variant(
        name="row_dropout",
        multiplies="activations",
        shares="all columns of a row",
        mask_shape=lambda shape: (*shape[:3], 1),
        layouts=("N C H W",),
    )
    y = functional.masked(rows, torch.ones(20, 3, 4, 5), 0.5, generator=seeded(1))
    assert torch.equal(y, y[..., :1].expand_as(y)) and set(y.unique().tolist()) == {0.0, 2.0}
    with pytest.raises(ValueError, match=re.escape("row_dropout needs input of shape (N, C, H, W), got (3, 4)")):
        functional.masked(rows, torch.ones(3, 4))
    with pytest.raises(TypeError, match="row_dropout needs floating point input"):
        functional.masked(rows, torch.ones(1, 1, 1, 1, dtype=torch.int64))


@pytest.mark.parametrize(
    "shape", [(1, 64, 1), (1, 64, 600), (16, 1, 600), (16, 64, 1), (16, 1, 1), (1, 1, 600), (1, 1, 1)]
)
def test_large_inputs_take_masks_that_share_any_axes(shape):
    """Rows of 600 numbers are looked up as wholes where each has a draw of its own, and only there."""
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(16, 64, 600, generator=generator)
    kept = torch.randint(0, 2, shape, generator=generator, dtype=torch.int8)
    assert torch.equal(select(x, kept, 2.0), torch.where(kept.bool(), 2 * x, torch.zeros(())))


def test_which_masks_can_be_enumerated() -> None:
    """Lists of independent 0/1 draws on an input or on weights: none that overlap, are Gaussian or stand inside."""
    assert {name for name, variant in VARIANTS.items() if variant.enumerable} == {
        *("dropout", "spatial_dropout", "variational_dropout", "drop_path", "token_dropout", "attention_dropout"),
        *("drop_connect", "embedding_dropout"),
    }


def test_which_masks_are_lists_of_independent_draws() -> None:
    assert {name for name, variant in VARIANTS.items() if not variant.enumerable} == {
        "gaussian_dropout",
        "drop_block",
        "recurrent_dropout",
        "learned_gaussian_dropout",
        "concrete_dropout",
        "layer_drop",
        "alpha_dropout",
    } & VARIANTS.keys()


def test_which_variants_are_functions() -> None:
    functions = {name for name, variant in VARIANTS.items() if variant.is_function}
    assert functions == {name for name in VARIANTS if hasattr(functional, name)}
