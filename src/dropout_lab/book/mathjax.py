"""MathJax as the pages load it: only its parts that they use, in one packed script of about 215 KB instead of 1.2 MB.

The parts come from the package ``sphinx-mathjax-offline``. That package is not loaded as an extension, because it would
copy all of its 24 MB. Its smallest ready-made script contains MathJax's menu, which is a third of it and offers
renderers and speech from files that are not here.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

#: What the pages load: the packed parts, with TeX as input and HTML as output; and the same parts unpacked, for
#: browsers that cannot unpack.
SCRIPT, PLAIN = "tex-chtml.js", "tex-chtml-plain.js"
#: The parts in the order in which they have to run, and the names by which MathJax knows that they are there.
_PARTS = ("startup", "core", "input/tex", "output/chtml", "output/chtml/fonts/tex", "a11y/assistive-mml")
#: What those load at need: the fonts and the extensions of TeX.
_LATER = ("output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")
#: All extensions again in one file; nothing loads it unless a page is told to.
_UNUSED = {"all-packages.js"}
_UNPACKER = Path(__file__).parent / "assets" / "mathjax-unpacked.js"


def setup(app: Sphinx) -> None:
    """Have every page load MathJax from the site itself."""
    app.connect("config-inited", _configure)
    app.connect("build-finished", _write)


def folder() -> Path:
    """Where ``sphinx-mathjax-offline`` keeps MathJax; raises :class:`FileNotFoundError` if it is not installed."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MathJax is missing: the package sphinx-mathjax-offline is not installed")
    return Path(spec.origin).parent / "static" / "mathjax"


def loaded_later(source: Path) -> list[Path]:
    """The files under ``source`` that a page loads only if a formula asks for them, as sorted relative paths."""
    found = {path.relative_to(source) for pattern in _LATER for path in source.glob(pattern)}
    return sorted(path for path in found if path.name not in _UNUSED)


def plain(source: Path) -> str:
    """The parts under ``source`` as one script. Where they are told to load nothing, they start when all have run."""
    parts = [(source / f"{part}.js").read_text(encoding="utf-8") for part in _PARTS]
    names = ", ".join(f'"{name}"' for name in ("loader", *_PARTS))
    return "\n;".join((*parts, f"MathJax.loader.preLoad({names});\n"))


def packed(text: str) -> str:
    """A script that unpacks ``text``, which is JavaScript, and runs it; the same bytes each time."""
    data = base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()
    return _UNPACKER.read_text(encoding="utf-8").replace('"PACKED"', f'"{data}"').replace("PLAIN", PLAIN)


def _configure(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"
    # Claim boxes and tables hold formulas that Sphinx does not see as such, so every page gets MathJax. Said here and
    # not in setup, because creating the application takes it back.
    app.set_html_assets_policy("always")


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    source, target = folder(), Path(app.outdir, "_static", "mathjax")
    text = plain(source)
    target.mkdir(parents=True, exist_ok=True)
    (target / SCRIPT).write_text(packed(text), encoding="utf-8")
    (target / PLAIN).write_text(text, encoding="utf-8")
    for name in loaded_later(source):
        if not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)
