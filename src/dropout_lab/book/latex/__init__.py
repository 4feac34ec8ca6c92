"""The book as LaTeX: what stands on the pages as HTML becomes nodes that every writer knows, drawings become PDF."""

from __future__ import annotations

from sphinx.application import Sphinx

from dropout_lab.book.latex import order, pictures, plain


def setup(app: Sphinx) -> None:
    """Register what the LaTeX builder needs; other builders are left alone."""
    pictures.setup(app)
    plain.setup(app)
    order.setup(app)
