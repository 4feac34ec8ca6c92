"""The page on notation is complete and true: which letter has a meaning on which page.

Read are the formulas that are typed in the prose; what a cell prints is named there, too, where it matters.
"""

from __future__ import annotations

import posixpath
import re

import pytest
from chapter_pages import formulas, pages, read

NOTATION = "chapters/back/notation"
PAGES = [page for page in pages() if not page.startswith("chapters/back/")]
_GREEK = re.compile(
    r"(?i:(?:var)?(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|chi|psi|"
    r"omega))|ell"
)
_WORDS = re.compile(r"\\(?:text|operatorname|mathrm|begin|end)\{[^}]*\}")
_LETTER = re.compile(r"\\(mathbf|mathcal)\{(\w)\}|\\([A-Za-z]+)|([A-Za-z])")


def letters(formula: str) -> list[str]:
    """The letters of a formula, each as it is typed, without the words and the commands."""
    found = []
    for style, styled, command, plain in _LETTER.findall(_WORDS.sub(" ", formula)):
        if style:
            found.append(rf"\{style}{{{styled}}}")
        elif plain or _GREEK.fullmatch(command):
            found.append(plain or rf"\{command}")
    return found


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = read(NOTATION).split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| $")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def symbols(cell: str) -> list[str]:
    return [letter for formula in formulas(cell) for letter in letters(formula)]


def everywhere() -> set[str]:
    return {letter for row in rows("On every page") for letter in symbols(row[0])}


def own() -> list[tuple[list[str], list[str]]]:
    """The letters of each row on single pages, and the pages that it names."""
    found = []
    for symbol, _, where in rows("On single pages"):
        targets = re.findall(r"\{doc\}`[^<]*<([^>]*)>`", where)
        found.append((symbols(symbol), [posixpath.normpath(f"chapters/back/{target}") for target in targets]))
    return found


def test_letters_are_read_from_formulas():
    assert letters(r"\tilde{\mathbf{h}} = \mathbf{r} \odot h_i / \lVert\gamma\rVert \text{ if } x") == [
        r"\mathbf{h}", r"\mathbf{r}", "h", "i", r"\gamma", "x"
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_each_letter_of_a_page_is_explained(page):
    explained = everywhere().union(*(found for found, where in own() if page in where))
    used = {letter for formula in formulas(read(page)) for letter in letters(formula)}
    assert not used - explained, f"{NOTATION}.md has no row for {page} with {sorted(used - explained)}"


def test_no_page_is_named_for_a_letter_that_it_does_not_have():
    used = {page: {letter for formula in formulas(read(page)) for letter in letters(formula)} for page in PAGES}
    stale = [(found[0], page) for found, where in own() for page in where if found[0] not in used.get(page, ())]
    assert len(own()) > 100 and not stale
