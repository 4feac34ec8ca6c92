"""What a derivation is called and why a line holds, in words: no key of ours, no code, no rule twice.

The titles that chapters write are read from their cells; those that a reader sees, from the built site.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jupytext
import pytest
from bs4 import BeautifulSoup
from site_files import ROOT, SITE, name, pages, toc_pages

from dropout_lab import claims

#: Where a title stands among the arguments of what makes chains and rules; elsewhere it is ``name=``.
PLACES = {"given": 2, "theorem": 0, "in_letters": 2}
_KEY = re.compile(r"[A-Z]\d+|\d+\.\d+")
_CODE = re.compile(r"\*\*|\w\[|[A-Za-z]\(|==")
#: In plain text a formula such as H(y, G) is no code.
_CODE_IN_TEXT = re.compile(r"\*\*|\w\[|==")
_FORMULA = re.compile(r"\$[^$]*\$|\\\(.*?\\\)")
_CLAIMS = frozenset(claims.load())
_ROLE = re.compile(r"^(First|Then|So): ")


def faults(title: str, code: re.Pattern[str] = _CODE) -> list[str]:
    """What is wrong with a title: its words are a key of ours, or code stands among or inside its formulas."""
    words = re.split(r"[\s,:.]+(?!\d)", _FORMULA.sub("…", title))
    keys = [word for word in words if word in _CLAIMS or _KEY.fullmatch(word)]
    inside = [formula for formula in _FORMULA.findall(title) if "**" in formula]
    return [*keys, *code.findall(_FORMULA.sub("…", title)), *inside]


def test_faults_are_seen():
    for title in ("B6", "B13, slope", "L1", "6.1 for each example", "substitution s = 1/t**2", "the mask r[1] is 1"):
        assert faults(title), title
    for title in ("the slope in $a_1$", r"\(\log a\) at \(n = 2\)", "Taylor's formula to order 3"):
        assert not faults(title), title


def test_what_is_doubled_is_seen():
    twice = r"definition of \(a\), \(b\), variance of a mask, definition of \(b\), variance of a mask"
    assert _doubled(_apart(twice)) == ["variance of a mask"]
    assert not _doubled(_apart(r"\(\ell\) at \(u\), \(\ell\) at 0, value of \(C(x, y)\), value of \(C(x, z)\)"))


@cache
def written(page: str) -> tuple[tuple[str, str], ...]:
    """The titles in the cells of a page: what makes the chain or rule, and the title, of one with parts its words."""
    return tuple(_written(page))


def _written(page: str) -> Iterator[tuple[str, str]]:
    source = (ROOT / page).with_suffix(".md").read_text(encoding="utf-8")
    for cell in jupytext.reads(source, fmt="md:myst").cells:
        calls = ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ()
        for call in calls:
            if not isinstance(call, ast.Call):
                continue
            made = ast.unparse(call.func).rpartition(".")[2]
            given = {word.arg: word.value for word in call.keywords}
            title = given.get("name")
            if made in PLACES and title is None and len(call.args) > PLACES[made]:
                title = call.args[PLACES[made]]
            if made in {"Chain", "Statement", *PLACES} and isinstance(title, (ast.Constant, ast.JoinedStr)):
                parts = title.values if isinstance(title, ast.JoinedStr) else [title]
                yield made, "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


WITH_CHAINS = [page for page in toc_pages() if "Chain(" in (ROOT / page).with_suffix(".md").read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", WITH_CHAINS)
def test_a_title_in_a_chapter_is_words(page: str) -> None:
    titles = written(page)
    assert titles, "a chain has a title"
    assert [title for _, title in titles if faults(title)] == []


@pytest.mark.parametrize("page", WITH_CHAINS)
def test_a_title_names_one_chain_of_its_page(page: str) -> None:
    count = Counter(title for made, title in written(page) if made == "Chain" and "…" not in title)
    assert [title for title, number in count.items() if number > 1] == []


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("page", pages(), ids=name)
def test_headings_and_reasons_on_a_page_are_words(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    found = BeautifulSoup(html, "html.parser") if "derivation-lines" in html else BeautifulSoup("", "html.parser")
    headings = [_ROLE.sub("", heading.get_text()) for heading in found.select(".derivation-heading")]
    reasons = [reason.get_text() for reason in found.select(".derivation-reason")]
    assert [title for title in [*headings, *reasons] if faults(title)] == []
    assert [reason for reason in reasons if _doubled(_apart(reason))] == []


@pytest.mark.usefixtures("site")
def test_reasons_in_the_ledger_are_words() -> None:
    ledger = json.loads((SITE / "ledger.json").read_text(encoding="utf-8"))
    found = {
        line["rule"] for row in ledger for piece in row["evidence"] for line in piece.get("lines", ()) if line["rule"]
    }
    assert found, "the ledger has derivations"
    assert [rule for rule in found if faults(rule, _CODE_IN_TEXT) or _doubled(rule.split(" + "))] == []


def _apart(reason: str) -> list[str]:
    """The reasons of a line one by one; a formula between two commas goes on with the letters of a definition."""
    parts = _FORMULA.sub(lambda found: found[0].replace(", ", ","), reason).split(", ")
    return [part for part in parts if not _FORMULA.fullmatch(part)]


def _doubled(parts: list[str]) -> list[str]:
    """The reasons that a line gives twice."""
    return [part for part, number in Counter(parts).items() if number > 1]
