"""What a page says is seen: in MyST a line that begins with a percent sign is a comment, and its words are lost."""

from __future__ import annotations

import jupytext
import pytest
from chapter_pages import pages, read


def comments(source: str) -> list[str]:
    """The lines of the text of a notebook that MyST takes for comments."""
    cells = jupytext.reads(source, fmt="md:myst").cells
    text = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    return [line for line in text if line.lstrip().startswith("%")]


@pytest.mark.parametrize("page", pages())
def test_no_line_of_text_is_a_comment(page: str) -> None:
    assert comments(read(page)) == []


def test_a_number_that_was_broken_before_its_percent_sign_is_found() -> None:
    assert comments("The error falls from 1.6 to 1.25\n% with dropout, and stays there.\n") == [
        "% with dropout, and stays there."
    ]
