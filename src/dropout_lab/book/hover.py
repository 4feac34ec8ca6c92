"""Hover cards: what a link leads to is shown beside the link, from text that lies in the page itself.

When a page is written, its links are looked up and the cards that they need, each once, are put at its end in a
``<template>``, which shows nothing by itself. The script ``hover-cards.js`` shows them. Without it the links are links.
"""

from __future__ import annotations

import posixpath
import re
from html import unescape
from urllib.parse import unquote, urlsplit

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx

from dropout_lab.book.cards import Card, Cards, Place
from dropout_lab.book.notebook import render

#: The script that shows the cards, among the static files.
SCRIPT = "hover-cards.js"
#: Links that need no card, since it would repeat what stands around them.
_WITHOUT = re.compile(r"<span data-no-card>.*?</span>", re.DOTALL)
_LINK = re.compile(r'<a\s[^>]*?href="([^"]*#[^"]+)"')


def place_of(href: str, docname: str, suffix: str = ".html") -> Place | None:
    """The page and the anchor to which a link on the page ``docname`` leads; ``None`` if it leads out of the book.

    Example
    -------
    >>> place_of("../back/glossary.html#term-mask", "chapters/beyond/ridge")
    ('chapters/back/glossary', 'term-mask')
    >>> place_of("#claim-2-2", "chapters/ridge")
    ('chapters/ridge', 'claim-2-2')
    >>> place_of("https://example.org/a.html#b", "chapters/ridge")
    """
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.fragment:
        return None
    path = unquote(parts.path)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(docname), path)) if path else docname + suffix
    return (target.removesuffix(suffix), unquote(parts.fragment)) if target.endswith(suffix) else None


def cards_of(body: str, docname: str, cards: Cards, suffix: str = ".html") -> Markup:
    """The cards for the links in the HTML ``body`` of a page, each once; nothing if no link has one."""
    found: dict[Card, list[str]] = {}
    for href in dict.fromkeys(unescape(link) for link in _LINK.findall(_WITHOUT.sub("", body))):
        place = place_of(href, docname, suffix)
        card = cards.at(place) if place else None
        if card is not None:
            found.setdefault(card, []).append(href)
    return render("hover-cards", cards=found) if found else Markup()


class Hover:
    """Puts the cards into the pages of one build."""

    def __init__(self) -> None:
        self._cards: Cards | None = None

    def forget(self, app: Sphinx, env: object) -> None:
        """What was read may have changed."""
        self._cards = None

    def add(self, app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document | None) -> None:
        """Put the cards that a page needs at the end of its text, and have it load the script."""
        if doctree is None or app.builder.format != "html":
            return
        if self._cards is None:
            self._cards = Cards(app.env)
        found = cards_of(context["body"], pagename, self._cards, context["file_suffix"])
        if found:
            context["body"] += str(found)
            app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> None:
    """Look up the links of each page when it is written."""
    hover = Hover()
    app.connect("env-updated", hover.forget)
    app.connect("html-page-context", hover.add)
