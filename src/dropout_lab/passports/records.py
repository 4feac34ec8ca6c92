"""A figure's passport: the cells, the recipes, the numbers and a digest of them all, as it travels in an output."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: The MIME type under which a cell's output carries the passport of a figure.
MIME_TYPE = "application/vnd.dropout-lab.passport+json"


@dataclass(frozen=True)
class Passport:
    r"""The passport of a figure: the cells, the experiments and the numbers that it rests on.

    Raises ValueError for a passport without a cell.

    Attributes
    ----------
    cells:
        The digests of the cells that the figure comes from, 16 hexadecimal digits each; its own cell is the last.
    runs:
        The descriptions of the experiments, as :func:`dropout_lab.experiments.replicas.run` gives them.
    rules:
        The decision rules of the comparisons that rest on what is drawn, in words.
    panels:
        The names of the axes of each panel.
    csv:
        The numbers as a table of comma-separated values, with a head.

    >>> passport = Passport((cell_digest("plt.plot([1])"),), (), (), ({"x": "", "y": ""},), "panel,mark\n1,line\n")
    >>> passport.rows, len(passport.digest), Passport.from_json(passport.to_json()) == passport
    (1, 64, True)
    """

    cells: tuple[str, ...]
    runs: tuple[Mapping[str, Any], ...]
    rules: tuple[str, ...]
    panels: tuple[Mapping[str, str], ...]
    csv: str

    def __post_init__(self) -> None:
        if not self.cells:
            raise ValueError("a passport names the cell of its figure, got no cell")

    @classmethod
    def from_json(cls, content: object) -> Passport:
        """Return the passport in a cell's output. Raises TypeError or ValueError for what is none."""
        wanted = {one.name for one in fields(cls)}
        if not isinstance(content, Mapping) or set(content) != wanted:
            raise TypeError(f"expected an object with the fields {', '.join(sorted(wanted))}")
        lists = wanted - {"csv"}
        if odd := [name for name in sorted(lists) if not isinstance(content[name], (list, tuple))]:
            raise TypeError(f"{odd[0]} is a list, got {content[odd[0]]!r}")
        if not isinstance(content["csv"], str):
            raise TypeError(f"csv is a text, got {content['csv']!r}")
        return cls(**{name: tuple(content[name]) for name in lists}, csv=content["csv"])

    @property
    def rows(self) -> int:
        """The number of rows of the table, without its head."""
        return self.csv.count("\n") - 1

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal digits, of the cells, the digests of the experiments and the numbers."""
        parts = [*self.cells, *(str(run.get("digest")) for run in self.runs), self.csv]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the passport as it travels in an output."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def cell_digest(source: str) -> str:
    r"""Return a digest of a cell's code, of 16 hexadecimal digits.

    Spaces at the ends of lines and empty lines around the code do not count.

    >>> cell_digest("a = 1  ") == cell_digest("\na = 1\n")
    True
    """
    lines = "\n".join(line.rstrip() for line in source.splitlines()).strip("\n")
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
