"""How long notebooks take, for the page for teachers: ``{takes}`chapters/index```; several pages by commas.

The times are those of a build whose cost file was copied beside the figures. A build's own times would make each
build's page another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from dropout_lab.book.costs import Cost, read_costs

#: The copy of a build's cost file, below the book's folder.
MEASURED = Path("chapters", "figures", "costs.json")
#: No line breaks between a number and its unit.
_JOINED = "\N{NO-BREAK SPACE}"


def takes(costs: Sequence[Cost]) -> str:
    """The time of all, one after the other, and the most memory that one of them holds.

    >>> takes([Cost(41.2, 300), Cost(20, 512)]).replace(_JOINED, " ")
    '61 s, 512 MiB'
    >>> takes([Cost(250.0, None)]).replace(_JOINED, " ")
    '4 min 10 s'
    """
    seconds = round(sum(cost.seconds for cost in costs))
    peak = max((cost.peak_mib or 0 for cost in costs), default=0)
    time = f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60} s"
    return ", ".join(part.replace(" ", _JOINED) for part in (time, f"{peak} MiB" if peak else "") if part)


class TakesRole(SphinxRole):
    """The time and the memory that notebooks take; a warning for a page that the book does not have."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The words; ``not measured yet`` for a page that came after the measurement."""
        names = [name.strip() for name in self.text.split(",") if name.strip()]
        if unknown := [name for name in names if name not in self.env.found_docs]:
            said = f"takes expects pages of the book, such as chapters/index, got {unknown[0]!r}"
            problem = self.inliner.reporter.error(said, line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, problem)], [problem]
        path = Path(self.env.srcdir, MEASURED)
        self.env.note_dependency(str(path))
        known = read_costs(path)
        if not names or any(name not in known for name in names):
            return [nodes.Text("not measured yet")], []
        return [nodes.Text(takes([known[name] for name in names]))], []


def setup(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("takes", TakesRole())
