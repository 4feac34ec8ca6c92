"""From the HTML of the book's templates to nodes of docutils, which LaTeX and any other writer can show.

Nothing is left out in silence: an element that is not known here raises :class:`Unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bs4 import BeautifulSoup, Comment, NavigableString, PageElement, Tag
from docutils import nodes

from dropout_lab.book.latex.derivation import aligned
from dropout_lab.book.latex.tables import PLOT, in_parts, shares

#: The class of what is set small; the preamble has an environment of this name.
SMALL = "book-small"
_DIGEST = re.compile(r"[0-9a-f]{40,}")
_SIGN = re.compile(r"\s*[^\w\s(\[„“\"'−-]+\s+")
_MATH = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)
#: What only serves a reader at a screen, or says again what stands there.
_SCREEN_ONLY = frozenset({"script", "style", "form", "button", "input", "select", "template", "noscript", "colgroup"})
_BLOCKS = frozenset(
    """address article aside blockquote details div dl figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li
    main nav ol p pre section summary svg table ul""".split()  # noqa: SIM905
)
#: What says nothing by itself.
_THROUGH = frozenset(
    """abbr article aside bdi caption cite details dfn div figcaption figure footer header kbd label main mark nav
    output picture q s samp section small span time u var wbr""".split()  # noqa: SIM905
)
_WRAPPED: dict[str, type[nodes.TextElement]] = {
    "strong": nodes.strong,
    "b": nodes.strong,
    "th": nodes.strong,
    "summary": nodes.strong,
    "em": nodes.emphasis,
    "i": nodes.emphasis,
    "code": nodes.literal,
    "sub": nodes.subscript,
    "sup": nodes.superscript,
}


class Unknown(ValueError):
    """The HTML holds an element of which is not known what it says on paper."""


@dataclass(frozen=True)
class FromHtml:
    """``picture`` makes an image of an SVG; links start from the page ``docname``."""

    docname: str
    picture: Callable[[str, str], nodes.Node]

    def told(self, html: str) -> list[nodes.Node]:
        """The nodes that say what HTML says."""
        return list(self._blocks(list(BeautifulSoup(html, "html.parser").children)))

    def _blocks(self, elements: Sequence[PageElement]) -> Iterator[nodes.Node]:
        """Elements as blocks: what stands in lines between blocks becomes a paragraph."""
        line: list[PageElement] = []
        for element in [*elements, None]:
            if element is not None and not self._is_block(element):
                line.append(element)
                continue
            yield from self._paragraph(line)
            line = []
            if isinstance(element, Tag):
                yield from self._target(element)
                yield from self._block(element)

    def _is_block(self, element: PageElement) -> bool:
        if not isinstance(element, Tag):
            return False
        return element.name in _BLOCKS or any(child.name in _BLOCKS for child in element.find_all(True))

    def _block(self, element: Tag) -> Iterator[nodes.Node]:
        name, children = element.name, list(element.children)
        classes = element.get_attribute_list("class")
        if "explorable-controls" in classes:
            yield from self._paragraph(_stand_of(element))
        if name in _SCREEN_ONLY or element.has_attr("hidden"):
            return
        if "derivation-lines" in classes:
            yield from aligned(element.find_all("li", recursive=False), self._lines)
        elif "passport" in classes:
            yield nodes.container("", *self._blocks(children), classes=[SMALL])
        elif name == "svg":
            yield self.picture(str(element), str(element.get("aria-label") or ""))
        elif name == "table":
            yield from self._table(element)
        elif name in ("ul", "ol"):
            items = [
                nodes.list_item("", *self._blocks(list(item.children)))
                for item in element.find_all("li", recursive=False)
            ]
            yield nodes.bullet_list("", *items) if name == "ul" else nodes.enumerated_list("", *items)
        elif name == "dl":
            yield from self._definitions(element)
        elif name == "pre":
            text = element.get_text()
            yield nodes.literal_block(text, text, language="none")
        elif name == "hr":
            yield nodes.transition()
        elif name == "blockquote":
            yield nodes.block_quote("", *self._blocks(children))
        elif name in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "summary"):
            lines = list(self._lines(children))
            if name != "p":
                lines = [nodes.strong("", "", *lines)]
            yield from self._with_displays(lines)
        elif name == "div" and classes and classes[0] in _FRAMED:
            yield nodes.block_quote("", *self._blocks(children))
        elif name in _THROUGH or name in ("li", "a", *_WRAPPED):
            yield from self._blocks(children)
        else:
            raise Unknown(f"<{name}> is not known: {str(element)[:120]}")

    def _paragraph(self, elements: Sequence[PageElement]) -> Iterator[nodes.Node]:
        yield from self._with_displays(list(self._lines(elements)))

    def _with_displays(self, lines: list[nodes.Node]) -> Iterator[nodes.Node]:
        """A paragraph; a displayed formula in it stands between two."""
        paragraph = nodes.paragraph()
        for node in lines:
            if isinstance(node, nodes.math_block):
                if paragraph.astext().strip():
                    yield paragraph
                yield node
                paragraph = nodes.paragraph()
            else:
                paragraph += node
        if paragraph.astext().strip() or any(isinstance(node, nodes.target) for node in paragraph):
            yield paragraph

    def _lines(self, elements: Sequence[PageElement]) -> Iterator[nodes.Node]:
        """Elements as parts of a line."""
        for element in elements:
            if isinstance(element, NavigableString):
                if not isinstance(element, Comment):
                    yield from _text(str(element))
                continue
            if not isinstance(element, Tag):
                continue
            yield from self._target(element)
            name, inside = element.name, list(element.children)
            if name in _SCREEN_ONLY or element.has_attr("hidden"):
                continue
            if name == "br":
                yield nodes.Text(" · ")
            elif name == "a" and element.get("href") and not element.has_attr("download"):
                sign, content = _without_sign(list(self._lines(inside)))
                yield from (*sign, self._link(str(element["href"]), content))
            elif name == "img":
                yield nodes.Text(str(element.get("alt", "")))
            elif _SAID_APART & set(element.get_attribute_list("class")):
                yield nodes.Text(" · " if element.find_previous_sibling() else "")
                yield from _emphasized(list(self._lines(inside)))
                yield nodes.Text(" · " if element.find_next_sibling() and not element.find_previous_sibling() else "")
            elif name == "code" and _DIGEST.fullmatch(element.get_text()):
                yield from _breakable(element.get_text())
            elif name in _WRAPPED:
                yield _WRAPPED[name]("", "", *self._lines(inside))
            elif name in _THROUGH or name in ("a", "p"):
                yield from self._lines(inside)
            else:
                raise Unknown(f"<{name}> is not known inside a line: {str(element)[:120]}")

    def _link(self, href: str, content: list[nodes.Node]) -> nodes.Node:
        """A link; the LaTeX writer knows places of the book by a percent sign."""
        if href.startswith("#"):
            href = f"%{self.docname}{href}"
        return nodes.reference("", "", *content, refuri=href, internal=href.startswith("%"))

    def _target(self, element: Tag) -> Iterator[nodes.Node]:
        if element.get("id"):
            yield nodes.target("", "", ids=[str(element["id"])])

    def _definitions(self, element: Tag) -> Iterator[nodes.Node]:
        """Terms and what is said of them, as a list of lines."""
        listed = nodes.bullet_list()
        for part in element.find_all(["dt", "dd"]):
            if part.name == "dt":
                term = nodes.paragraph("", "", nodes.strong("", "", *self._lines(list(part.children))))
                listed += nodes.list_item("", term)
            elif len(listed):
                blocks = list(self._blocks(list(part.children)))
                item = listed[-1]
                assert isinstance(item, nodes.list_item)
                first = blocks.pop(0) if blocks and isinstance(blocks[0], nodes.paragraph) else nodes.paragraph()
                said = item[0]
                assert isinstance(said, nodes.paragraph)
                said += [nodes.Text(": "), *first.children]
                item += blocks
        if len(listed):
            yield listed

    def _table(self, element: Tag) -> Iterator[nodes.Node]:
        rows = [row for row in element.find_all("tr") if row.find_parent("table") is element]
        cells = [list(row.find_all(["th", "td"], recursive=False)) for row in rows]
        width = max((sum(_span(cell) for cell in row) for row in cells), default=0)
        if not width:
            return
        if caption := element.find("caption"):
            yield nodes.paragraph("", "", nodes.emphasis("", "", *self._lines(list(caption.children))))
        group = nodes.tgroup(cols=width)
        texts = [[PLOT if cell.svg else cell.get_text(" ", strip=True) for cell in row] for row in cells]
        widths = shares(texts, width)
        group += [nodes.colspec(colwidth=share) for share in widths]
        head, body = nodes.thead(), nodes.tbody()
        for row, own in zip(rows, cells, strict=True):
            contents = [list(self._blocks(list(cell.children))) for cell in own]
            if own:
                contents[0] = [*self._target(row), *contents[0]]
            for part in in_parts(contents, widths if len(own) == width else [100] * len(own)):
                made = nodes.row()
                for cell, blocks in zip(own, part, strict=True):
                    spans = {"morecols": _span(cell) - 1} if _span(cell) > 1 else {}
                    made += nodes.entry("", *blocks, **spans)
                made += [nodes.entry("") for _ in range(width - sum(map(_span, own)))]
                if row.find_parent("thead"):
                    head += made
                else:
                    body += made
        if len(head):
            group += head
        group += body
        if len(body):
            yield nodes.table("", group, classes=["longtable", "colwidths-given"])


#: Words in a line that colors set apart on the page.
_SAID_APART = frozenset({"claim-badge", "claim-strength"})
#: Boxes of the page.
_FRAMED = frozenset({"claim-statement", "claim-evidence", "claim-erratum"})


def _stand_of(controls: Tag) -> list[PageElement]:
    """A sentence that says where the controls of a figure stand, which on paper is where they stay."""
    said: list[str] = []
    for control in controls.find_all(["input", "select"]):
        label = control.find_parent("label")
        if label is None or control.get("type") == "checkbox":
            continue
        chosen = control.find("option", selected=True)
        value = chosen.get_text() if chosen else str(control.get("value"))
        name = "".join(str(part) for part in label.children if isinstance(part, NavigableString)).strip()
        said.append(f"{name}: {value}")
    return [NavigableString(f"Shown for {'; '.join(said)}. On the site this can be changed.")] if said else []


def _emphasized(lines: list[nodes.Node]) -> Iterator[nodes.Node]:
    """Parts of a line in italics, but for the sign at their head."""
    sign, words = _without_sign(lines)
    yield from (*sign, nodes.emphasis("", "", *words))


def _without_sign(lines: list[nodes.Node]) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """The sign of a verdict at the head of a line, and the rest: only the upright font has the signs."""
    if lines and isinstance(lines[0], nodes.Text) and (sign := _SIGN.match(lines[0])):
        return [nodes.Text(sign[0])], [nodes.Text(lines[0][sign.end() :]), *lines[1:]]
    return [], lines


def _breakable(digest: str) -> Iterator[nodes.Node]:
    """A digest, which a line may end in."""
    for start in range(0, len(digest), 8):
        if start:
            yield nodes.raw("", r"\allowbreak{}", format="latex")
        yield nodes.literal("", digest[start : start + 8])


def _span(cell: Tag) -> int:
    return int(str(cell.get("colspan") or 1))


def _text(text: str) -> Iterator[nodes.Node]:
    """Words with the formulas between them."""
    at = 0
    for found in _MATH.finditer(text):
        if before := re.sub(r"\s+", " ", text[at : found.start()]):
            yield nodes.Text(before)
        if found[1] is not None:
            yield nodes.math(found[1], found[1])
        else:
            formula = f"\\bookfit{{{found[2]}}}"
            yield nodes.math_block(formula, formula, nowrap=False, number=None, label=None)
        at = found.end()
    if rest := re.sub(r"\s+", " ", text[at:]):
        yield nodes.Text(rest)
