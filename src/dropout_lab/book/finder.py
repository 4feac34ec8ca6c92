"""The search finds claims, rules, terms and figures by their words: Sphinx's own knows their titles only.

Their cards (:mod:`.cards`) are written to a script, because a page from the disk may not read other files. The search
page loads it and lists, above the pages that Sphinx finds, what the words stand in.
"""

from __future__ import annotations

import json
from pathlib import Path

from sphinx.application import Sphinx

from dropout_lab.book.cards import Cards, Place

#: The script with all objects, and the one that looks into them, among the static files.
DATA, SCRIPT = "find-objects.js", "find.js"
#: What is found, by the name that a card has for it; the others are found on their pages.
_FOUND = ("claim", "the assumption", "the rule", "the term", "the figure")


def setup(app: Sphinx) -> None:
    """Write the objects when all pages are there."""
    app.connect("build-finished", _write)


def objects(cards: Cards, href: str = "{}.html#{}") -> list[list[str]]:
    """Of each object once: its address, title, text and verdict, as the script reads them; formulas as TeX."""
    found: dict[object, tuple[Place, list[str]]] = {}
    for place, card in cards.all():
        if card.what.startswith(_FOUND) and card not in found:
            text = " ".join(card.text)
            found[card] = (place, [href.format(*place), str(card.title), text, card.word])
    return [row for _, row in found.values()]


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    data = json.dumps(objects(Cards(app.env)), ensure_ascii=False, separators=(",", ":"))
    Path(app.outdir, "_static", DATA).write_text(f"window.bookObjects = {data};\n", encoding="utf-8")
