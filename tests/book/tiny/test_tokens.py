"""Code loses the marks of tokens that look like the text around them, and keeps its colors."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from tiny_book import Book

from dropout_lab.book import tokens

SHEET = """pre { line-height: 125%; }
html[data-theme="light"] .highlight { background: #fff; color: #111 }
html[data-theme="light"] .highlight .n { color: #111 } /* Name */
html[data-theme="light"] .highlight .k { color: #00f }
html[data-theme="light"] .highlight .b { color: #111; font-weight: bold }
html[data-theme="light"] .highlight .o { color: #111 }
html[data-theme="dark"] .highlight { background: #000; color: #eee }
html[data-theme="dark"] .highlight .n { color: #eee }
html[data-theme="dark"] .highlight .o { color: #f00 }
"""
CODE = "# Code\n\n```python\nimport a.b as c\n\ndef f(x):  # a remark\n    return x[1] + 2.5 * 'text'\n```\n"
#: Every letter of the code on the page, with the color in which it is shown.
COLORS = """theme => {
  document.documentElement.dataset.theme = theme;
  const found = [], walker = document.createTreeWalker(document.querySelector("pre"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { color, fontWeight, fontStyle } = getComputedStyle(node.parentElement);
    for (const letter of node.data) if (letter.trim()) found.push([letter, color, fontWeight, fontStyle].join());
  }
  return found;
}"""


def test_a_kind_is_plain_if_it_looks_like_the_text_in_every_theme() -> None:
    assert tokens.plain(SHEET) == {"n"}
    assert tokens.plain("pre { color: #111 }") == set()


def test_marks_outside_of_code_stay() -> None:
    html = '<p><span class="n">a</span></p><pre><span class="n">b</span><span class="n x">c</span></pre>'
    assert tokens.unmarked(html, {"n"}) == '<p><span class="n">a</span></p><pre>b<span class="n x">c</span></pre>'


def test_every_letter_keeps_its_color(book: Book, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    book.claims()
    book.page("a", CODE)
    book.settings["html_theme"] = "sphinx_book_theme"

    def look() -> tuple[int, list[list[str]]]:
        built = book.build()
        assert built.status == 0, (built.error, built.warnings)
        browser.open(Path(built.site, "a.html"))
        return built.page("a").count("<span"), [browser.page.evaluate(COLORS, theme) for theme in ("light", "dark")]

    fewer, colors = look()
    monkeypatch.setattr(tokens, "unmarked", lambda html, kinds: html)
    (book.folder / "_build" / "manifest.json").unlink()
    marks, before = look()
    assert colors == before
    assert fewer < marks - 10
    assert len({letter.partition(",")[2] for letter in colors[0]}) >= 4, "the code has colors at all"
