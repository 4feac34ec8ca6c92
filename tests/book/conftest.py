"""The browser of the site's tests. Without one they cannot run, and the report says so; in CI they fail instead."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from browser import Browser, chromium, find_chromium
from site_files import START

MISSING = (
    "No Chromium or Chrome was found, so nothing was checked about how the pages look and behave in a browser. "
    "On Debian: apt install chromium"
)
NOT_BUILT = (
    f"There is no {START}, so nothing was checked about the site. Build the book first: make book, or "
    "jupyter-book build ."
)
_left_out: dict[str, int] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need a browser or the site where there is none, unless this is CI."""
    if os.environ.get("CI"):
        return
    for fixture, reason in (
        ("site", "" if START.is_file() else NOT_BUILT),
        ("browser", "" if find_chromium() else MISSING),
    ):
        without = [item for item in items if reason and fixture in getattr(item, "fixturenames", ())]
        if without:
            _left_out[reason] = len(without)
            items[:] = [item for item in items if item not in without]
            config.hook.pytest_deselected(items=without)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not run."""
    for reason, number in _left_out.items():
        terminalreporter.section("TESTS NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{reason}\n{number} tests were not run.", red=True)


@pytest.fixture(scope="session")
def site() -> None:
    """The built site, without which a test that asks for it fails in CI."""
    if not START.is_file():
        pytest.fail(NOT_BUILT, pytrace=False)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    executable = find_chromium()
    if executable is None:
        pytest.fail(MISSING, pytrace=False)
    with chromium(executable, tmp_path_factory.mktemp("chromium")) as found:
        yield found
