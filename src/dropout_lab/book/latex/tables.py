"""Tables for paper: how wide columns are, and rows that are no higher than a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from docutils import nodes

#: As much text as a plot in a table is wide.
PLOT = "m" * 50
#: LaTeX breaks no row across pages: a cell with more letters for each hundredth of the line's width is continued in
#: further rows, best at a heading. A page of plain text has about twice as many.
_LETTERS = 25


def shares(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide columns are, in parts of a hundred: none narrower than its words; the rest by how much stands in them.

    >>> shares([["number 1", "a long sentence about it"], ["number 2", "another sentence"]], 2)
    [36, 64]
    """
    amounts, words = [0.0] * width, [0] * width
    for row in rows:
        if len(row) == width:
            for column, text in enumerate(row):
                amounts[column] += min(len(text), 400) + 4
                words[column] = max(words[column], *(min(len(word), 20) for word in text.split()), 0)
    # A line holds about eighty letters of the widest font, and a column has a margin on either side.
    least = [1.25 * word + 3 for word in words]
    rest = max(0.0, 100 - sum(least))
    whole = sum(amounts) or 1
    wanted = [needed + rest * amount / whole for needed, amount in zip(least, amounts, strict=True)]
    return [max(1, round(100 * one / sum(wanted))) for one in wanted]


def in_parts(
    cells: Sequence[Sequence[nodes.Node]], widths: Sequence[int]
) -> Iterator[tuple[Sequence[nodes.Node], ...]]:
    """The cells of a row, given by their blocks and widths in hundredths, as rows that are not higher than a page."""
    parts = [_parts(blocks, _LETTERS * width) for blocks, width in zip(cells, widths, strict=True)]
    yield from zip_longest(*parts, fillvalue=())


def _parts(blocks: Sequence[nodes.Node], most: int) -> list[list[nodes.Node]]:
    found: list[list[nodes.Node]] = [[]]
    letters, below_heading = 0, False
    for block in blocks:
        heading = isinstance(block, nodes.paragraph) and bool(block) and isinstance(block[0], nodes.strong)
        limit = most // 2 if heading else most
        if letters + len(block.astext()) > limit and found[-1] and not below_heading:
            found.append([])
            letters = 0
        found[-1].append(block)
        letters, below_heading = letters + len(block.astext()), heading
    return found
