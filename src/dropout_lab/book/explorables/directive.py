"""The directives ``{explorable}``, a figure in its first state with the scripts that move it, and ``{drawing}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from dropout_lab.book.drawings import DRAWINGS
from dropout_lab.book.explorables.parts import Explorable
from dropout_lab.book.notebook import render


def html(found: Explorable) -> str:
    """The figure: drawing, controls, numbers and data."""
    state = found.start()
    # A closing tag inside the data would end the element that holds them.
    data = json.dumps(found.data(), separators=(",", ":")).replace("<", "\\u003c")
    return str(
        render("explorable", it=found, drawing=found.drawing(state), numbers=found.numbers(state), data=Markup(data))
    )


def from_cell(content: object) -> nodes.raw:
    """The figure of the numbers that a cell handed over. Raises ValueError for a name or for data that do not fit."""
    from dropout_lab.book.explorables import MEASURED

    if not isinstance(content, Mapping) or set(content) != {"name", "data"}:
        raise ValueError("expected an object with the fields name and data")
    name = str(content["name"])
    if name not in MEASURED:
        raise ValueError(f"no figure takes measured numbers as {name!r}; expected one of {', '.join(MEASURED)}")
    try:
        return _node(MEASURED[name](content["data"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the figure {name} cannot be made of what the cell hands over: {error!r}") from error


def _node(found: Explorable) -> nodes.raw:
    """What stands on the page; its name is what loads the script, and the list of figures gives its caption."""
    return nodes.raw("", html(found), format="html", explorable=found.id, caption=found.caption)


class ExplorableDirective(SphinxDirective):
    """Shows the explorable that is named."""

    required_arguments = 1
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        """The figure; an error of the page for an unknown name."""
        # They draw with torch, which pages without them need not load.
        from dropout_lab.book.explorables import EXPLORABLES

        name = self.arguments[0]
        if name not in EXPLORABLES:
            raise self.error(f"there is no explorable {name!r}; expected one of {', '.join(EXPLORABLES)}")
        return [_node(EXPLORABLES[name])]


class DrawingDirective(SphinxDirective):
    """Shows the drawing that is named."""

    required_arguments = 1
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        """The drawing with its caption; an error of the page for an unknown name."""
        name = self.arguments[0]
        if name not in DRAWINGS:
            raise self.error(f"there is no drawing {name!r}; expected one of {', '.join(DRAWINGS)}")
        caption, draw = DRAWINGS[name]
        drawn = str(render("drawing", name=name, caption=caption, drawing=draw()))
        return [nodes.raw("", drawn, format="html", drawing=name, caption=caption)]


def _add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    found = [node["explorable"] for node in doctree.findall(nodes.raw) if "explorable" in node] if doctree else []
    if found:
        app.add_js_file("explorable.js", loading_method="defer")
    for name in found:
        app.add_js_file(f"explorables/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    """Register the directives, and load the scripts where they are used."""
    app.add_directive("explorable", ExplorableDirective)
    app.add_directive("drawing", DrawingDirective)
    app.connect("html-page-context", _add_scripts)
