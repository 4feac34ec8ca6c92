"""What kernels load of the book's side: the templates, the card of a settled claim, and its formula for the prose.

Card and formula are registered by entry points (``dropout_lab.faces``), so that :mod:`dropout_lab.claims` needs to know
neither HTML nor IPython. The templates are Jinja2's, with escaping on; the book's pages are made with them too. Nothing
of Sphinx is imported here.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dropout_lab.book import forest
from dropout_lab.claims import Evidence, Measurement, Settlement
from dropout_lab.claims.derivations import RELATIONS, SIGNS
from dropout_lab.claims.kinds import readable, true_minus
from dropout_lab.symbolic import Chain, Induction
from dropout_lab.symbolic.printing import in_words
from dropout_lab.symbolic.report import shown

TEMPLATES = Path(__file__).parent / "templates"


def inline_math(text: str) -> Markup:
    r"""Plain text with ``$…$`` formulas as HTML: escaped, formulas between ``\(`` and ``\)`` for MathJax.

    A number below zero has a minus sign (:func:`~dropout_lab.claims.kinds.true_minus`).

    Example
    -------
    >>> inline_math("Twice $p$ & more.")
    Markup('Twice \\(p\\) &amp; more.')
    """
    return Markup(re.sub(r"\$([^$]+)\$", r"\\(\1\\)", str(escape(true_minus(text)))))


def unbroken(html: str) -> Markup:
    r"""The same HTML where each formula and the signs behind it are one element, which is not broken.

    Example
    -------
    >>> unbroken(inline_math("definition of $S$, linearity"))
    Markup('definition of <span class="unbroken">\\(S\\),</span> linearity')
    """
    return Markup(re.sub(r"(\\\(.+?\\\))([,.;:]+)", r'<span class="unbroken">\1\2</span>', str(html)))


def chain_id(name: str) -> str:
    """The name of a chain as an id, by which :mod:`dropout_lab.book.chains` finds it on a page.

    Example
    -------
    >>> chain_id("the variance of $S$, at $p = 1$")
    'chain-the-variance-of-S-at-p-1'
    """
    return "chain-" + re.sub(r"\W+", "-", in_words(name)).strip("-")


def render(template: str, **context: object) -> Markup:
    """The HTML that a template of the folder ``templates`` gives, named without its ending."""
    return Markup(_ENVIRONMENT.get_template(f"{template}.html").render(**context))


def html(settlement: Settlement, rules_page: str = "") -> str:
    """The card of each piece of evidence, a correction before the refutation that it mends; measurements share one.

    ``rules_page`` is where the names of rules lead to, if anywhere.
    """
    cards: list[tuple[forest.Plot | None, list[Evidence]]] = []
    for measured, same in groupby(settlement.evidence, lambda piece: isinstance(piece, Measurement)):
        pieces = list(same)
        if measured:
            cards.append((forest.plot([piece for piece in pieces if isinstance(piece, Measurement)]), pieces))
        else:
            cards.extend((None, [piece]) for piece in pieces)
    return str(
        render(
            "claim-evidence",
            settlement=settlement,
            cards=cards,
            rules_page=rules_page,
            relations=RELATIONS,
            signs=SIGNS,
        )
    )


def chain_html(chain: Chain | Induction) -> str:
    """A derivation that shows itself: its own lines, each with its reason."""
    return str(render("derivation", piece=shown(chain), rules_page="", relations=RELATIONS, signs=SIGNS))


def glue(settlement: Settlement, name: str) -> None:
    """Make the formula that was checked available to the prose as ``{glue:math}`name```."""
    # Both take long to import, and most cells glue nothing.
    from IPython.display import Math
    from myst_nb import glue as glue_output

    glue_output(name, Math(settlement.main.formula), display=False)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "math": inline_math,
    "unbroken": unbroken,
    "minus": true_minus,
    "readable": readable,
    "chain_id": chain_id,
    "words": in_words,
}
