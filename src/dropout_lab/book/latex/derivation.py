"""A derivation in LaTeX: its formulas aligned at the relations, below each the rule that leads to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from bs4 import PageElement, Tag
from docutils import nodes
from sphinx.util.texescape import escape

#: A formula that is wider than the page is drawn smaller; words below a formula keep the page's width.
PREAMBLE = r"""
\newsavebox{\bookformula}
\newcommand{\bookfit}[1]{\sbox{\bookformula}{$\displaystyle #1$}%
\ifdim\wd\bookformula>.88\linewidth\resizebox{.88\linewidth}{!}{\usebox{\bookformula}}\else\usebox{\bookformula}\fi}
\newcommand{\bookreason}[1]{\parbox[t]{.84\linewidth}{\footnotesize\raggedright #1\vspace{3pt}}}
\allowdisplaybreaks
"""
_MATH = re.compile(r"(\\\(.*?\\\))", re.S)


def aligned(
    lines: Iterable[Tag], told: Callable[[Sequence[PageElement]], Iterable[nodes.Node]]
) -> Iterator[nodes.Node]:
    """The lines of a derivation as they stand on the page, as one aligned formula for each part with a heading.

    ``told`` makes nodes of the words of a heading and the formulas between them.
    """
    rows: list[str] = []
    for line in lines:
        if "derivation-heading" in line.get_attribute_list("class"):
            yield from _block(rows)
            rows = []
            yield nodes.paragraph("", "", nodes.emphasis("", "", *told(list(line.children))))
        else:
            rows.append(_row(line))
    yield from _block(rows)


def _block(rows: list[str]) -> Iterator[nodes.Node]:
    if rows:
        formula = "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
        yield nodes.math_block(formula, formula, nowrap=True, number=None, label=None)


def _row(line: Tag) -> str:
    relation = _inside(line, "derivation-relation")
    formula = _inside(line, "derivation-formula").removeprefix(r"\displaystyle").strip()
    # A number is folded on the page; on paper nothing is.
    reasons = [_words(line, f"derivation-{name}") for name in ("reason", "why")]
    numbers = line.select_one(".derivation-numbers span")
    reasons.append(_text(numbers.get_text(" ", strip=True)) if numbers else "")
    said = r"\quad ".join(reason for reason in reasons if reason)
    row = f"{relation} & \\bookfit{{{formula}}}"
    return f"{row} \\\\*\n & \\bookreason{{{said}}}" if said else row


def _inside(line: Tag, name: str) -> str:
    """The formula in a part of a line."""
    found = line.select_one(f".{name}")
    text = found.get_text().strip() if found else ""
    return text.removeprefix(r"\(").removesuffix(r"\)").strip()


def _words(line: Tag, name: str) -> str:
    found = line.select_one(f".{name}")
    return _text(re.sub(r"\s+", " ", found.get_text()).strip()) if found else ""


def _text(words: str) -> str:
    """Words with formulas between them, as LaTeX."""
    parts = _MATH.split(words)
    return "".join(part if number % 2 else escape(part, "xelatex") for number, part in enumerate(parts))
