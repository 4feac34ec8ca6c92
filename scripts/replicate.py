"""Run the book's experiments again with other seeds, and compare the verdicts of the measured claims.

    python scripts/replicate.py 3
    python scripts/replicate.py 3 chapters/06-why-dropout-regularizes.md

Every chapter that measures, or each of those named, is executed three times more, each time with seeds that were never
used before. A verdict that is a matter of luck shows here. The exit status is 1 if one differs from the claims file;
nothing in the book changes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

from dropout_lab.book.executor import kernel_environment
from dropout_lab.claims import load, verdict
from dropout_lab.claims.records import MIME_TYPE
from dropout_lab.experiments.replicas import REPLICATION

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"


def measuring() -> list[Path]:
    """The chapters that settle a claim by measurement."""
    return [path for path in sorted(CHAPTERS.rglob("*.md")) if "claims.measure(" in path.read_text(encoding="utf-8")]


def evidence(path: Path, replication: int) -> dict[str, list[Mapping[str, Any]]]:
    """All evidence of one chapter, by claim, executed with the seeds of a replication."""
    notebook = jupytext.read(path)
    # As in the build: no word about local ports, and the folder of the chapter.
    quiet, where = ["--IPKernelApp.log_level=40"], {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=None, extra_arguments=quiet, resources=where)
    asyncio.run(client.async_execute(env=kernel_environment() | {REPLICATION: str(replication)}))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in _records(notebook):
        found.setdefault(record["claim"], []).extend(record["evidence"])
    print(f"replication {replication}: {path.relative_to(CHAPTERS)}", file=sys.stderr, flush=True)
    return found


def _records(notebook: Any) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if MIME_TYPE in output.get("data", {}):
                yield output["data"][MIME_TYPE]


def main(count: int, chapters: list[Path]) -> int:
    """Replicate, print a line for each measurement, and count the verdicts that differ."""
    claims = load()
    runs = [(path, number) for number in range(1, count + 1) for path in chapters]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda run: (run[1], evidence(*run)), runs)
        found = [
            (number, claim_id, records) for number, of_chapter in results for claim_id, records in of_chapter.items()
        ]
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


if __name__ == "__main__":
    count, named = int(sys.argv[1]) if sys.argv[1:] else 1, [Path(name).resolve() for name in sys.argv[2:]]
    sys.exit(main(count, named or measuring()))
