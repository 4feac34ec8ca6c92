"""Time several ways of doing one thing in one run: by turns, and by the processor's clock.

What other programs do to the caches meets all contenders alike, and the time for which they have the processor does not
count: it is the processor time of this thread, in which torch works with one thread, derivatives included.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds that each contender gets, and the fewest and most turns.
_BUDGET = 0.6
_TURNS = (7, 201)
#: A turn goes on this long, in seconds, so that it meets the state that it leaves and not what others left.
_SHORTEST = 4e-3


@dataclass(frozen=True)
class Timing:
    """Median seconds of one call, and how many times longer the other contenders took, turn by turn (the median)."""

    seconds: dict[str, float]
    ratios: dict[str, float]


def compare(contenders: dict[str, Callable[[], object]]) -> Timing:
    """Time ``contenders`` by turns; the first is the one that the others' ratios refer to."""
    repeats = {}
    slowest = 0.0
    for name, call in contenders.items():
        call()
        duration = _duration(call, 3)
        repeats[name] = max(1, round(_SHORTEST / duration))
        slowest = max(slowest, duration * repeats[name])
    turns = min(max(_TURNS[0], int(_BUDGET / slowest)), _TURNS[1])
    durations: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, call in contenders.items():
            durations[name].append(_duration(call, repeats[name]))
    ours, *others = contenders
    ratios = {
        name: statistics.median(theirs / mine for theirs, mine in zip(durations[name], durations[ours], strict=True))
        for name in others
    }
    return Timing({name: statistics.median(values) for name, values in durations.items()}, ratios)


def _duration(call: Callable[[], object], repeats: int) -> float:
    start = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - start) / repeats
