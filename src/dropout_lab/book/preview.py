"""What is shown of a page where somebody shares a link to it: title, description, and a picture of one style.

Other sites ask for absolute addresses. They come from Sphinx's setting ``html_baseurl`` (in the file
``_config.yml``), the address under which the site lies; while it is empty, address and picture are left out.
"""

from __future__ import annotations

import re
import textwrap
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import matplotlib
from docutils import nodes
from PIL import Image, ImageDraw, ImageFont
from sphinx.application import Sphinx

from dropout_lab.book.notebook import render
from dropout_lab.book.offline import STATIC

#: The folder of the pictures in the site.
FOLDER = "_static/previews"
#: The size that the readers of Open Graph's tags ask for, in pixels.
SIZE = (1200, 630)
#: The longest description, in characters.
LONGEST = 200
LOGO = STATIC / "favicon.svg"
_FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
_BACK, _INK, _FAINT = "#1c5d85", "#ffffff", "#c9dbe6"
#: Everything is drawn this many times larger and then made smaller, which smooths the edges.
_FINER = 2


def setup(app: Sphinx) -> None:
    """Add the tags to each page when it is written, and its picture beside it."""
    app.connect("html-page-context", _describe)


def description(doctree: nodes.document) -> str:
    """The first paragraph of a page, which is its question, without formulas, cut at a word; empty if it has none.

    Example
    -------
    >>> from docutils.core import publish_doctree
    >>> description(publish_doctree("Title\\n=====\\n\\nIs *it* true?\\n\\nYes."))
    'Is it true?'
    """
    found = (
        node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, (nodes.section, nodes.document))
    )
    texts = (" ".join(part.astext() for part in node.findall(nodes.Text) if not _is_formula(part)) for node in found)
    words = next(
        (text for text in (re.sub(r"\s+([,.;:?!]|$)", r"\1", " ".join(text.split())) for text in texts) if text), ""
    )
    return textwrap.shorten(words, LONGEST, placeholder=" …")


def picture(title: str, book: str) -> Image.Image:
    """The picture of a page: its title beside the book's logo, the book's name below. The same pixels each time."""
    width, height = (_FINER * side for side in SIZE)
    image = Image.new("RGB", (width, height), _BACK)
    draw = ImageDraw.Draw(image)
    _draw_logo(draw, left=width * 0.68, top=height * 0.2, side=height * 0.6)
    margin = height * 0.11
    lines, font = _fitted(draw, title, width * 0.6 - margin, height * 0.56)
    draw.multiline_text((margin, height * 0.42), "\n".join(lines), _INK, font, anchor="lm", spacing=height * 0.02)
    draw.text((margin, height - margin), book, _FAINT, _font("DejaVuSans", height * 0.055), anchor="ls")
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def _fitted(
    draw: ImageDraw.ImageDraw, title: str, width: float, height: float
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """The title in lines, in the largest letters in which it fits."""
    for size in range(int(height * 0.24), int(height * 0.05), -4):
        font = _font("DejaVuSans-Bold", size)
        lines = [""]
        for word in title.split():
            longer = f"{lines[-1]} {word}".strip()
            if draw.textlength(longer, font) <= width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        if max(draw.textlength(line, font) for line in lines) <= width and len(lines) * size * 1.35 <= height:
            break
    return lines, font


def _font(name: str, size: float) -> ImageFont.FreeTypeFont:
    # The basic layout gives the same pixels on every machine; the other one uses what is installed there.
    return ImageFont.truetype(_FONTS / f"{name}.ttf", int(size), layout_engine=ImageFont.Layout.BASIC)


def _draw_logo(draw: ImageDraw.ImageDraw, left: float, top: float, side: float) -> None:
    """The lines and circles of the logo's file, which is 32 units wide."""
    unit = side / 32

    def at(x: float, y: float) -> tuple[float, float]:
        return left + unit * x, top + unit * y

    def visit(element: ET.Element, given: dict[str, str]) -> None:
        given = {**given, **element.attrib}
        tag = element.tag.rpartition("}")[2]
        if tag == "path":
            points = [
                at(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", given["d"].replace(" L", "L"))
            ]
            starts = [letter == "M" for letter in re.findall("[ML]", given["d"])]
            for (one, other), new in zip(pairwise(points), starts[1:], strict=True):
                if not new:
                    draw.line((*one, *other), given["stroke"], round(unit * float(given["stroke-width"])))
        if tag == "circle":
            draw.circle(at(float(given["cx"]), float(given["cy"])), unit * float(given["r"]), given["fill"])
        for child in element:
            visit(child, given)

    visit(ET.parse(LOGO).getroot(), {})


def _is_formula(text: nodes.Text) -> bool:
    return isinstance(text.parent, nodes.math)


def _describe(app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    if doctree is None or app.builder.format != "html":
        return
    title, base = app.env.titles[pagename].astext(), str(app.config.html_baseurl)
    tags = {"title": title, "site": str(app.config.project), "description": description(doctree), "base": ""}
    if base:
        base = base.rstrip("/")
        name = f"{FOLDER}/{pagename.replace('/', '-')}.png"
        target = Path(app.outdir, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Few colors are enough, and make a file a quarter as large.
        picture(title, tags["site"]).quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)
        tags |= {"base": base, "page": f"{base}/{pagename}{context['file_suffix']}", "picture": f"{base}/{name}"}
    start = pagename == app.config.root_doc
    context["metatags"] += str(render("preview", kind="website" if start else "article", size=SIZE, **tags))
