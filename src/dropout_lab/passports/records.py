"""A figure's passport: the cells, the recipes, the numbers and a digest of them all, as it travels in an output."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

#: The MIME type under which a cell's output carries the passport of a figure.
MIME_TYPE = "application/vnd.dropout-lab.passport+json"


@dataclass(frozen=True)
class Passport:
    """What a figure rests on.

    ``cells`` are the digests (:func:`cell_digest`) of the cells that it comes from, its own the last. ``runs`` holds
    the description of each experiment (:func:`dropout_lab.experiments.described.described`), ``rules`` the decision
    rules of the comparisons, ``panels`` the names of the axes, ``csv`` the numbers (:func:`.drawn.table`). ``digest``
    is the SHA-256 of cells, digests of the runs and numbers, one below the other. Raises ValueError for another digest.

    >>> passport = Passport.of([cell_digest("plt.plot([1])")], [], [], [{"x": "", "y": ""}], "panel,mark\\n1,line\\n")
    >>> passport.rows, len(passport.digest), Passport.from_json(passport.to_json()) == passport
    (1, 64, True)
    """

    cells: tuple[str, ...]
    runs: tuple[Mapping[str, Any], ...]
    rules: tuple[str, ...]
    panels: tuple[Mapping[str, str], ...]
    csv: str
    digest: str

    def __post_init__(self) -> None:
        if not self.cells:
            raise ValueError("a passport names the cell of its figure, got no cell")
        if self.digest != _digest(self.cells, self.runs, self.csv):
            raise ValueError("the digest of a passport is not that of its cells, its runs and its numbers")

    @classmethod
    def of(
        cls,
        cells: Iterable[str],
        runs: Iterable[Mapping[str, Any]],
        rules: Iterable[str],
        panels: Iterable[Mapping[str, str]],
        csv: str,
    ) -> Passport:
        """The passport with its digest."""
        named, trained = tuple(cells), tuple(runs)
        return cls(named, trained, tuple(rules), tuple(panels), csv, _digest(named, trained, csv))

    @classmethod
    def from_json(cls, content: object) -> Passport:
        """The passport in a cell's output. Raises TypeError or ValueError for what is none."""
        wanted = {one.name for one in fields(cls)}
        if not isinstance(content, Mapping) or set(content) != wanted:
            raise TypeError(f"expected an object with the fields {', '.join(sorted(wanted))}")
        for name in ("cells", "runs", "rules", "panels"):
            if not isinstance(content[name], (list, tuple)):
                raise TypeError(f"{name} is a list, got {content[name]!r}")
        if not isinstance(content["csv"], str):
            raise TypeError(f"csv is a text, got {content['csv']!r}")
        lists = {name: tuple(content[name]) for name in ("cells", "runs", "rules", "panels")}
        return cls(**lists, csv=content["csv"], digest=content["digest"])

    @property
    def rows(self) -> int:
        """How many rows of numbers there are, the head not counted."""
        return self.csv.count("\n") - 1

    def to_json(self) -> dict[str, Any]:
        """As it travels in an output."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def cell_digest(source: str) -> str:
    """A cell's code as a digest of 16 digits; spaces at the ends of lines and empty lines about it do not count.

    >>> cell_digest("a = 1  ") == cell_digest("\\na = 1\\n")
    True
    """
    lines = "\n".join(line.rstrip() for line in source.splitlines()).strip("\n")
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _digest(cells: Sequence[str], runs: Sequence[Mapping[str, Any]], csv: str) -> str:
    return hashlib.sha256("\n".join([*cells, *(str(run.get("digest")) for run in runs), csv]).encode()).hexdigest()
