"""The package as a wheel, for the site: the same bytes at each build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

#: The folder of pyproject.toml, where the package is not installed from a wheel itself.
ROOT = Path(__file__).resolve().parents[4]
_NEEDED = ("pyproject.toml", "README.md", "LICENSE")
#: The first day that a zip archive can name: each file in the wheel is dated so.
_EPOCH = "315532800"
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def wheel_name(root: Path = ROOT) -> str:
    """The file name of the wheel of this version; raises FileNotFoundError without a ``pyproject.toml``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']}-{project['version']}-py3-none-any.whl"


def build_wheel(target: Path, root: Path = ROOT) -> Path:
    """Build the wheel from the source in ``root`` into the folder ``target``; returns its path.

    Raises:
        RuntimeError: setuptools could not build it; the message holds the end of what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "source")
        shutil.copytree(
            root / "src" / "dropout_lab",
            copy / "src" / "dropout_lab",
            ignore=shutil.ignore_patterns("__pycache__", ".*"),
            copy_function=shutil.copyfile,
        )
        for name in _NEEDED:
            shutil.copyfile(root / name, copy / name)
        # The rights of the files go into the archive, and differ with the settings of whoever builds.
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", _BUILD, str(target.resolve())]
        target.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the wheel of the package could not be built: {done.stderr.strip()[-600:]}")
    return target / wheel_name(root)
