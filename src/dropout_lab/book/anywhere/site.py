"""The site's downloads: beside each page with code its notebook, at the root the wheel; a button offers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from dropout_lab.book.anywhere.chapters import glued_in, plain_notebook
from dropout_lab.book.anywhere.places import Places
from dropout_lab.book.anywhere.wheel import build_wheel
from dropout_lab.book.cache import write_atomically
from dropout_lab.book.leftovers import NOTEBOOKS
from dropout_lab.book.problems import BookError

_log = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    """Write the downloads once the pages are written, before it is noted what a build has made.

    ``dropout_lab_downloads`` turns them on. ``html_baseurl`` is where the site will lie: with it notebooks link to the
    pages, and fetch the wheel from there.
    """
    app.add_config_value("dropout_lab_downloads", False, "html", [bool])
    app.connect("config-inited", _check)
    # After the theme has made its buttons.
    app.connect("html-page-context", _offer, priority=900)
    app.connect("build-finished", _write)


def _check(app: Sphinx, config: Config) -> None:
    base = config.html_baseurl
    if base and not base.startswith(("http://", "https://")):
        line = f"html_baseurl is an http or https address, or empty, got {base!r}"
        raise BookError("the address of the site is none", [line])


def _with_code(app: Sphinx) -> list[str]:
    """The pages with code cells; each has an executed notebook."""
    executed = Path(app.outdir).parent / NOTEBOOKS
    names = (path.relative_to(executed).with_suffix("").as_posix() for path in sorted(executed.rglob("*.ipynb")))
    return [name for name in names if name in app.env.found_docs and app.env.doc2path(name).endswith(".md")]


def _offer(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Offer the notebook in place of the page's source, which Jupyter shows with all directives; the print stays."""
    if not app.config.dropout_lab_downloads or context.get("page_source_suffix") != ".md":
        return
    own = {
        "type": "link",
        "url": f"{pagename.rpartition('/')[2]}.ipynb",
        "text": ".ipynb",
        "icon": "fas fa-file",
        "tooltip": "Download as a notebook",
        "label": "download-notebook-button",
    }
    for group in context.get("header_buttons", ()):
        if group.get("label") == "download-buttons":
            kept = [button for button in group["buttons"] if button["label"] == "download-pdf-button"]
            group["buttons"] = [own, *kept] if pagename in _with_code(app) else kept


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html" or not app.config.dropout_lab_downloads:
        return
    site = Path(app.outdir)
    places = Places.of(Path(app.srcdir), app.config.html_baseurl, glued_in(site.parent / NOTEBOOKS))
    repository = _repository(app.config.html_theme_options)
    for docname in _with_code(app):
        text = nbformat.writes(plain_notebook(docname, places, repository=repository)) + "\n"
        write_atomically(site / f"{docname}.ipynb", text.encode())
    _log.info("notebooks that run anywhere, and %s", build_wheel(site).name)


def _repository(theme_options: dict[str, Any]) -> str:
    return str(theme_options.get("repository_url") or "")
