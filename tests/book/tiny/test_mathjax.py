"""MathJax is packed: it sets the same formulas from the disk, also in a browser that cannot unpack."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from tiny_book import Book

from dropout_lab.book import mathjax

PAGE = r"""# Formulas

$$
\begin{aligned} \mathbb{E}[r] &= p \\ \operatorname{Var}(r) &= p(1 - p) \end{aligned}
$$

And $\mathcal{N}(0, \boldsymbol{\Sigma})$, and $\cancel{x}$, whose command is loaded when it is met.
"""


@pytest.mark.parametrize("can_unpack", [True, False], ids=["packed", "plain"])
def test_formulas_are_set(book: Book, browser: Browser, can_unpack: bool) -> None:
    book.claims()
    book.page("a", PAGE)
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    page = Path(built.site, "a.html")
    if not can_unpack:
        lost = "<script>delete window.DecompressionStream</script>"
        page.write_text(page.read_text(encoding="utf-8").replace("<head>", f"<head>{lost}"), encoding="utf-8")
    found = browser.open(page)
    assert found.console == []
    assert found.outside == []
    assert browser.page.locator("mjx-container").count() == 3
    # Screen readers get every formula as MathML.
    assert browser.page.locator("mjx-container mjx-assistive-mml math").count() == 3
    assert browser.page.locator("[data-mjx-error], mjx-merror").count() == 0
    assert browser.page.locator(f"script[src$='{mathjax.PLAIN}']").count() == (0 if can_unpack else 1)


def test_the_script_is_small_and_the_same_each_time() -> None:
    text = mathjax.plain(mathjax.folder())
    script = mathjax.packed(text)
    assert script == mathjax.packed(text)
    assert len(script) < 250_000 < len(text)
