"""No page needs a later one: what it asks for, what its claims rest on and the names in its code come before."""

from __future__ import annotations

import posixpath
import re

import pytest
from chapter_pages import pages, read, tokens

from dropout_lab import claims

NUMBERED = {page: place for place, page in enumerate(pages())}
#: Claims that rest on one that a later page settles, each with the reason why this cannot be turned around.
FORWARD: dict[tuple[str, str], str] = {}
#: What the derivations and the counting of masks are written with.
NAMES = ("Chain", "Definition", "Masks", "Mean", "Var", "Cov", "enumerated", "expectation", "variance")


def stated() -> dict[str, tuple[int, int]]:
    """Where each claim is stated: the number of the page, and the place on it."""
    return {
        found[1]: (NUMBERED[page], found.start())
        for page in pages()
        for found in re.finditer(r"^```\{claims\} statement (\S+)$", read(page), re.MULTILINE)
    }


@pytest.mark.parametrize("page", [page for page in pages() if "\nYou need: " in read(page)])
def test_a_page_needs_earlier_pages_only(page):
    needed = re.search(r"^You need: (.*?)^```", read(page), re.MULTILINE | re.DOTALL)
    assert needed
    for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", needed[1]):
        named = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
        assert NUMBERED[named] < NUMBERED[page], f"{page} needs {named}, which comes later"


def test_chapters_say_what_they_need():
    chapters = [page for page in pages() if re.search(r"/0\d-|/beyond/(?!index)", page)]
    assert len(chapters) > 20 and not [page for page in chapters if "\nYou need: " not in read(page)]


def test_a_claim_rests_on_earlier_claims_only():
    registry, place = claims.load(), stated()
    assert set(place) == set(registry)
    later = {
        (claim, used)
        for claim in registry
        for used in registry[claim].uses
        if used in registry and place[used] > place[claim]
    }
    assert later == set(FORWARD)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_explained_before_it_is_used(name):
    explained, used = None, None
    for page in pages():
        for place, token in enumerate(tokens(read(page))):
            here = (NUMBERED[page], place)
            if token.type == "code_inline" and token.content == name:
                explained = explained or here
            if token.info.startswith("{code-cell}"):
                lines = [line for line in token.content.splitlines() if not line.startswith(("from ", "import "))]
                if re.search(rf"(?<![\w.]){name}\(|symbolic\.{name}\(", "\n".join(lines)):
                    used = used or here
    assert explained and used and explained < used, f"{name}: used at {used}, explained at {explained}"
