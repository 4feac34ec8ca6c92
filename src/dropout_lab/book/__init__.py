"""The Sphinx side of the book: execution and its cache, claims and their ledger, and pages that work from the disk."""

from __future__ import annotations

from dropout_lab._extras import require

require(__name__)

from sphinx.application import Sphinx

from dropout_lab.book import accessibility, cache, directives, executor, offline, records, site


def setup(app: Sphinx) -> dict[str, bool]:
    """Register everything; each module says what it adds."""
    app.setup_extension("myst_nb")
    for module in (cache, executor, records, directives, site, offline, accessibility):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
