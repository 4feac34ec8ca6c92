"""Figure passports: of each figure that a cell draws, the numbers, the cells that they come from, and the recipes.

:func:`dropout_lab.figures.style` starts a watcher in the notebook. The output that holds a figure then holds its
:class:`Passport` as well, under a MIME type of its own, and the book shows that below the figure.
"""

from dropout_lab._extras import require

require(__name__)

from dropout_lab.passports.records import MIME_TYPE, Passport
from dropout_lab.passports.slices import sources
from dropout_lab.passports.watching import watch

__all__ = ["MIME_TYPE", "Passport", "sources", "watch"]
