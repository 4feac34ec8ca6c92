"""Build the book a second time, from nothing, in another folder and one chapter at a time; every byte must be the same.

    python scripts/reproduce.py

The book in ``_build`` is compared with a build of a copy in a temporary folder. The first difference is printed: the
file, the place in it, and both sides. The exit status is 1 if there is one, 2 if there is nothing to compare.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: What readers get: the site, and the executed notebooks with their figures.
COMPARED = ("html", "jupyter_execute")
#: What a build makes or needs no copy of.
_LEFT_OUT = shutil.ignore_patterns("_build", ".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", ".experiments")
_SHOWN = 160


def first_difference(one: Path, other: Path) -> str:
    """What differs first between two folders, in the order of their files' names; empty if nothing does."""
    for name in sorted({*_files(one), *_files(other)}):
        here, there = one / name, other / name
        if not here.is_file() or not there.is_file():
            return f"{name} is only in {(one if here.is_file() else other)}"
        if here.read_bytes() != there.read_bytes():
            return _place(name, here.read_bytes(), there.read_bytes())
    return ""


def main(root: Path = ROOT) -> int:
    """Build the copy, compare, and say what came out."""
    built = root / "_build"
    if not (built / "html" / "index.html").is_file():
        print(f"there is no book in {built / 'html'}: build it first (make book)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "another place", root.name)
        shutil.copytree(root, copy, ignore=_LEFT_OUT, symlinks=True)
        print(f"building a copy, one chapter at a time, in {copy}", flush=True)
        # The copy's own package, not the one that is installed in place.
        environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "DROPOUT_LAB_JOBS": "1"}
        command = [sys.executable, "-m", "dropout_lab.book.build", str(copy)]
        if subprocess.run(command, cwd=copy, env=environment).returncode:
            return 2
        for name in COMPARED:
            difference = first_difference(built / name, copy / "_build" / name)
            if difference:
                print(f"NOT THE SAME: {name}/{difference}")
                return 1
        files = sum(len(list(_files(built / name))) for name in COMPARED)
    print(f"the same to the byte: {files} files")
    return 0


def _files(folder: Path) -> Iterable[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _place(name: str, here: bytes, there: bytes) -> str:
    offset = next((k for k, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    line = here.count(b"\n", 0, offset) + 1
    start = here.rfind(b"\n", 0, offset) + 1
    # Of a long line, what stands around the difference.
    start = max(start, offset - _SHOWN // 2)
    sides = [side[start : start + _SHOWN].split(b"\n")[0].decode("utf-8", "replace") for side in (here, there)]
    return f"{name}, line {line}, byte {offset}:\n  {sides[0]}\n  {sides[1]}"


if __name__ == "__main__":
    sys.exit(main())
