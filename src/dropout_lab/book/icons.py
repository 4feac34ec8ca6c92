"""The icons that the pages show, cut out of Font Awesome: one small style sheet instead of 1.7 MB of scripts and fonts.

The theme brings Font Awesome whole. When all pages are written, this reads which icons they name, by a class as in
``<i class="fa-solid fa-bars">`` or by a letter in a style sheet, and writes a font of just these into ``icons.css``.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx

from dropout_lab.book.problems import BookError

#: The style sheet, in the folder of static files; the theme's macros in ``templates`` link it.
SHEET = "icons.css"
#: What the theme copies, below the folder of static files.
VENDOR = "vendor/fontawesome"
_HEAD = """\
/*! Icons of Font Awesome Free by @fontawesome, https://fontawesome.com. Fonts: SIL OFL 1.1, vendor/fontawesome. */
@font-face { font-family: "Font Awesome 6 Free"; font-weight: 900; font-display: block;
  src: url("data:font/woff;base64,FONT") format("woff"); }
:root { --fa-font-solid: normal 900 1em/1 "Font Awesome 6 Free"; }
:is(.fa-solid, .fas) { display: inline-block; font: var(--fa-font-solid); text-rendering: auto;
  -webkit-font-smoothing: antialiased; }
.fa-lg { font-size: 1.25em; line-height: 0.05em; vertical-align: -0.075em; }
"""
_CLASSES = re.compile(r'class(?:Name)?="([^"]*\bfa[srb]?(?:-[^"]*)?)"')
_NAME = re.compile(r"\bfa-([a-z0-9-]+)")
_ESCAPED, _WRITTEN = re.compile(r"\\([ef][0-9a-f]{3})\b"), re.compile("[\ue000-\uf8ff]")
_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
#: Classes that say how an icon is shown, and not which one.
_STYLES = frozenset({"solid", "lg"})


def setup(app: Sphinx) -> None:
    """Make the style sheet once the others are cut, which name fewer icons then, and before the site is digested."""
    app.connect("build-finished", _write, priority=900)


def font_awesome() -> Path:
    """Where the theme keeps Font Awesome; raises :class:`FileNotFoundError` if it is not installed."""
    spec = importlib.util.find_spec("pydata_sphinx_theme")
    theme = Path(spec.origin or "").parent / "theme" if spec else Path()
    found = sorted(theme.glob(f"*/static/{VENDOR}/*/css")) if spec else []
    if not found:
        raise FileNotFoundError("Font Awesome is missing: the package pydata-sphinx-theme is not installed as expected")
    return found[-1].parent


def letters(sheet: str) -> dict[str, str]:
    r"""The letter of each icon, as hexadecimal digits by the icon's name, in Font Awesome's own style sheet.

    Example
    -------
    >>> letters(r'.fa-bars:before,.fa-navicon:before{content:"\f0c9"}')
    {'bars': 'f0c9', 'navicon': 'f0c9'}
    """
    return {name: letter for names, letter in _RULE.findall(sheet) for name in _NAME.findall(names)}


def named(texts: Iterable[str]) -> set[str]:
    """The names of the icons in the classes of pages and scripts.

    Example
    -------
    >>> sorted(named(['<i class="fa-solid fa-bars fa-lg"></i>', 'span.fa-moon']))
    ['bars']
    """
    classes = (found for text in texts for found in _CLASSES.findall(text))
    return {name for found in classes for name in _NAME.findall(found)} - _STYLES


def shown_by(sheet: str) -> set[str]:
    r"""The letters that a style sheet shows by itself, written as they are or by their number.

    Example
    -------
    >>> shown_by(r'.exercise::after{content:"\f303"}')
    {'f303'}
    """
    return {*_ESCAPED.findall(sheet), *(f"{ord(letter):x}" for letter in _WRITTEN.findall(sheet))}


def style_sheet(font: Path, icons: dict[str, str], others: Iterable[str] = ()) -> str:
    """The rules of ``icons``, letters by names, around a font cut out of ``font`` with their letters and ``others``.

    A letter that the font lacks is left out. The same bytes each time.
    """
    # It tells of each table that it cuts, which is no news to who builds a book.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff", hinting=False, layout_features=[], name_IDs=[], recalc_timestamp=False)
    whole = subset.load_font(str(font), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=sorted({int(letter, 16) for letter in (*icons.values(), *others)}))
    cutter.subset(whole)
    written = io.BytesIO()
    subset.save_font(whole, written, options)
    head = _HEAD.replace("FONT", base64.b64encode(written.getvalue()).decode())
    # The empty string after the slash is what a screen reader says of it.
    rules = (f'.fa-{name}::before {{ content: "\\{icons[name]}" / ""; }}\n' for name in sorted(icons))
    return head + "".join(rules)


def _write(app: Sphinx, error: Exception | None) -> None:
    static = Path(app.outdir, "_static")
    vendor = static / VENDOR
    if error is not None or app.builder.format != "html" or not vendor.is_dir():
        return
    # The theme's own files, for those in the site are gone after the first build.
    whole = font_awesome()
    known = letters((whole / "css" / "all.min.css").read_text(encoding="utf-8"))
    pages = (path for path in Path(app.outdir).rglob("*.html") if static not in path.parents)
    texts = [path.read_text(encoding="utf-8") for path in (*pages, *static.glob("scripts/*.js"))]
    wanted = named(texts)
    if unknown := sorted(wanted - set(known)):
        raise BookError("pages name icons that Font Awesome lacks", unknown)
    sheets = (path for path in static.rglob("*.css") if vendor not in path.parents and path.name != SHEET)
    others = set().union(*(shown_by(path.read_text(encoding="utf-8")) for path in sheets))
    icons = {name: known[name] for name in wanted}
    (static / SHEET).write_text(style_sheet(whole / "webfonts" / "fa-solid-900.ttf", icons, others), encoding="utf-8")
    # Only the license stays: nothing loads the rest.
    for folder in ("css", "js", "webfonts"):
        for path in vendor.glob(f"*/{folder}"):
            shutil.rmtree(path)
