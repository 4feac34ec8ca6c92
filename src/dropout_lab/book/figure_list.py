"""The list of figures, and how each is made again: ``{figure-list} numbered``. One that is not in it stops the build.

Pages note their figures when they are read (:mod:`.figured`); the numbers are Sphinx's, those printed on the pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from dropout_lab.book.costs import read_costs
from dropout_lab.book.domain import domain_of, uri_between
from dropout_lab.book.figured import KINDS, figures_of
from dropout_lab.book.latex.plain import page_of
from dropout_lab.book.lectures import MEASURED, takes
from dropout_lab.book.notebook import render
from dropout_lab.book.passports import FOLDER, entry_of
from dropout_lab.book.problems import BookError
from dropout_lab.book.reading import Figure

#: What a part of the list holds: the kinds of figures without a number, or nothing for those with one.
PARTS: dict[str, tuple[str, ...]] = {"numbered": (), "explorables": ("explorable",), "drawings": ("drawing", "count")}
#: The widget of a page with the list.
_WIDGET = "figure-list"


class FigureList(nodes.General, nodes.Element):
    """A place for a part of the list."""


@dataclass(frozen=True)
class Row:
    """A figure with its page, its number, and the label that its page prints; the last two are empty if it has none."""

    docname: str
    figure: Figure
    number: str
    label: str

    @property
    def anchor(self) -> str:
        """The id of its entry in the list."""
        return entry_of(self.figure.id)


class FigureListDirective(SphinxDirective):
    """Shows a part of the list (a key of :data:`PARTS`), its ``numbers`` as links to it, or what the ``kinds`` mean."""

    required_arguments = 1
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        """The place for it; an error of the page for an unknown name."""
        part = self.arguments[0]
        if part not in (known := (*PARTS, "numbers", "kinds")):
            raise self.error(f"figure-list has no part {part!r}; expected one of {', '.join(known)}")
        if part in PARTS:
            domain_of(self.env).page.widgets.add(f"{_WIDGET} {part}")
        return [FigureList("", part=part)]


def rows(env: BuildEnvironment) -> Iterator[Row]:
    """All figures of the book, in reading order; so those with a number stand in the order of their numbers."""
    domain = domain_of(env)
    for docname in domain.reading_order():
        numbers = env.toc_fignumbers.get(docname, {}).get("figure", {})
        for figure in domain.pages[docname].figures if docname in domain.pages else ():
            number = ".".join(map(str, numbers.get(figure.id, ()))) if figure.numbered else ""
            label = env.config.numfig_format.get("figure", "Fig. %s") % number if number else ""
            yield Row(docname, figure, number, label)


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """When a page was read, and its passports are filled: note its figures."""
    page = domain_of(app.env).page
    where = app.env.doc2path(app.env.docname, base=False)
    page.figures, problems = figures_of(doctree, page.drawn)
    page.unlisted = [f"{where}: {problem}" for problem in problems]


def check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Stop the build with every figure that the list lacks; otherwise name the list if it has to be written anew."""
    domain = domain_of(env)
    pages = {part: domain.page_with(f"{_WIDGET} {part}") for part in PARTS}
    if not any(pages.values()):
        return []
    found = list(rows(env))
    problems = [problem for page in domain.pages.values() for problem in page.unlisted]
    problems += [f"no page shows the part of the list: {part}" for part, docname in pages.items() if not docname]
    problems += [
        f"{row.docname}: {row.figure.id} has no number; the page is in no table of contents, or numfig is off"
        for row in found
        if row.figure.numbered and not row.number
    ]
    named = {row.figure.name for row in found}
    problems += [
        f"{docname}: a cell draws {name} outside of a figure; give it a name and a caption in the cell's metadata"
        for docname, page in domain.pages.items()
        for name in page.drawn
        if name not in named
    ]
    if problems:
        raise BookError("figures that the list of figures lacks", problems)
    seen = hashlib.sha256(repr((found, [env.titles[row.docname].astext() for row in found])).encode()).hexdigest()
    before, domain.data["listed"] = domain.data["listed"], seen
    return sorted(set(pages.values())) if seen != before else []


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the finished list in its place."""
    for node in list(doctree.findall(FigureList)):
        # For LaTeX all pages are one document.
        node.replace_self(nodes.raw("", _html(app, page_of(node) or docname, node["part"]), format="html"))


def setup(app: Sphinx) -> None:
    """Note figures after :mod:`.passports`, check when Sphinx has given them numbers, fill when pages are written."""
    app.add_directive("figure-list", FigureListDirective)
    app.add_node(FigureList)
    # Once Sphinx knows the files of pictures by their paths in the book.
    app.connect("doctree-read", collect, priority=600)
    app.connect("env-get-updated", check, priority=900)
    app.connect("doctree-resolved", fill)


def _html(app: Sphinx, docname: str, part: str) -> str:
    if part == "kinds":
        return str(render("figure-kinds", kinds=KINDS))
    env = app.env
    if part == "numbers":
        return str(render("figure-numbers", rows=[row for row in rows(env) if row.number]))
    found = [row for row in rows(env) if (row.figure.kind in PARTS[part] if PARTS[part] else row.figure.numbered)]
    costs = read_costs(Path(env.srcdir, MEASURED))
    root = "../" * docname.count("/")

    def href(target: str, anchor: str = "") -> str:
        return uri_between(app.builder, docname, target, anchor)

    return str(
        render(
            "figure-list",
            rows=found,
            pages=[
                (
                    page,
                    env.titles[page].astext(),
                    takes([costs[page]]) if page in costs else "",
                    list(own),
                )
                for page, own in groupby(found, lambda row: row.docname)
            ],
            href=href,
            source=lambda page: env.doc2path(page, base=False),
            notebook=lambda page: f"{root}{page}.ipynb" if app.config.dropout_lab_downloads else "",
            numbers=lambda name: f"{root}{FOLDER}/{name}.csv",
        )
    )
