"""A sign stays with what is beside it: no line begins with a full stop or a percent sign, or ends with a bracket."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

#: The class of a formula and its signs; the style sheet keeps them in one line.
CLASS = "unbroken"
_BEFORE = re.compile(r"[(\[“‘]+$")
_AFTER = re.compile(r"^[.,;:?!)\]”’]+")
_IN_NUMBER = re.compile(r"(?<=\d) (?=%|\d{3}\b)")


class KeepSigns(SphinxPostTransform):
    """Put a formula in a line of text and the signs that touch it into one inline element."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            parent = formula.parent
            place = parent.index(formula)
            before = _cut(parent, place - 1, _BEFORE)
            after = _cut(parent, place + 1, _AFTER)
            if before or after:
                kept = nodes.inline("", "", classes=[CLASS])
                parent.replace(formula, kept)
                kept += [nodes.Text(before)] if before else []
                kept += formula
                kept += [nodes.Text(after)] if after else []


class KeepNumbers(SphinxPostTransform):
    """Let no line end between the groups of digits of a number or before its percent sign, except in code."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            is_code = isinstance(text.parent, nodes.literal | nodes.math | nodes.FixedTextElement)
            if not is_code and _IN_NUMBER.search(text):
                text.parent.replace(text, nodes.Text(_IN_NUMBER.sub("\N{NO-BREAK SPACE}", text)))


def _cut(parent: nodes.Element, place: int, signs: re.Pattern[str]) -> str:
    """Take the signs at the edge of the text at ``place`` away from it; empty if there is no text or no sign."""
    text = parent[place] if 0 <= place < len(parent) else None
    if not isinstance(text, nodes.Text) or not (found := signs.search(text.astext())):
        return ""
    parent[place] = nodes.Text(text.astext()[: found.start()] + text.astext()[found.end() :])
    return found.group()


def setup(app: Sphinx) -> None:
    """Register the transforms."""
    app.add_post_transform(KeepSigns)
    app.add_post_transform(KeepNumbers)
