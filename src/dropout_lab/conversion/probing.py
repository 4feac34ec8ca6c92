"""What a layer of another library does, found out by running it: the one of ours that does the same, or why none does.

A layer counts as a dropout layer by its class's name and by the number that it holds as its rate. Then a copy of it is
run. What it multiplies by has to be 0 or one value, with the frequency of its rate, constant along the axes on which a
layer of ours shares a draw and independent along the others, in ``eval()`` as in training. The bounds are 6.5 standard
deviations; the draws are always the same, so a model is always converted in the same way. Nothing here imports the
other library.
"""

from __future__ import annotations

import copy
import inspect
import math
import random
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dropout_lab import nn
from dropout_lab.arguments import complement
from dropout_lab.conversion.counterparts import ChannelDropout, Found, InPlaceDropout
from dropout_lab.functional.blocks import block_gamma, block_keep_probs

_NAME = re.compile(r"drop|stochastic_?depth", re.IGNORECASE)
#: The names under which layers hold the rate, and the keep probability.
RATES = (
    *("p", "drop_p", "p_drop", "dropout_p", "drop", "dropout", "prob", "probability", "drop_prob", "dropout_prob"),
    *("drop_probability", "dropout_probability", "rate", "drop_rate", "dropout_rate", "drop_path_rate"),
    *("drop_connect_rate", "ratio", "drop_ratio", "dropout_ratio"),
)
KEPT = ("keep", "keep_p", "p_keep", "keep_prob", "keep_rate", "survival_prob", "survival_rate", "retain_prob")

#: How often a layer is run, and what for: inputs of two, three and four axes.
_RUNS = 200
_SHAPES = ((24, 20), (24, 6, 10), (24, 6, 3, 4))
#: How many standard deviations a frequency may be off.
_BOUND = 6.5
#: Names of layers for sequences: one mask for the first axis is one for all steps there, and not one for the batch.
_SEQUENCE = re.compile(r"lock|variational|rnn|lstm|recurrent|sequence|time", re.IGNORECASE)
_TOKENS = re.compile(r"token|word|patch", re.IGNORECASE)


class _Different(Exception):
    """The layer does something that none of ours does: the message says what."""


class _Rate(NamedTuple):
    """The attribute that holds a layer's rate, and the keep probability that this means."""

    attribute: str
    is_keep_prob: bool
    value: float

    @property
    def keep_prob(self) -> float:
        return self.value if self.is_keep_prob else complement(self.value)


def is_named_so(layer: torch.nn.Module) -> bool:
    """Whether a layer calls itself one of dropout, and holds no other layers.

    >>> is_named_so(torch.nn.AlphaDropout()), is_named_so(torch.nn.ReLU())
    (True, False)
    """
    return bool(_NAME.search(type(layer).__name__)) and not list(layer.children())


def probed(layer: torch.nn.Module) -> Found:
    """The layer of ours that does what ``layer`` does when it is run, or why there is none.

    Random states are what they were before.

    >>> class DropPath(torch.nn.Module):
    ...     def __init__(self, drop_prob):
    ...         super().__init__()
    ...         self.drop_prob = drop_prob
    ...     def forward(self, x):
    ...         if not self.training:
    ...             return x
    ...         keep = 1 - self.drop_prob
    ...         return x * x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(keep) / keep
    >>> probed(DropPath(0.1)).layer
    DropPath(keep_prob=0.9, batched=True, rescale=True)
    """
    try:
        given = [kind.kind for kind in list(inspect.signature(type(layer).forward).parameters.values())[1:]]
        if len(given) != 1 or given[0] in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise _Different("its forward takes more than its input")
        if [*layer.parameters(), *layer.buffers()]:
            raise _Different("it holds weights or buffers")
        if any(isinstance(held, torch.Generator) for held in vars(layer).values()):
            raise _Different("it draws from a generator of its own")
        rate = _rate_of(layer)
        if not 0 <= rate.value <= 1:
            raise _Different(f"its {rate.attribute}={rate.value} is no probability")
        with _left_alone():
            return _recognized(layer, rate)
    except _Different as reason:
        return Found(None, str(reason))


def _rate_of(layer: torch.nn.Module) -> _Rate:
    found = [
        _Rate(name, name in KEPT, float(value))
        for name, value in vars(layer).items()
        if name in (*RATES, *KEPT) and isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if len(found) != 1:
        names = ", ".join(rate.attribute for rate in found)
        raise _Different(f"it has several numbers that could be its rate: {names}" if found else "it holds no rate")
    return found[0]


@contextmanager
def _left_alone() -> Iterator[None]:
    """Draw from seeded generators for a while: torch's, NumPy's and Python's."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        # On the CPU, whatever the default is: the generators of other devices stay as they are.
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
            # What torch says of inputs of two axes is for a user who has some.
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _recognized(layer: torch.nn.Module, rate: _Rate) -> Found:
    name = type(layer).__name__
    try:
        twin = copy.deepcopy(layer).train()
    except Exception as error:  # Whatever the layer holds.
        raise _Different(f"it cannot be copied: {error}") from None
    # A layer that keeps nearly all or nearly nothing hardly shows its mask, so it is run at another rate.
    own = rate
    if not 0.05 <= rate.value <= 0.95:
        setattr(twin, rate.attribute, 0.5)
        rate = _rate_of(twin)
    if re.search("block", name, re.IGNORECASE):
        return _block(twin, rate, own)
    runs = [found for shape in _SHAPES if (found := _run(twin, shape)) is not None]
    if not runs:
        raise _Different("it takes no tensor of two, three or four axes")
    if re.search("gauss", name, re.IGNORECASE):
        for run in runs:
            _check_gaussian(run, rate.keep_prob)
        if own.keep_prob == 0:
            raise _Different("Gaussian noise has no limit at a keep probability of 0")
        return Found(nn.GaussianDropout(own.keep_prob))
    return Found(_member(name, [_seen(run, rate.keep_prob) for run in runs], own.keep_prob))


class _Run(NamedTuple):
    """What a layer multiplied its input by, (runs, …), what it did in eval(), and whether it wrote into the input."""

    factors: Tensor
    in_eval: Tensor
    writes: bool


class _Seen(NamedTuple):
    """What a run shows: the number of axes of the input, those of them along which a draw is shared, the convention."""

    axes: int
    shared: tuple[int, ...]
    rescale: bool
    writes: bool


def _run(layer: torch.nn.Module, shape: tuple[int, ...]) -> _Run | None:
    """The layer's factors for inputs of ``shape``; None if it takes no such input."""
    x = torch.rand(shape, dtype=torch.float32) + 0.5
    factors, writes = [], False
    for run in range(_RUNS + 1):
        given = x.clone()
        layer.train(run < _RUNS)
        try:
            y = layer(given)
        except Exception:  # Whatever a layer says of an input that it does not take.
            return None
        if not isinstance(y, Tensor) or y.shape != x.shape or not y.is_floating_point():
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise _Different(f"it gives {got} for an input of shape {shape}")
        writes |= not torch.equal(given, x)
        factors.append(y / x)
    return _Run(torch.stack(factors[:-1]), factors[-1], writes)


def _check_eval(run: _Run) -> None:
    if not torch.allclose(run.in_eval, torch.ones_like(run.in_eval), rtol=1e-5):
        raise _Different("its eval() is not the identity")


def _seen(run: _Run, keep_prob: float) -> _Seen:
    """What a run shows. Raises _Different if it is not what a mask does, or its draws are not independent."""
    kept = run.factors != 0
    values = run.factors[kept]
    if len(values) and not torch.allclose(values, values[0], rtol=1e-4):
        raise _Different("it multiplies by other values than 0 and a single one")
    scale = float(values[0]) if len(values) else 1.0
    rescale = math.isclose(scale, 1 / keep_prob, rel_tol=1e-4)
    if rescale:
        _check_eval(run)
    elif not math.isclose(scale, 1, rel_tol=1e-4):
        raise _Different(f"it multiplies what it keeps by {scale:.4g}, which is not 1/{keep_prob}")
    elif not torch.allclose(run.in_eval, torch.full_like(run.in_eval, keep_prob), rtol=1e-5):
        raise _Different(
            f"what it keeps is not divided by the keep probability {keep_prob}, and its eval() does not multiply by it"
        )
    shared = tuple(axis for axis in range(kept.dim()) if torch.equal(kept, kept.narrow(axis, 0, 1).expand_as(kept)))
    if 0 in shared:
        raise _Different("it draws the same mask each time")
    for axis in shared:
        kept = kept.narrow(axis, 0, 1)
    _check_independent(kept.double(), keep_prob)
    return _Seen(run.factors.dim() - 1, tuple(axis - 1 for axis in shared), rescale, run.writes)


def _check_independent(kept: Tensor, mean: float) -> None:
    """Raise _Different unless the draws (runs, …) look like independent ones with keep probability ``mean``."""
    deviation = math.sqrt(mean * (1 - mean) / kept.numel())
    if abs(kept.mean() - mean) > _BOUND * deviation:
        raise _Different(f"it keeps {kept.mean():.3g} of its draws, and its rate says {mean:.3g}")
    for axis in (axis for axis in range(kept.dim()) if kept.shape[axis] > 1):
        both = kept.narrow(axis, 1, kept.shape[axis] - 1) * kept.narrow(axis, 0, kept.shape[axis] - 1)
        # Neighboring products share a draw, so their mean varies up to three times as much as of independent ones.
        if abs(both.mean() - mean**2) > _BOUND * math.sqrt(3 * mean**2 * (1 - mean**2) / both.numel()):
            raise _Different("its draws depend on one another")
    totals = kept.flatten(1).sum(1)
    ratio = float(totals.var() / (mean * (1 - mean) * kept[0].numel()))
    if abs(ratio - 1) > _BOUND * math.sqrt(2 / len(kept)):
        raise _Different("its draws depend on one another: how many are kept varies too little or too much")


def _check_gaussian(run: _Run, keep_prob: float) -> None:
    _check_eval(run)
    noise = ((run.factors - 1) / math.sqrt((1 - keep_prob) / keep_prob)).double()
    count = noise.numel()
    # The first four moments of the normal distribution, with the variances of their estimates.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        if abs(noise.pow(power).mean() - moment) > _BOUND * math.sqrt(variance / count):
            raise _Different(f"its factors are not normal with mean 1 and variance (1 - p)/p for p = {keep_prob}")
    for axis in range(noise.dim()):
        both = noise.narrow(axis, 1, noise.shape[axis] - 1) * noise.narrow(axis, 0, noise.shape[axis] - 1)
        if abs(both.mean()) > _BOUND / math.sqrt(both.numel()):
            raise _Different("its draws depend on one another")


def _member(name: str, seen: list[_Seen], keep_prob: float) -> torch.nn.Module:
    """The layer of ours that shares its draws along the axes that were seen, whatever the number of axes."""

    def fits(shared: Callable[[int], Sequence[int]], least: int = 2) -> bool:
        own = [one for one in seen if one.axes >= least]
        return bool(own) and all(tuple(shared(one.axes)) == one.shared for one in own)

    rescale, writes = all(one.rescale for one in seen), any(one.writes for one in seen)
    channels = fits(lambda axes: range(2, axes), least=3)
    if fits(lambda axes: ()):
        return (InPlaceDropout if writes else nn.Dropout)(keep_prob, rescale=rescale)
    if channels and writes and rescale:
        return ChannelDropout(keep_prob, dims=2, inplace=True)
    if writes:
        raise _Different("it writes into its input")
    if fits(lambda axes: range(1, axes)):
        return nn.DropPath(keep_prob, rescale=rescale)
    if fits(lambda axes: range(axes)):
        return nn.DropPath(keep_prob, batched=False, rescale=rescale)
    if channels:
        tokens = _TOKENS.search(name) and all(one.axes < 4 for one in seen)
        return (nn.TokenDropout if tokens else nn.SpatialDropout)(keep_prob, rescale=rescale)
    if fits(lambda axes: (1,)):
        return nn.VariationalDropout(keep_prob, time_dim=1, rescale=rescale)
    if fits(lambda axes: (0,)):
        if _SEQUENCE.search(name):
            return nn.VariationalDropout(keep_prob, time_dim=0, rescale=rescale)
        raise _Different("it draws one mask for the whole batch")
    raise _Different("no layer of this package shares its draws along the same axes")


def _block(layer: torch.nn.Module, rate: _Rate, own: _Rate) -> Found:
    size = getattr(layer, "block_size", None)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise _Different("it holds no block_size")
    for sizes in ((max(size + 3, 8),) * 2, (size + 2,) * 3):
        run = _run(layer, (2, 3, *sizes))
        if run is None:
            continue
        _check_eval(run)
        if run.writes:
            raise _Different("it writes into its input")
        kept = run.factors != 0
        _check_blocks(kept, size)
        for scale, mask in zip(run.factors.flatten(1), kept.flatten(1), strict=True):
            if mask.any() and not torch.allclose(scale[mask], scale[mask][0]):
                raise _Different("it multiplies what it keeps by several values")
        for rule in ("published", "exact"):
            expected = block_keep_probs(sizes, size, block_gamma(sizes, rate.keep_prob, size, rule=rule))
            deviation = (expected * (1 - expected) / math.prod(kept.shape[:3])).sqrt()
            if ((kept.double().mean((0, 1, 2)) - expected).abs() <= _BOUND * deviation).all():
                return Found(
                    nn.DropBlock(own.keep_prob, size, gamma=rule),
                    "the same blocks; what is kept is divided by the keep probability of its position, and not by the "
                    "part of the batch that was kept",
                )
        raise _Different("it keeps the positions of a map with other probabilities")
    raise _Different("it takes neither (N, C, H, W) nor (N, C, D, H, W)")


def _check_blocks(kept: Tensor, size: int) -> None:
    """Raise _Different unless what is dropped is, in each channel by itself, covered by whole blocks within the map."""
    for axis, what in ((0, "each time"), (1, "for the whole batch"), (2, "for all channels")):
        if torch.equal(kept, kept.narrow(axis, 0, 1).expand_as(kept)):
            raise _Different(f"it draws the same blocks {what}")
    dims = kept.dim() - 3
    pool = {2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}[dims]
    flat = kept.float().flatten(0, 2).unsqueeze(1)
    # A place is a block's corner where nothing of the block is kept; what such blocks cover has to be all.
    corners = 1 - pool(flat, size, stride=1)
    covered = pool(torch.nn.functional.pad(corners, (size - 1,) * 2 * dims), size, stride=1)
    if not torch.equal(covered, 1 - flat):
        raise _Different("what it drops is not made of whole blocks: they reach over the border of the map")
