"""The kinds of answers: each computes what is right, and judges what was given without telling it.

``judge`` returns nothing for a right answer, and otherwise what is wrong with it, as a part of a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import sympy as sp
import torch

from dropout_lab.exercises import slips
from dropout_lab.exercises.values import NoValue, agree, letters, values

#: Numbers are right to three digits, and near to within a fiftieth.
_DIGITS, _NEAR = 1e-3, 0.02
#: How far whole numbers and the values of functions may be off: single precision is enough.
_ROUNDING, _FUNCTION = 1e-9, 1e-5
_DIFFERENT = "it is not what the question asks for, and no slip that is known explains it"


class Answer(Protocol):
    """What an exercise asks of the kind of its answer: a method that judges."""

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with an answer, as a part of a sentence, or None for a right one."""


@dataclass(frozen=True)
class Formula:
    """An answer that is a SymPy expression: right if it has the values of the right one at random points.

    Attributes
    ----------
    right:
        A function that makes the right expression.
    slips:
        What the slips of this exercise lead to, by their names, beside those that every formula in p may have.

    >>> p = sp.Symbol("p", positive=True)
    >>> answer = Formula(lambda: p * (1 - p))
    >>> answer.judge(p - p**2), answer.judge(sp.sqrt(p * (1 - p))) == slips.SQUARE
    (None, True)
    """

    right: Callable[[], sp.Expr]
    slips: Mapping[str, Callable[[], sp.Expr]] = field(default_factory=dict)

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with an expression, or None for a right one."""
        if isinstance(given, bool) or not isinstance(given, (int, float, Fraction, sp.Expr)):
            return f"a SymPy expression is asked for, and this has the type {type(given).__name__}"
        right, given = self.right(), sp.sympify(given)
        known = letters(right)
        if odd := sorted(letters(given) - known):
            asked = ", ".join(sorted(known)) or "no letter"
            return f"it has the letter {odd[0]}, and the question asks for an expression in {asked}"
        try:
            found = values(given, right)
        except NoValue as error:
            return str(error)
        except (TypeError, ValueError, ZeroDivisionError):
            return "its value cannot be computed: is a mean or a mask left in it?"
        if agree(found, values(right, right)):
            return None
        own = ((slip, wrong()) for slip, wrong in self.slips.items())
        for slip, wrong in (*own, *slips.of_expression(right)):
            if _has_values(wrong, right, found):
                return slip
        if missing := sorted(known - letters(given)):
            return f"it does not depend on {missing[0]}, and what is asked for does"
        return _DIFFERENT


def _has_values(wrong: sp.Expr, right: sp.Expr, found: list[sp.Expr]) -> bool:
    try:
        return agree(found, values(wrong, right))
    except NoValue:
        return False


@dataclass(frozen=True)
class Number:
    """An answer that is a number: right to three digits, or exactly if it is whole.

    Attributes
    ----------
    right:
        A function that makes the right number.
    keep_prob:
        The keep probability of the question, from which come the slips that p makes.
    slips:
        What the slips of this exercise lead to, by their names.

    >>> Number(lambda: 0.25, keep_prob=0.5).judge(0.2501), Number(lambda: 12).judge(13) == slips.ONE
    (None, True)
    """

    right: Callable[[], Any]
    keep_prob: float | None = None
    slips: Mapping[str, Callable[[], Any]] = field(default_factory=dict)

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with a number, or None for a right one."""
        number = _as_number(given)
        if number is None:
            return f"a number is asked for, and this has the type {type(given).__name__}"
        if not math.isfinite(number):
            return f"a finite number is asked for, and this is {number}"
        exact = self.right()
        right, whole = float(exact), isinstance(exact, (int, sp.Integer))
        if number == right or (not whole and _near(number, right, _DIGITS)):
            return None
        own = ((slip, float(wrong())) for slip, wrong in self.slips.items())
        for slip, wrong in (*own, *slips.of_number(right, self.keep_prob)):
            if not _near(wrong, right, _DIGITS) and _near(number, wrong, _DIGITS):
                return slip
        if _near(number, right, _NEAR) and not whole:
            return "it is near, but not right to three digits"
        return _DIFFERENT


def _near(one: float, other: float, share: float) -> bool:
    return abs(one - other) <= share * abs(other)


def _as_number(given: Any) -> float | None:
    """A number of Python, NumPy, torch or SymPy as a float; nothing for anything else."""
    if isinstance(given, (torch.Tensor, np.ndarray)) and given.ndim == 0:
        given = given.item()
    if isinstance(given, bool) or not isinstance(given, (int, float, Fraction, np.number, sp.Expr)):
        return None
    if isinstance(given, sp.Expr) and not (given.is_number and given.is_real):
        return None
    try:
        return float(given)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class Array:
    """An answer that is an array: right if every entry is, to three digits, or exactly for whole numbers.

    Attributes
    ----------
    right:
        A function that makes the right array for a keep probability.
    keep_prob:
        The keep probability of the question.

    >>> answer = Array(lambda p: torch.tensor([1.0, 2.0]) * p, keep_prob=0.25)
    >>> answer.judge([0.25, 0.5]), answer.judge([0.25, 0.5, 0.0])
    (None, 'it has the shape (3,), and the question asks for (2,)')
    """

    right: Callable[[float], torch.Tensor]
    keep_prob: float | None = None

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with an array, a tensor or nested lists of numbers, or None for a right answer."""
        found = _as_tensor(given)
        if found is None:
            return f"an array of numbers is asked for, and this has the type {type(given).__name__}"
        right = self.right(self.keep_prob if self.keep_prob is not None else 1.0).double()
        if found.shape != right.shape:
            turned = ", its transpose" if found.ndim == 2 and found.T.shape == right.shape else ""
            return f"it has the shape {tuple(found.shape)}, and the question asks for {tuple(right.shape)}{turned}"
        share = _ROUNDING if bool((right == right.round()).all()) else _DIGITS
        if _close(found, right, share):
            return None
        for slip, wrong in slips.of_array(self.right, self.keep_prob):
            if wrong.shape == found.shape and _close(found, wrong.double(), share):
                return slip
        if found.ndim == 2 and found.T.shape == right.shape and _close(found.T, right, share):
            return "rows and columns are exchanged"
        wrong_entries = int((~torch.isclose(found, right, rtol=share, atol=1e-9)).sum())
        return f"{wrong_entries} of its {right.numel()} entries are wrong"


def _as_tensor(given: Any) -> torch.Tensor | None:
    if isinstance(given, torch.Tensor):
        return given.detach().double()
    try:
        return torch.from_numpy(np.array(given, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        return None


def _close(one: torch.Tensor, other: torch.Tensor, share: float) -> bool:
    return bool(torch.allclose(one, other, rtol=share, atol=1e-9))


@dataclass(frozen=True)
class Function:
    """An answer that is a function: it is called with random inputs from a fixed seed and compared with the right one.

    Attributes
    ----------
    right:
        The right function, which returns a tensor.
    inputs:
        A function that makes the arguments of a call from a generator. One of them may be a mask, so that nothing of
        the answer is left to chance.
    slips:
        Functions that a wrong answer may be, by the names of the slips.

    >>> answer = Function(
    ...     lambda x: 2 * x,
    ...     lambda generator: (torch.rand(3, generator=generator),),
    ...     {"it squares": lambda x: x**2},
    ... )
    >>> answer.judge(lambda x: x + x), answer.judge(lambda x: x * x)
    (None, 'it squares')
    """

    right: Callable[..., torch.Tensor]
    inputs: Callable[[torch.Generator], tuple[Any, ...]]
    slips: Mapping[str, Callable[..., torch.Tensor]] = field(default_factory=dict)

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with a function, or None for a right one."""
        if not callable(given):
            return f"a function is asked for, and this has the type {type(given).__name__}"
        generator = torch.Generator().manual_seed(0)
        calls = [self.inputs(generator) for _ in range(5)]
        found = []
        for call in calls:
            own = _copied(call)
            try:
                output = given(*own)
            except Exception as error:  # Whatever the reader's function does wrong is said of it.
                return f"it raises {type(error).__name__}: {error}"
            if not all(map(_unchanged, own, call)):
                return "it changes its input in place"
            tensor = _as_tensor(output)
            right = self.right(*_copied(call)).double()
            if tensor is None or tensor.shape != right.shape:
                shape = type(output).__name__ if tensor is None else f"the shape {tuple(tensor.shape)}"
                return f"it returns {shape} where the shape {tuple(right.shape)} is asked for"
            found.append(tensor)
        if self._agrees(self.right, calls, found):
            return None
        for slip, wrong in self.slips.items():
            if self._agrees(wrong, calls, found):
                return slip
        if self._agrees(lambda *call: -self.right(*call), calls, found):
            return slips.SIGN
        return "on random inputs it gives other values than what is asked for"

    @staticmethod
    def _agrees(function: Callable[..., torch.Tensor], calls: list[tuple], found: list[torch.Tensor]) -> bool:
        expected = (function(*_copied(call)).double() for call in calls)
        return all(
            one.shape == other.shape and _close(one, other, _FUNCTION)
            for one, other in zip(found, expected, strict=True)
        )


def _copied(call: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part.clone() if isinstance(part, torch.Tensor) else part for part in call)


def _unchanged(one: Any, other: Any) -> bool:
    return not isinstance(one, torch.Tensor) or torch.equal(one, other)


@dataclass(frozen=True)
class Choice:
    """An answer that is one of several options, told by its value: a word, or an expression as text.

    Attributes
    ----------
    right:
        A function that makes the value of the right option.

    >>> p = sp.Symbol("p")
    >>> Choice(lambda: sp.sqrt(p)).judge("p**(1/2)"), Choice(lambda: "smaller").judge("smaller")
    (None, None)
    """

    right: Callable[[], sp.Expr | str]

    def judge(self, given: Any) -> str | None:
        """Return what is wrong with an option, or None for the right one."""
        if not isinstance(given, (str, int, sp.Expr)):
            return f"the text of an option is asked for, and this has the type {type(given).__name__}"
        return None if self.is_right(str(given)) else "it is another option"

    def is_right(self, value: str) -> bool:
        """Tell whether the option with this value is the right one."""
        right = self.right()
        if isinstance(right, str):
            return value.strip() == right
        try:
            option = sp.sympify(value)
        except (sp.SympifyError, TypeError, AttributeError):
            return False
        return isinstance(option, sp.Expr) and Formula(lambda: right).judge(option) is None
