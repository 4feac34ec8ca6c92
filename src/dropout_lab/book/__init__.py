"""The Sphinx side of the book: execution and its cache, claims and their ledger, and pages that work from the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dropout_lab._extras import require

require(__name__)

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register everything; each module says what it adds."""
    # Here and not above: who asks for one module, as the tests of notebooks do, does not wait for Sphinx.
    from dropout_lab.book import accessibility, api, directives, executor, leftovers, offline, records, site

    app.setup_extension("myst_nb")
    for module in (leftovers, executor, records, directives, site, offline, accessibility, api):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
