"""Figures that the reader moves: each shows numbers that the page's script computes, and the tests compare them.

A new one is a file here that defines an :class:`~dropout_lab.book.explorables.parts.Explorable`, a script of its id
in ``static/explorables``, and a line in the list below. One whose numbers a chapter measures is made from what a cell
hands over (:class:`dropout_lab.figures.Handed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dropout_lab.book.explorables import (
    conventions,
    depth,
    dropconnect,
    error_against_p,
    feature_map,
    penalty,
    preactivation,
    relu,
    thinned_network,
    tied_masks,
    two_means,
    variance_shift,
)
from dropout_lab.book.explorables.parts import Explorable

#: All of them, by the name with which a page asks for one.
EXPLORABLES: dict[str, Explorable] = {
    found.id: found
    for found in (
        thinned_network.EXPLORABLE,
        preactivation.EXPLORABLE,
        two_means.EXPLORABLE,
        penalty.EXPLORABLE,
        relu.EXPLORABLE,
        conventions.EXPLORABLE,
        dropconnect.EXPLORABLE,
        feature_map.EXPLORABLE,
        tied_masks.EXPLORABLE,
        variance_shift.EXPLORABLE,
        depth.EXPLORABLE,
    )
}

#: Those that take what a cell measured, by the name with which the cell hands it over.
MEASURED: dict[str, Callable[[Mapping[str, Any]], Explorable]] = {"error-against-p": error_against_p.explorable}
