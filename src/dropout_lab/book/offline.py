"""Pages that work from the disk: nothing that a page loads lies outside the site's own folder.

MathJax comes from the package ``sphinx-mathjax-offline``. That package is not loaded as an extension, because it would
copy all of its 24 MB: here only the files that a page can ask for go along.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"

#: The component that holds TeX input and HTML output, and what it loads at need: the fonts and the TeX extensions.
MATHJAX = "tex-chtml.js"
_MATHJAX_FILES = (MATHJAX, "output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")
#: All extensions again in one file; nothing loads it unless a page is told to.
_MATHJAX_UNUSED = {"all-packages.js"}


def setup(app: Sphinx) -> None:
    """Take everything that a page loads from the site itself."""
    app.connect("config-inited", _configure)
    app.connect("build-finished", _copy_mathjax)


def mathjax_folder() -> Path:
    """Where ``sphinx-mathjax-offline`` keeps MathJax; raises :class:`FileNotFoundError` if it is not installed."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MathJax is missing: the package sphinx-mathjax-offline is not installed")
    return Path(spec.origin).parent / "static" / "mathjax"


def mathjax_files(folder: Path) -> list[Path]:
    """The files under ``folder`` that a page can load, as sorted relative paths."""
    found = {path.relative_to(folder) for pattern in _MATHJAX_FILES for path in folder.glob(pattern)}
    return sorted(path for path in found if path.name not in _MATHJAX_UNUSED)


def _configure(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{MATHJAX}"
    mathjax = config.mathjax3_config = dict(config.mathjax3_config or {})
    # MathJax's own menu offers renderers and speech that would be loaded from files that are not here.
    mathjax["options"] = {**mathjax.get("options", {}), "enableMenu": False}
    # Claim boxes and tables hold formulas that Sphinx does not see as such, so every page gets MathJax. Said here and
    # not in setup, because creating the application takes it back.
    app.set_html_assets_policy("always")
    config.html_static_path = [*config.html_static_path, str(STATIC)]
    # A browser asks for an icon in any case; this one is linked from every page, relative to it.
    config.html_favicon = str(STATIC / "favicon.svg")
    config.templates_path = [str(TEMPLATES), *config.templates_path]
    # A page from the disk may not read another one, and without that a hit of the search has no summary.
    config.html_show_search_summary = False
    # Without a default the theme's script complains on every page; "auto" follows the reader's system.
    config.html_context = {"default_mode": "auto", **config.html_context}


def _copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    source = mathjax_folder()
    for name in mathjax_files(source):
        target = Path(app.outdir, "_static", "mathjax", name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target)
