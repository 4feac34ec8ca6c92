"""Executed notebooks, kept from one build to the next for as long as all that they read is as it was.

Each kernel writes down the files that its cells read (:mod:`.watch`): the modules that they import, through others
too, the claims file, data. An executed notebook is kept with the digests of these files, under a key of what every cell
depends on: its code, the pins, the Python and the processor, the environment of kernels. It is used again if all of
them are the same. So an edit costs the chapters that it touches, and nothing has to be guessed from the source.

What nobody sees: whether a file *exists*, if a cell asks for that alone, and files that a library opens without Python.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from dropout_lab.book.built_with import built_with
from dropout_lab.book.kernels import PLACES, Execution

PACKAGE = Path(__file__).resolve().parent.parent
#: A change of the form of the files below.
_FORM = 1
#: What belongs to the machine and to its Python: the key names their versions.
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/run", "/System", "/Library")
#: Modules that start a second Python, whose reading nobody sees.
_OTHER_PYTHONS = ("popen_loky_posix", "popen_loky_win32", "popen_spawn_posix", "popen_forkserver", "popen_spawn_win32")
#: So many states of a chapter are kept: an edit taken back costs nothing.
_STATES = 6


@dataclass(frozen=True)
class Kept:
    """An executed notebook, the digests of what it read by the names of :class:`Sources`, and its own digest."""

    notebook: NotebookNode
    read: Mapping[str, str]
    digest: str


@dataclass
class Sources:
    """The files that a book's cells can read: those of the book, of the package, and any other outside the system.

    ``book`` is the folder of the book, ``made`` those of what is made from it. Digests are taken once for each object.
    """

    book: Path
    made: tuple[Path, ...]
    package: Path = PACKAGE
    _digests: dict[str, str] = field(default_factory=dict)

    def names(self, reads: Iterable[tuple[str, str]]) -> list[str]:
        """The names of all that a kernel read and that may change, in order; all there are if it started a Python."""
        found: set[str] = set()
        written: set[str] = set()
        for done, path in reads:
            if done == "write":
                written.add(path)
            elif (done == "leave" and "python" in os.path.basename(path)) or _file_name(path) in _OTHER_PYTHONS:
                found.update(self._everything())
            elif done in ("read", "list") and path not in written:
                found.update(self._names(done, path))
        return sorted(found)

    def digest(self, name: str) -> str:
        """The digest of the file or folder with a name; empty if there is none."""
        if name not in self._digests:
            self._digests[name] = self._digest(name)
        return self._digests[name]

    def digest_since(self, name: str, started_ns: int) -> str:
        """The digest for what was read after a moment; ``"changed"`` if the file has been written to since."""
        path = self._path(name)
        try:
            status = os.stat(path)
        except OSError:
            return ""
        # Which of its states was read cannot be known. The next build executes again.
        if not name.endswith("/") and max(status.st_mtime_ns, status.st_ctime_ns) >= started_ns:
            return "changed"
        return self._digest(name)

    def _names(self, done: str, path: str) -> Iterator[str]:
        if _file_name(path) and path.endswith(".pyc") and os.path.basename(os.path.dirname(path)) == "__pycache__":
            try:
                path = importlib.util.source_from_cache(path)
            except ValueError:
                return
        if not self._matters(path):
            return
        yield self._name(path) + ("/" if done == "list" else "")
        if path.endswith(".py"):
            # A folder of this name would be imported in its place.
            yield self._name(os.path.join(path.removesuffix(".py"), "__init__.py"))

    def _matters(self, path: str) -> bool:
        if any(_below(path, folder) for folder in self.made):
            return False
        # What the package says of itself when it is installed, such as its entry points, changes with it.
        if _below(path, self.package) or f"{os.sep}{self.package.name}-" in os.path.dirname(path):
            return True
        # The environment may lie in the book's folder, and the book's folder below Python's.
        inside = [folder for folder in _installed() if _below(path, folder)]
        if _below(path, self.book):
            return all(_below(self.book, folder) for folder in inside)
        return not inside and not any(_below(path, folder) for folder in _SYSTEM)

    def _name(self, path: str) -> str:
        for word, folder in (("book", self.book), ("package", self.package)):
            if _below(path, folder):
                return f"{word}:{os.path.relpath(path, folder)}"
        return path

    def _path(self, name: str) -> str:
        word, colon, rest = name.partition(":")
        folder = {"book": self.book, "package": self.package}.get(word)
        return os.path.join(folder, rest) if colon and folder is not None else name

    def _digest(self, name: str) -> str:
        path = self._path(name)
        try:
            if name.endswith("/"):
                content = "\n".join(sorted(entry for entry in os.listdir(path) if entry != "__pycache__")).encode()
            else:
                content = Path(path).read_bytes()
        except OSError:
            return ""
        return hashlib.sha256(content).hexdigest()

    def _everything(self) -> Iterator[str]:
        for folder in (self.package, self.book):
            yield self._name(str(folder)) + "/"
            for path in sorted(folder.rglob("*")):
                hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
                if not hidden and self._matters(str(path)):
                    yield self._name(str(path)) + ("/" if path.is_dir() else "")


class Cache:
    """The folder of executed notebooks. What cannot be read is said through ``say``, thrown away and made again."""

    def __init__(self, folder: Path, sources: Sources, say: Any) -> None:
        self.folder = folder
        self.sources = sources
        self._say = say

    def find(self, docname: str, key: str) -> Kept | None:
        """The executed notebook of a chapter under a key, if all that it read is as it was."""
        path = self._path(docname, key)
        if not path.is_file():
            return None
        try:
            kept = _parse(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._say(f"{docname}: its executed notebook is damaged ({error}) and thrown away; it is executed again")
            path.unlink(missing_ok=True)
            return None
        same = all(self.sources.digest(name) == digest for name, digest in kept.read.items())
        return kept if same else None

    def keep(self, docname: str, key: str, notebook: NotebookNode, execution: Execution, started_ns: int) -> Kept:
        """Keep a notebook that was executed from a moment on, in nanoseconds of the system's clock."""
        names = self.sources.names(execution.reads)
        read = {name: self.sources.digest_since(name, started_ns) for name in names}
        body = json.dumps({"read": read, "notebook": notebook}, sort_keys=True, ensure_ascii=False).encode()
        path = self._path(docname, key)
        write_atomically(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        states = sorted(path.parent.glob("*.json"), key=lambda state: state.stat().st_mtime_ns, reverse=True)
        for state in states[_STATES:]:
            state.unlink(missing_ok=True)
        return _parse(path.read_bytes())

    def _path(self, docname: str, key: str) -> Path:
        return self.folder / docname / f"{key}.json"


def notebook_key(notebook: NotebookNode, environment: Mapping[str, str], pins: Path) -> str:
    """The key of what every cell of a notebook depends on, whatever it reads.

    These are the code of the cells with their tags, the kernel, its environment (but for where things are), the pinned
    versions, and what :func:`.built_with.built_with` tells of Python and of the processor. ``pins`` is the file of
    requirements; its comments are left out.
    """
    cells = [(cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells if cell.cell_type == "code"]
    lines = pins.read_text(encoding="utf-8").splitlines() if pins.is_file() else []
    fixed = {name: value for name, value in environment.items() if name not in PLACES}
    versions = sorted(filter(None, (line.split("#")[0].strip() for line in lines)))
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    everything = [_FORM, cells, kernel, fixed, versions, built_with()]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]


def tree_digest(paths: Iterable[Path], root: Path) -> str:
    """The sha256 of the names (relative to ``root``) and the bytes of files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        name = os.path.relpath(path, root).encode()
        content = path.read_bytes()
        total.update(b"%d:%b%d:" % (len(name), name, len(content)))
        total.update(content)
    return total.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that no half of it is ever found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    passing.write_bytes(content)
    os.replace(passing, path)


def _parse(content: bytes) -> Kept:
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("its content is not what was written")
    found = json.loads(body)
    return Kept(nbformat.from_dict(found["notebook"]), found["read"], digest.decode())


def _below(path: str | Path, folder: str | Path) -> bool:
    own, above = os.fspath(path), os.fspath(folder)
    return own == above or own.startswith(os.path.join(above, ""))


@cache
def _installed() -> frozenset[str]:
    """The folders of Python and of what was installed for it: the key names the versions."""
    packages = (entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages"))
    return frozenset({sys.prefix, sys.base_prefix, *packages})


def _file_name(path: str) -> str:
    return os.path.basename(path).partition(".")[0]
