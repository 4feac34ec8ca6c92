"""A chapter as a notebook that runs anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat import NotebookNode

from dropout_lab.book.anywhere.places import BIBLIOGRAPHY, Places
from dropout_lab.book.anywhere.plain import Plain, code
from dropout_lab.book.anywhere.setup_cell import setup_cell
from dropout_lab.book.anywhere.wheel import wheel_name

#: A call in a cell that settles a claim, which it names first.
_SETTLES = re.compile(r"\bclaims\.\w+\(\s*[\"']([\w.-]+)[\"']")
#: How a glued formula is kept in a cell's output.
_GLUED = "application/papermill.record/text/latex"


def plain_notebook(docname: str, places: Places, *, text: str | None = None, repository: str = "") -> NotebookNode:
    """A chapter as a notebook of plain Markdown and code, without outputs; the set-up cell comes first.

    Args:
        docname: the chapter's path below the book's folder, without its ending.
        places: what the book's pages call each other, from :meth:`Places.of`.
        text: the chapter in MyST Markdown; the file of that name if left out. An edition that leaves something out
            gives what is left.
        repository: the address of the source's git repository, for the set-up cell; empty if there is none.

    Raises:
        FileNotFoundError: there is no such chapter, and no text was given.
    """
    if text is None:
        text = (places.folder / f"{docname}.md").read_text(encoding="utf-8")
    source = read_myst_markdown_notebook(text, add_source_map=False, path=f"{docname}.md")
    settled = dict.fromkeys(
        name for cell in source.cells if cell.cell_type == "code" for name in _SETTLES.findall(cell.source)
    )
    page = Plain(docname, places, tuple(settled))
    cells = [_code(setup_cell(wheel_name(), places.base_url, repository))]
    for cell in source.cells:
        if cell.cell_type != "code":
            cells += _markdown(page.text(cell.source))
            continue
        cells.append(_code(code(cell.source), cell.metadata.get("tags", ())))
        figure = cell.metadata.get("mystnb", {}).get("figure") or {}
        if figure.get("caption"):
            cells += _markdown(page.caption(figure.get("name", ""), figure["caption"]))
    if page.cited:
        lines = [f"- {places.reference(key)}" for key in sorted(page.cited)]
        heading = places.link("Sources", BIBLIOGRAPHY)
        cells += _markdown("\n".join([f"## {heading}", "", *lines]))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def glued(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The formulas that the cells of an executed notebook glued, by name."""
    found: dict[str, str] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
            if name and _GLUED in output.get("data", {}):
                formula = output["data"][_GLUED]
                formula = formula if isinstance(formula, str) else "".join(formula)
                found[name] = re.sub(r"^\$\\displaystyle\s*|^\$+|\$+$", "", formula.strip()).strip()
    return found


def glued_in(executed: Path) -> dict[str, dict[str, str]]:
    """The formulas that the executed notebooks in a folder glued, by docname and name; none if there is no folder."""
    return {
        path.relative_to(executed).with_suffix("").as_posix(): found
        for path in sorted(executed.rglob("*.ipynb"))
        if (found := glued(nbformat.read(path, as_version=4)))
    }


def _code(source: str, tags: tuple[str, ...] = ()) -> NotebookNode:
    cell = nbformat.v4.new_code_cell(source)
    if {"hide-input", "hide-cell"} & set(tags):
        cell.metadata["jupyter"] = {"source_hidden": True}
    return cell


def _markdown(text: str) -> list[NotebookNode]:
    return [nbformat.v4.new_markdown_cell(text)] if text.strip() else []
