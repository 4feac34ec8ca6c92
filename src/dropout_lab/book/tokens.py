"""Code on pages without marks that change nothing: half of the marks of Pygments give a token the color of the text.

Names and punctuation look like plain code in light and in dark. Their marks are a quarter of a chapter's file, so they
are taken away once the theme has written its final colors.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import tinycss2
from sphinx.application import Sphinx

#: The sheet with the colors of code, in the folder of static files.
SHEET = "pygments.css"
_HEAD = re.compile(r"(?P<theme>.*?)\.highlight(?:\s+\.(?P<token>\w+))?")
_CODE = re.compile(r"<pre>.*?</pre>", re.DOTALL)


def setup(app: Sphinx) -> None:
    """Look at the pages after the theme has written its colors, and before style sheets are cut."""
    app.connect("build-finished", _write, priority=850)


def plain(sheet: str) -> set[str]:
    """The kinds of tokens to which a sheet gives, in each of its themes, the color of the text and nothing else.

    Example
    -------
    >>> plain(".highlight { color: #000 } .highlight .n { color: #000 } .highlight .k { color: #00f }")
    {'n'}
    """
    text: dict[str, str] = {}
    said: dict[str, dict[str, str]] = {}
    for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        for head in tinycss2.serialize(rule.prelude).split(","):
            found = _HEAD.fullmatch(head.strip())
            if not found:
                continue
            style, theme, token = (
                _declarations(tinycss2.serialize(rule.content)),
                found["theme"].strip(),
                found["token"],
            )
            if token:
                said.setdefault(token, {})[theme] = style
            elif color := re.search(r"(?:^|;)(color:[^;]+)", style):
                text[theme] = color[1]
    return {token for token, styles in said.items() if text and styles == text}


def unmarked(html: str, kinds: Collection[str]) -> str:
    """A page whose code has no marks of these kinds of tokens.

    Example
    -------
    >>> unmarked('<pre><span class="n">x</span> <span class="o">=</span></pre>', {"n"})
    '<pre>x <span class="o">=</span></pre>'
    """
    if not kinds:
        return html
    mark = re.compile(rf'<span class="(?:{"|".join(sorted(kinds))})">([^<]*)</span>')
    return _CODE.sub(lambda code: mark.sub(r"\1", code[0]), html)


def _declarations(content: str) -> str:
    """What a rule says, in one spelling."""
    return ";".join(sorted(re.sub(r"\s*([:;])\s*", r"\1", part).strip() for part in content.split(";") if part.strip()))


def _write(app: Sphinx, error: Exception | None) -> None:
    static = Path(app.outdir, "_static")
    sheet = static / SHEET
    if error is not None or app.builder.format != "html" or not sheet.is_file():
        return
    kinds = plain(sheet.read_text(encoding="utf-8"))
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        if (shorter := unmarked(html, kinds)) != html:
            page.write_text(shorter, encoding="utf-8")
