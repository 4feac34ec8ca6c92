"""How a build stops: one error lists all that is amiss, so that nobody has to build again to see the next line."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sphinx.errors import SphinxError


class BookError(SphinxError):
    """The book cannot be built; each line of the message names the claim or the chapter concerned."""

    category = "The book does not hold"

    def __init__(self, heading: str, lines: Sequence[str]):
        self.heading = heading
        self.lines = tuple(lines)
        super().__init__("\n".join([f"{heading}:", *(f"  - {line}" for line in lines)]))

    def __reduce__(self) -> tuple[type[BookError], tuple[str, tuple[str, ...]]]:
        return type(self), (self.heading, self.lines)


def draft() -> bool:
    """Whether this is a draft (``DROPOUT_LAB_DRAFT=1``), in which a claim may still be without evidence."""
    return os.environ.get("DROPOUT_LAB_DRAFT", "") not in ("", "0")
