"""The pages of the book in the order of the table of contents, read as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

ROOT = Path(__file__).resolve().parent.parent
_PLUGINS = (dollarmath_plugin, colon_fence_plugin, front_matter_plugin, myst_role_plugin)


@cache
def pages() -> tuple[str, ...]:
    """The names of the pages, such as ``chapters/02-the-dropout-operation``, in reading order."""

    def visit(entries: list[dict]) -> Iterator[str]:
        for entry in entries:
            yield entry["file"]
            yield from visit(entry.get("sections", []))

    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    named = [contents["root"], *(page for part in contents["parts"] for page in visit(part["chapters"]))]
    return tuple(page for page in named if (ROOT / f"{page}.md").is_file())


def read(page: str) -> str:
    """The source of a page."""
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


@cache
def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of Markdown text, with those inside its admonitions and other directives."""
    parser = MarkdownIt().enable("table")
    for plugin in _PLUGINS:
        parser.use(plugin)

    def visit(found: list[Token]) -> Iterator[Token]:
        for token in found:
            yield token
            yield from visit(token.children or [])
            if token.type in {"fence", "colon_fence"} and token.info.startswith("{") and not _is_verbatim(token):
                yield from visit(parser.parse(token.content))

    return tuple(visit(parser.parse(text)))


def _is_verbatim(token: Token) -> bool:
    return token.info.startswith(("{code-cell}", "{math}", "{claims}", "{glue"))


def formulas(text: str) -> list[str]:
    """The formulas that are typed in the text; those that cells print are not."""
    found = []
    for token in tokens(text):
        if token.type.startswith("math_"):
            found.append(token.content)
        elif token.type == "fence" and token.info.startswith("{math}"):
            found.append(re.sub(r"^:.*$", "", token.content, flags=re.MULTILINE))
    return found


def code(text: str) -> str:
    """The code of a page's cells."""
    return "\n".join(token.content for token in tokens(text) if token.info.startswith("{code-cell}"))
