"""Style sheets are cut to what pages can use, and a page looks as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from tiny_book import Book

from dropout_lab.book import styles

SHEET = """@charset "utf-8";
/*! A license. */
/* A remark. */
:root { --a: 1px }
.used, .not { margin: var(--a) }
p.not > em, #no { top: 0 }
.used:not(.not):hover::after { content: ".not"; background: url("x.png") }
a[class*="whatever"] { color: #fff }
@media (min-width: 10px) { .not { top: 1px } #yes .used { top: 2px } }
@media print { .not { top: 1px } }
@font-face { font-family: F; src: url(f.woff) }
@keyframes turn { from { top: 0 } to { top: 1px } }
"""


def test_rules_that_nothing_can_match_go_and_all_others_stay() -> None:
    found = styles.needed(SHEET, {"used", "yes"})
    for kept in (
        "A license.",
        ":root{",
        ".used{ margin",
        'content: ".not"; background: url("x.png")',
        '[class*="whatever"]{ color: #fff }',
        "@media (min-width: 10px) {#yes .used{ top: 2px }}",
        "@font-face { font-family: F; src: url(f.woff) }",
        "@keyframes turn { from { top: 0 } to { top: 1px } }",
    ):
        assert kept in found
    for gone in ("A remark.", "p.not", "#no", "@media print", "top: 1px } #yes"):
        assert gone not in found


def test_a_sheet_that_was_cut_is_not_cut_further() -> None:
    once = styles.needed(SHEET, {"used", "yes"})
    assert styles.needed(once, {"used", "yes"}) == once


def test_a_class_that_only_a_script_adds_is_used() -> None:
    assert {"wide", "a-b"} <= set(styles.used_in_script("x.className = `wide ${y}`; x.id = 'a-b'"))
    assert "inner" in set(styles.used_in_page('<script>document.write(`<i class="inner">`)</script>'))


PAGE = """# A page

```{note}
Text with `code`.
```

| a | b |
|---|---|
| 1 | $x$ |

## Part

1. one
"""
LOOK = """() => [...document.querySelectorAll("body, body *")].map(
  element => [null, "::before", "::after"].map(part => {
  const style = getComputedStyle(element, part);
  return [...style].map(name => name + style.getPropertyValue(name)).join();
}).join())"""


@pytest.mark.parametrize("page", ["a.html", "search.html"])
def test_a_page_looks_as_with_the_whole_sheets(
    book: Book, browser: Browser, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Every property of every element and of what style sheets put before and after it."""
    book.claims()
    book.page(
        "a", "# A page\n\n```{note}\nText with `code`.\n```\n\n| a | b |\n|---|---|\n| 1 | $x$ |\n\n## Part\n\n1. one\n"
    )
    book.settings["html_theme"] = "sphinx_book_theme"

    def look() -> list[str]:
        built = book.build()
        assert built.status == 0, (built.error, built.warnings)
        browser.open(Path(built.site, page))
        return browser.page.evaluate(LOOK)

    cut = look()
    monkeypatch.setattr(styles, "needed", lambda sheet, used: sheet)
    (book.folder / "_build" / "manifest.json").unlink()
    assert look() == cut
