"""What watches a notebook's figures: IPython tells of each cell, and asks for the passport of each figure displayed."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from matplotlib.figure import Figure

from dropout_lab.passports.drawn import panels, table
from dropout_lab.passports.quantities import quantities
from dropout_lab.passports.records import MIME_TYPE, Passport, cell_digest
from dropout_lab.passports.slices import Piece, slice_of, sources
from dropout_lab.passports.statements import names, statements


@runtime_checkable
class Judged(Protocol):
    """A comparison over seeds with its verdict, as :func:`dropout_lab.experiments.statistics.compare` makes it.

    >>> isinstance({}, Judged)
    False
    """

    @property
    def rule(self) -> object: ...
    @property
    def supported(self) -> bool: ...


@runtime_checkable
class Described(Protocol):
    """The results of an experiment with its recipe in words.

    :func:`dropout_lab.experiments.replicas.run` makes such.

    >>> isinstance({}, Described)
    False
    """

    @property
    def description(self) -> Mapping[str, Any] | None: ...


def watch(shell: Any) -> None:
    """Give each figure that ``shell``, an IPython shell, displays from now on a passport.

    A second call for the same shell does nothing.

    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> shell = InteractiveShell()
    >>> watch(shell)
    >>> _ = shell.run_cell("from matplotlib.figure import Figure")
    >>> MIME_TYPE in shell.display_formatter.format(Figure())[0]
    True
    """
    formatter = shell.display_formatter.mimebundle_formatter
    if isinstance(getattr(formatter.type_printers.get(Figure), "__self__", None), _Watcher):
        return
    watcher = _Watcher(shell)
    formatter.for_type(Figure, watcher.passport)
    shell.events.register("pre_run_cell", watcher.before)


class _Watcher:
    """The cells of one notebook so far."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        #: Each cell's code as it was written. The first entry of IPython's history is empty.
        self._cells: list[str] = list(shell.history_manager.input_hist_raw)
        if not any(self._cells):
            # Who runs the notebook keeps no history: what is known is the cell that runs now.
            self._cells.append(_running(shell))

    def before(self, info: Any) -> None:
        """A cell begins."""
        self._cells.append(info.raw_cell)

    def passport(self, figure: Figure) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a figure's output carries beside its looks, and no metadata."""
        code = [str(self._shell.transform_cell(cell)) for cell in self._cells]
        pieces = slice_of(code)
        runs = self._runs(pieces)
        cells = tuple(cell_digest(self._cells[place]) for place in sources(code))
        axes = tuple(panels(figure))
        found = Passport(cells, tuple(runs.values()), self._rules(code, pieces, runs), axes, table(figure))
        return {MIME_TYPE: found.to_json()}, {}

    def _runs(self, pieces: Iterable[Piece]) -> dict[int, Mapping[str, Any]]:
        """The descriptions of the experiments among the values of a slice, by the identity of their results."""
        values = [value for value in self._values(pieces) if isinstance(value, Described)]
        return {id(value): value.description for value in values if value.description is not None}

    def _rules(
        self, code: Sequence[str], pieces: Sequence[Piece], runs: Mapping[int, Mapping[str, Any]]
    ) -> tuple[str, ...]:
        """The rules of the comparisons that are drawn, and of those before that rest on nothing but what is drawn."""
        drawn = [value for value in self._values(pieces) if isinstance(value, Judged)]
        known = {name for run in runs.values() for name in run["quantities"]}
        shown = quantities(pieces, known)
        for expression, value in self._judged(code):
            rest = slice_of([*code, expression])
            read = quantities(rest, known)
            if read and read <= shown and self._runs(rest).keys() <= runs.keys():
                drawn.append(value)
        return tuple(dict.fromkeys(str(value.rule) for value in drawn))

    def _judged(self, code: Sequence[str]) -> Iterator[tuple[str, Judged]]:
        """The comparisons that names or their entries stand for, each with the expression that gives it."""
        bound = {name for cell in code for statement in statements(cell) for name in names(statement).binds}
        for name in sorted(bound):
            value = self._shell.user_ns.get(name)
            entries = value if isinstance(value, dict) else {None: value}
            for key, one in entries.items():
                if isinstance(one, Judged):
                    yield name if key is None else f"{name}[{key!r}]", one

    def _values(self, pieces: Iterable[Piece]) -> Iterator[object]:
        """What the names of a slice stand for, and what is in dictionaries, lists and tuples among it."""
        for piece in pieces:
            for name in sorted(piece.gives):
                value = self._shell.user_ns.get(name)
                keys = piece.gives[name]
                if isinstance(value, dict) and keys <= value.keys():
                    value = [value[key] for key in sorted(map(str, keys))]
                yield from _inside(value)


def _running(shell: Any) -> str:
    """The code of the cell that runs now, or nothing."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals is not shell.user_global_ns:
        frame = frame.f_back
    return "".join(linecache.getlines(frame.f_code.co_filename)).rstrip("\n") if frame is not None else ""


def _inside(value: object, deep: int = 3) -> Iterator[object]:
    """A value, and the entries of dictionaries, lists and tuples, ``deep`` of them inside of one another."""
    yield value
    entries: Iterable[object] = value.values() if isinstance(value, dict) else ()
    if isinstance(value, (list, tuple)):
        entries = value
    for entry in entries if deep else ():
        yield from _inside(entry, deep - 1)
