"""The rules of the house that can be read off the chapters themselves."""

from __future__ import annotations

import re
from pathlib import Path

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"


def test_a_page_that_derives_says_what_breaks_it():
    pages = {page: page.read_text(encoding="utf-8") for page in CHAPTERS.rglob("*.md")}
    deriving = {page: text for page, text in pages.items() if "claims.derive(" in text}
    assert len(deriving) > 15
    for page, text in deriving.items():
        assert re.search(r"^## What breaks it$", text, re.MULTILINE), f"{page.name} drops no assumption"
