"""What an entry of a key is, and the letters that the keys are written in."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
import torch

from dropout_lab.exercises.answers import Answer, Choice
from dropout_lab.symbolic import Masks

n, m, k, B, T, L = sp.symbols("n m k B T L", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True, positive=True)
p = sp.Symbol("p", positive=True)
h, w, x = sp.IndexedBase("h"), sp.IndexedBase("w"), sp.IndexedBase("x")
#: n masks with the keep probability p.
r = Masks(n, p)


@dataclass(frozen=True)
class Exercise:
    """An exercise: the kind of thing that it asks for, and its answer.

    Attributes
    ----------
    asks:
        What it asks for, in a few words of Markdown.
    answer:
        The answer, which judges what is given.

    >>> from dropout_lab.exercises import Formula
    >>> Exercise("the mean of a mask, a formula in p", Formula(lambda: p)).answer.judge(1 - p) is None
    False
    """

    asks: str
    answer: Answer


@dataclass(frozen=True)
class Quiz:
    """A question with options, which stand on the page; the answer tells the right one by its value.

    Attributes
    ----------
    answer:
        The answer, which judges the value of an option.

    >>> Quiz(Choice(lambda: "channels")).answer.judge("pixels")
    'it is another option'
    """

    answer: Choice


def over_units(term: sp.Expr) -> sp.Sum:
    """Return the sum of a term over the n units.

    >>> over_units(w[i])
    Sum(w[i], (i, 1, n))
    """
    return sp.Sum(term, (i, 1, n))


def vector(*entries: float) -> torch.Tensor:
    """Make a vector in double precision.

    >>> vector(1, 2)
    tensor([1., 2.], dtype=torch.float64)
    """
    return torch.tensor(entries, dtype=torch.float64)


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Draw numbers from the standard normal distribution, in double precision."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def some_masks(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Draw 0/1 masks, in double precision, that keep and drop something if they have two entries or more."""
    drawn = (torch.rand(*shape, generator=generator) < 0.6).double()
    drawn.view(-1)[0], drawn.view(-1)[-1] = 1.0, 0.0
    return drawn
