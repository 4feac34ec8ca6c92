"""The report of an audit: its findings, as a table in the terminal and in a notebook."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: What can be found, and the claim of the book that says why it matters.
KINDS = {
    "on-in-eval": "8.6",
    "off-in-train": "1.6",
    "before-batch-norm": "8.5",
    "ambiguous-axis": "7.11",
    "no-channels": "7.11",
    "rate-zero": "2.2",
    "rate-one": "2.2",
    "two-in-a-row": "2.2",
    "after-last-layer": "1.7",
    "recurrent-without-effect": "7.18",
    "not-rescaled": "5.3",
    "time-first": "7.18",
    "original-convention": "5.2",
    "shared-over-batch": "1.6",
    "no-stream": "1.6",
    "stream-drawn-twice": "1.6",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the dropout of a model.

    Attributes:
        module: the name in the model of the module that drops.
        kind: the kind of fault, one of those that :func:`~dropout_lab.inference.audit` lists.
        message: what is wrong and what to do, in a sentence.

    >>> Finding("drop", "rate-one", "It drops everything.").claim
    '2.2'
    """

    module: str
    kind: str
    message: str

    @property
    def claim(self) -> str:
        """The id of the claim of the book that says why the fault matters."""
        return KINDS[self.kind]

    @property
    def where(self) -> str:
        """The module's name in words, since the model itself has an empty name."""
        return self.module or "the model"


class Report(Sequence[Finding]):
    """The findings of an audit, as a sequence in the order of the model's modules.

    Args:
        findings: the findings, kept as the tuple ``findings``.

    >>> Report([])
    Nothing was found.
    >>> print(Report([Finding("drop", "rate-one", "It drops everything.")]))
    module  kind      claim  what to do
    drop    rate-one  2.2    It drops everything.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return self.findings[place]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        if not self.findings:
            return "Nothing was found."
        head = ("module", "kind", "claim", "what to do")
        rows = [head, *((found.where, found.kind, found.claim, found.message) for found in self.findings)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        start = "  ".join(" " * width for width in widths) + "  "
        lines = []
        for *cells, message in rows:
            begin = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            wrapped = textwrap.wrap(message, 72) or [""]
            lines.append(f"{begin}  {wrapped[0]}")
            lines += [start + part for part in wrapped[1:]]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        if not self.findings:
            return "<p>Nothing was found.</p>"
        rows = "".join(
            f"<tr><td>{html.escape(found.where)}</td><td>{found.kind}</td>"
            # The book makes a link of the claim; in any other notebook the attribute says nothing.
            f'<td data-claim="{found.claim}">{found.claim}</td>'
            f"<td>{html.escape(found.message)}</td></tr>"
            for found in self.findings
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Module", "Kind", "Claim", "What to do"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
