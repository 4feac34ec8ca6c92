"""What ``check`` says of an answer: right, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The MIME type under which a verdict travels in a cell's output, for the build of the book to read.
MIME_TYPE = "application/vnd.dropout-lab.answer+json"


@dataclass(frozen=True)
class Verdict:
    """The judgment of one answer, as a sentence that is true or false in a condition.

    Attributes
    ----------
    exercise:
        The id of the exercise.
    wrong:
        What is wrong, as a part of a sentence; empty for a right answer.

    >>> print(Verdict("ch2-ex-equal", "the sign is wrong"))
    Not yet: the sign is wrong.
    >>> bool(Verdict("ch2-ex-equal"))
    True
    """

    exercise: str
    wrong: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return not self.wrong

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"Not yet: {self.wrong}." if self.wrong else "Right."

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mapping[str, object]:
        return {"text/plain": str(self), MIME_TYPE: {"exercise": self.exercise, "wrong": self.wrong}}
