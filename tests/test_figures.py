"""The style of the figures: the same bytes every time, colors that differ, drawings that show what they are given."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from dataclasses import dataclass

import matplotlib
import nbformat
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from nbclient import NotebookClient
from scipy import stats

from dropout_lab import figures
from dropout_lab.passports import MIME_TYPE

#: Severe protanopia and deuteranopia, as matrices on linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
COLOR_BLIND = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


@pytest.fixture(autouse=True)
def own_parameters():
    """Matplotlib's parameters are global: give them back after each test."""
    with matplotlib.rc_context():
        matplotlib.use("agg")
        figures.style()
        yield
        plt.close("all")


@dataclass(frozen=True)
class Found:
    """What a comparison of two arms offers to a drawing."""

    effect: float
    interval: tuple[float, float]
    supported: bool
    unit: str = "percentage points"


def linear(color: str) -> np.ndarray:
    """A color as linear RGB."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(light: str, dark: str) -> float:
    """The contrast ratio of WCAG 2."""
    bright, dim = (float(linear(color) @ (0.2126, 0.7152, 0.0722)) for color in (light, dark))
    return (bright + 0.05) / (dim + 0.05)


def lab(color: str, seen_through: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (white D65) of a color as seen through a matrix on linear RGB; for luminances above 0.9 %."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    x, y, z = np.cbrt(to_xyz @ np.clip(seen_through @ linear(color), 0, 1) / to_xyz.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def everything() -> Figure:
    """A figure that uses all of the module's drawings, and text with mathematics."""
    rng = np.random.default_rng(0)
    fig, axes = plt.subplots(2, 3, figsize=(9, 6))
    figures.every_seed(axes[0, 0], 0, rng.normal(size=8), label="seeds")
    figures.interval(axes[0, 1], [0.2, 0.5, 0.8], rng.normal(size=(8, 3)), label="mean")
    found = [Found(-1, (-2, 0.5), False), Found(-3, (-4, -2), True)]
    figures.difference(axes[0, 2], ["one", "two"], found, threshold=-1)
    figures.bars_of_masks(axes[1, 0], [[0, 0], [1, 0], [0, 1], [1, 1]], [0.1, 0.2, 0.3, 0.4])
    figures.mask_cells(axes[1, 1], [[1, 0, 1], [0, 1, 1]])
    axes[1, 2].plot([0, 1], [0, 1], label=r"$p\,h_i$")
    axes[1, 2].legend()
    axes[0, 0].legend()
    return fig


def svg(fig: Figure) -> str:
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def test_a_figure_drawn_twice_has_the_same_bytes():
    first, second = svg(everything()), svg(everything())
    assert first == second
    assert "<dc:date>" not in first
    assert "<text" not in first, "letters must be outlines, or they depend on the reader's fonts"


def test_without_the_style_the_bytes_differ():
    """The test above can fail: matplotlib alone draws random ids."""
    matplotlib.rcParams["svg.hashsalt"] = None
    assert svg(everything()) != svg(everything())


def test_two_kernels_show_the_same_svg_and_passport_and_nothing_else():
    """A notebook, with pyplot imported before the style is set, run in two fresh kernels with different hash seeds."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nfrom dropout_lab import figures\nfigures.style()"),
        nbformat.v4.new_code_cell("fig, ax = plt.subplots()\nfigures.every_seed(ax, 0, [1.0, 2.0, 4.0])\nplt.show()"),
    ]
    shown = []
    for hash_seed in ("1", "2"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONHASHSEED", hash_seed)
            # The test's own choice of a backend must not reach the kernel, which brings the inline one.
            patch.delenv("MPLBACKEND", raising=False)
            run = NotebookClient(nbformat.from_dict(notebook), kernel_name="python3", timeout=120).execute()
        assert not run.cells[0].outputs
        (output,) = run.cells[1].outputs
        assert set(output.data) == {"image/svg+xml", "text/plain", MIME_TYPE}
        assert len(output.data[MIME_TYPE]["cells"]) == 1
        shown.append(output.data)
    assert shown[0] == shown[1]
    assert "<dc:date>" not in shown[0]["image/svg+xml"]


def test_importing_the_figures_imports_neither_torch_nor_a_notebook():
    heavy = {"torch", "IPython", "dropout_lab.book"}
    code = f"import sys; from dropout_lab import figures; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colors_differ_in_grey():
    """Six lightnesses between the darkest and 3:1 against the card leave steps of about 9: at least 6 are asked for."""
    levels = [lab(color, np.eye(3))[0] for color in figures.PALETTE]
    assert min(abs(one - other) for one, other in itertools.combinations(levels, 2)) > 6


@pytest.mark.parametrize("matrix", COLOR_BLIND.values(), ids=COLOR_BLIND.keys())
def test_colors_differ_for_color_blind_readers(matrix):
    """A distance of 2 is just noticeable side by side; 12 can be told apart at a distance."""
    seen = [lab(color, matrix) for color in figures.PALETTE]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 12


@pytest.mark.parametrize("color", figures.PALETTE)
def test_colors_stand_out_from_the_card(color):
    assert contrast(figures.PAPER, color) >= 3


@pytest.mark.parametrize("color", [figures.INK, figures.MUTED])
def test_text_stands_out_from_the_card(color):
    assert contrast(figures.PAPER, color) >= 4.5


def test_series_differ_in_line_style_too():
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1], [k, k])[0] for k in range(len(figures.PALETTE))]
    assert [line.get_color() for line in lines] == list(figures.PALETTE)
    assert len({str(line._dash_pattern) for line in lines}) == len(lines)
    assert len(set(figures.MARKERS)) == len(figures.MARKERS) == len(figures.PALETTE)


def test_letters_are_legible_on_a_phone():
    """A figure of the default width, shown 350 pixels wide: every text at least 9 pixels high."""
    shrunk = 350 / (plt.rcParams["figure.figsize"][0] * 96)
    names = ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
    assert min(plt.rcParams[name] for name in names) * 96 / 72 * shrunk >= 9


def test_the_interval_is_students():
    values = np.random.default_rng(1).normal(size=(7, 3))
    mean, low, high = figures.mean_and_interval(values)
    expected = stats.t.interval(0.95, 6, loc=values.mean(0), scale=stats.sem(values))
    np.testing.assert_allclose((low, high), expected, rtol=1e-12)
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-12)


def test_every_seed_shows_each_value_once_and_the_interval():
    _, ax = plt.subplots()
    values = [3.0, 3.0, 5.0, 4.0]
    figures.every_seed(ax, 2, values)
    dots, bar, dash = ax.lines
    assert list(dots.get_ydata()) == values
    places = np.asarray(dots.get_xdata())
    assert len(set(places)) == 4 and np.abs(places - 2).max() <= 0.12 + 1e-9
    mean, low, high = figures.mean_and_interval(values)
    np.testing.assert_allclose(bar.get_ydata(), [low, high])
    np.testing.assert_allclose(dash.get_ydata(), [mean])


def test_interval_draws_line_and_band_in_one_color():
    _, ax = plt.subplots()
    values = np.random.default_rng(2).normal(size=(5, 4))
    band = figures.interval(ax, [1, 2, 3, 4], values)
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_ydata(), values.mean(0))
    assert to_rgb(line.get_color()) == tuple(band.get_facecolor()[0][:3])
    _, low, high = figures.mean_and_interval(values)
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(low.min()) and heights.max() == pytest.approx(high.max())


def test_difference_shows_effect_interval_and_verdict():
    _, ax = plt.subplots()
    figures.difference(ax, ["met", "not met"], [Found(-3, (-4, -2), True), Found(1, (-1, 3), False)])
    zero, first, met, second, not_met = ax.lines
    assert set(zero.get_xdata()) == {0}
    assert [list(line.get_xdata()) for line in (first, second)] == [[-4, -2], [-1, 3]]
    assert [met.get_markerfacecolor(), not_met.get_markerfacecolor()] == [figures.PALETTE[0], figures.PAPER]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["met", "not met"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first stands on top"
    assert ax.get_xlabel() == "difference (percentage points)"


def test_bars_of_masks_have_their_heights_and_bits():
    _, ax = plt.subplots()
    figures.bars_of_masks(ax, [[0, 0], [1, 0], [0, 1], [1, 1]], [0.1, 0.2, 0.3, 0.4])
    assert [bar.get_height() for bar in ax.patches] == [0.1, 0.2, 0.3, 0.4]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0\n0", "1\n0", "0\n1", "1\n1"]


def test_mask_cells_color_what_is_kept():
    _, ax = plt.subplots()
    figures.mask_cells(ax, [[1, 0], [0, 0]])
    colors = {patch.get_xy(): patch.get_facecolor()[:3] for patch in ax.patches}
    assert colors[0, 0] == to_rgb(figures.PALETTE[0])
    assert [colors[place] for place in ((1, 0), (0, 1), (1, 1))] == [to_rgb(figures.FAINT)] * 3


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda ax: figures.mean_and_interval([1.0]), "two seeds"),
        (lambda ax: figures.mean_and_interval([1.0, np.nan]), "finite"),
        (lambda ax: figures.every_seed(ax, 0, np.ones((2, 2))), "one number a seed"),
        (lambda ax: figures.interval(ax, [1, 2], np.ones((5, 3))), r"\(2,\) and \(5, 3\)"),
        (lambda ax: figures.difference(ax, ["one"], []), "got 1 and 0"),
        (
            lambda ax: figures.difference(ax, ["a", "b"], [Found(0, (0, 0), False), Found(0, (0, 0), False, "nats")]),
            "nats, percentage points",
        ),
        (lambda ax: figures.bars_of_masks(ax, [[0, 1]], [1, 2]), "one number a mask"),
        (lambda ax: figures.bars_of_masks(ax, np.zeros((64, 6)), np.zeros(64)), "at most 32"),
        (lambda ax: figures.mask_cells(ax, [[0, 2]]), "0 and 1 only"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=message):
        draw(ax)
