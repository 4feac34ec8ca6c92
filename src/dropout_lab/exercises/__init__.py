"""Exercises whose answers the package computes: :func:`check` judges an answer and does not tell the right one.

No right answer is written down. Each is computed when it is asked for, by SymPy or by the functions of this package,
and so are the wrong answers that typical slips lead to. The exercises stand on the pages of the book; the key of each
chapter is a file of ``dropout_lab.exercises.keys``.
"""

from __future__ import annotations

from dropout_lab._extras import require

require(__name__)

import difflib
from typing import Any

from dropout_lab.exercises.answers import Answer, Array, Choice, Formula, Function, Number
from dropout_lab.exercises.keys import EXERCISES, QUIZZES
from dropout_lab.exercises.keys.base import Exercise, Quiz
from dropout_lab.exercises.proofs import Proof
from dropout_lab.exercises.verdict import MIME_TYPE, Verdict

__all__ = [
    "EXERCISES",
    "MIME_TYPE",
    "QUIZZES",
    "Answer",
    "Array",
    "Choice",
    "Exercise",
    "Formula",
    "Function",
    "Number",
    "Proof",
    "Quiz",
    "Verdict",
    "check",
]


def check(exercise: str, answer: Any) -> Verdict:
    """Judge an answer to an exercise or a quiz of the book.

    ``exercise`` is its id as it stands on its page, such as ``"ch2-ex-equal"``. ``answer`` is what it asks for: a
    number, a SymPy expression, an array, a function, or a derivation (:class:`dropout_lab.symbolic.Chain`). Letters
    count by their names. For a quiz it is the value of an option, as text.

    Returns a :class:`Verdict`, which is true if the answer is right, and else says what is wrong, such as a sign, a
    shape, a factor p, or p for 1 − p. Raises ValueError with the nearest names if there is no exercise of that name,
    and TypeError for an id that is no text.

    >>> import sympy as sp
    >>> p, s = sp.symbols("p s")
    >>> check("ch2-ex-twice", p + s)
    Not yet: it is not what the question asks for, and no slip that is known explains it.
    """
    if not isinstance(exercise, str):
        raise TypeError(f"an exercise is named by its id, a text, got {type(exercise).__name__}")
    key = EXERCISES.get(exercise) or QUIZZES.get(exercise)
    if key is None:
        near = difflib.get_close_matches(exercise, [*EXERCISES, *QUIZZES], n=3, cutoff=0.4)
        raise ValueError(f"there is no exercise {exercise!r}; the nearest are {', '.join(near) or 'none'}")
    return Verdict(exercise, key.answer.judge(answer) or "")
