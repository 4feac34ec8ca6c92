"""What a build leaves for the next one is used only if it is as it was left.

Sphinx takes a page for up to date if it is newer than its source, also when it was cut short by a full disk or a power
cut. A finished build writes down the digests of all that it made. The next one throws away what differs, says so, and
has it made again: what was read of a page is read again, and for a damaged page the pages are written again. Executed
notebooks look after themselves, in :mod:`.cache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from dropout_lab.book.cache import write_atomically

#: The list of digests, in the folder of all that is built.
MANIFEST = "manifest.json"
#: What Sphinx writes down about its settings holds paths, so it does not stay in the site.
BUILD_INFO = "buildinfo"
#: Where myst-nb writes notebooks and their figures, beside the site.
NOTEBOOKS = "jupyter_execute"
#: What extensions copy into the site when all pages are written. A page names such a file without its checksum if the
#: file is not there yet, as in a first build, and with it if it is.
LATE = ("_static/mystnb.*.css", "_static/proof.css", "_static/exercise.css", "_static/mathjax/*.js")
_log = logging.getLogger(__name__)


def digests(build: Path, folders: Iterable[Path]) -> dict[str, str]:
    """The sha256 of every file in ``folders`` and of the file of settings, by its path below ``build``."""
    files = [build / BUILD_INFO, *(path for folder in folders for path in sorted(folder.rglob("*")))]
    return {
        path.relative_to(build).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        # What a file manager leaves is none of ours.
        if path.is_file() and (not path.name.startswith(".") or path.name == ENV_PICKLE_FILENAME)
    }


def damaged(build: Path, folders: Iterable[Path]) -> list[str] | None:
    """The files that are not as the last build left them, also those that came or went; ``None`` if it is not known."""
    try:
        left = json.loads((build / MANIFEST).read_text(encoding="utf-8"))
        return sorted({name for name, _ in left.items() ^ digests(build, folders).items()})
    except (OSError, ValueError, AttributeError):
        return None


def throw_away(app: Sphinx, config: Config) -> None:
    """Before Sphinx looks at anything: remove what is damaged, so that it is made again."""
    site, read, notebooks = _folders(app)
    build = site.parent
    found = damaged(build, (site, read, notebooks))
    if found is None:
        if any(digests(build, (site, read))):
            _log.info("what the last build left cannot be checked: all pages are made again")
        for folder in (site, read, notebooks):
            shutil.rmtree(folder, ignore_errors=True)
        (build / BUILD_INFO).unlink(missing_ok=True)
        return
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        _log.info("not as the last build left it: %s; it is thrown away and made again", shown)
    for name in found:
        path = build / name
        path.unlink(missing_ok=True)
        if path.is_relative_to(read):
            # A page whose doctree is missing is read again; without the environment all are.
            continue
        if path.is_relative_to(notebooks):
            for doctree in _doctrees(read, notebooks, path):
                doctree.unlink(missing_ok=True)
        else:
            # Indexes, figures and the search are made while pages are written, from all of them.
            shutil.rmtree(site, ignore_errors=True)
    for path in [path for pattern in LATE for path in site.glob(pattern)]:
        path.unlink()
    if site.is_dir() and (build / BUILD_INFO).is_file():
        shutil.copyfile(build / BUILD_INFO, site / ".buildinfo")


def write_down(app: Sphinx, error: Exception | None) -> None:
    """At the very end of a build that was finished: write the digests of all that it made."""
    if error is not None or app.builder.format != "html":
        return
    folders = _folders(app)
    build = folders[0].parent
    info = folders[0] / ".buildinfo"
    if info.is_file():
        os.replace(info, build / BUILD_INFO)
    write_atomically(build / MANIFEST, (json.dumps(digests(build, folders), indent=0) + "\n").encode())


class AllOrNothing:
    """Once a page is read again, the whole site is written again, which takes seconds.

    Sphinx would write that page alone. Its new title would be missing from the pages before and after it, the index
    entries of all others from the search, and figures that nobody shows would stay.
    """

    def __init__(self) -> None:
        self._changed = False

    def removed(self, app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set) -> list[str]:
        """Pages that went were named by others, and have left their notebooks."""
        self._changed = bool(removed)
        _, _, notebooks = _folders(app)
        for docname in removed:
            (notebooks / f"{docname}.ipynb").unlink(missing_ok=True)
        return []

    def read(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Pages will be read."""
        self._changed |= bool(docnames)

    def write(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """The pages to write, once the claims were judged: until then the site of before is there."""
        if not self._changed:
            return []
        shutil.rmtree(app.outdir, ignore_errors=True)
        os.makedirs(app.outdir)
        return sorted(env.found_docs)


def setup(app: Sphinx) -> None:
    """Look before anything else does, and write down after everything else was written."""
    pages = AllOrNothing()
    app.connect("config-inited", throw_away, priority=1)
    app.connect("env-get-outdated", pages.removed)
    app.connect("env-before-read-docs", pages.read)
    app.connect("env-updated", pages.write, priority=1000)
    app.connect("build-finished", write_down, priority=1000)


def _folders(app: Sphinx) -> tuple[Path, Path, Path]:
    site = Path(app.outdir)
    return site, Path(app.doctreedir), site.parent / NOTEBOOKS


def _doctrees(read: Path, notebooks: Path, path: Path) -> list[Path]:
    """What was read of the page of a notebook, or of all pages with notebooks for a figure, which may be anyone's."""
    names = [path] if path.suffix in (".ipynb", ".json") else notebooks.rglob("*.ipynb")
    stems = (name.relative_to(notebooks).as_posix().removesuffix(".glue.json").removesuffix(".ipynb") for name in names)
    return [read / f"{stem}.doctree" for stem in stems]
