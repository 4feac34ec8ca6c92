"""One style for every figure of the book, and the few drawings that chapters share.

A chapter calls :func:`style` once, draws with matplotlib as usual, and ends the cell with ``plt.show()``. Figures come
out as SVG, with the same bytes in every run. No figure has a title: its caption stands in the cell's metadata. Below
each stands its passport (:mod:`dropout_lab.passports`): the cells and recipes it rests on, and its numbers.
"""

from __future__ import annotations

from dropout_lab._extras import require

require(__name__)

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from dropout_lab.passports import watch

__all__ = [
    "DASHES",
    "FAINT",
    "INK",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "PAPER",
    "Compared",
    "Handed",
    "bars_of_masks",
    "difference",
    "every_seed",
    "interval",
    "mask_cells",
    "mean_and_interval",
    "style",
]

#: The color of text, axes, and marks that belong to no series.
INK = "#22262b"
#: The color of text and lines of second rank, such as a zero line.
MUTED = "#5d656e"
#: The color of grid lines, and of cells that were dropped.
FAINT = "#dde2e7"
#: The color of the light card that every figure stands on, in dark mode too.
PAPER = "#ffffff"
#: The colors of series: each at least 3:1 against the card, and each of another lightness, so that they differ in grey
#: too.
PALETTE = ("#006eb3", "#d97f00", "#43125f", "#20925c", "#9c2a5e", "#543c00")
#: The line styles in the order of the colors: the second sign by which series are told apart.
DASHES = ("-", (0, (6, 2)), (0, (2, 1.4)), (0, (7, 2, 1.5, 2)), (0, (10, 3)), (0, (4, 1.5, 1.5, 1.5, 1.5, 1.5)))
#: The markers in the order of the colors, for series drawn as points.
MARKERS = ("o", "s", "^", "D", "v", "P")

#: The MIME type under which numbers are handed to a figure that moves.
HANDED = "application/vnd.dropout-lab.explorable+json"

#: What is written into a file: no date, so that two runs give the same bytes, and no empty margin.
_SAVING: dict[str, object] = {"metadata": {"Date": None}, "bbox_inches": "tight"}

_SETTINGS: dict[Any, Any] = {
    # Ids inside the SVG are hashes of this and of what they name; without it they are random.
    "svg.hashsalt": "dropout_lab",
    # Letters are drawn as outlines of matplotlib's own font, so they look alike where that font is not installed.
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    # A figure 6.4 inches wide shrinks to a little more than half on a phone: 12.5 points are then still 9 pixels.
    "figure.figsize": (6.4, 3.6),
    "font.size": 12.5,
    "axes.labelsize": 12.5,
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "legend.fontsize": 12.0,
    "figure.constrained_layout.use": True,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "image.cmap": "cividis",
    "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=DASHES),
}


class Compared(Protocol):
    """What :func:`difference` draws: an effect with its interval, its unit and its verdict.

    :func:`dropout_lab.experiments.statistics.compare` makes such.

    Attributes
    ----------
    effect:
        The mean effect, in ``unit``.
    interval:
        The ends (low, high) of its 95 % interval.
    unit:
        The unit, in words.
    supported:
        Whether the decision rule is met.

    >>> sorted(Compared.__annotations__)
    ['effect', 'interval', 'supported', 'unit']
    """

    effect: float
    interval: Sequence[float]
    unit: str
    supported: bool


@dataclass(frozen=True)
class Handed:
    """Measured numbers that a cell hands to a figure which the reader moves.

    It is the last expression of the cell. The book draws the figure in the place of the cell's output; elsewhere a line
    of text stands for it.

    Attributes
    ----------
    name:
        The name of the figure in ``dropout_lab.book.explorables.MEASURED``.
    data:
        The numbers, in the form that the figure asks for there.

    >>> Handed("error-against-p", {"sweeps": {}})
    The numbers of the figure error-against-p, which moves on the page of the book.
    """

    name: str
    data: Mapping[str, object]

    def __repr__(self) -> str:
        return f"The numbers of the figure {self.name}, which moves on the page of the book."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return {HANDED: {"name": self.name, "data": self.data}, "text/plain": repr(self)}


def style() -> None:
    """Set the book's style for all figures that follow; in a notebook, show them as SVG, each with its passport.

    It sets matplotlib's global parameters, so call it once, before the first figure. Outside IPython nothing else
    happens; pass ``metadata={"Date": None}`` to ``savefig`` there for the same bytes every time.

    >>> with matplotlib.rc_context():
    ...     style()
    ...     print(matplotlib.rcParams["svg.hashsalt"])
    dropout_lab
    """
    matplotlib.rcParams.update(_SETTINGS)
    _show_as_svg()


def mean_and_interval(values: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the mean over the seeds and the two ends of its 95 % interval, by Student's t.

    ``values`` has the shape (seeds,) or (seeds, points); each of the three results has the shape of one seed. Raises
    ValueError for fewer than two seeds, or a value that is not finite.

    >>> mean, low, high = mean_and_interval([1.0, 2.0, 3.0])
    >>> float(mean), round(float(low), 3), round(float(high), 3)
    (2.0, -0.484, 4.484)
    """
    table = np.asarray(values, dtype=float)
    if table.ndim not in (1, 2) or table.shape[0] < 2:
        raise ValueError(f"values must have shape (seeds,) or (seeds, points) and two seeds or more; got {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("values must be finite; a run that failed has to be reported, not drawn")
    seeds = table.shape[0]
    mean = table.mean(axis=0)
    half = stdtrit(seeds - 1, 0.975) * table.std(axis=0, ddof=1) / np.sqrt(seeds)
    return mean, mean - half, mean + half


def every_seed(
    ax: Axes,
    x: float,
    values: ArrayLike,
    *,
    width: float = 0.24,
    color: str = PALETTE[0],
    marker: str = "o",
    label: str | None = None,
) -> None:
    """Draw one dot for each seed around ``x``, and beside them the mean with its 95 % interval.

    ``values`` has the shape (seeds,). The dots are spread over ``width``, in units of the x axis, so that equal values
    stay visible; where a dot stands depends on the seed's position alone and has no meaning. The default suits groups
    that stand at 0, 1, 2, … ``label`` names the dots in a legend. Raises ValueError as :func:`mean_and_interval` does.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> every_seed(ax, 0, [1.0, 2.0, 3.0])
    >>> len(ax.lines)
    3
    """
    dots = np.asarray(values, dtype=float)
    if dots.ndim != 1:
        raise ValueError(f"values must have one number a seed, shape (seeds,); got {dots.shape}")
    mean, low, high = mean_and_interval(dots)
    # Multiples of the golden ratio, modulo 1, fill an interval evenly for any number of seeds.
    offsets = width * (np.arange(dots.size) * 0.6180339887498949 % 1 - 0.5)
    ax.plot(x + offsets, dots, marker, color=color, alpha=0.6, markersize=5, markeredgewidth=0, label=label)
    beside = x + 0.95 * width
    ax.plot([beside, beside], [low, high], "-", color=color, linewidth=2.2, solid_capstyle="butt")
    ax.plot(beside, mean, "_", color=color, markersize=13, markeredgewidth=2.4)


def interval(
    ax: Axes,
    x: ArrayLike,
    values: ArrayLike,
    *,
    color: str | None = None,
    linestyle: str | tuple | None = None,
    marker: str = "",
    label: str | None = None,
) -> PolyCollection:
    """Draw the mean over seeds as a line over ``x``, with its 95 % interval as a band, and return the band.

    ``x`` has the shape (points,), ``values`` the shape (seeds, points). The interval holds for each point by itself.
    Color and line style come from the axes' cycle unless given; ``label`` names the line in a legend. Raises ValueError
    as :func:`mean_and_interval` does.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = interval(ax, [0.5, 0.9], [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    >>> ax.lines[0].get_ydata()
    array([2., 4.])
    """
    places = np.asarray(x, dtype=float)
    table = np.asarray(values, dtype=float)
    if places.ndim != 1 or table.ndim != 2 or table.shape[1] != places.size:
        raise ValueError(f"x must have shape (points,), values (seeds, points); got {places.shape} and {table.shape}")
    mean, low, high = mean_and_interval(table)
    chosen: dict[str, Any] = {
        name: value for name, value in (("color", color), ("linestyle", linestyle)) if value is not None
    }
    (line,) = ax.plot(places, mean, marker=marker, label=label, **chosen)
    return ax.fill_between(places, low, high, color=line.get_color(), alpha=0.18, linewidth=0)


def difference(
    ax: Axes, labels: Sequence[str], comparisons: Sequence[Compared], *, threshold: float | None = None
) -> None:
    """Draw paired differences one below the other, each with its 95 % interval, and a line at zero: a forest plot.

    A filled dot has met its decision rule, a hollow one has not. ``threshold`` draws a dotted line at the value that
    the rule asks for, if that is not zero. All comparisons have one unit, which labels the axis; the first stands on
    top. Raises ValueError for comparisons of different units, and for another number of labels than of comparisons.

    >>> from dropout_lab.experiments.statistics import Rule, compare
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> difference(ax, ["dropout"], [compare([1.0, 2.0, 3.0], rule=Rule.above(0), unit="points")])
    >>> ax.get_xlabel()
    'difference (points)'
    """
    if not comparisons or len(labels) != len(comparisons):
        raise ValueError(f"one label for each comparison, and at least one; got {len(labels)} and {len(comparisons)}")
    units = {comparison.unit for comparison in comparisons}
    if len(units) > 1:
        raise ValueError(f"comparisons on one axis must have one unit, got {', '.join(sorted(units))}")
    ax.axvline(0, color=MUTED, linewidth=1.2)
    if threshold is not None:
        ax.axvline(threshold, color=MUTED, linewidth=1.2, linestyle=":")
    for row, comparison in enumerate(comparisons):
        low, high = comparison.interval
        ax.plot([low, high], [row, row], "-", color=PALETTE[0], linewidth=2.2, solid_capstyle="butt")
        face = PALETTE[0] if comparison.supported else PAPER
        ax.plot(comparison.effect, row, "o", color=PALETTE[0], markerfacecolor=face, markeredgewidth=1.8, markersize=8)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(False, axis="y")
    # Some units stand in brackets already, such as "(ratio of variances)".
    ax.set_xlabel(f"difference ({units.pop().strip('()')})")


def bars_of_masks(ax: Axes, table: ArrayLike, values: ArrayLike, *, color: str = PALETTE[0]) -> None:
    """Draw one bar for each mask of a small ensemble, with the mask's bits below it.

    ``table`` has the shape (masks, n) and holds 0 and 1, as :func:`dropout_lab.ensemble.masks` gives it; ``values`` has
    the shape (masks,), a probability or an output. Raises ValueError for more than 32 masks, which cannot be read on a
    phone.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> bars_of_masks(ax, [[0, 0], [0, 1], [1, 0], [1, 1]], [0.1, 0.2, 0.3, 0.4])
    >>> len(ax.patches)
    4
    """
    masks, heights = _binary(table, "table"), np.asarray(values, dtype=float)
    if heights.shape != masks.shape[:1]:
        raise ValueError(f"values must have one number a mask, shape {masks.shape[:1]}; got {heights.shape}")
    if len(masks) > 32:
        raise ValueError(f"at most 32 masks can be read in one figure, got {len(masks)}")
    ax.bar(range(len(masks)), heights, width=0.7, color=color)
    ax.set_xticks(range(len(masks)), ["\n".join(map(str, mask)) for mask in masks])
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")


def mask_cells(ax: Axes, mask: ArrayLike, *, color: str = PALETTE[0]) -> None:
    """Draw a mask of two axes as cells: colored where it keeps, pale where it drops; row 0 stands on top.

    ``mask`` has the shape (rows, columns) and holds 0 and 1: a weight mask, or one channel of a feature map. Raises
    ValueError for another number of axes or other values.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> mask_cells(ax, [[1, 0, 1], [0, 1, 1]])
    >>> len(ax.patches)
    6
    """
    cells = _binary(mask, "mask")
    colors = np.where(cells == 1, color, FAINT)
    for row, column in itertools.product(*map(range, cells.shape)):
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=colors[row, column], edgecolor=PAPER, linewidth=0.6))
    ax.set(xlim=(0, cells.shape[1]), ylim=(cells.shape[0], 0), aspect="equal", xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _binary(mask: ArrayLike, name: str) -> np.ndarray:
    """A mask of two axes as integers."""
    cells = np.asarray(mask)
    if cells.ndim != 2 or not np.isin(cells, (0, 1)).all():
        raise ValueError(f"{name} must have two axes and hold 0 and 1 only; got shape {cells.shape}")
    return cells.astype(int)


def _show_as_svg() -> None:
    """Have a notebook show SVG with reproducible bytes and passports; nothing to do where no notebook runs."""
    # IPython and its inline backend belong to the notebook, not to what draws: they are asked for only where they run.
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    # In this order: setting the formats is what makes the backend read the arguments.
    backend.set_trait("print_figure_kwargs", _SAVING)
    backend.set_trait("figure_formats", {"svg"})
    watch(shell)
