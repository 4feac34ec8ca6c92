"""The one way in which the book executes a notebook: a fresh kernel in an environment that is the same for everyone.

A kernel gets no variable of whoever builds, no home folder and no configuration: each of these can change what a page
shows (``MPLBACKEND``, a ``matplotlibrc``, IPython's startup files) or let a false check pass (``PYTHONOPTIMIZE``).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ipykernel.kernelspec
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from dropout_lab.book import watch
from dropout_lab.book.costs import peak_mib

#: What a chapter prints, or how long it takes, depends on these. The Makefile exports the same.
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
#: Python looks at the second and the size of a source alone to see whether its compiled code is of today. A kernel
#: leaves no compiled code behind, so that the next one runs what an edit within the same second wrote.
_FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}
#: Names, numbers and dates are written in one way, and text is UTF-8.
_LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "TZ": "UTC"}
#: What comes through: the claims file that a book names, and where the system's libraries are, without which Python
#: itself may not start.
PASSED = ("DROPOUT_LAB_CLAIMS", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
#: Variables that say where something is and not what it is. They differ between folders, and the pages must not.
PLACES = ("HOME", "TMPDIR", "IPYTHONDIR", "PATH", "PYTHONPATH", "PYTHONUSERBASE")
#: The first line of every kernel. The file runs in names of its own, which no cell can see or change.
_WATCH = f"__import__('runpy').run_path({watch.__file__!r}) and None"
_SOURCE = Path(__file__).resolve().parents[2]
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_Result = TypeVar("_Result")


class NotebookFailed(Exception):
    """A notebook could not be executed to its end. The message says where and why."""


@dataclass(frozen=True)
class Execution:
    """What the execution of a notebook cost and read: seconds, the most MiB that its kernel held (``None`` where the
    system does not tell), and the lines of :mod:`.watch`, as pairs."""

    seconds: float
    peak_mib: int | None
    reads: tuple[tuple[str, str], ...]


def kernel_environment(home: Path, **variables: str) -> dict[str, str]:
    """All environment variables of a kernel.

    ``home`` is the folder that it gets for its home, its temporary files and IPython's profile; see :func:`make_home`.
    ``variables`` are added, such as ``DROPOUT_LAB_STORE`` in a draft.

    >>> environment = kernel_environment(Path("/empty"), DROPOUT_LAB_REPLICATION="2")
    >>> environment["HOME"], environment["OMP_NUM_THREADS"], environment["DROPOUT_LAB_REPLICATION"]
    ('/empty', '1', '2')
    >>> "MPLBACKEND" in environment
    False
    """
    environment = {name: os.environ[name] for name in PASSED if os.environ.get(name)}
    environment |= {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "IPYTHONDIR": str(home / "ipython"),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.defpath]),
    }
    # The package that builds is the one that the chapters import, also where another copy of it is installed.
    if Path(sys.prefix) not in _SOURCE.parents:
        environment["PYTHONPATH"] = str(_SOURCE)
    # Packages that were installed for this user alone are found by way of the home folder.
    if site.ENABLE_USER_SITE:
        environment["PYTHONUSERBASE"] = site.getuserbase()
    return environment | _LOCALE | _FRESH | KERNEL_SETTINGS | variables


def make_home(home: Path) -> Path:
    """Make the home folder of kernels, unless it is there; returns it.

    It is empty but for matplotlib's list of fonts. Each kernel would make that list again, and say so in a warning on a
    machine with many fonts.
    """
    for folder in (home / "tmp", home / "ipython"):
        folder.mkdir(parents=True, exist_ok=True)
    if not list(home.glob(".cache/matplotlib/fontlist*")):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, env=kernel_environment(home), check=True, stderr=subprocess.DEVNULL)
    return home


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file: a chapter in MyST Markdown, or an ``.ipynb``."""
    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    return read_myst_markdown_notebook(path.read_text(encoding="utf-8"), add_source_map=True, path=path)


async def execute(
    notebook: NotebookNode, folder: Path, environment: Mapping[str, str], *, name: str, timeout: float | None = None
) -> Execution:
    """Execute all cells of a notebook in a kernel of their own, and put the outputs into it.

    The cells run in ``folder``. ``name`` is that of the chapter in messages. ``timeout`` are the seconds that a single
    cell may take. Raises :class:`NotebookFailed` with the chapter, the cell, its first line and the error.
    """
    current: int | None = None
    process: Any = None
    peak: int | None = None

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current, process
        current = cell_index
        process = getattr(client.km and client.km.provisioner, "process", None)

    def weigh(cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        # After every cell, for at the end of the notebook its kernel is gone. The peak only grows.
        nonlocal peak
        peak = None if process is None else peak_mib(process.pid)

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "reads")
        client = NotebookClient(
            notebook,
            kernel_manager_class=_KernelManager,
            timeout=timeout,
            # Times in the notebook would make every build of it different.
            record_timing=False,
            # Where a printed text is cut depends on the moment at which the pieces arrive.
            coalesce_streams=True,
            on_cell_start=remember,
            on_cell_executed=weigh,
            # Kernels say on the terminal that they listen on a local port; errors of chapters come back as outputs.
            extra_arguments=["--IPKernelApp.log_level=40", f"--IPKernelApp.exec_lines={_WATCH}"],
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            await client.async_execute(env={**environment, watch.VARIABLE: str(log)})
        except (CellExecutionError, CellTimeoutError, DeadKernelError, NoSuchKernel, RuntimeError, OSError) as error:
            raise NotebookFailed(_where_and_why(notebook, name, current, process, error)) from error
        reads = watched(log)
    return Execution(time.perf_counter() - started, peak, reads)


def watched(log: Path) -> tuple[tuple[str, str], ...]:
    """What a kernel wrote down about its reading; raises :class:`NotebookFailed` if it did not."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    if not lines:
        raise NotebookFailed(f"the kernel did not say what it reads: {watch.__file__} was not run in it")
    return tuple((done, path) for done, path in map(json.loads, lines))


def run(executing: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine, from code that is none.

    It runs in a thread of its own, for the caller's may already have an event loop: that of Jupyter, or of a browser
    under test.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, executing).result()


class _OwnPython(KernelSpecManager):
    """The kernel is this very Python; a kernel of the same name in somebody's home folder is not looked for."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name != ipykernel.kernelspec.KERNEL_NAME:
            raise NoSuchKernel(kernel_name)
        resources = ipykernel.kernelspec.RESOURCES
        return KernelSpec(resource_dir=resources, **ipykernel.kernelspec.get_kernel_dict())


class _KernelManager(AsyncKernelManager):
    def __init__(self, **settings: Any) -> None:
        super().__init__(kernel_spec_manager=_OwnPython(), **settings)


def _where_and_why(notebook: NotebookNode, name: str, current: int | None, process: Any, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, CellExecutionError):
        reason = f"{error.ename}: {_ESCAPES.sub('', error.evalue)}"
    elif isinstance(error, CellTimeoutError):
        reason = "the cell ran longer than nb_execution_timeout allows"
    elif isinstance(error, DeadKernelError) and process is not None and process.poll() is not None:
        # 9 is how the system ends a process when memory runs out.
        status = process.poll()
        reason = "the kernel ended by itself, " + (f"by signal {-status}" if status < 0 else f"with status {status}")
    if current is None:
        return f"{name}: the kernel did not start: {reason}"
    cell = notebook.cells[current]
    number = sum(before.cell_type == "code" for before in notebook.cells[: current + 1])
    lines = notebook.metadata.get("source_map")
    where = f"cell {number} (line {lines[current] + 1})" if lines else f"cell {number}"
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return f"{name}, {where}, `{first}`: {reason}"
