"""Which cells a cell rests on."""

from __future__ import annotations

import pytest

from dropout_lab.passports.slices import names, runs_in, sources

NOTEBOOK = [
    "import numpy as np\nfrom dropout_lab.experiments import replicas",
    "nets = replicas.run(digits, arms, seeds, error)",
    "unrelated = 3",
    "def error(arm):\n    low = nets[arm]['error']\n    return low",
    "for low, high in pairs:\n    print(low)",
    "table = {}\n",
    "table['p'] = error('none')",
    "fig, ax = plt.subplots()\nax.plot(table['p'])\nlow = 1\nax.axhline(low)",
]


def test_a_slice_follows_names_through_functions_and_changes() -> None:
    """The experiment is reached through a function and a dictionary; a loop that shares a name is not."""
    assert sources(NOTEBOOK) == [1, 3, 5, 6, 7]


@pytest.mark.parametrize(
    ("cell", "needs", "binds"),
    [
        ("a = b", "b", "a"),
        ("a = a + 1", "a", "a"),
        ("a += 1", "a", "a"),
        ("a = [b for b in c]", "c", "a"),
        ("for b in c:\n    a = b", "c", "ab"),
        ("f = lambda b, *c, **d: a + b + len(c)", "a", "f"),
        ("with open(a) as b:\n    b.read()", "a", "b"),
        ("%matplotlib inline", "", ""),
        ("a: int = b", "b", "a"),
        ("b = 1\na = b", "", "ab"),
    ],
)
def test_names_of_a_cell(cell: str, needs: str, binds: str) -> None:
    found = names(cell)
    assert (found.needs, found.binds) == (set(needs), set(binds))


def test_an_import_is_no_source_and_hides_an_older_name() -> None:
    assert sources(["x = 1", "import x", "print(x)"]) == [2]


def test_only_the_latest_binding_counts() -> None:
    assert sources(["x = 1", "x = 2", "print(x)"]) == [1, 2]


def test_no_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="one cell or more"):
        sources([])


def test_training_is_seen_by_its_call_alone() -> None:
    assert runs_in(NOTEBOOK[:2]) and not runs_in(["'replicas.run(x)'", "runs = replicas", "if :"])
