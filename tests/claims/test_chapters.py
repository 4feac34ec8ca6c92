"""The rules of the house that can be read off the chapters themselves."""

from __future__ import annotations

import re
from pathlib import Path

from dropout_lab import claims

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"


def test_a_page_that_derives_says_what_breaks_it():
    pages = {page: page.read_text(encoding="utf-8") for page in CHAPTERS.rglob("*.md")}
    deriving = {page: text for page, text in pages.items() if "claims.derive(" in text}
    assert len(deriving) > 15
    for page, text in deriving.items():
        assert re.search(r"^## What breaks it$", text, re.MULTILINE), f"{page.name} drops no assumption"


def test_each_assumption_that_a_claim_names_is_dropped_somewhere():
    """What nothing breaks without is no assumption: a place of a chapter drops it, marked for the map."""
    marked = {
        name
        for page in CHAPTERS.rglob("*.md")
        for name in re.findall(r"\{falsifier\}`[^`<]*<([^>`]+)>`", page.read_text(encoding="utf-8"))
    }
    registry = claims.load()
    named = {used for claim in registry.values() for used in claim.uses if used in registry.assumptions}
    assert named <= marked <= set(registry.assumptions)
