"""What holds the family together: each member multiplies by random noise, and differs from the others in four choices.

The choices are what is multiplied, which axes share a draw, how the noise is distributed, and what is done at test
time. A :class:`Variant` states these choices once. The functions and the modules are written from it, and the test-time
rules, the exact ensembles, the experiments' stacks, the tests, the benchmark and the tables ask it.

>>> SPATIAL_DROPOUT.mask_shape((32, 64, 14, 14))
(32, 64, 1, 1)
>>> SPATIAL_DROPOUT.mask_shape((64, 14, 14), batched=False)
(64, 1, 1)
>>> [variant.name for variant in VARIANTS.values() if variant.noise == "Gaussian"]
['gaussian_dropout', 'learned_gaussian_dropout']
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from dropout_lab.arguments import flag
from dropout_lab.noise import Source, placed

#: The shape of one draw of the noise. An axis of extent 1 shares a draw.
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Variant:
    """A member of the family: the four choices that tell it from the others, and what follows from them.

    ``mask_shape(shape, **options)`` is the rule of the second choice. It takes the shape of what is multiplied, with
    the axis N of the samples unless ``batched=False``, and those of the member's own options that matter (``options``
    names them). It gives the shape of the mask, which broadcasts against ``shape``: along an axis of extent 1 all
    elements share a draw. Two rules differ: that of DropBlock gives the shape of the seeds that its squares grow from,
    and that of a member whose noise stands on weights takes the shape of the weights.

    >>> rows = Variant(
    ...     name="row_dropout",
    ...     multiplies="activations",
    ...     shares="all columns of a row",
    ...     mask_shape=lambda shape: (*shape[:3], 1),
    ...     layouts=("N C H W",),
    ... )
    >>> rows.mask_shape((2, 3, 8, 8)), rows.expected()
    ((2, 3, 8, 1), '(N, C, H, W)')
    """

    #: The name of the member, and of its function in :mod:`dropout_lab.functional` if it has one.
    name: str
    #: The first choice: what the noise multiplies.
    multiplies: Literal["activations", "weights", "a residual branch", "inputs and state", "a whole layer"]
    #: The second choice in words: what shares a draw.
    shares: str
    #: The second choice as a rule: the shape of the mask, from the shape of what is multiplied.
    mask_shape: Callable[..., Shape] = field(repr=False)
    #: The third choice: how the noise is distributed. "structured" says that draws overlap.
    noise: Literal["Bernoulli", "relaxed Bernoulli", "Gaussian", "structured", "affine"] = "Bernoulli"
    #: The fourth choice: what is done at test time, in the convention in which the noise has mean 1.
    test_time: str = "off"
    #: The mean of the noise before any rescaling: p everywhere, 1 everywhere, or another at each position.
    noise_mean: Literal["p", "1", "by position"] = "p"
    #: Whether a mask consists of independent 0/1 draws on the module's input or weights, and can be enumerated.
    enumerable: bool = True
    #: Whether the member is a function of its input. The others are layers with weights or with learned rates.
    is_function: bool = True
    #: The classes of :mod:`dropout_lab.nn` that have this noise.
    modules: tuple[str, ...] = ()
    #: The axes of the inputs that the member takes, as "N C H W"; "…" stands for any number of further axes.
    layouts: tuple[str, ...] = ("…",)
    #: The key of the member's source in the bibliography.
    source: str = ""
    #: Settings of the member's own options that make other masks; tests and benchmarks try each of them.
    forms: tuple[Mapping[str, object], ...] = field(default=({},), compare=False)
    #: The options that ``mask_shape`` takes.
    options: tuple[str, ...] = field(init=False, compare=False)
    _least: int = field(init=False, repr=False, compare=False)
    _most: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        axes = [len(layout.replace("…", "").split()) for layout in self.layouts]
        is_open = any("…" in layout for layout in self.layouts)
        derived = {
            "options": tuple(inspect.signature(self.mask_shape).parameters)[1:],
            "_least": min(axes),
            "_most": sys.maxsize if is_open else max(axes),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def draws_from(
        self, given: Source | None, shape: Shape, *, batched: bool = True, time_dim: int | None = None, **others: object
    ) -> Source | None:
        """Return the source of a mask for ``shape``: a generator as it is, or a stream's numbers for the examples.

        Args:
            given: the source of the draws, or None.
            shape: the shape of what is multiplied.
            batched: whether ``shape`` has an axis of examples.
            time_dim: the axis of the time steps, if there is one; the examples lie along the first axis, or along the
                second one if time takes the first.
            others: further options of the member, which change nothing here.

        >>> from dropout_lab.noise import Stream
        >>> VARIATIONAL_DROPOUT.draws_from(Stream(0), (9, 2, 5), time_dim=0).axis
        1
        """
        after_time = time_dim is not None and time_dim % len(shape) == 0
        return placed(given, int(after_time) if batched else None)

    def check(self, x: Tensor, batched: bool = True) -> None:
        """Raise TypeError if ``x`` is no floating point tensor, and ValueError if it has none of the layouts.

        Args:
            x: the input of the member.
            batched: False for a single sample, without the axis N.
        """
        # Not by way of another method: a small input would notice.
        if not isinstance(x, Tensor) or not x.is_floating_point():
            self.check_type(x)
        if batched is not True:
            flag("batched", batched)
        if not self._least <= (x.dim() if batched else x.dim() + 1) <= self._most:
            raise ValueError(f"{self.name} needs input of shape {self.expected(batched)}, got {tuple(x.shape)}")

    def check_type(self, x: Tensor) -> None:
        """Raise TypeError if ``x``, an input or weights, is no floating point tensor."""
        if not isinstance(x, Tensor):
            raise TypeError(f"{self.name} needs a tensor, got {type(x).__name__}")
        if not x.is_floating_point():
            raise TypeError(f"{self.name} needs floating point input, got {x.dtype}")

    def expected(self, batched: bool = True) -> str:
        """Return the layouts in the words of an error message.

        Args:
            batched: False for the layouts of a single sample, without the axis N.

        >>> SPATIAL_DROPOUT.expected(batched=False)
        '(C, L), (C, H, W) or (C, D, H, W)'
        """
        layouts = self.layouts if batched else [layout.removeprefix("N ") for layout in self.layouts]
        *others, last = (f"({layout.replace(' ', ', ')})" for layout in layouts)
        return f"{', '.join(others)} or {last}" if others else last


def check_modes(training: bool, rescale: bool) -> None:
    """Raise TypeError for a mode that is neither True nor False. Who has the usual ones need not ask.

    >>> check_modes("no", True)
    Traceback (most recent call last):
    TypeError: training must be True or False, got 'no'
    """
    flag("training", training)
    flag("rescale", rescale)


def _each(shape: Shape) -> Shape:
    return shape


def _leading(shape: Shape, *, batched: bool = True) -> Shape:
    """One draw for each sample and each entry of the axis after N: a channel, a token."""
    own = 2 if batched else 1
    return tuple(shape)[:own] + (1,) * (len(shape) - own)


def _seeds(shape: Shape, *, block_size: int = 7, batched: bool = True) -> Shape:
    """One draw for each place where a block fits: its first corner."""
    own = 2 if batched else 1
    return (*shape[:own], *(size - block_size + 1 for size in shape[own:]))


def _features(shape: Shape, *, time_dim: int = 1) -> Shape:
    mask = list(shape)
    mask[time_dim] = 1
    return tuple(mask)


def _samples(shape: Shape, *, batched: bool = True) -> Shape:
    return (shape[0],) + (1,) * (len(shape) - 1) if batched else (1,) * len(shape)


def _links(shape: Shape, *, share_heads: bool = False, batched: bool = True) -> Shape:
    """One draw for each pair of a target and a source, by head or for all heads."""
    heads = 1 if batched else 0
    return (*shape[:heads], 1, *shape[heads + 1 :]) if share_heads else shape


def _weights(shape: Shape, *, examples: int | None = None) -> Shape:
    """One draw for each weight, for each of ``examples`` or once for all."""
    return shape if examples is None else (examples, *shape)


def _rows(shape: Shape, *, examples: int | None = None) -> Shape:
    """One draw for each row of a table, for each of ``examples`` or once for all."""
    own = (shape[0], *(1,) * (len(shape) - 1))
    return own if examples is None else (examples, *own)


def _one(shape: Shape) -> Shape:
    return (1,) * len(shape)


def _steps(shape: Shape, *, batch_first: bool = False) -> Shape:
    return (shape[0], 1, shape[2]) if batch_first else (1, *shape[1:])


DROPOUT = Variant(
    name="dropout",
    multiplies="activations",
    shares="nothing: each element by itself",
    mask_shape=_each,
    modules=("Dropout",),
    source="srivastava2014",
)
GAUSSIAN_DROPOUT = Variant(
    name="gaussian_dropout",
    multiplies="activations",
    shares="nothing: each element by itself",
    mask_shape=_each,
    noise="Gaussian",
    noise_mean="1",
    enumerable=False,
    modules=("GaussianDropout",),
    source="srivastava2014",
)
SPATIAL_DROPOUT = Variant(
    name="spatial_dropout",
    multiplies="activations",
    shares="all positions of a channel",
    mask_shape=_leading,
    modules=("SpatialDropout",),
    layouts=("N C L", "N C H W", "N C D H W"),
    source="tompson2015",
)
DROP_BLOCK = Variant(
    name="drop_block",
    multiplies="activations",
    shares="neighboring positions of a channel: blocks, which may overlap",
    mask_shape=_seeds,
    noise="structured",
    noise_mean="by position",
    enumerable=False,
    modules=("DropBlock",),
    layouts=("N C H W", "N C D H W"),
    source="ghiasi2018",
    forms=({"block_size": 3},),
)
VARIATIONAL_DROPOUT = Variant(
    name="variational_dropout",
    multiplies="activations",
    shares="all steps of a feature in a sequence",
    mask_shape=_features,
    modules=("VariationalDropout",),
    layouts=("N T", "N T D", "N T D …"),
    source="gal2016recurrent",
)
DROP_PATH = Variant(
    name="drop_path",
    multiplies="a residual branch",
    shares="all elements of a sample",
    mask_shape=_samples,
    modules=("DropPath",),
    layouts=("N …",),
    source="huang2016",
)
TOKEN_DROPOUT = Variant(
    name="token_dropout",
    multiplies="activations",
    shares="all features of a token",
    mask_shape=_leading,
    modules=("TokenDropout",),
    layouts=("N T D",),
    source="iyyer2015",
)
ATTENTION_DROPOUT = Variant(
    name="attention_dropout",
    multiplies="activations",
    shares="nothing: each attention probability by itself (or shared by all heads)",
    mask_shape=_links,
    modules=("AttentionDropout",),
    layouts=("N H T S",),
    source="lin2019",
    forms=({}, {"share_heads": True}),
)
DROP_CONNECT = Variant(
    name="drop_connect",
    multiplies="weights",
    shares="nothing: each weight by itself, for each example",
    mask_shape=_weights,
    test_time="off, or a matched Gaussian",
    modules=("DropConnect",),
    layouts=("N … inputs",),
    source="wan2013",
)
EMBEDDING_DROPOUT = Variant(
    name="embedding_dropout",
    multiplies="weights",
    shares="all features of a word, wherever it stands in a sequence",
    mask_shape=_rows,
    modules=("EmbeddingDropout",),
    layouts=("N T",),
    source="gal2016recurrent",
)
RECURRENT_DROPOUT = Variant(
    name="recurrent_dropout",
    multiplies="inputs and state",
    shares="all steps of a sequence (and all gates, where the masks are tied)",
    mask_shape=_steps,
    # The masks of the state stand inside the layer, where no mask on its input reaches.
    enumerable=False,
    is_function=False,
    modules=("VariationalLSTM", "VariationalGRU"),
    layouts=("T N D",),
    source="gal2016recurrent",
)
LEARNED_GAUSSIAN_DROPOUT = Variant(
    name="learned_gaussian_dropout",
    multiplies="weights",
    shares="nothing: each weight by itself, for each example",
    mask_shape=_weights,
    noise="Gaussian",
    noise_mean="1",
    enumerable=False,
    is_function=False,
    modules=("LearnedGaussianDropout",),
    source="kingma2015",
)
CONCRETE_DROPOUT = Variant(
    name="concrete_dropout",
    multiplies="activations",
    shares="nothing: each input unit by itself (all positions of a channel before a convolution)",
    mask_shape=_each,
    noise="relaxed Bernoulli",
    enumerable=False,
    is_function=False,
    modules=("ConcreteDropout",),
    source="gal2017",
)
LAYER_DROP = Variant(
    name="layer_drop",
    multiplies="a whole layer",
    shares="the whole batch (or all elements of a sample)",
    mask_shape=_one,
    # What is skipped is not made up for: the mean of a layer's part in the sum is p of it.
    test_time="off: all layers, or fewer of them",
    enumerable=False,
    is_function=False,
    modules=("LayerDrop",),
    layouts=("N …",),
    source="fan2020",
)
#: What torch has besides (Klambauer et al. 2017); not one of this package.
ALPHA_DROPOUT = Variant(
    name="alpha_dropout",
    multiplies="activations",
    shares="nothing, or all positions of a channel",
    mask_shape=_each,
    # What is dropped takes the value that keeps mean and variance, and not 0.
    noise="affine",
    noise_mean="1",
    enumerable=False,
    is_function=False,
)

#: Every member by name: first the functions (``is_function``), then the layers.
VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        DROPOUT,
        GAUSSIAN_DROPOUT,
        SPATIAL_DROPOUT,
        DROP_BLOCK,
        VARIATIONAL_DROPOUT,
        DROP_PATH,
        TOKEN_DROPOUT,
        ATTENTION_DROPOUT,
        DROP_CONNECT,
        EMBEDDING_DROPOUT,
        RECURRENT_DROPOUT,
        LEARNED_GAUSSIAN_DROPOUT,
        CONCRETE_DROPOUT,
        LAYER_DROP,
    )
}
