"""Faces that other packages give an object in a notebook, by entry points. This one itself knows text and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points

#: The group of the entry points: ``html`` makes HTML from a settled claim, ``chain`` from a derivation, and ``glue``
#: makes the formula of a settled claim available to the prose.
GROUP = "dropout_lab.faces"


@cache
def faces() -> Mapping[str, Callable[..., object]]:
    """What is registered under :data:`GROUP`, but for what an extra that was not installed would need."""
    found: dict[str, Callable[..., object]] = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = point.load()
        except ImportError:
            continue
    return found
