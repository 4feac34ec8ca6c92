"""Where executed notebooks are kept: under a key of everything that their outputs depend on.

jupyter-cache keys a notebook on its code cells and its kernel, not on the package that the cells import. So each state
of the package and of the pinned versions gets a cache of its own: edited source executes again, unchanged does not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from dropout_lab.book.executor import KERNEL_SETTINGS
from dropout_lab.claims import registry

PACKAGE = Path(__file__).resolve().parent.parent
#: The Sphinx side does not reach the kernels: chapters never import it.
BOOK = Path(__file__).resolve().parent


def digest(paths: Iterable[Path], root: Path) -> str:
    """The sha256 of the names (relative to ``root``) and the bytes of files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        name = os.path.relpath(path, root).encode()
        content = path.read_bytes()
        total.update(b"%d:%b%d:" % (len(name), name, len(content)))
        total.update(content)
    return total.hexdigest()


def sources(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """All files below a folder, except compiled ones and those below ``leave_out``."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and (leave_out is None or leave_out not in path.parents)
    ]


def package_key(package: Path, pins: Path) -> str:
    """The key of the execution cache: the package without its Sphinx side, the claims file, and what the kernels get.

    They get the pinned versions, and the settings in their environment.
    """
    files = sources(package, leave_out=package / "book")
    claims_file = Path(os.environ.get("DROPOUT_LAB_CLAIMS") or registry.DEFAULT_PATH)
    files.extend(path for path in (pins, claims_file) if path.is_file() and path not in files)
    settings = json.dumps(KERNEL_SETTINGS, sort_keys=True)
    return hashlib.sha256(f"{digest(files, package)} {settings}".encode()).hexdigest()


def set_keys(app: Sphinx, config: Config) -> None:
    """Point myst-nb to the cache of this state of the package; have pages read again when the Sphinx side changed."""
    package = Path(config.dropout_lab_package or PACKAGE)
    root = Path(config.dropout_lab_cache or Path(app.outdir).parent / ".jupyter_cache").resolve()
    config.nb_execution_cache_path = str(root / package_key(package, Path(app.srcdir) / "requirements.txt"))
    config.dropout_lab_book_key = digest(sources(BOOK), BOOK)


def setup(app: Sphinx) -> None:
    """Register the keys; the two paths are for drafts and for tests."""
    app.add_config_value("dropout_lab_package", "", "env", [str])
    app.add_config_value("dropout_lab_cache", "", "", [str])
    app.add_config_value("dropout_lab_book_key", "", "env", [str])
    app.connect("config-inited", set_keys)
