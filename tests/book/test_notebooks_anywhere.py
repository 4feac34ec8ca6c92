"""Downloaded chapters run in a clean environment: outside the checkout, with the wheel and without the book's extra.

The environment sees the third-party libraries that are installed here, for nothing may be fetched, but neither this
package nor Sphinx, MyST-NB and Jupyter Book. pip is told that there is no index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from site_files import ROOT

from dropout_lab.book.anywhere import Places, plain_notebook
from dropout_lab.book.anywhere.setup_cell import setup_cell
from dropout_lab.book.anywhere.wheel import build_wheel
from dropout_lab.claims import MIME_TYPE

HIDDEN = ("dropout_lab", "__editable__", "sphinx", "myst_nb", "jupyter_book")
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
try:
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
finally:
    nbformat.write(notebook, sys.argv[1])
"""


class Reader:
    """Somebody with Python and libraries, and an empty folder."""

    def __init__(self, folder: Path, wheels: Path):
        self.folder = folder / "notebooks"
        self.folder.mkdir(parents=True)
        environment = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        libraries = folder / "libraries"
        libraries.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.lower().startswith(HIDDEN) and path.suffix != ".pth":
                (libraries / path.name).symlink_to(path)
        inside = next(environment.glob("lib/python*/site-packages"))
        (inside / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
        self.python = environment / "bin" / "python"
        self.wheels = wheels
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def asks(self, code: str) -> str:
        """What the reader's Python prints."""
        command = [self.python, "-c", code]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def runs(self, notebook: nbformat.NotebookNode, name: str) -> tuple[nbformat.NotebookNode, str]:
        """The notebook after all its cells ran, or until one failed, and what was said of the failure."""
        path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        command = [self.python, "-c", RUN, path.name]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        return nbformat.read(path, as_version=4), done.stderr if done.returncode else ""


@pytest.fixture
def reader(tmp_path: Path, wheels: Path) -> Reader:
    """A reader without the package."""
    found = Reader(tmp_path, wheels)
    assert found.asks("import importlib.util as u; print(u.find_spec('dropout_lab'))") == "None"
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, as the site has it at its root."""
    return build_wheel(tmp_path_factory.mktemp("site")).parent


@pytest.fixture
def address(wheels: Path) -> Iterator[str]:
    """The site's address while it is served."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(wheels)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def all_went_well(notebook: nbformat.NotebookNode, failure: str) -> None:
    """Every cell ran, the first one said nothing, and no text is left that only the book shows."""
    assert failure == ""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert code[0].outputs == []
    shown = [output["data"] for cell in code for output in cell.outputs if "data" in output]
    settled = [data for data in shown if MIME_TYPE in data]
    assert settled
    assert all("text/markdown" in data for data in settled)


def test_a_chapter_runs_with_the_wheel_beside_it(reader: Reader) -> None:
    notebook = plain_notebook("chapters/02-the-dropout-operation", Places.of(ROOT))
    wheel = next(reader.wheels.glob("*.whl"))
    (reader.folder / wheel.name).write_bytes(wheel.read_bytes())
    all_went_well(*reader.runs(notebook, "chapter 2"))
    where = Path(reader.asks("import dropout_lab; print(dropout_lab.__file__)"))
    assert where.is_relative_to(reader.python.parent.parent)
    # A second time it is there: nothing is asked for, and nothing said, also without the wheel.
    (reader.folder / wheel.name).unlink()
    again = nbformat.v4.new_notebook(cells=notebook.cells[:1])
    done, failure = reader.runs(again, "again")
    assert (failure, done.cells[0].outputs) == ("", [])


def test_a_chapter_fetches_the_wheel_from_the_site(reader: Reader, address: str) -> None:
    notebook = plain_notebook("chapters/05-inverted-dropout-and-test-time-scaling", Places.of(ROOT, address))
    all_went_well(*reader.runs(notebook, "chapter 5"))


def test_without_a_wheel_the_reader_is_told_what_to_do(reader: Reader) -> None:
    cells = [nbformat.v4.new_code_cell(setup_cell("dropout_lab-0.1.0-py3-none-any.whl"))]
    done, failure = reader.runs(nbformat.v4.new_notebook(cells=cells), "alone")
    assert "Put its wheel, which lies at the root of the book's site, beside this notebook" in failure
    assert json.loads(json.dumps(done.cells[0].outputs))[0]["ename"] == "ModuleNotFoundError"


def test_the_wheel_is_the_same_at_each_build(wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.iterdir()
    assert build_wheel(tmp_path).read_bytes() == wheel.read_bytes()
