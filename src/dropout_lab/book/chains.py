"""Links from a reason that is a chain to the place where that chain is shown: on the page, or in the card of a claim.

The templates name the chain that a part of a derivation shows (``data-shows``) and the chain that a reason refers to
(``data-chain``, with the claim that the chain settles in ``data-claim``). When a page is written all claims are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx

from dropout_lab.book.domain import domain_of

_SHOWS = re.compile(r' data-shows="([^"]+)"')
_REFERS = re.compile(
    r'<(?P<tag>a|span)(?: class="reference internal")? data-chain="(?P<chain>[^"]+)" data-claim="(?P<claim>[^"]*)"'
    r'(?: href="(?P<href>[^"]*)")?>(?P<words>.*?)</(?P=tag)>',
    re.DOTALL,
)


_LEMMA = re.compile(
    r'<li class="derivation-heading" data-shows="(?P<chain>[^"]+)">(?P<role>First|Then): (?P<name>[^<]*)</li>'
    r'(?P<lines>.*?)(?=<li class="derivation-heading"|</ol>)',
    re.DOTALL,
)


def linked(body: str, place_of_claim: Callable[[str], str]) -> str:
    """The HTML of a page with an id where each chain is first shown, and links to it.

    ``place_of_claim`` gives the address of a claim's card, or nothing. A chain that is shown nowhere leaves its reason
    with the link that it has, to the rule. Of a lemma that the page has shown above only the heading is shown again.

    Example
    -------
    >>> shown = '<li data-shows="chain-mean">The mean</li><span data-chain="chain-mean" data-claim="">the mean</span>'
    >>> linked(shown, lambda claim: "")
    '<li id="chain-mean">The mean</li><a class="reference internal" href="#chain-mean">the mean</a>'
    """
    places: set[str] = set()

    def once(found: re.Match[str]) -> str:
        shown = body.find(f' data-shows="{found["chain"]}"') < found.start()
        if not shown or "Base, " in found["name"]:
            return found[0]
        link = f'<a class="reference internal" href="#{found["chain"]}">{found["name"]}</a>'
        return f'<li class="derivation-heading derivation-again">{found["role"]}: {link}, as shown above</li>'

    def mark(found: re.Match[str]) -> str:
        first = found[1] not in places
        places.add(found[1])
        return f' id="{found[1]}"' if first else ""

    def lead(found: re.Match[str]) -> str:
        place = f"#{found['chain']}" if found["chain"] in places else found["claim"] and place_of_claim(found["claim"])
        href = place or found["href"]
        return f'<a class="reference internal" href="{href}">{found["words"]}</a>' if href else found["words"]

    return _REFERS.sub(lead, _SHOWS.sub(mark, _LEMMA.sub(once, body)))


def _link(app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Lead the reasons on a page to the chains that they name."""
    if doctree is None or app.builder.format != "html":
        return
    entries = domain_of(app.env).ledger.entries

    def place_of_claim(claim: str) -> str:
        entry = entries.get(claim)
        if entry is None or not entry.docname:
            return ""
        return f"{app.builder.get_relative_uri(pagename, entry.docname)}#{entry.anchor}"

    context["body"] = linked(context["body"], place_of_claim)


def setup(app: Sphinx) -> None:
    """Look up the chains of each page when it is written."""
    app.connect("html-page-context", _link)
