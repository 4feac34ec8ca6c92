"""Drawings for paper: an SVG of a page in a file of its own, with its colors, and from SVG to PDF."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.util import logging

from dropout_lab.book.latex.needs import DRAWS, PROGRAMS

#: The sheets that have a say in drawings: the book's names of colors, and the drawings' own rules.
SHEETS = tuple(Path(__file__).parent.parent / "static" / name for name in ("book.css", "figures.css"))
#: Colors that the theme defines, and the book's style sheet leaves as they are where it is light.
_THEME = {
    "--pst-color-background": "#ffffff",
    "--pst-color-on-background": "#ffffff",
    "--pst-color-surface": "#f5f5f5",
}
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_VARIABLE = re.compile(r"var\((--[\w-]+)(?:,\s*((?:[^()]|\([^()]*\))*))?\)")
_IS = re.compile(r":is\(([^()]*)\)")
_log = logging.getLogger(__name__)


@cache
def styles(paths: Sequence[Path] = SHEETS) -> str:
    """The rules of style sheets in light colors, for a drawing that stands alone: without variables and conditions.

    >>> "var(" in styles() or ":is(" in styles() or "@" in styles()
    False
    """
    sheets = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    text = re.sub(r"/\*.*?\*/", "", sheets, flags=re.S)
    # Whatever depends on paper, width or motion is said of pages.
    text = re.sub(r"@[\w-]+[^{;]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})", "", text)
    rules = [(selector.strip(), body.strip()) for selector, body in _RULE.findall(text)]
    known = dict(_THEME)
    for selector, body in rules:
        if selector in (":root", 'html[data-theme="light"]'):
            known |= dict(re.findall(r"(--[\w-]+):\s*([^;]+)", body))
    kept = []
    for selector, body in rules:
        body = _with_values(body, known)
        if "[data-theme" not in selector and not selector.startswith(":root") and "calc(" not in body and body:
            kept.append(f"{', '.join(_alternatives(selector))} {{ {body} }}")
    return "\n".join(kept)


def standalone(svg: str) -> str:
    """A drawing of a page as the text of a file."""
    # A cell's strength is a variable that the page's style sheet computes with.
    svg = re.sub(
        r'style="--strength: ?([\d.]+)"', lambda found: f'fill-opacity="{0.08 + 0.92 * float(found[1]):.4f}"', svg
    )
    svg = re.sub(r"<svg(?![^>]*xmlns=)", '<svg xmlns="http://www.w3.org/2000/svg"', svg, count=1)
    # Parsers of HTML write the names of attributes in small letters.
    svg = svg.replace("viewbox=", "viewBox=").replace("patternunits=", "patternUnits=")
    return re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}<style>{styles()}</style>", svg, count=1)


def to_pdf(source: Path, target: Path) -> None:
    """Draw an SVG as PDF; raises RuntimeError with what the program said if that fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
    command = [DRAWS, "--format=pdf", f"--output={target}", str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{DRAWS} could not draw {source.name}: {done.stderr.strip()}")


class SvgToPdf(ImageConverter):
    """Figures of cells are SVG, which LaTeX does not read; as PDF they stay vectors."""

    # Sphinx declares this as an attribute of an object.
    conversion_rules = [("image/svg+xml", "application/pdf")]  # noqa: RUF012

    def is_available(self) -> bool:
        """Whether the program is there; a build for LaTeX without it says so."""
        if shutil.which(DRAWS) is None:
            _log.warning("figures cannot be drawn for LaTeX: %s is missing (Debian: %s)", DRAWS, PROGRAMS[DRAWS])
            return False
        return True

    def convert(self, _from: str, _to: str) -> bool:
        """Draw one figure."""
        to_pdf(Path(_from), Path(_to))
        return True


def setup(app: Sphinx) -> None:
    """Have the figures of cells converted."""
    app.add_post_transform(SvgToPdf)


def _with_values(body: str, known: dict[str, str]) -> str:
    """The declarations with the values of their variables; without those whose value only a page knows."""
    found = []
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        for _ in range(4):
            declaration = _VARIABLE.sub(lambda it: known.get(it[1], it[2] or it[0]), declaration)
        if "var(" not in declaration and not declaration.startswith("--"):
            found.append(declaration)
    return "; ".join(found)


def _alternatives(selector: str) -> list[str]:
    """The selectors that one with ``:is`` stands for, which renderers of SVG do not know.

    >>> _alternatives(".drawing :is(.bar, .point).first")
    ['.drawing .bar.first', '.drawing .point.first']
    """
    found = _IS.search(selector)
    if not found:
        return [selector]
    first, last = selector[: found.start()], selector[found.end() :]
    return [one for part in found[1].split(",") for one in _alternatives(f"{first}{part.strip()}{last}")]
