"""How a settled claim shows itself in a notebook: its HTML card, and its formula for the prose.

Registered by entry points (``dropout_lab.faces``), so that :mod:`dropout_lab.claims` needs to know neither HTML nor
IPython. Kernels load this, so it imports nothing of Sphinx.
"""

from __future__ import annotations

from dropout_lab.book.markup import render
from dropout_lab.claims import Settlement
from dropout_lab.claims.derivations import RELATIONS, SIGNS


def html(settlement: Settlement, rules_page: str = "") -> str:
    """The card of each piece of evidence, a correction before the refutation that it mends.

    ``rules_page`` is where the names of rules lead to, if anywhere.
    """
    return str(render("claim-evidence", settlement=settlement, rules_page=rules_page, relations=RELATIONS, signs=SIGNS))


def glue(settlement: Settlement, name: str) -> None:
    """Make the formula that was checked available to the prose as ``{glue:math}`name```."""
    # Both take long to import, and most cells glue nothing.
    from IPython.display import Math
    from myst_nb import glue as glue_output

    glue_output(name, Math(settlement.main.formula), display=False)
