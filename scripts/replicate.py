"""Run the book's experiments again with other seeds, and count the verdicts of the measured claims.

    python scripts/replicate.py 3
    python scripts/replicate.py 4-10 chapters/06-why-dropout-regularizes.md

Every chapter that measures, or each of those named, is executed three times more (or for the fourth to the tenth time),
each time with seeds that were never used before. A verdict that is a matter of luck shows here. What each replication
gave is written to ``replications.json`` beside the claims file, as soon as its chapter is finished; the next build
counts it. A verdict that differs from the book's is a result and no failure, so the exit status is 0. It is 2 if a
chapter could not be executed, or if the arguments are none; the other chapters go on, and keep what they found.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dropout_lab.book import kernels
from dropout_lab.book.executor import kernels_at_once
from dropout_lab.claims import MIME_TYPE, Evidence, Registry, from_json, load, replications
from dropout_lab.claims.kinds import Measurement
from dropout_lab.experiments.replicas import REPLICATION

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"


def measuring() -> list[Path]:
    """The chapters that settle a claim by measurement."""
    return [path for path in sorted(CHAPTERS.rglob("*.md")) if "claims.measure(" in path.read_text(encoding="utf-8")]


async def replicated(numbers: range, chapters: list[Path], home: Path) -> tuple[set[str], list[str]]:
    """Replicate each chapter with the seeds of each number, and write down what came out.

    Returns the ids of the claims that were measured, and a sentence for each chapter that failed.
    """
    free = asyncio.Semaphore(kernels_at_once())
    measured: set[str] = set()
    failed: list[str] = []

    async def replicate(path: Path, number: int) -> None:
        notebook = kernels.read_notebook(path)
        environment = kernels.kernel_environment(home, **{REPLICATION: str(number)})
        async with free:
            try:
                await kernels.execute(notebook, path.parent, environment, name=path.name)
                found = _evidence(notebook)
                for claim_id, pieces in found.items():
                    replications.add(claim_id, number, pieces)
            except (kernels.NotebookFailed, ValueError) as error:
                failed.append(f"replication {number}: {error}")
                return
        print("\n".join([f"replication {number}: {path.name}", *_lines(found)]), flush=True)
        measured.update(claim_id for claim_id, pieces in found.items() if replications.outcome(pieces))

    await asyncio.gather(*(replicate(path, number) for number in numbers for path in chapters))
    return measured, failed


def _evidence(notebook: Any) -> dict[str, list[Evidence]]:
    """All evidence of an executed chapter, by claim."""
    found: dict[str, list[Evidence]] = {}
    for record in _records(notebook):
        found.setdefault(record["claim"], []).extend(map(from_json, record["evidence"]))
    return found


def _records(notebook: Any) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if MIME_TYPE in output.get("data", {}):
                yield output["data"][MIME_TYPE]


def _lines(found: Mapping[str, list[Evidence]]) -> Iterator[str]:
    """A line for each measurement."""
    for claim_id, pieces in found.items():
        for piece in pieces:
            if isinstance(piece, Measurement):
                low, high = piece.interval
                numbers = f"{piece.effect:+9.4g} ({low:+.4g} to {high:+.4g}) {piece.unit}"
                yield f"    claim {claim_id}: {numbers}; {piece.rule}: {'met' if piece.supported else 'not met'}"


def table(claims: Registry, measured: set[str]) -> Iterator[str]:
    """How often each outcome came, over all replications that the file holds for the claims measured now."""
    yield f"{'claim':8}{'in the book':14}{'replications':>12}{'supported':>12}{'not-seen':>12}"
    counted = replications.load()
    for claim_id in (name for name in claims if name in measured):
        outcomes = Counter(counted[claim_id].found.values())
        counts = "".join(f"{outcomes[outcome]:12}" for outcome in replications.OUTCOMES)
        yield f"{claim_id:8}{claims[claim_id].expected:14}{counted[claim_id].runs:12}{counts}"


def main(numbers: range, chapters: list[Path]) -> int:
    """Replicate, print a line for each measurement as it comes, and then how often each verdict came out."""
    claims = load()
    with tempfile.TemporaryDirectory() as home:
        measured, failed = kernels.run(replicated(numbers, chapters, kernels.make_home(Path(home))))
    print("\n".join(["", *table(claims, measured)]))
    for sentence in failed:
        print(sentence, file=sys.stderr)
    return 2 if failed else 0


def read_arguments(arguments: list[str]) -> tuple[range, list[Path]]:
    """Which replications, and of which chapters: the first of all that measure, unless said.

    Raises ValueError for what is no number of replications, no two numbers like 4-10, or no chapter.
    """
    count, named = (arguments or ["1"])[0], [Path(name).resolve() for name in arguments[1:]]
    given = re.fullmatch(r"(?:(\d+)-)?(\d+)", count)
    first, last = (int(given[1] or 1), int(given[2])) if given else (0, 0)
    if not 1 <= first <= last:
        raise ValueError(f"say how many replications, as a number from 1, or which ones, like 4-10; got {count!r}")
    missing = [str(path) for path in named if not path.is_file()]
    if missing:
        raise ValueError(f"there is no chapter {', '.join(missing)}")
    return range(first, last + 1), named or measuring()


if __name__ == "__main__":
    try:
        sys.exit(main(*read_arguments(sys.argv[1:])))
    except (ValueError, kernels.NotebookFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
