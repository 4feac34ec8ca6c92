"""The Sphinx side of the book: execution and its cache, claims and their ledger, and pages that work from the disk.

Importing this package loads nothing of Sphinx: kernels load :mod:`dropout_lab.book.notebook` to show evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dropout_lab._extras import require

require(__name__)

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register everything; each module says what it adds."""
    from dropout_lab.book import (
        accessibility,
        api,
        chains,
        citations,
        claim_cells,
        directives,
        domain,
        executor,
        exercises,
        falsifiers,
        figure_list,
        finder,
        folded,
        folding,
        hover,
        icons,
        lectures,
        leftovers,
        mathjax,
        offline,
        passports,
        preview,
        quizzes,
        site,
        styles,
        tokens,
        unbroken,
    )
    from dropout_lab.book import latex as paper
    from dropout_lab.book.anywhere import site as downloads
    from dropout_lab.book.explorables import directive as explorables

    app.setup_extension("myst_nb")
    for module in (
        leftovers,
        executor,
        citations,
        domain,
        directives,
        claim_cells,
        passports,
        figure_list,
        site,
        offline,
        mathjax,
        icons,
        tokens,
        styles,
        accessibility,
        unbroken,
        chains,
        hover,
        finder,
        preview,
        api,
        folding,
        falsifiers,
        explorables,
        downloads,
        lectures,
        paper,
        folded,
        exercises,
        quizzes,
    ):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
