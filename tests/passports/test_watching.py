"""A notebook whose figures carry their passports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from dropout_lab.passports import MIME_TYPE, Passport, watch
from dropout_lab.passports.records import cell_digest

DRAW = "from matplotlib.figure import Figure\nfig = Figure()\n_ = fig.subplots().plot([1, 2], y)"
TRAIN = """
from dropout_lab.experiments import data, measures, replicas, statistics
from dropout_lab.experiments.networks import MLP
arms = {"none": replicas.Recipe(network=MLP((4,)), train_size=50, steps=2)}
nets = {"all": replicas.run(data.digits(), arms, [0, 1, 2], measures.error, workers=1)}
found = statistics.compare(nets["all"]["none"]["error"], rule=statistics.Rule.above(0.5), unit="points")
"""
Run = Callable[..., Passport]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs cells in a shell of its own, and gives the passport of ``fig``."""
    shell = InteractiveShell()
    watch(shell)

    def all_of(*cells: str) -> Passport:
        for cell in cells:
            shell.run_cell(cell, store_history=True).raise_error()
        data, _ = shell.display_formatter.format(shell.user_ns["fig"])
        return Passport.from_json(data[MIME_TYPE])

    yield all_of
    shell.history_manager.end_session()


def test_a_figure_rests_on_the_cells_before_it(run: Run) -> None:
    found = run("y = [3, 4]", "z = 1", DRAW)
    assert found.cells == (cell_digest("y = [3, 4]"), cell_digest(DRAW))
    assert found.runs == () and found.rules == () and found.rows == 2


def test_an_experiment_gives_its_recipe_and_its_rule(run: Run) -> None:
    found = run(TRAIN, "y = nets['all']['none']['error'][:2]", DRAW)
    (described,) = found.runs
    assert (
        described["data"].startswith("digits of scikit-learn: 1797 examples of 8 × 8 pixels")
        and described["seeds"] == "seeds 0 to 2"
    )
    assert ["network", "MLP(hidden=(4,), batch_norm=False)"] in described["shared"]
    assert ["steps", "2"] in described["shared"] and ["optimizer", "sgd"] in described["shared"]
    assert described["arms"] == [["none", []]] and described["measures"] == ["error"]
    assert len(described["digest"]) == 64 and found.rules == ("the 95 % interval lies above 0.5",)


def test_of_the_comparisons_those_count_that_rest_on_what_is_drawn(run: Run) -> None:
    """One name holds two comparisons of one experiment, and the figure draws the quantity of one of them."""
    judged = """
rule, lower = statistics.Rule.above(0.5), statistics.Rule.below(9)
own = {
    "error": statistics.compare(nets["all"]["none"]["error"], rule=rule, unit="points"),
    "nll": statistics.compare(nets["all"]["none"]["nll"], rule=lower, unit="nats"),
}
"""
    trained = TRAIN.replace("measures.error,", "[measures.error, measures.nll],")
    drawn = run(trained, judged, "y = nets['all']['none']['nll'][:2]", DRAW)
    assert drawn.runs[0]["quantities"] == ["error", "nll"]
    assert drawn.rules == ("the 95 % interval lies below 9",)
    both = run(trained, judged, "y = nets['all']['none']['nll'][:2] + nets['all']['none']['error'][:2]", DRAW)
    assert set(both.rules) == {"the 95 % interval lies below 9", "the 95 % interval lies above 0.5"}


def test_the_digest_changes_with_numbers_and_code(run: Run) -> None:
    first, other = run("y = [3, 4]", DRAW), run("y = [3, 5]", DRAW)
    again = run("y = [3, 4]", DRAW)
    assert first.digest == again.digest != other.digest


def test_a_shell_is_watched_once() -> None:
    shell = InteractiveShell()
    watch(shell)
    before = shell.display_formatter.mimebundle_formatter.type_printers[Figure]
    watch(shell)
    assert shell.display_formatter.mimebundle_formatter.type_printers[Figure] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": []}, "names the cell"),
        ({"cells": "abc"}, "cells is a list"),
        ({"csv": 3}, "csv is a text"),
        ({"more": 1}, "with the fields"),
    ],
)
def test_what_is_no_passport_is_refused(change: dict[str, Any], message: str) -> None:
    sound = Passport(("0" * 16,), (), (), (), "panel\n").to_json()
    assert Passport.from_json(sound).rows == 0
    with pytest.raises((TypeError, ValueError), match=message):
        Passport.from_json({**sound, **change})


def test_a_shell_without_history_knows_the_cell_that_runs() -> None:
    """Some who run a notebook keep no history; the cell that starts the watcher defines what a figure needs."""
    shell = InteractiveShell()
    first = "from dropout_lab.passports import watch\nwatch(get_ipython())\ny = [3, 4]"
    for cell in (first, DRAW):
        shell.run_cell(cell, store_history=False).raise_error()
    data, _ = shell.display_formatter.format(shell.user_ns["fig"])
    assert Passport.from_json(data[MIME_TYPE]).cells == (cell_digest(first), cell_digest(DRAW))
    shell.history_manager.end_session()
