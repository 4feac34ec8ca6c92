"""Which cells a cell rests on."""

from __future__ import annotations

import pytest

from dropout_lab.passports.calls import runs_in
from dropout_lab.passports.slices import slice_of, sources
from dropout_lab.passports.statements import names, statements, uses

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
        ("a: int = b", "b", "a"),
    ],
)
def test_names_of_a_statement(cell: str, needs: str, binds: str) -> None:
    (statement,) = statements(cell)
    found = names(statement)
    read = {name for name, _ in uses(statement)} - found.own - {"len", "open", "int"}
    assert (read, found.binds) == (set(needs), set(binds))


def test_what_is_no_python_has_no_statements() -> None:
    assert statements("%matplotlib inline") == ()


def test_of_a_cell_only_the_statements_count_that_are_needed() -> None:
    """Another name that the same cell binds brings nothing with it."""
    assert sources(["a = 1", "b = 2", "c = a\nd = b\nb = 3", "print(d)"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # Of a dictionary the entries that are read, also through a call that keeps its entries.
        (["a = 1", "b = 2", "c = {'a': a, 'b': b}", "print(c['a'])"], [0, 2, 3]),
        (["a = 1", "b = 2", "c = holm({'a': a, 'b': b})", "print(c['a'])"], [0, 2, 3]),
        (["a = 1", "c = {'b': 2}", "c['a'] = a", "c['b'] = 3", "c = holm(c)", "print(c['b'])"], [1, 3, 4, 5]),
        # Where it is not known which, all of them.
        (["a = 1", "b = 2", "c = {'a': a, 'b': b}", "print(c[d])"], [0, 1, 2, 3]),
        (["a = 1", "b = 2", "c = {'a': a, **b}", "print(c['a'])"], [0, 1, 2, 3]),
        (["a = 1", "b = 2", "c = {'a': a, 'b': b}", "print(c['a'], c)"], [0, 1, 2, 3]),
        (["a = 1", "b = 2", "c = mixed({'a': a}, b)", "print(c['a'])"], [0, 1, 2, 3]),
    ],
)
def test_entries_that_are_not_read_do_not_count(cells: list[str], expected: list[int]) -> None:
    assert sources(cells) == expected


def test_an_import_is_no_source_and_hides_an_older_name() -> None:
    assert sources(["x = 1", "import x", "print(x)"]) == [2]


def test_only_the_latest_binding_counts() -> None:
    assert sources(["x = 1", "x = 2", "print(x)"]) == [1, 2]


def test_no_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="one cell or more"):
        slice_of([])


def test_training_is_seen_by_its_call_alone() -> None:
    assert runs_in(NOTEBOOK[:2]) and not runs_in(["'replicas.run(x)'", "runs = replicas", "if :"])
