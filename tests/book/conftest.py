"""The browser of the site's tests. Without one they cannot run, and the report says so; in CI they fail instead."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from browser import Browser, chromium, find_chromium

MISSING = (
    "No Chromium or Chrome was found, so nothing was checked about how the pages look and behave in a browser. "
    "On Debian: apt install chromium"
)
_left_out: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need a browser where there is none, unless this is CI."""
    if find_chromium() or os.environ.get("CI"):
        return
    without = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    _left_out.extend(item.nodeid for item in without)
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not run."""
    if _left_out:
        terminalreporter.section("BROWSER TESTS NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{MISSING}\n{len(_left_out)} tests were not run.", red=True)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    executable = find_chromium()
    if executable is None:
        pytest.fail(MISSING, pytrace=False)
    with chromium(executable, tmp_path_factory.mktemp("chromium")) as found:
        yield found
