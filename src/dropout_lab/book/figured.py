"""The figures of a page, as the list of figures tells of them: what each shows, what it is, and what it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from docutils import nodes

from dropout_lab.book.directives import ClaimWidget
from dropout_lab.book.reading import Drawn, Figure

#: What a figure is, by its kind, in the order in which the list explains them.
KINDS = {
    "measured": "networks were trained, or a model fitted again and again, on the seeds that the book reports",
    "drawn at random": "the cells draw random numbers from a fixed seed: masks, weights, examples, or a small training",
    "computed": "the cells draw no random numbers: a formula, a sum over all masks, a numerical integral, a fit",
    "timed": "a script measured how long something takes; the book is not built with it",
    "explorable": "the reader moves it; the package computes its numbers, and the build compares each state",
    "drawing": "a picture without numbers, made by code",
    "count": "the build counts the claims of the ledger",
}
#: What makes the figures that a page takes from a file, by the file.
SCRIPTS = {"chapters/figures/benchmarks.svg": "make bench"}
#: The ends of sentences: a stop, and behind the space what begins another one.
_SENTENCE = re.compile(r"(?<=[^\s.][.!?])\s+(?=[A-Z$“(])")


def figures_of(doctree: nodes.document, drawn: Mapping[str, Drawn]) -> tuple[list[Figure], list[str]]:
    """The figures of a page that was read, in its order, and a sentence for each that nobody could make again.

    ``drawn`` are those of the page's cells. A figure without a caption has no number, and what makes a picture from a
    file has to stand in :data:`SCRIPTS`.
    """
    found, problems = [], []
    for node in doctree.findall(nodes.Element):
        try:
            found += [figure] if (figure := _figure(node, drawn)) else []
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def _figure(node: nodes.Element, drawn: Mapping[str, Drawn]) -> Figure | None:
    if isinstance(node, nodes.figure):
        return _numbered(node, drawn)
    if isinstance(node, nodes.raw) and "explorable" in node:
        says = first_sentence(node["caption"])
        return Figure(f"explorable-{node['explorable']}", says, "explorable", cell=_cell_around(node))
    if isinstance(node, nodes.raw) and "drawing" in node:
        return Figure(f"drawing-{node['drawing']}", first_sentence(node["caption"]), "drawing")
    if isinstance(node, ClaimWidget) and node["face"] == "state":
        return Figure("claim-state", "The state of the claims, section by section.", "count")
    return None


def first_sentence(text: str) -> str:
    r"""The first sentence of a caption; formulas stand between dollars, and a stop inside one ends nothing.

    >>> first_sentence("Error at $p = 0.5$, vs. none. Lines: means.")
    'Error at $p = 0.5$, vs. none.'

    A caption that begins with what is on the left is given up to what is on the right.

    >>> first_sentence("Left: error. It is small. Right: loss. Lines: means.")
    'Left: error. It is small. Right: loss.'
    """
    formulas: list[str] = []

    def hide(found: re.Match[str]) -> str:
        formulas.append(found[0])
        return f"${len(formulas) - 1}$"

    hidden = re.sub(r"\$[^$]*\$", hide, " ".join(text.split()))
    sentences = _SENTENCE.split(hidden)
    right = [place for place, sentence in enumerate(sentences) if sentence.startswith("Right")]
    first = " ".join(sentences[: right[0] + 1]) if right and hidden.startswith("Left") else sentences[0]
    return re.sub(r"\$(\d+)\$", lambda found: formulas[int(found[1])], first)


def _numbered(node: nodes.figure, drawn: Mapping[str, Drawn]) -> Figure:
    names = [*node["names"], *node["ids"]]
    caption = next(iter(node.findall(nodes.caption)), None)
    if caption is None or not names:
        raise ValueError(f"{names[0] if names else 'a figure'} has no number; give it a name and a caption")
    says, name = first_sentence(_text(caption)), names[0]
    if name in drawn:
        passport = drawn[name]
        measured = passport.runs or passport.seeds
        kind = "measured" if measured else "drawn at random" if passport.random else "computed"
        return Figure(node["ids"][0], says, kind, True, passport.cell, name, passport)
    files = [str(picture["uri"]) for picture in node.findall(nodes.image)]
    command = next((SCRIPTS[file] for file in files if file in SCRIPTS), "")
    if not command:
        shown = ", ".join(files) or "no file"
        raise ValueError(f"{name} shows {shown}, and SCRIPTS of dropout_lab.book.figured does not say what makes it")
    return Figure(node["ids"][0], says, "timed", True, command=command)


def _text(node: nodes.Node) -> str:
    """What a caption says, with its formulas between dollars."""
    if isinstance(node, nodes.math):
        return f"${node.astext()}$"
    if isinstance(node, nodes.Element):
        return "".join(map(_text, node.children))
    return node.astext()


def _cell_around(node: nodes.Node) -> int:
    """The number of the cell that an output stands in; 0 outside of cells."""
    while node.parent is not None:
        node = node.parent
        for name in node["ids"] if isinstance(node, nodes.container) else ():
            if found := re.fullmatch(r"code-cell-(\d+)", name):
                return int(found[1])
    return 0
