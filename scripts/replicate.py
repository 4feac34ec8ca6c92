"""Run the book's experiments again with other seeds, and compare the verdicts of the measured claims.

    python scripts/replicate.py 3
    python scripts/replicate.py 3 chapters/06-why-dropout-regularizes.md

Every chapter that measures, or each of those named, is executed three times more, each time with seeds that were never
used before. A verdict that is a matter of luck shows here. The exit status is 1 if one differs from the claims file;
nothing in the book changes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dropout_lab.book import kernels
from dropout_lab.book.executor import kernels_at_once
from dropout_lab.claims import MIME_TYPE, load, verdict
from dropout_lab.experiments.replicas import REPLICATION

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"

#: One piece of evidence as a cell carries it, and all of a chapter by claim.
Record = Mapping[str, Any]
Evidence = dict[str, list[Record]]


def measuring() -> list[Path]:
    """The chapters that settle a claim by measurement."""
    return [path for path in sorted(CHAPTERS.rglob("*.md")) if "claims.measure(" in path.read_text(encoding="utf-8")]


async def replicated(count: int, chapters: list[Path], home: Path) -> list[tuple[int, Evidence]]:
    """The evidence of every chapter with the seeds of each replication from 1 to ``count``."""
    free = asyncio.Semaphore(kernels_at_once())

    async def replicate(path: Path, number: int) -> tuple[int, Evidence]:
        notebook = kernels.read_notebook(path)
        environment = kernels.kernel_environment(home, **{REPLICATION: str(number)})
        async with free:
            await kernels.execute(notebook, path.parent, environment, name=path.name)
        print(f"replication {number}: {path.relative_to(CHAPTERS)}", file=sys.stderr, flush=True)
        found: Evidence = {}
        for record in _records(notebook):
            found.setdefault(record["claim"], []).extend(record["evidence"])
        return number, found

    return await asyncio.gather(*(replicate(path, number) for number in range(1, count + 1) for path in chapters))


def _records(notebook: Any) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if MIME_TYPE in output.get("data", {}):
                yield output["data"][MIME_TYPE]


def main(count: int, chapters: list[Path]) -> int:
    """Replicate, print a line for each measurement, and count the verdicts that differ."""
    claims = load()
    with tempfile.TemporaryDirectory() as home:
        results = kernels.run(replicated(count, chapters, kernels.make_home(Path(home))))
    found = [(number, claim_id, records) for number, of_chapter in results for claim_id, records in of_chapter.items()]
    differing = 0
    for number, claim_id, records in sorted(found, key=lambda item: list(claims).index(item[1])):
        measured = [record for record in records if record["kind"] == "measure"]
        if not measured:
            continue
        seen, expected = verdict(claims[claim_id], records), claims[claim_id].expected
        differing += seen != expected
        word = "as in the book" if seen == expected else f"THE BOOK SAYS {expected}"
        print(f"claim {claim_id}, replication {number}: {seen}, {word}")
        for record in measured:
            low, high = record["interval"]
            print(f"    {record['effect']:+9.4g} ({low:+.4g} to {high:+.4g}) {record['unit']}; {record['rule']}")
    print(f"{differing} verdicts differ")
    return int(differing > 0)


def read_arguments(arguments: list[str]) -> tuple[int, list[Path]]:
    """How often, and which chapters: once and all that measure, unless said. Raises ValueError for anything else."""
    count, named = (arguments or ["1"])[0], [Path(name).resolve() for name in arguments[1:]]
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(f"say how many replications, as a number from 1, got {count!r}")
    missing = [str(path) for path in named if not path.is_file()]
    if missing:
        raise ValueError(f"there is no chapter {', '.join(missing)}")
    return int(count), named or measuring()


if __name__ == "__main__":
    try:
        sys.exit(main(*read_arguments(sys.argv[1:])))
    except (ValueError, kernels.NotebookFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
