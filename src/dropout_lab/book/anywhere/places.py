"""What the pages of a book call each other: titles, numbers of equations, figures and exercises, and sources.

They are counted from the chapters' text, in the order of the table of contents, as Sphinx counts them: a notebook can
be made from a chapter without a build.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pybtex.backends.markdown import Backend as Markdown
from pybtex.database import Entry, parse_file

from dropout_lab.book.anywhere.myst import Directive, pieces
from dropout_lab.book.citations import Works, labels, parted

#: The page that sources lead to.
BIBLIOGRAPHY = "chapters/back/bibliography"
#: What stands before the number of each numbered thing.
NUMBERED = {"figure": "Figure", "exercise": "Exercise", "equation": ""}
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.M)
_TARGET = re.compile(r"^\(([\w.:-]+)\)=\s*\n+#+ +(.+?)\s*$", re.M)


@dataclass(frozen=True)
class Place:
    """Something that pages refer to: the page it stands on, its number, and its title."""

    docname: str
    number: int = 0
    title: str = ""


@dataclass(frozen=True)
class Places:
    """The places of a book in ``folder``.

    ``base_url`` is where the site lies, with a slash at its end, or empty: then nothing links to it. ``formulas`` are
    those that an execution glued, by docname and name.
    """

    folder: Path
    titles: Mapping[str, str]
    numbered: Mapping[tuple[str, str], Place]
    sections: Mapping[str, Place]
    sources: Mapping[str, Entry] = field(repr=False)
    base_url: str = ""
    formulas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, base_url: str = "", formulas: Mapping[str, Mapping[str, str]] | None = None) -> Places:
        """The places of the book in a folder; in the order of its ``_toc.yml``, or of the names of its pages.

        Raises:
            ValueError: ``base_url`` is neither empty nor an http or https address.
        """
        if base_url and not re.match(r"https?://[^\s/]+", base_url):
            raise ValueError(f"the base URL of the site is an http or https address, or empty, got {base_url!r}")
        titles: dict[str, str] = {}
        numbered: dict[tuple[str, str], Place] = {}
        sections: dict[str, Place] = {}
        counts = dict.fromkeys(NUMBERED, 0)
        for docname in docnames(folder):
            text = (folder / f"{docname}.md").read_text(encoding="utf-8")
            found = _HEADING.search(text)
            titles[docname] = found[1] if found else docname
            sections |= {label: Place(docname, title=title) for label, title in _TARGET.findall(text)}
            for kind, label, title in _labelled(text):
                counts[kind] += 1
                numbered[kind, label or f"{docname}#{counts[kind]}"] = Place(docname, counts[kind], title)
        sources: dict[str, Entry] = {}
        for path in sorted(folder.rglob("*.bib")):
            sources.update(parse_file(str(path)).entries)
        base = f"{base_url.rstrip('/')}/" if base_url else ""
        return cls(folder, titles, numbered, sections, sources, base, formulas or {})

    def url(self, docname: str, anchor: str = "") -> str:
        """The address of a place on the site; empty while the site has none."""
        return f"{self.base_url}{docname}.html{'#' + anchor if anchor else ''}" if self.base_url else ""

    def link(self, text: str, docname: str, anchor: str = "") -> str:
        """The text as a link to the site; the text alone while the site has no address."""
        address = self.url(docname, anchor)
        return f"[{text}]({address})" if address else text

    def resolve(self, docname: str, target: str) -> str:
        """The docname that a page means by a path, which starts from its own folder or, with a slash, from the root."""
        target = target.removesuffix(".md")
        if target.startswith("/"):
            return target[1:]
        return posixpath.normpath(posixpath.join(posixpath.dirname(docname), target))

    def cited(self, key: str) -> tuple[str, str]:
        """Who is cited and the year; raises KeyError if the bibliography has no such entry."""
        return parted(self._labels[key])

    def reference(self, key: str) -> str:
        """An entry of the bibliography as a line of Markdown."""
        formatted = Works().format_entry(self._labels[key], self.sources[key])
        return re.sub(r"\s+", " ", formatted.text.render(Markdown())).strip()

    @cached_property
    def _labels(self) -> dict[str, str]:
        return labels(self.sources.values())


def docnames(folder: Path) -> list[str]:
    """The pages of a book in reading order."""
    toc = folder / "_toc.yml"
    if not toc.is_file():
        found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.md"))
        return sorted(name for name in found if not name.startswith(("_build", ".")))
    names = [name.removesuffix(".md") for name in _files(yaml.safe_load(toc.read_text(encoding="utf-8")))]
    return [name for name in names if (folder / f"{name}.md").is_file()]


def _files(entry: Any) -> Iterator[str]:
    if isinstance(entry, list):
        for part in entry:
            yield from _files(part)
    elif isinstance(entry, dict):
        for key in ("root", "file"):
            if key in entry:
                yield str(entry[key])
        for key in ("parts", "chapters", "sections", "entries", "subtrees"):
            yield from _files(entry.get(key))


def _labelled(text: str) -> Iterator[tuple[str, str, str]]:
    """The kind, the label and the title of everything in a page that has a number, in order."""
    for piece in pieces(text):
        if not isinstance(piece, Directive):
            continue
        label = piece.options.get("label", "")
        if piece.name in ("math", "glue:math") and label:
            yield "equation", label, ""
        elif piece.name == "exercise" and "nonumber" not in piece.options:
            yield "exercise", label, piece.argument
        elif piece.name == "figure" and piece.body:
            yield "figure", piece.options.get("name", ""), ""
        elif piece.name == "code-cell":
            figure = (piece.options.get("mystnb") or {}).get("figure") or {}
            if figure.get("caption"):
                yield "figure", figure.get("name", ""), ""
        else:
            yield from _labelled(piece.body)
