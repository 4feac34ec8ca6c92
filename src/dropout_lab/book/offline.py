"""Pages that work from the disk: nothing that a page loads lies outside the site's own folder."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"


def setup(app: Sphinx) -> None:
    """Take everything that a page loads from the site itself."""
    app.connect("config-inited", _configure)


def _configure(app: Sphinx, config: Config) -> None:
    config.html_static_path = [*config.html_static_path, str(STATIC)]
    # A browser asks for an icon in any case; this one is linked from every page, relative to it.
    config.html_favicon = str(STATIC / "favicon.svg")
    config.templates_path = [str(TEMPLATES), *config.templates_path]
    # A page from the disk may not read another one, and without that a hit of the search has no summary.
    config.html_show_search_summary = False
    # Without a default the theme's script complains on every page; "auto" follows the reader's system.
    config.html_context = {"default_mode": "auto", **config.html_context}
