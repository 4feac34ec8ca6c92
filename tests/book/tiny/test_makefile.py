"""Every target of the Makefile in a folder, and with variables, that hold what a path may hold: each is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
AWKWARD = 'a b\'s "c" $HOME `d` #e'
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
#: In place of the environment's Python: it writes down what it was called with.
RECORDER = """#!{python}
import json, os, sys
names = ("OMP_NUM_THREADS", "PYTHONOPTIMIZE", "PYTHONPATH", "DROPOUT_LAB_STORE", "JUPYTER_CONFIG_DIR")
with open("called.jsonl", "a") as file:
    file.write(json.dumps([sys.argv, {{name: os.environ.get(name) for name in names}}]) + "\\n")
"""
#: In place of the script that makes the environment.
SETUP = '#!/bin/sh\nprintf %s "$1" >setup.txt\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, and an environment that only writes down what is asked of it."""
    folder = tmp_path / AWKWARD
    python = folder / AWKWARD / "bin" / "python"
    for path, text in ((python, RECORDER.format(python=sys.executable)), (folder / "scripts" / "setup.sh", SETUP)):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run make; what this process got from a make of its own is left out."""
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env={**own, **variables}, capture_output=True, text=True, timeout=60
    )


def called(folder: Path) -> list[tuple[list[str], dict[str, str | None]]]:
    """What the environment's Python was called with, in order."""
    path = folder / "called.jsonl"
    return [tuple(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def test_the_targets_are_there():
    assert {"setup", "book", "pdf", "test", "page", "serve", "lab", "bench", "replicate", "reproduce", "clean"} <= set(
        TARGETS
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_where_paths_need_quotes(project, target):
    variables = [f"{name}={AWKWARD}" for name in ("VENV", "PAGE", "PORT", "RUNS")]
    done = make(project, target, *variables, PYTHONOPTIMIZE="1", PYTHONPATH="/nowhere")
    assert done.returncode == 0, done.stderr
    if target not in ("help", "clean"):
        calls = called(project)
        assert calls or target == "setup"
        assert all(arguments[0] == f"{AWKWARD}/bin/python" for arguments, _ in calls)
        assert all(environment["OMP_NUM_THREADS"] for _, environment in calls)
        assert not any(environment["PYTHONOPTIMIZE"] or environment["PYTHONPATH"] for _, environment in calls)
    if target not in ("help", "clean", "test-site", "test-package", "test-book", "test-notebooks", "pdf-needs"):
        assert (project / "setup.txt").read_text(encoding="utf-8") == AWKWARD


def test_variables_arrive_as_they_are(project):
    for target, name in (("page", "PAGE"), ("serve", "PORT"), ("replicate", "RUNS")):
        assert make(project, target, f"VENV={AWKWARD}", f"{name}={AWKWARD}").returncode == 0
        assert AWKWARD in called(project)[-1][0]


def test_the_lab_keeps_its_settings_in_the_environment(project):
    assert make(project, "lab", f"VENV={AWKWARD}").returncode == 0
    arguments, environment = called(project)[-1]
    assert arguments[1:] == ["-m", "jupyterlab", "chapters"]
    assert environment["DROPOUT_LAB_STORE"] == f"{project}/.experiments"
    assert environment["JUPYTER_CONFIG_DIR"] == f"{project / AWKWARD}/etc/jupyter"


def test_a_page_has_to_be_named(project):
    done = make(project, "page", f"VENV={AWKWARD}")
    assert done.returncode == 2
    assert "say which page" in done.stderr
    assert called(project) == []


def test_clean_removes_what_was_built_and_leaves_the_rest(project):
    (project / "_build" / "html").mkdir(parents=True)
    assert make(project, "clean").returncode == 0
    assert not (project / "_build").exists()
    assert (project / "Makefile").is_file()
