"""Quadrature for integrands with kinks and jumps anywhere: the range is cut where the integrand is not smooth."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath

#: Places of a first look at the integrand, and halvings that narrow down a kink or a jump.
_LOOKS = 64
_HALVINGS = 170
#: Digits asked of an integral in floating point: it is compared with another to six.
_FLOAT_DIGITS = 12
#: How often a piece is looked at from nearer.
_DEPTH = 6


def quadrature(
    integrand: Callable[[Any], Any], low: Any, high: Any, *, precise: bool = True, known: list[Any] | None = None
) -> Any:
    """∫ integrand over (low, high), by tanh-sinh quadrature on pieces between the kinks and jumps that were found.

    Ends may be infinite. Where quadrature is not sure of its result, a kink or a jump is looked for: a place where the
    integrand differs from the parabola through its neighbors, narrowed down by halving. Pieces that are still not sure
    are looked at from nearer. ``known`` are places found before, to be tried first; places found are added to it.

    >>> print(mpmath.nstr(quadrature(lambda x: abs(x - 1), mpmath.mpf(0), mpmath.mpf(3)), 12))
    2.5
    """
    if low == high:
        return mpmath.mpf(0)
    if low > high:
        return -quadrature(integrand, high, low, precise=precise, known=known)
    if not precise:
        # An integrand in floating point has no more digits to give, however often it is asked.
        with mpmath.workdps(_FLOAT_DIGITS):
            return mpmath.quad(integrand, [low, high], maxdegree=6)
    places = [] if known is None else known
    return _pieces(integrand, [low, *sorted(place for place in places if low < place < high), high], places, _DEPTH)


def _pieces(integrand: Callable[[Any], Any], ends: list[Any], places: list[Any], depth: int) -> Any:
    total = mpmath.mpf(0)
    for start, stop in pairwise(ends):
        value, error = mpmath.quad(integrand, [start, stop], error=True)
        if depth and error > mpmath.mpf(10) ** (-mpmath.mp.dps * 2 // 3) * max(1, abs(value)):
            cuts = _cuts(integrand, start, stop)
            places.extend(cuts)
            if not cuts and not (mpmath.isinf(start) or mpmath.isinf(stop)):
                cuts = [(start + stop) / 2]
            if cuts:
                value = _pieces(integrand, [start, *cuts, stop], places, depth - 1)
        total += value
    return total


def _cuts(integrand: Callable[[Any], Any], low: Any, high: Any) -> list[Any]:
    if mpmath.isinf(low) or mpmath.isinf(high):
        left, right = (mpmath.mpf(-40) if mpmath.isinf(low) else low), (mpmath.mpf(40) if mpmath.isinf(high) else high)
    else:
        left, right = low, high
    # Off the round numbers, where kinks like to lie.
    width = (right - left) / _LOOKS
    grid = [left + width * (mpmath.mpf(step) + mpmath.mpf("0.4142135623730951")) for step in range(_LOOKS)]
    try:
        values = [integrand(x) for x in grid]
    except (ZeroDivisionError, ValueError, OverflowError):
        return []
    suspects = []
    scale = max((abs(value) for value in values), default=0) or 1
    for place in range(1, _LOOKS - 2):
        before, own, after, beyond = values[place - 1 : place + 3]
        if abs(before - 3 * own + 3 * after - beyond) > scale * mpmath.mpf("1e-6"):
            suspects.append((grid[place], grid[place + 1]))
    found: list[Any] = []
    for start, stop in suspects:
        cut = _narrowed(integrand, start, stop)
        if cut is not None and left < cut < right and all(abs(cut - other) > width / 1000 for other in found):
            found.append(cut)
    return sorted(found)


def _narrowed(integrand: Callable[[Any], Any], start: Any, stop: Any) -> Any | None:
    """The place of a kink or a jump between two points, if the roughness stays as the stretch shrinks."""
    first = None
    for step in range(_HALVINGS):
        middle = (start + stop) / 2
        roughness = [_roughness(integrand, start, middle), _roughness(integrand, middle, stop)]
        worse = 0 if roughness[0] >= roughness[1] else 1
        if first is None:
            first = (roughness[worse], stop - start)
        # Of a smooth function the third difference shrinks by 8 with each halving, at a kink by 2, at a jump not.
        if step == 12 and (roughness[worse] == 0 or roughness[worse] < first[0] / mpmath.mpf(4) ** 10):
            return None
        if roughness[worse] == 0:
            break
        start, stop = (start, middle) if worse == 0 else (middle, stop)
    return (start + stop) / 2


def _roughness(integrand: Callable[[Any], Any], start: Any, stop: Any) -> Any:
    width = (stop - start) / 3
    points = [start, start + width, stop - width, stop]
    values = [integrand(x) for x in points]
    return abs(values[0] - 3 * values[1] + 3 * values[2] - values[3])
