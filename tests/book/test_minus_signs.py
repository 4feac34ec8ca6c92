"""Numbers below zero have a minus sign on every page: a hyphen is shorter, and may stand at the end of a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from site_files import name, pages

#: Code, data and formulas, which are written with a hyphen, and numbers that a program may read.
_WRITTEN = ("code", "pre", "script", "style", "output", ".math")
_FORMULA = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)
_HYPHEN = re.compile(r"(?<![\w.)\]}^-])-(?=\.?\d)")


def hyphens(html: str) -> list[str]:
    """The places of a page where a hyphen stands before a number."""
    page = BeautifulSoup(html, "html.parser")
    text = page.find("main") or page
    for part in text.select(",".join(_WRITTEN)):
        part.decompose()
    said = _FORMULA.sub("", text.get_text(" "))
    return [" ".join(said[max(0, found.start() - 30) : found.end() + 20].split()) for found in _HYPHEN.finditer(said)]


def test_what_counts() -> None:
    assert hyphens("<p>below -3</p>") == ["below -3"]
    assert hyphens("<p>below −3, 1-2, <code>-3</code>, \\(-3\\), claim-3, <output>-3</output></p>") == []


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("page", pages(), ids=name)
def test_a_number_below_zero_has_a_minus_sign(page: Path) -> None:
    assert hyphens(page.read_text(encoding="utf-8")) == []
