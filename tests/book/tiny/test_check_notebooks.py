"""The script that runs executed notebooks again: what its kernels get, and that it finds what differs."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from tiny_book import load_script

NAMES = ("MKL_CBWR", "OMP_NUM_THREADS", "DROPOUT_LAB_STORE")
ENVIRONMENT = f"import os\nprint([os.environ.get(name) for name in {NAMES}])"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    return load_script("check_notebooks")


def executed(folder: Path, name: str, code: str, printed: str) -> None:
    """A notebook of one cell that was executed and printed this."""
    output = nbformat.v4.new_output("stream", name="stdout", text=printed)
    cell = nbformat.v4.new_code_cell(code, outputs=[output], execution_count=1)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), folder / f"{name}.ipynb")


def test_a_fresh_run_has_the_environment_of_the_build_and_no_store(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DROPOUT_LAB_STORE", "somewhere")
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "1")
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    folder = tmp_path / "jupyter_execute"
    executed(folder, "a-same", ENVIRONMENT, "['AVX2,STRICT', '1', None]\n")
    assert script.main(str(folder)) == 0, capsys.readouterr().out
    assert "1 passed, 0 failed" in capsys.readouterr().out
    executed(folder, "b-other", "print(1)", "2\n")
    assert script.main(str(folder)) == 1
    assert "b-other.ipynb: FAILED" in capsys.readouterr().out


def test_the_longest_of_the_build_comes_first(script, tmp_path):
    folder = tmp_path / "jupyter_execute"
    assert script.running_times(folder) == {}
    noted = tmp_path / ".jupyter_cache" / "times.json"
    noted.parent.mkdir()
    noted.write_text('{"a": 1.5, "b": {"seconds": 2.5, "peak_mib": 300}}', encoding="utf-8")
    assert script.running_times(folder) == {"a": 1.5, "b": 2.5}
