"""``pytest --nbval`` with the project's ``conftest.py``: what is compared of executed notebooks, and what refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dropout_lab.book.built_with import built_with, same_digits, without_digits

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("MKL_CBWR", "OMP_NUM_THREADS", "DROPOUT_LAB_STORE", "MPLBACKEND", "PYTHONOPTIMIZE")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the project's conftest and a build, whose path needs quotes."""
    folder = tmp_path / "a 'project'"
    (folder / "_build" / "jupyter_execute").mkdir(parents=True)
    shutil.copy(ROOT / "conftest.py", folder)
    return folder


def executed(project: Path, name: str, *cells: tuple[str, str], count: int | None = 1) -> None:
    """A notebook whose cells were executed and printed this."""
    made = []
    for code, printed in cells:
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)] if printed else []
        made.append(nbformat.v4.new_code_cell(code, outputs=outputs, execution_count=count))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = project / "_build" / "jupyter_execute" / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), path)


def check(project: Path, *options: str, **variables: str) -> subprocess.CompletedProcess:
    """Run pytest as ``make test`` does."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-q", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [*command, "_build/jupyter_execute"],
        cwd=project,
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )


def test_a_fresh_run_has_the_environment_of_the_build(project, tmp_path):
    """With whatever is set by whoever runs it; kernels of somebody's home folder are not used."""
    executed(
        project, "a-same", (f"import os\nprint([os.environ.get(n) for n in {NAMES}])", "['AVX2,STRICT', '1', None, ")
    )
    path = project / "_build" / "jupyter_execute" / "a-same.ipynb"
    inline = "'module://matplotlib_inline.backend_inline', None]\\n"
    path.write_text(path.read_text(encoding="utf-8").replace("None, ", f"None, {inline}"), encoding="utf-8")
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "", "language": ""}', encoding="utf-8")
    settings = {"DROPOUT_LAB_STORE": "somewhere", "MKL_CBWR": "COMPATIBLE", "MPLBACKEND": "Agg"}
    done = check(project, JUPYTER_PATH=str(tmp_path / "jupyter"), JUPYTER_PREFER_ENV_PATH="0", **settings)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_cell_that_prints_something_else_fails(project):
    executed(project, "a-same", ("print(1)", "1\n"))
    executed(project, "b-other", ("print(1)", "2\n"))
    done = check(project, "-n", "2", "--dist", "loadfile")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


def test_a_cell_that_the_build_did_not_execute_fails(project):
    """It would pass whatever it prints."""
    executed(project, "a-bare", ("print(1)", ""), count=None)
    executed(project, "b-empty", ("", ""), count=None)
    done = check(project)
    assert done.returncode == 1
    assert "the build did not execute this cell" in done.stdout
    assert "1 passed, 1 error" in done.stdout


def test_a_book_that_is_not_built(project):
    shutil.rmtree(project / "_build")
    done = check(project)
    assert done.returncode == 4
    assert "build the book first, by make book or jupyter-book build ." in done.stderr


def test_assertions_that_are_left_out_are_noticed(project):
    executed(project, "a-same", ("print(1)", "1\n"))
    done = check(project, PYTHONOPTIMIZE="1")
    assert done.returncode == 4
    assert "no test could fail" in done.stderr


def test_the_longest_comes_first(project):
    for name in ("a-short", "b-long", "c-unknown"):
        executed(project, name, ("print(1)", "1\n"))
    costs = {"a-short": {"seconds": 1.0, "peak_mib": 1}, "b-long": {"seconds": 9.0, "peak_mib": 1}}
    (project / "_build" / "costs.json").write_text(json.dumps(costs), encoding="utf-8")
    done = check(project, "--collect-only")
    assert [line.split("::")[0].split("/")[-1] for line in done.stdout.splitlines() if "::" in line] == [
        "b-long.ipynb",
        "a-short.ipynb",
        "c-unknown.ipynb",
    ]


#: A cell that shows a record, as evidence does, with a text beside it.
SETTLE = """
from IPython.display import display
record = {"verdict": "supported", "effect": 0.25, "seeds": 30}
display({"application/x+json": record, "text/plain": "loss 0.25"}, raw=True)
"""


@pytest.mark.parametrize(
    "vendor, effect, verdict, status",
    [
        ("", "0.25", "supported", 0),
        ("", "0.26", "supported", 1),
        ("Another", "0.26", "supported", 0),
        ("Another", "0.25", "not-seen", 1),
    ],
)
def test_on_another_processor_verdicts_are_compared_and_digits_are_not(project, vendor, effect, verdict, status):
    """``vendor`` made the processor that the site was built on; none means that of this machine."""
    site = {**built_with(), **({"vendor": vendor} if vendor else {})}
    (project / "_build" / "html").mkdir()
    (project / "_build" / "html" / "built-with.json").write_text(json.dumps(site), encoding="utf-8")
    executed(project, "a", (SETTLE, ""))
    path = project / "_build" / "jupyter_execute" / "a.ipynb"
    notebook = nbformat.read(path, as_version=4)
    data = {
        "application/x+json": {"verdict": verdict, "effect": float(effect), "seeds": 30},
        "text/plain": f"loss {effect}",
    }
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data=data)]
    nbformat.write(notebook, path)
    done = check(project, "-v")
    assert done.returncode == status, done.stdout
    assert ("NUMBERS AND FIGURES ARE NOT COMPARED" in done.stdout) == bool(vendor)


def test_on_another_processor_an_error_still_fails(project):
    (project / "_build" / "html").mkdir()
    site = json.dumps({**built_with(), "vendor": "Another"})
    (project / "_build" / "html" / "built-with.json").write_text(site, encoding="utf-8")
    executed(project, "a", ("print(1)\nassert 1 == 2", "1\n"))
    assert check(project).returncode == 1


def test_a_family_of_processors():
    here = built_with()
    assert same_digits(here, {**here, "python": "CPython 3.99"})
    for name in ("system", "machine", "vendor"):
        assert not same_digits(here, {**here, name: "another"})
    assert same_digits({**here, "vectors": "avx2"}, {**here, "vectors": "avx2 fma avx512f"})
    assert not same_digits({**here, "vectors": "avx2"}, {**here, "vectors": "fma"})


@pytest.mark.parametrize(
    "output, left",
    [
        ("loss 0.1234e-05, at -3.2 and 7 of 10", "loss #, at # and # of #"),
        ("Conv2d and x1 stay; −1.5 goes", "Conv2d and x1 stay; # goes"),
        ("<svg height='1.5'></svg>", "a figure"),
        (["a 1", {"n": 3, "x": 0.5, "ok": True, "none": None}], ["a #", {"n": 3, "x": "#", "ok": True, "none": None}]),
    ],
)
def test_what_is_left_without_digits(output, left):
    assert without_digits(output) == left
