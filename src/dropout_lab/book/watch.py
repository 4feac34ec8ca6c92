"""Run in a kernel before the first cell: write down every file and folder that the cells read.

It is run as a file by :mod:`.kernels`, not imported, for a kernel shall not load the Sphinx side. Lines are JSON: what
was done and to which path. ``read``: opened to be read, present or not. ``write``: opened to be written. ``list``: a
folder whose content was asked for. ``leave``: another program was started, whose reading nobody sees.
"""

from __future__ import annotations

import importlib.abc
import importlib.metadata
import json
import os
import sys
from collections.abc import Sequence

#: The environment variable that names the file to write to.
VARIABLE = "DROPOUT_LAB_READS"
#: What looks for modules and for installed packages lists every folder that it searches; what it found there shows in
#: what it opens.
_SEARCHES = {"<frozen importlib._bootstrap_external>", importlib.metadata.__file__}
_PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}


class Watch(importlib.abc.MetaPathFinder):
    """Hears of all files from Python itself (its audit events); hears of missing modules as the last finder."""

    def __init__(self, log: str) -> None:
        # Unbuffered and never closed: what was read before a kernel is killed counts. Forked children write as well.
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._noted: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Begin; this can't be ended, but with the process."""
        sys.addaudithook(self.hear)
        sys.meta_path.append(self)
        self.note("start", os.getcwd())

    def note(self, done: str, path: str) -> None:
        """Write a line, the first time."""
        if (done, path) not in self._noted:
            self._noted.add((done, path))
            os.write(self._log, json.dumps([done, path]).encode() + b"\n")

    def hear(self, event: str, details: tuple) -> None:
        """An event of Python's audit table."""
        if event == "open":
            path, _, flags = details
            if isinstance(path, (str, bytes, os.PathLike)):
                access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
                made = flags & (os.O_TRUNC | os.O_EXCL)
                writes = access == os.O_WRONLY or (access == os.O_RDWR and made)
                self.note("write" if writes else "read", os.path.abspath(os.fsdecode(path)))
        elif event in ("os.listdir", "os.scandir"):
            if sys._getframe(1).f_code.co_filename not in _SEARCHES and not isinstance(details[0], int):
                self.note("list", os.path.abspath(os.fsdecode(details[0] or ".")))
        elif event in _PROGRAMS:
            self.note("leave", str(details[0]))

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        """Find nothing, like those asked before, but note where the module would have been."""
        for folder in sys.path if path is None else path:
            place = os.path.abspath(os.path.join(folder, name.rpartition(".")[2]))
            self.note("read", f"{place}.py")
            self.note("read", os.path.join(place, "__init__.py"))


if os.environ.get(VARIABLE):
    Watch(os.environ[VARIABLE]).start()
