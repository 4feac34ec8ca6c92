"""Run the executed notebooks of a build again, in fresh kernels, and compare every text and SVG output with nbval.

    python scripts/check_notebooks.py _build/jupyter_execute

The notebooks are handed to as many pytest processes as there are processors, longest first, so that the second run takes
no longer than the build did. A notebook that was never executed would pass whatever it prints, so that is checked first.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from dropout_lab.book import costs
from dropout_lab.book.executor import kernel_environment


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells that hold something to run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def running_times(folder: Path) -> dict[str, float]:
    """Seconds that the build spent in each notebook, by its name without ending; empty if the build left no note of it."""
    known = costs.read_costs(folder.parent / ".jupyter_cache" / costs.FILE)
    return {name: cost.seconds for name, cost in known.items()}


def check(path: Path) -> tuple[Path, float, int, str]:
    """Run nbval on one notebook: its path, the seconds it took, pytest's exit status and what pytest printed."""
    environment = kernel_environment()
    # A fresh run computes everything again, that of a draft too: nothing may come out of a store of results.
    environment.pop("DROPOUT_LAB_STORE", None)
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "--no-header", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return path, time.perf_counter() - started, done.returncode, done.stdout + done.stderr


def main(folder: str) -> int:
    """Check every notebook below ``folder``; the exit status is 0 only if all of them reproduce."""
    notebooks = {path: nbformat.read(path, as_version=4) for path in sorted(Path(folder).rglob("*.ipynb"))}
    with_code = {path: notebook for path, notebook in notebooks.items() if code_cells(notebook)}
    if not with_code:
        print(f"no executed notebook below {folder}: build the book first (make book)", file=sys.stderr)
        return 2
    bare = [str(p) for p, notebook in with_code.items() if any(c.execution_count is None for c in code_cells(notebook))]
    if bare:
        print(
            f"these notebooks were not executed, so nothing in them would be compared: {', '.join(bare)}",
            file=sys.stderr,
        )
        return 2
    times = running_times(Path(folder))
    name = {path: path.relative_to(folder).with_suffix("").as_posix() for path in with_code}
    longest_first = sorted(with_code, key=lambda path: times.get(name[path], 0.0), reverse=True)
    passed = failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, seconds, status, report in pool.map(check, longest_first):
            print(
                f"nbval {path.relative_to(folder)}: {'reproduced' if status == 0 else 'FAILED'} in {seconds:.0f} s",
                flush=True,
            )
            if status != 0:
                print(report)
            count = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", report)}
            passed += count.get("passed", 0)
            failed += (count.get("failed", 0) + count.get("error", 0)) or int(status != 0)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
