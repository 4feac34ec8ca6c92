"""What reading the documents found about claims: the records of executed cells, and every mention in the prose.

Kept in Sphinx's environment, document by document, so that an unchanged chapter keeps what it settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_ATTRIBUTE = "dropout_lab_pages"


@dataclass(frozen=True)
class Settled:
    """A cell's evidence for a claim. ``anchor`` is empty if an earlier cell of the page already carries the claim's."""

    claim: str
    evidence: tuple[Mapping[str, Any], ...]
    anchor: str
    place: str


@dataclass(frozen=True)
class Mention:
    """A place in the prose that names a claim or (``what="section"``) a section of the source."""

    name: str
    place: str
    what: str = "claim"


@dataclass
class Page:
    """All that one document says about claims; ``widgets`` names the directives that are filled at the end."""

    settled: list[Settled] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    widgets: set[str] = field(default_factory=set)


def pages(env: BuildEnvironment) -> dict[str, Page]:
    """What each document says about claims, by docname."""
    if not hasattr(env, _ATTRIBUTE):
        setattr(env, _ATTRIBUTE, {})
    return getattr(env, _ATTRIBUTE)


def page(env: BuildEnvironment) -> Page:
    """The page of the document that is being read."""
    return pages(env).setdefault(env.docname, Page())


def anchor_of(claim_id: str) -> str:
    """The id of the element that settles a claim: ``claim-2-2`` for claim 2.2."""
    return f"claim-{nodes.make_id('x' + claim_id)[1:]}"


def row_of(name: str) -> str:
    """The id of a claim's row in the ledger."""
    return f"ledger-{nodes.make_id('x' + name)[1:]}"


def assumption_of(name: str) -> str:
    """The id of an assumption's row beside the map."""
    return f"assumption-{nodes.make_id('x' + name)[1:]}"


def reading_order(env: BuildEnvironment) -> list[str]:
    """All documents in the order of the table of contents; those that it leaves out stand at the end."""
    found: dict[str, None] = {}

    def visit(docname: str) -> None:
        if docname not in found:
            found[docname] = None
            for child in env.toctree_includes.get(docname, ()):
                visit(child)

    visit(env.config.root_doc)
    return [*(docname for docname in found if docname in env.all_docs), *sorted(set(env.all_docs) - set(found))]


def with_widget(env: BuildEnvironment, name: str) -> Iterator[str]:
    """The documents, in reading order, that hold a directive."""
    return (docname for docname in reading_order(env) if docname in pages(env) and name in pages(env)[docname].widgets)


def setup(app: Sphinx) -> None:
    """Keep the pages up to date when documents change, go, or were read by another process."""
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    pages(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    pages(env).update({docname: found for docname, found in pages(other).items() if docname in docnames})
