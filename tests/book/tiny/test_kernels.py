"""The environment of kernels: what whoever builds has set up for themselves does not reach the book."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from tiny_book import Book, chapter

from dropout_lab.book import kernels

#: What a page would show of a user's settings.
LOOK = """
import locale, os, sys, time
import matplotlib, matplotlib.pyplot as plt
print(sorted(set(os.environ) - {"JPY_PARENT_PID", "DROPOUT_LAB_READS"}))
print([name for name in dir() if name.startswith("user")], matplotlib.rcParams["lines.linewidth"])
print(sys.flags.optimize, time.tzname, locale.setlocale(locale.LC_ALL, ""), locale.str(1.5))
from dropout_lab import figures
figures.style()
plt.plot([1, 2])
plt.show()
"""
#: What a user may have in a home folder.
AT_HOME = {
    ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\n",
    ".ipython/profile_default/startup/start.py": "user_name = 1\n",
    ".ipython/profile_default/ipython_config.py": "c.InteractiveShellApp.exec_lines = ['user_line = 1']\n",
    ".ipython/profile_default/ipython_kernel_config.py": "c.InteractiveShellApp.exec_lines = ['user_line = 1']\n",
    "startup.py": "user_startup = 1\n",
    ".docutils": "[general]\nid_prefix: user-\n",
    ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
        {"argv": ["false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    ),
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody with a home folder and an environment full of settings."""
    home = tmp_path / "somebody"
    for name, text in AT_HOME.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    settings = {
        "HOME": str(home),
        "MPLBACKEND": "Agg",
        "MATPLOTLIBRC": str(home / ".config" / "matplotlib" / "matplotlibrc"),
        "PYTHONOPTIMIZE": "1",
        "PYTHONPATH": str(home),
        "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONWARNINGS": "error",
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_PATH": str(home / ".local" / "share" / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "SYMPY_USE_CACHE": "no",
        "OMP_NUM_THREADS": "7",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "de_DE.UTF-8",
        "COLUMNS": "20",
        "DROPOUT_LAB_STORE": str(home / "store"),
        "DROPOUT_LAB_REPLICATION": "3",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return home


def page_of(book: Book) -> str:
    """The page of a build that succeeded, from nothing."""
    book.page("a-first", chapter("First", LOOK))
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return built.page("a-first")


def test_a_page_is_the_same_whoever_builds_it(running, request):
    before = page_of(running)
    assert 'src="_images/' in before, "the figure is there"
    assert "de_DE" not in before and "MPLCONFIGDIR" not in before
    request.getfixturevalue("user")
    (running.folder / "_build").rename(running.folder.parent / "before")
    assert page_of(running) == before


@pytest.mark.usefixtures("user")
def test_a_false_assertion_stops_the_build(running):
    running.page("a-first", chapter("First", "assert 1 == 2"))
    built = running.build()
    assert built.status != 0
    assert "a-first.md, cell 1 (line 10), `assert 1 == 2`: AssertionError" in str(built.error)


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "DROPOUT_LAB_CLAIMS"])
def test_what_comes_through_is_in_the_key(running, monkeypatch, name):
    running.page("a-first", chapter("First", f"import os\nprint('through', os.environ.get({name!r}))"))
    running.build()
    assert "nothing to execute" in running.build().said
    other = running.folder.parent / "other.yaml"
    other.write_bytes(Path(os.environ["DROPOUT_LAB_CLAIMS"]).read_bytes())
    monkeypatch.setenv(name, str(other))
    assert f"through {other}" in running.build().page("a-first")


def test_a_draft_may_use_a_store_and_the_book_does_not_take_what_came_of_it(running, monkeypatch, tmp_path):
    running.page("a-first", chapter("First", "import os\nprint('store', os.environ.get('DROPOUT_LAB_STORE'))"))
    monkeypatch.setenv("DROPOUT_LAB_STORE", str(tmp_path))
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    assert f"store {tmp_path}" in running.build().page("a-first")
    monkeypatch.delenv("DROPOUT_LAB_DRAFT")
    assert "store None" in running.build().page("a-first")


def test_kernels_run_the_package_that_builds():
    environment = kernels.kernel_environment(Path("/home"))
    beside = Path(kernels.__file__).resolve().parents[2]
    assert environment.get("PYTHONPATH", str(beside)) == str(beside)


def test_a_text_printed_in_pieces_is_one_output(tmp_path):
    cell = "import sys, time\nfor word in 'abc':\n    print(word, flush=True)\n    time.sleep(0.2)\n    1 / 1"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    environment = kernels.kernel_environment(kernels.make_home(tmp_path / "home"))
    found = kernels.run(kernels.execute(notebook, tmp_path, environment, name="pieces"))
    assert [output.text for output in notebook.cells[0].outputs] == ["a\nb\nc\n"]
    assert found.seconds > 0.6
    assert (found.peak_mib or 0) > 20 or sys.platform != "linux"


def test_a_cell_cannot_disturb_the_watch(tmp_path):
    (tmp_path / "read.txt").write_text("read", encoding="utf-8")
    cells = ["os = json = sys = Watch = None", "open('read.txt').read()", "%reset -f"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    environment = kernels.kernel_environment(kernels.make_home(tmp_path / "home"))
    found = kernels.run(kernels.execute(notebook, tmp_path, environment, name="watched"))
    assert ("read", str(tmp_path / "read.txt")) in found.reads
    assert not [output for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]


def test_a_kernel_without_its_watch_is_refused(tmp_path, monkeypatch):
    """Nobody would know what has to be executed again."""
    monkeypatch.setattr(kernels, "_WATCH", "None")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    environment = kernels.kernel_environment(kernels.make_home(tmp_path / "home"))
    with pytest.raises(kernels.NotebookFailed, match="did not say what it reads"):
        kernels.run(kernels.execute(notebook, tmp_path, environment, name="a"))


@pytest.mark.parametrize(
    "cell, said",
    [
        ("1 / 0", r"the page, cell 1, `1 / 0`: ZeroDivisionError: division by zero"),
        ("import os\nos._exit(3)", r"the page, cell 1, `import os`: the kernel ended by itself, with status 3"),
        ("import os\nos.kill(os.getpid(), 9)", r"cell 1, `import os`: the kernel ended by itself, by signal 9"),
        ("import time\ntime.sleep(9)", r"the page, cell 1, `import time`: the cell ran longer than"),
    ],
)
def test_what_went_wrong_is_said(tmp_path, cell, said):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    environment = kernels.kernel_environment(kernels.make_home(tmp_path / "home"))
    with pytest.raises(kernels.NotebookFailed, match=said):
        kernels.run(kernels.execute(notebook, tmp_path, environment, name="the page", timeout=3))


def test_a_kernel_of_another_name_is_refused(tmp_path):
    metadata = {"kernelspec": {"name": "julia", "display_name": "Julia"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")], metadata=metadata)
    environment = kernels.kernel_environment(kernels.make_home(tmp_path / "home"))
    with pytest.raises(kernels.NotebookFailed, match="the kernel did not start: NoSuchKernel"):
        kernels.run(kernels.execute(notebook, tmp_path, environment, name="the page"))


def test_the_makefile_exports_what_kernels_get():
    """So that a benchmark or a notebook that a reader opens counts as the build does."""
    makefile = (Path(__file__).resolve().parents[3] / "Makefile").read_text(encoding="utf-8")
    exported = dict(re.findall(r"^export (\w+) [?:]?= *(.*)$", makefile, re.MULTILINE))
    assert exported == kernels.KERNEL_SETTINGS
