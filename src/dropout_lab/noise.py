"""Random 0/1 masks and Gaussian noise, from which every member of the family is made.

The functions take a shape, a keep probability and the source of the draws, and do not know what the noise is for. From
a torch generator, numbers are drawn in the logical order of the shape, one after the other. The same generator state
then gives the same mask for any number of threads and for any memory layout of what is masked. A :class:`Stream`
computes each number from its place.

These arguments mean the same in every function here:

- ``shape``: the shape of the tensor that is drawn.
- ``generator``: the source of the draws, a ``torch.Generator``, a :class:`Stream` or :class:`Draws`; None stands for
  torch's global generator.
- ``device``: the device of the tensor that is drawn, by default torch's default device.
- ``dtype``: the floating point type of the tensor that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import Generator, Tensor

from dropout_lab.streams import LEVELS, Draws, Source, Stream, is_free, is_plain, mode_of

__all__ = [
    "Draws",
    "Stream",
    "bernoulli",
    "check_keep_prob",
    "check_source",
    "exceeding",
    "gaussian",
    "is_free",
    "is_plain",
    "level",
    "mode_of",
    "normal",
    "placed",
    "uniform",
]

#: From this many draws on, masks are made from bits: below, the calls cost more than the numbers.
MANY = 1 << 15
#: How many digits of the keep probability are compared for every draw; one draw in 2¹² needs the others too.
_DIGITS = 12


def check_keep_prob(value: float, name: str = "keep_prob") -> float:
    """Return ``value`` as a float after checking that it is a keep probability.

    Args:
        value: the number to check; NumPy's numbers are accepted.
        name: the argument that an error names.

    Raises TypeError for what is no number (a bool is none), and ValueError for a number outside [0, 1] and for NaN.

    >>> check_keep_prob(1)
    1.0
    >>> check_keep_prob(1.5)
    Traceback (most recent call last):
    ValueError: keep_prob must lie between 0 and 1, got 1.5
    """
    # The usual type first: to ask for the others costs a small input as much as a call of torch.
    if not isinstance(value, float) and (isinstance(value, bool) or not isinstance(value, Real)):
        raise TypeError(f"{name} must be a number between 0 and 1, got {type(value).__name__}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    return float(value)


def bernoulli(
    shape: Sequence[int],
    keep_prob: float,
    *,
    generator: Source | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independent 0/1 numbers, each of which is 1 with probability ``keep_prob``.

    On the CPU, from 2¹⁵ draws on, the probability is ``keep_prob`` to within 2⁻⁶⁴. For fewer draws, on other devices
    and under ``torch.compile`` and ``vmap`` it is ``keep_prob`` rounded to 24 binary digits, and from a stream to 32
    digits. At keep probabilities of 0 and 1 nothing is drawn.

    Args:
        keep_prob: the probability of a 1, between 0 and 1.

    Returns:
        A contiguous tensor of ``shape`` and ``dtype``.

    Raises what :func:`check_keep_prob` raises.

    >>> bernoulli((2, 5), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([[0., 1., 0., 0., 0.],
            [1., 0., 1., 0., 1.]])
    """
    keep_prob = check_keep_prob(keep_prob)
    if keep_prob in (0, 1):
        return torch.full(shape, bool(keep_prob), dtype=dtype, device=device)
    if isinstance(generator, (Stream, Draws)):
        return _draws(generator).below(shape, round(keep_prob * LEVELS), device).to(dtype)
    if _prefers_bits(shape, device):
        return _from_bits(shape, keep_prob, generator, dtype)
    values, level = exceeding(shape, keep_prob, generator=generator, device=device)
    return (values > level).to(dtype)


def exceeding(
    shape: Sequence[int],
    keep_prob: float,
    *,
    generator: Source | None = None,
    device: torch.device | str | None = None,
) -> tuple[Tensor, float]:
    """Draw a mask in its cheapest form: float32 numbers, and a level that the kept ones exceed.

    The mask is the one that :func:`bernoulli` makes from the same generator state.

    Args:
        keep_prob: the probability of keeping, which must have been checked (:func:`check_keep_prob`).

    Returns:
        The numbers, of ``shape``, and the level; True in ``numbers > level`` stands for kept.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> values, level = exceeding((2, 5), 0.5, generator=seeded)
    >>> mask = bernoulli((2, 5), 0.5, generator=torch.Generator().manual_seed(0))
    >>> torch.equal(values > level, mask == 1)
    True
    """
    if not 0 < keep_prob < 1 or isinstance(generator, (Stream, Draws)) or _prefers_bits(shape, device):
        return bernoulli(shape, keep_prob, generator=generator, device=device), 0.5
    # Spelled out, the extents of a shape are read faster than as one torch.Size; one without axes has to stay whole.
    extents: Sequence[Any] = shape if len(shape) else ((),)
    return torch.rand(*extents, device=device, dtype=torch.float32, **_source(generator)), level(keep_prob)


def level(keep_prob: float) -> float:
    """Return the level that a number of ``torch.rand`` exceeds with probability ``keep_prob``.

    The probability is rounded to 24 binary digits, because ``torch.rand`` gives the multiples of 2⁻²⁴ below 1, each as
    often as another, in float32.

    Args:
        keep_prob: the probability of exceeding the level, which must have been checked (:func:`check_keep_prob`).

    >>> 0.75 > level(0.25), 0.75 - 2**-24 > level(0.25)
    (True, False)
    """
    return 1 - (round(keep_prob * 2**24) + 1) / 2**24


def gaussian(
    shape: Sequence[int],
    keep_prob: float,
    *,
    generator: Source | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independent numbers from the normal distribution with mean 1 and variance (1 − p)/p.

    With p = ``keep_prob`` these are the mean and the variance of r/p, where r is a Bernoulli mask with keep probability
    p. The numbers are drawn in float32, or in the precision of ``dtype`` if that is finer.

    Args:
        keep_prob: the probability p that sets the variance, above 0 and at most 1.

    Returns:
        A tensor of ``shape`` and ``dtype``.

    Raises what :func:`check_keep_prob` raises, and ValueError at 0, where the variance would be infinite. Source:
    Srivastava et al. 2014, section 10.

    >>> draws = gaussian((100_000,), 0.8, generator=torch.Generator().manual_seed(0))
    >>> round(draws.mean().item(), 2), round(draws.var().item(), 2)
    (1.0, 0.25)
    """
    keep_prob = check_keep_prob(keep_prob)
    if keep_prob == 0:
        raise ValueError("Gaussian noise has variance (1 - keep_prob) / keep_prob: keep_prob must be above 0, got 0")
    wide = torch.promote_types(dtype, torch.float32)
    deviation = math.sqrt((1 - keep_prob) / keep_prob)
    if isinstance(generator, (Stream, Draws)):
        return (1 + deviation * normal(shape, generator=generator, device=device, dtype=wide)).to(dtype)
    return torch.normal(1.0, deviation, tuple(shape), device=device, dtype=wide, **_source(generator)).to(dtype)


def normal(
    shape: Sequence[int],
    *,
    generator: Source | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independent numbers from the standard normal distribution.

    A stream gives the quantiles of its levels, which lie within ±6.4.

    Returns:
        A tensor of ``shape`` and ``dtype``.

    >>> normal((2,), generator=torch.Generator().manual_seed(0))
    tensor([ 1.5410, -0.2934])
    """
    if isinstance(generator, (Stream, Draws)):
        levels = _draws(generator).levels(shape, device).to(torch.float64)
        return torch.special.ndtri((levels + 0.5) / LEVELS).to(dtype)
    return torch.randn(tuple(shape), device=device, dtype=dtype, **_source(generator))


def uniform(
    shape: Sequence[int],
    *,
    generator: Source | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independent numbers from the uniform distribution on [0, 1).

    A stream gives multiples of 2⁻²⁴, as torch's own generators do in float32.

    Returns:
        A tensor of ``shape`` and ``dtype``.

    >>> uniform((2,), generator=torch.Generator().manual_seed(0))
    tensor([0.4963, 0.7682])
    """
    if isinstance(generator, (Stream, Draws)):
        return (_draws(generator).levels(shape, device) >> 8).to(dtype) / 2**24
    return torch.rand(tuple(shape), device=device, dtype=dtype, **_source(generator))


def placed(source: Source | None, axis: int | None, place: int = 0) -> Source | None:
    """Return a source of draws that knows along which axis the examples lie.

    A generator is returned as it is. A stream gives its :class:`Draws` for one of the purposes of a layer.

    Args:
        source: the source of the draws, or None.
        axis: the axis of the examples in the shape that is drawn; None where one draw serves all of them.
        place: the purpose of the draws, counted from the one that ``source`` already has.

    >>> placed(Stream(0), 1).axis
    1
    """
    if isinstance(source, (Stream, Draws)):
        draws = _draws(source)
        return replace(draws, axis=axis, place=draws.place + place)
    if source is not None:
        check_source(source)
    return source


def check_source(source: object) -> None:
    """Raise TypeError unless ``source`` is something that can be drawn from.

    Args:
        source: a ``torch.Generator``, a :class:`Stream` or :class:`Draws`, or None.

    >>> check_source(0)
    Traceback (most recent call last):
    TypeError: generator must be a torch.Generator or a noise.Stream, got int
    """
    if not isinstance(source, (Generator, Stream, Draws)):
        raise TypeError(f"generator must be a torch.Generator or a noise.Stream, got {type(source).__name__}")


def _draws(source: Stream | Draws) -> Draws:
    """What a stream gives at its present step."""
    return source.at() if isinstance(source, Stream) else source


def _prefers_bits(shape: Sequence[int], device: torch.device | str | None) -> bool:
    # While compiling, a size must not be looked at: it may be a symbol.
    if not is_plain() or math.prod(shape) < MANY or not is_free():
        return False
    return (torch.get_default_device() if device is None else torch.device(device)).type == "cpu"


def _source(generator: Generator | None) -> dict[str, Any]:
    """``generator`` as a keyword, left out if there is none: torch.compile cannot trace ``generator=None``."""
    if generator is None:
        return {}
    check_source(generator)
    return {"generator": generator}


def _from_bits(shape: Sequence[int], keep_prob: float, generator: Generator | None, dtype: torch.dtype) -> Tensor:
    """A mask on the CPU, from 64 draws to a word."""
    numerator, denominator = keep_prob.as_integer_ratio()
    digits = f"{numerator:0{denominator.bit_length() - 1}b}"
    count = math.prod(shape)
    packed = _words(-(-count // 64), digits, generator).view(torch.int8)
    # Draw j of a byte goes to the j-th eighth of the mask: each shift then runs over a stretch of memory.
    shifts = torch.arange(8, dtype=torch.int8, device="cpu").unsqueeze(1)
    bits = torch.bitwise_right_shift(packed, shifts).bitwise_and_(1)
    return bits.view(-1)[:count].view(shape).to(dtype)


def _words(size: int, digits: str, generator: Generator | None) -> Tensor:
    """``size`` words of 64 independent bits each, which are 1 with the probability 0.d₁d₂d₃… (binary ``digits``).

    A uniform number u = 0.u₁u₂u₃… is below 0.d₁d₂d₃… where the first digit that differs says so. From the last digit
    to the first, with row i holding the bits uᵢ negated: a digit 1 keeps where the bit is set *or* the rest decided so,
    a digit 0 where it is set *and* the rest did. ``_DIGITS`` rows decide most words, whatever the rest says; for the
    few others the rest is drawn as numbers. So the probability is met to 2⁻⁶⁴, at hardly more than ``_DIGITS`` random
    bits a draw.
    """
    head, tail = digits[:_DIGITS], digits[_DIGITS:]
    # Without bounds, random_ would leave the sign bit at 0.
    rows = torch.empty((len(head), size), dtype=torch.int64, device="cpu").random_(-(2**63), None, generator=generator)
    # What is decided if the rest decides to drop, and if it decides to keep.
    decided = torch.zeros((2, size), dtype=torch.int64, device="cpu")
    decided[1] = -1
    for digit, row in zip(reversed(head), reversed(rows.unbind()), strict=True):
        decided = decided.bitwise_or_(row) if digit == "1" else decided.bitwise_and_(row)
    least, most = decided
    places = (least ^ most).nonzero().squeeze(1) if tail else ()
    if len(places):
        draws = torch.rand((len(places), 64), dtype=torch.float64, device="cpu", generator=generator)
        rest = (draws < int(tail, 2) / 2 ** len(tail)).to(torch.int64) << torch.arange(64, device="cpu")
        least[places] |= most[places] & rest.sum(1)
    return least
