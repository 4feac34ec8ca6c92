"""Run the chapters before Sphinx reads them: side by side, the longest first; those that are kept are not run.

myst-nb would run them one after the other. Here as many kernels run as there are processors. myst-nb is handed
notebooks that have their outputs, and executes nothing. A failing cell stops the build, once all chapters were tried.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nbformat
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import NbReader, create_nb_reader
from myst_nb.sphinx_ import SphinxEnvType
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from dropout_lab.book import built_with, cache, costs, kernels
from dropout_lab.book.problems import BookError, draft

#: The environment variable that says how many chapters are executed side by side.
JOBS = "DROPOUT_LAB_JOBS"
_log = logging.getLogger(__name__)


@dataclass
class Chapter:
    """A page with code cells, and its executed notebook as soon as there is one."""

    docname: str
    path: Path
    name: str
    reader: NbReader
    notebook: NotebookNode
    key: str
    kept: cache.Kept | None = None


def kernels_at_once() -> int:
    """How many chapters are executed side by side: as many as there are processors, or as ``DROPOUT_LAB_JOBS`` says.

    Raises ValueError if the variable holds something else than a number from 1.
    """
    wanted = os.environ.get(JOBS)
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"{JOBS} says how many chapters are executed side by side: a number from 1, got {wanted!r}")
    return int(wanted)


class Executor:
    """The events of one build, in their order: :meth:`outdated`, :meth:`execute`, :meth:`hand_over`, :meth:`write`."""

    def __init__(self) -> None:
        self._chapters: dict[str, Chapter] = {}
        self._settings: NbParserConfig | None = None

    def outdated(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """The pages that were read with other outputs than those that are kept for them now, or for which none are."""
        self._settings = _of_myst(env).mystnb_config
        if self._settings.execution_mode != "cache":
            return []
        kept = self._cache(app)
        environment = _environment(app)
        for docname in sorted(env.found_docs):
            path = Path(env.doc2path(docname))
            text = path.read_text(encoding="utf-8")
            reader = create_nb_reader(str(path), _of_myst(env).myst_config, self._settings, text)
            if reader is not None:
                notebook = reader.read(text)
                key = cache.notebook_key(notebook, environment, Path(app.srcdir, "requirements.txt"))
                name = str(env.doc2path(docname, base=False))
                found = kept.find(docname, key)
                self._chapters[docname] = Chapter(docname, path, name, reader, notebook, key, found)
        read_with = _read_with(env)
        return [
            docname
            for docname, chapter in self._chapters.items()
            if chapter.kept is None or chapter.kept.digest != read_with.get(docname)
        ]

    def execute(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Execute the chapters that are not kept; raises :class:`BookError` with all that failed."""
        if self._settings is None or self._settings.execution_mode != "cache":
            return
        stale = [chapter for chapter in self._chapters.values() if chapter.kept is None]
        if not stale:
            _log.info("all notebooks are kept from before: nothing to execute")
            return
        noted = build_folder(app) / costs.FILE
        known = costs.read_costs(noted)
        if noted.is_file() and not known:
            _log.info("%s cannot be read, so the longest chapter is not known: it is written anew", noted.name)
        # A chapter never seen before may be the longest of all.
        unknown = costs.Cost(float("inf"))
        stale.sort(key=lambda chapter: (-known.get(chapter.docname, unknown).seconds, chapter.docname))
        timeout = self._settings.execution_timeout
        kernels.make_home(_home(app))
        failures = kernels.run(_execute_all(stale, self._cache(app), _environment(app), timeout, known.__setitem__))
        cache.write_atomically(noted, costs.costs_text(known).encode())
        if failures:
            raise BookError("cells failed", failures)

    def hand_over(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Before a page is read: give myst-nb a way to read it that adds the outputs."""
        if self._settings is None:
            return
        settings, chapter = self._settings, self._chapters.get(docname)
        if chapter is not None and chapter.kept is not None:
            told = {"read": chapter.reader.read, "executed": chapter.kept.notebook}
            reader = (f"{__name__}.{read_executed.__name__}", told, chapter.reader.md_config.commonmark_only)
            formats = {**settings.custom_formats, chapter.path.suffix: reader}
            settings = settings.copy(execution_mode="off", custom_formats=formats)
            _read_with(app.env)[docname] = chapter.kept.digest
        _of_myst(app.env).mystnb_config = settings

    def write(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Put the notebooks with all outputs where readers download them and nbval runs them again.

        myst-nb has written them there without what was glued.
        """
        if self._settings is None:
            return
        _of_myst(env).mystnb_config = self._settings
        for docname, chapter in self._chapters.items():
            path = Path(self._settings.output_folder, f"{docname}.ipynb")
            if chapter.kept is not None:
                text = nbformat.writes(with_outputs(chapter.notebook, chapter.kept.notebook)) + "\n"
                if not path.is_file() or path.read_text(encoding="utf-8") != text:
                    cache.write_atomically(path, text.encode())

    def _cache(self, app: Sphinx) -> cache.Cache:
        sources = cache.Sources(Path(app.srcdir), (build_folder(app), _cache_folder(app)))
        return cache.Cache(_cache_folder(app) / "executed", sources, _log.info)


def read_executed(text: str, read: Callable[[str], NotebookNode], executed: NotebookNode) -> NotebookNode:
    """Read a chapter and add the outputs of its executed notebook; myst-nb finds this function by its name."""
    return with_outputs(read(text), executed)


def with_outputs(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """A notebook as it is written, with the outputs of an execution of the same code cells.

    Prose and metadata are those of ``source``. The ids of cells, which a reader of MyST makes up, are their numbers.
    """
    notebook = copy.deepcopy(source)
    outputs = iter([cell for cell in executed.cells if cell.cell_type == "code"])
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            run = copy.deepcopy(next(outputs))
            cell.outputs, cell.execution_count = run.outputs, run.execution_count
    for name in ("language_info", "widgets"):
        if name in executed.metadata:
            notebook.metadata[name] = copy.deepcopy(executed.metadata[name])
    return notebook


def build_folder(app: Sphinx) -> Path:
    """The folder of all that a build makes; the site lies in it."""
    return Path(app.outdir).parent


def setup(app: Sphinx) -> None:
    """Execute before the documents are read, and hand on what was executed when they are."""
    executor = Executor()
    app.add_config_value("dropout_lab_cache", "", "", [str])
    app.add_config_value("dropout_lab_book_key", "", "env", [str])
    app.connect("config-inited", _set_key)
    app.connect("env-get-outdated", executor.outdated)
    app.connect("env-before-read-docs", executor.execute)
    app.connect("source-read", executor.hand_over)
    app.connect("env-updated", executor.write)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("build-finished", _say_what_it_was_built_with)


async def _execute_all(
    chapters: list[Chapter],
    kept: cache.Cache,
    environment: dict[str, str],
    timeout: int,
    note: Callable[[str, costs.Cost], None],
) -> list[str]:
    at_once = min(len(chapters), kernels_at_once())
    _log.info("executing %d notebooks, %d at a time", len(chapters), at_once)
    free = asyncio.Semaphore(at_once)
    failures: dict[str, str] = {}
    done = 0

    async def execute(chapter: Chapter) -> None:
        nonlocal done
        async with free:
            started, started_ns, word = time.perf_counter(), time.time_ns(), "executed in"
            try:
                execution = await kernels.execute(
                    chapter.notebook,
                    chapter.path.parent,
                    environment,
                    name=chapter.name,
                    timeout=timeout if timeout > 0 else None,
                )
            except kernels.NotebookFailed as failure:
                failures[chapter.docname], word = str(failure), "FAILED after"
            else:
                note(chapter.docname, costs.Cost(round(execution.seconds, 1), execution.peak_mib))
                chapter.kept = kept.keep(chapter.docname, chapter.key, chapter.notebook, execution, started_ns)
        done += 1
        seconds = time.perf_counter() - started
        _log.info("[%d/%d] %s %s %.0f s", done, len(chapters), chapter.name, word, seconds)

    await asyncio.gather(*map(execute, chapters))
    return [failures[docname] for docname in sorted(failures)]


def _environment(app: Sphinx) -> dict[str, str]:
    """A draft may take trained networks from a store; the book computes them."""
    store = os.environ.get("DROPOUT_LAB_STORE")
    return kernels.kernel_environment(_home(app), **({"DROPOUT_LAB_STORE": store} if store and draft() else {}))


def _cache_folder(app: Sphinx) -> Path:
    return Path(app.config.dropout_lab_cache or build_folder(app) / ".cache").resolve()


def _home(app: Sphinx) -> Path:
    return _cache_folder(app) / "home"


def _read_with(env: BuildEnvironment) -> dict[str, str]:
    """The digests of the executed notebooks that the pages were read with, which Sphinx keeps with what it read."""
    return vars(env).setdefault("dropout_lab_read_with", {})


def _of_myst(env: BuildEnvironment) -> SphinxEnvType:
    """The environment with the settings that myst-nb keeps in it."""
    return cast(SphinxEnvType, env)


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _read_with(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment) -> None:
    _read_with(env).update({name: digest for name, digest in _read_with(other).items() if name in docnames})


def _set_key(app: Sphinx, config: Config) -> None:
    """Have all pages read again when the Sphinx side changed, or the claims that it shows."""
    # docutils would read the settings of whoever builds, from the home folder and from the current one.
    os.environ["DOCUTILSCONFIG"] = ""
    sides = [cache.PACKAGE / "book", cache.PACKAGE / "claims"]
    files = [path for side in sides for path in side.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    config.dropout_lab_book_key = cache.tree_digest([*files, cache.PACKAGE / "pinned.py"], cache.PACKAGE)


def _say_what_it_was_built_with(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        text = json.dumps(built_with.built_with(), indent=1) + "\n"
        cache.write_atomically(Path(app.outdir, built_with.FILE), text.encode())
