"""How pytest runs the notebooks of the build again: ``pytest --nbval _build/jupyter_execute``.

Each notebook gets a kernel like those of the build. Where this machine's processor is of another family than the one
that the site was built on, numbers are left out of the comparison and all the rest is compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

#: Where the build keeps what it leaves for the next one.
BUILD = Path(__file__).resolve().parent / "_build"


def pytest_configure(config: pytest.Config) -> None:
    """Stop where nothing would be checked; have notebooks run on this very Python, the longest first."""
    # torch's compiler would take code that was generated for another setting of ATEN_CPU_CAPABILITY from its cache, and
    # compute half of each vector.
    generated = tempfile.TemporaryDirectory()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = generated.name
    config.add_cleanup(generated.cleanup)
    if sys.flags.optimize:
        raise pytest.UsageError("Python was told to leave out assert (-O or PYTHONOPTIMIZE), so no test could fail")
    if not config.getoption("--nbval", default=False):
        return
    missing = [name for name in config.args if name.endswith("jupyter_execute") and not Path(name).is_dir()]
    if missing:
        raise pytest.UsageError(f"there is no {missing[0]}: build the book first, by make book or jupyter-book build .")
    # The kernel of this environment, not one of the same name in somebody's home folder.
    config.option.nbval_current_env = True
    # With pytest-xdist, in the order in which they are collected.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Notebooks come longest first, for the last one to end shall be a short one."""
    if any(map(_is_cell, items)):
        from dropout_lab.book import costs

        known = costs.read_costs(BUILD / costs.FILE)
        items.sort(key=lambda item: -_seconds(item.path, known) if _is_cell(item) else 0.0)
        if not _same_processor():
            from dropout_lab.book.built_with import without_digits

            for item in filter(_is_cell, items):
                # nbval asks each cell to take out of an output what shall not be compared.
                vars(item)["sanitize"] = without_digits


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start the kernel of a notebook in the environment of the build; refuse a cell that the build did not execute."""
    with _kernel_environment() if _is_cell(item) else nullcontext():
        yield
    cell: Any = vars(item).get("cell")
    if _is_cell(item) and cell.execution_count is None and cell.source.strip():
        pytest.fail("the build did not execute this cell, so nothing in it would be compared", pytrace=False)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is compared."""
    if not config.getoption("--nbval", default=False) or _same_processor():
        return None
    return (
        "notebooks: the site was built on another family of processors, so NUMBERS AND FIGURES ARE NOT COMPARED; "
        "verdicts, errors and texts are"
    )


def _is_cell(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"


def _kernel_environment() -> AbstractContextManager[Any]:
    from dropout_lab.book import kernels

    environment = kernels.kernel_environment(kernels.make_home(BUILD / ".cache" / "home"))
    # What pytest itself keeps there.
    own = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_")}
    return mock.patch.dict(os.environ, environment | own, clear=True)


def _seconds(path: Path, known: Any) -> float:
    if BUILD / "jupyter_execute" not in path.parents:
        return 0.0
    name = path.relative_to(BUILD / "jupyter_execute").with_suffix("").as_posix()
    return known[name].seconds if name in known else 0.0


def _same_processor() -> bool:
    from dropout_lab.book.built_with import built_with, built_with_of, same_digits

    site = built_with_of(BUILD)
    return not site or same_digits(site, built_with())
