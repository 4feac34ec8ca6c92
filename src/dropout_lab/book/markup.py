"""The templates of claims: Jinja2 with escaping on, and formulas in the delimiters that MathJax reads everywhere.

Kernels load this as well, to show evidence in a notebook; it knows nothing of Sphinx.
"""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dropout_lab.claims.kinds import readable

TEMPLATES = Path(__file__).parent / "templates"


def inline_math(text: str) -> Markup:
    r"""Plain text with ``$…$`` formulas as HTML: escaped, and the formulas between ``\(`` and ``\)``.

    Example
    -------
    >>> inline_math("Twice $p$ & more.")
    Markup('Twice \\(p\\) &amp; more.')
    """
    return Markup(re.sub(r"\$([^$]+)\$", r"\\(\1\\)", str(escape(text))))


def render(template: str, **context: object) -> Markup:
    """The HTML that a template of the folder ``templates`` gives, named without its ending."""
    return Markup(_ENVIRONMENT.get_template(f"{template}.html").render(**context))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {"math": inline_math, "readable": readable}
