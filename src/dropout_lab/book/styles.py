"""Style sheets without the rules that no page can use: the theme and the extensions bring 400 KB for a tenth of it.

A selector is dropped if it names a class or an id that occurs in no page and in no string of a script. All other rules
stay as they are and in their order, so a page looks the same.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import tinycss2
from sphinx.application import Sphinx
from tinycss2.ast import AtRule, Comment, Node, QualifiedRule

#: Folders of static files whose style sheets are not read: they hold what is loaded with them.
_APART = {"mathjax", "vendor"}
#: The book's own sheets, which hold nothing that is not used.
_OWN = {"book.css", "evidence.css", "figures.css", "icons.css"}
_ATTRIBUTE = re.compile(r"""\b(?:class|id)=(?:"([^"]*)"|'([^']*)')""")
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_STRING = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`""")
_WORD = re.compile(r"[\w-]+")


def setup(app: Sphinx) -> None:
    """Cut the sheets after every extension has copied its own, and before the digests of the site are taken."""
    app.connect("build-finished", _cut, priority=880)


def used_in_page(html: str) -> Iterator[str]:
    """The classes and ids of a page's elements, and what its own scripts may add.

    Example
    -------
    >>> sorted(used_in_page('<p class="one two" id="three">four</p><script>add("five")</script>'))
    ['five', 'one', 'three', 'two']
    """
    for double, single in _ATTRIBUTE.findall(html):
        yield from (double or single).split()
    for script in _SCRIPT.findall(html):
        yield from used_in_script(script)


def used_in_script(script: str) -> Iterator[str]:
    """The words in a script's strings, any of which may be a class or an id.

    Example
    -------
    >>> list(used_in_script('box.classList.add("wide"); // not this'))
    ['wide']
    """
    for strings in _STRING.findall(script):
        for text in strings:
            yield from _WORD.findall(text)


def needed(sheet: str, used: Container[str]) -> str:
    """The part of a style sheet whose selectors name only classes and ids that are ``used``.

    Example
    -------
    >>> needed(".a, .b { top: 0 } #c:not(.b) { top: 1px } @media print { .b { top: 0 } }", {"a", "c"})
    '.a{ top: 0 }#c:not(.b){ top: 1px }'
    """
    return "".join(_kept(tinycss2.parse_stylesheet(sheet, skip_whitespace=True), used))


def _kept(rules: Iterable[Node], used: Container[str]) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            selectors = [part for part in _selectors(rule.prelude) if all(name in used for name in _names(part))]
            if selectors:
                heads = ",".join(tinycss2.serialize(part).strip() for part in selectors)
                yield f"{heads}{{{tinycss2.serialize(rule.content)}}}"
        elif isinstance(rule, AtRule) and rule.lower_at_keyword in {"media", "supports"} and rule.content is not None:
            inside = "".join(_kept(tinycss2.parse_rule_list(rule.content, skip_whitespace=True), used))
            if inside:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inside}}}"
        elif not isinstance(rule, Comment) or rule.value.startswith("!"):
            # Fonts, animations, the sheet's encoding, and the notices of its license.
            yield rule.serialize()


def _selectors(prelude: Iterable[Node]) -> list[list[Node]]:
    """The selectors of a rule, between the commas."""
    found: list[list[Node]] = [[]]
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            found.append([])
        elif token.type != "comment":
            found[-1].append(token)
    return found


def _names(selector: list[Node]) -> Iterator[str]:
    """The classes and ids of a selector. What stands in parentheses, such as ``:not(.a)``, may be missing."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or (token.type == "ident" and before is not None and before == "."):
            yield token.value


def _cut(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    used: set[str] = set()
    for page in Path(app.outdir).rglob("*.html"):
        used.update(used_in_page(page.read_text(encoding="utf-8")))
    for script in _own_files(static, "*.js"):
        used.update(used_in_script(script.read_text(encoding="utf-8")))
    for sheet in _own_files(static, "*.css"):
        if sheet.name not in _OWN:
            whole = sheet.read_text(encoding="utf-8")
            sheet.write_text(needed(whole, used), encoding="utf-8")
    # Maps of sheets and scripts that were made smaller are read by nobody.
    for path in static.rglob("*.map"):
        path.unlink()


def _own_files(static: Path, pattern: str) -> list[Path]:
    return sorted(path for path in static.rglob(pattern) if not _APART & set(path.relative_to(static).parts))
