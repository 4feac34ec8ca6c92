"""Chapters as notebooks that run anywhere: plain Markdown and code, and a first cell that brings the package.

>>> from pathlib import Path
>>> from dropout_lab.book.anywhere import Places, plain_notebook
>>> places = Places.of(Path("chapters"))                                                # doctest: +SKIP
>>> notebook = plain_notebook("chapters/02-the-dropout-operation", places)              # doctest: +SKIP
"""

from __future__ import annotations

from dropout_lab.book.anywhere.chapters import plain_notebook
from dropout_lab.book.anywhere.places import Places

__all__ = ["Places", "plain_notebook"]
