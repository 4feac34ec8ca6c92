"""Run the chapters before Sphinx reads them: side by side, the longest first, straight into jupyter-cache.

myst-nb would run them one after the other. Here as many kernels run as there are processors; myst-nb then finds every
notebook in its cache and executes nothing. A failing cell stops the build, once all chapters were tried.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from dropout_lab.book import costs, forking
from dropout_lab.book.problems import BookError, draft

#: What a chapter prints, or how long it takes, depends on these, so the key of the cache does too. The Makefile exports
#: the same.
KERNEL_SETTINGS = {
    # One thread and no worker processes of its own for each kernel: as many kernels run as there are processors.
    "OMP_NUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    # The libraries would choose their code by the processor, and round differently on each: training multiplies such a
    # difference until it shows. All x86-64 processors with AVX2 can take the path named here.
    "MKL_CBWR": "AVX2,STRICT",  # torch's matrix products, wherever in memory a matrix begins
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own loops
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy and SciPy
    # Freed memory stays with the kernel: at every step of training the same tensors are freed and asked for again.
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
}
_log = logging.getLogger(__name__)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass
class Chapter:
    """A notebook that has to be executed, and how far its execution has come."""

    docname: str
    path: Path
    name: str
    notebook: NotebookNode
    current: int | None = None
    seconds: float = 0.0
    peak_mib: int | None = None

    def fail(self, error: Exception) -> str:
        """Where and why the execution failed: chapter, number of the code cell, its first line, and the error."""
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, CellExecutionError):
            reason = f"{error.ename}: {_ESCAPES.sub('', error.evalue)}"
        elif isinstance(error, CellTimeoutError):
            reason = "the cell ran longer than nb_execution_timeout allows"
        if self.current is None:
            return f"{self.name}: the kernel did not start: {reason}"
        cell = self.notebook.cells[self.current]
        number = sum(before.cell_type == "code" for before in self.notebook.cells[: self.current + 1])
        lines = self.notebook.metadata.get("source_map")
        where = f"cell {number} (line {lines[self.current] + 1})" if lines else f"cell {number}"
        first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        return f"{self.name}, {where}, `{first}`: {reason}"


def kernel_environment() -> dict[str, str]:
    """The environment of every kernel: its settings, the reported seeds, and results computed afresh unless in a draft."""
    environment = {**os.environ, **KERNEL_SETTINGS}
    environment.pop("DROPOUT_LAB_REPLICATION", None)
    if not draft():
        environment.pop("DROPOUT_LAB_STORE", None)
    return environment


def kernels_at_once() -> int:
    """How many chapters are executed side by side, if there are as many."""
    return os.cpu_count() or 1


def known_costs(app: Sphinx) -> dict[str, costs.Cost]:
    """What each chapter cost when it was last executed, by docname."""
    return costs.read_costs(_costs_path(app))


def execute_stale(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute those of the documents to be read that are notebooks and not in the cache; raise :class:`BookError`."""
    if env.mystnb_config.execution_mode != "cache":
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    stale = [chapter for docname in docnames if (chapter := _stale(env, cache, docname)) is not None]
    if not stale:
        _log.info("all notebooks are in the cache: nothing to execute")
        return
    known = known_costs(app)
    # A chapter never seen before may be the longest of all.
    unknown = costs.Cost(float("inf"))
    stale.sort(key=lambda chapter: (-known.get(chapter.docname, unknown).seconds, chapter.docname))
    # A thread of its own, for the caller's may already run an event loop: that of Jupyter, or of a browser under test.
    with ThreadPoolExecutor(1) as pool:
        executing = _execute_all(stale, cache, env.mystnb_config.execution_timeout)
        failures = pool.submit(asyncio.run, executing).result()
    known.update({chapter.docname: costs.Cost(round(chapter.seconds, 1), chapter.peak_mib) for chapter in stale})
    costs.write_costs(_costs_path(app), known)
    if failures:
        raise BookError("cells failed", failures)


def write_executed(app: Sphinx, env: BuildEnvironment) -> None:
    """Put outputs into the notebooks of ``_build/jupyter_execute``, which readers download and nbval runs again.

    myst-nb writes them there, but without outputs where those came from the cache.
    """
    if env.mystnb_config.execution_mode != "cache":
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    written = (Path(env.mystnb_config.output_folder, f"{docname}.ipynb") for docname in sorted(env.found_docs))
    for path in filter(Path.is_file, written):
        notebook = nbformat.read(path, as_version=4)
        if any(cell.cell_type == "code" and cell.source and cell.execution_count is None for cell in notebook.cells):
            _, executed = cache.merge_match_into_notebook(notebook)
            nbformat.write(executed, path)


def setup(app: Sphinx) -> None:
    """Execute before the documents are read, and hand on what was executed when they are."""
    app.connect("env-before-read-docs", execute_stale)
    app.connect("env-updated", write_executed)


def _costs_path(app: Sphinx) -> Path:
    return Path(app.config.nb_execution_cache_path).parent / costs.FILE


def _stale(env: BuildEnvironment, cache: JupyterCacheAbstract, docname: str) -> Chapter | None:
    path = Path(env.doc2path(docname))
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    if reader is None:
        return None
    notebook = reader.read(text)
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return Chapter(docname, path, str(env.doc2path(docname, base=False)), notebook)
    return None


async def _execute_all(chapters: list[Chapter], cache: JupyterCacheAbstract, timeout: int) -> list[str]:
    kernels = min(len(chapters), kernels_at_once())
    _log.info("executing %d notebooks, %d at a time", len(chapters), kernels)
    free = asyncio.Semaphore(kernels)
    failures: dict[str, str] = {}
    done = 0

    async def execute(chapter: Chapter, server: forking.KernelServer | None) -> None:
        nonlocal done
        async with free:
            problem = await _execute(chapter, server, timeout)
        done += 1
        if problem:
            failures[chapter.docname] = problem
        else:
            bundle = CacheBundleIn(chapter.notebook, str(chapter.path), data={"execution_seconds": chapter.seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        word = "FAILED after" if problem else "executed in"
        _log.info("[%d/%d] %s %s %.0f s", done, len(chapters), chapter.name, word, chapter.seconds)

    forks = _worth_a_server(chapters)
    with forking.KernelServer(kernel_environment(), forking.LIBRARIES) if forks else nullcontext() as server:
        await asyncio.gather(*(execute(chapter, server) for chapter in chapters))
    return [failures[docname] for docname in sorted(failures)]


def _worth_a_server(chapters: list[Chapter]) -> bool:
    """Whether kernels shall be forked: for a few it would take longer to prepare them."""
    return forking.available() and len(chapters) > 2 * kernels_at_once()


async def _execute(chapter: Chapter, server: forking.KernelServer | None, timeout: int) -> str:
    def remember(cell: NotebookNode, cell_index: int) -> None:
        chapter.current = cell_index

    def weigh(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        # After every cell, for at the end of the notebook its kernel is gone. The peak only grows.
        chapter.peak_mib = costs.peak_mib(client.km.provisioner.pid)

    client = NotebookClient(
        chapter.notebook,
        timeout=timeout if timeout > 0 else None,
        # Times in the notebook would make every build of it different, and change its key in the cache.
        record_timing=False,
        on_cell_start=remember,
        on_cell_executed=weigh,
        # Kernels say on the terminal that they listen on a local port; chapter errors come back as outputs.
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(chapter.path.parent)}},
    )
    started = time.perf_counter()
    try:
        if server:
            forking.fork_kernel(client, server)
        await client.async_execute(env=kernel_environment())
    except (CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError, OSError) as error:
        return chapter.fail(error)
    finally:
        chapter.seconds = time.perf_counter() - started
    return ""
