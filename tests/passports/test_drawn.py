"""The numbers of a figure, mark by mark."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import sympy
from matplotlib.figure import Figure

from dropout_lab import figures
from dropout_lab.passports.drawn import COLUMNS, table


def rows(figure: Figure) -> list[dict[str, str]]:
    """The table, read back."""
    found = list(csv.DictReader(io.StringIO(table(figure))))
    assert not found or tuple(found[0]) == COLUMNS
    return found


@pytest.fixture
def figure() -> Figure:
    return Figure()


def test_a_band_is_read_back_as_it_was_drawn(figure: Figure) -> None:
    """Of the figures' own drawing of means and intervals all numbers come back, to six digits."""
    values = np.random.default_rng(0).normal(size=(5, 3))
    x = [0.5, 0.7, 0.9]
    figures.interval(figure.subplots(), x, values, label="error")
    mean, low, high = figures.mean_and_interval(values)
    lines = [row for row in rows(figure) if row["mark"] == "line"]
    bands = [row for row in rows(figure) if row["mark"] == "band"]
    assert [row["series"] for row in lines] == ["error"] * 3
    np.testing.assert_allclose(
        [[float(row[k]) for k in ("x", "y")] for row in lines], np.stack([x, mean], 1), rtol=5e-6
    )
    ends = [[float(row[k]) for k in ("x", "y", "y2")] for row in bands]
    np.testing.assert_allclose(ends, np.stack([x, low, high], 1), rtol=5e-6)


def test_every_seed_is_there_under_the_name_of_its_place(figure: Figure) -> None:
    ax = figure.subplots()
    figures.every_seed(ax, 1, [1.0, 2.0, 4.0])
    ax.set_xticks([0, 1], ["none", "drop\nout"])
    dots = [row for row in rows(figure) if row["mark"] == "points"]
    assert sorted(float(row["y"]) for row in dots) == [1, 2, pytest.approx(7 / 3, rel=1e-5), 4]
    assert {row["x name"] for row in dots} == {"drop out"}


def test_bars_lines_across_pictures_and_points(figure: Figure) -> None:
    first, second = figure.subplots(1, 2)
    first.bar([1], [3], width=0.5, label="count")
    first.axhline(2)
    first.axvline(0.25)
    first.scatter([1, 2], [3, 4])
    first.vlines([5], 0, 1)
    second.imshow([[1.5, 2.5]])
    found = rows(figure)
    by_mark = {row["mark"]: row for row in found}
    bar = by_mark["rectangle"]
    assert [bar[k] for k in ("panel", "x", "x2", "y", "y2")] == ["1", "0.75", "1.25", "0", "3"]
    assert by_mark["horizontal"]["y"] == "2" and by_mark["horizontal"]["x"] == ""
    assert by_mark["vertical"]["x"] == "0.25" and by_mark["vertical"]["y"] == ""
    assert [(row["x"], row["y"]) for row in found if row["mark"] == "points"] == [("1", "3"), ("2", "4")]
    assert (by_mark["segment"]["y"], by_mark["segment"]["y2"]) == ("0", "1")
    assert [row["value"] for row in found if row["panel"] == "2"] == ["1.5", "2.5"]


def test_a_histogram_drawn_as_one_outline_gives_its_bars(figure: Figure) -> None:
    figure.subplots().stairs([3, 5], [0, 1, 2.5], fill=True)
    bars = [[row[k] for k in ("x", "x2", "y", "y2")] for row in rows(figure) if row["mark"] == "rectangle"]
    assert bars == [["0", "1", "0", "3"], ["1", "2.5", "0", "5"]]


def test_numbers_of_another_kind_are_written_as_numbers(figure: Figure) -> None:
    ax = figure.subplots()
    ax.plot([sympy.Rational(1, 2), 1], [sympy.sqrt(2), 3])
    assert [(row["x"], row["y"]) for row in rows(figure)] == [("0.5", "1.41421"), ("1", "3")]


def test_contours_carry_their_level(figure: Figure) -> None:
    grid = np.arange(4.0)
    figure.subplots().contour(grid, grid, grid[:, None] + grid, levels=[2.5])
    found = rows(figure)
    assert found and {row["mark"] for row in found} == {"contour"}
    assert all(float(row["x"]) + float(row["y"]) == pytest.approx(2.5) and row["value"] == "2.5" for row in found)


def test_what_is_hidden_has_no_numbers(figure: Figure) -> None:
    ax = figure.subplots()
    ax.plot([1, 2], [3, 4])[0].set_visible(False)
    assert rows(figure) == []


def test_the_names_of_ticks_are_those_of_every_panel_that_shares_them() -> None:
    figure = Figure()
    for axes in figure.subplots(2, 1, sharex=True):
        axes.plot([0, 1], [3, 4])
        axes.set_xticks(range(2), ["none", "drop\nout"])
    names = [row["x name"] for row in csv.DictReader(io.StringIO(table(figure)))]
    assert names == ["none", "drop out"] * 2


def test_ticks_may_be_labeled_by_numbers() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.loglog([5, 10], [1, 2])
    axes.set_xticks([5, 10], [5, 10])
    assert [row["x name"] for row in csv.DictReader(io.StringIO(table(figure)))] == ["", ""]
