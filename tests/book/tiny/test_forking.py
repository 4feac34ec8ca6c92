"""Kernels forked from a process that has imported the libraries: as good as others, and gone when it is."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from tiny_book import chapter

from dropout_lab.book import executor, forking
from dropout_lab.book.executor import kernel_environment
from dropout_lab.book.forking import KernelServer, fork_kernel

pytestmark = pytest.mark.skipif(not forking.available(), reason="only Linux can wait for the processes of others")


def run(server: KernelServer | None, folder, *cells: str) -> list:
    """The outputs of the last of these cells, in a kernel of their own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    def execute() -> None:
        client = NotebookClient(notebook, record_timing=False, resources={"metadata": {"path": str(folder)}})
        if server:
            fork_kernel(client, server)
        asyncio.run(client.async_execute(env=kernel_environment() | {"SAID": "to the kernel"}))

    # A thread of its own, for the browser of other tests has an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(execute).result()
    return notebook.cells[-1].outputs


def test_a_forked_kernel_is_like_another_but_that_its_imports_are_done(tmp_path):
    """Also after an import that failed. Its folder and environment are its own, and it can wait for processes."""
    state = "print(os.getcwd(), os.environ['SAID'], 'wave' in sys.modules, subprocess.run(['false']).returncode)"
    cells = "import os, subprocess, sys", state
    with KernelServer(kernel_environment(), ["no_such_library", "wave"]) as server:
        (forked,) = run(server, tmp_path, *cells)
    (usual,) = run(None, tmp_path, *cells)
    assert forked.text == f"{tmp_path} to the kernel True 1\n"
    assert usual.text == f"{tmp_path} to the kernel False 1\n"


def test_kernels_of_one_server_share_nothing(tmp_path):
    with KernelServer(kernel_environment(), ["colorsys"]) as server:
        run(server, tmp_path, "import colorsys\ncolorsys.ONE_THIRD = name = 7")
        (found,) = run(server, tmp_path, "import colorsys\nprint(round(colorsys.ONE_THIRD, 2), 'name' in globals())")
    assert found.text == "0.33 False\n"


def test_figures_of_a_forked_kernel_reach_the_notebook(tmp_path):
    with KernelServer(kernel_environment(), ["matplotlib.axes"]) as server:
        (figure,) = run(server, tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    assert "image/png" in figure.data


def test_a_forked_kernel_that_dies_is_noticed(tmp_path):
    with KernelServer(kernel_environment(), []) as server, pytest.raises(DeadKernelError):
        run(server, tmp_path, "import os\nos._exit(3)")


def test_a_kernel_ends_with_its_server_which_then_forks_no_other(tmp_path):
    """A kernel looks once a second whether its server is there."""
    with KernelServer(kernel_environment(), []) as server:
        with pytest.raises(DeadKernelError):
            run(server, tmp_path, "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")
        with pytest.raises(RuntimeError, match="has ended"):
            server.fork([], str(tmp_path), {})


def test_a_book_whose_kernels_are_forked_shows_what_others_do(running, monkeypatch):
    monkeypatch.setattr(executor, "_worth_a_server", lambda chapters: True)
    monkeypatch.setattr(forking, "LIBRARIES", ("wave",))
    code = "import sys\nfrom package.numbers import ANSWER\nprint('answer', ANSWER, 'wave' in sys.modules)"
    running.page("a-first", chapter("First", code))
    built = running.build()
    assert built.status == 0, (built.error, built.warnings)
    assert "answer 41 True" in built.page("a-first")
