"""The answers of "Where dropout sits in a transformer"."""

from __future__ import annotations

from collections import Counter
from math import comb

import sympy as sp
import torch

from dropout_lab import functional
from dropout_lab.exercises.answers import Array, Formula, Number
from dropout_lab.exercises.keys.base import Exercise, i, n, p, r, vector
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var, variance

_SENTENCE = "the dog saw the cat and the cat saw the dog"
_S = sp.Symbol("S", integer=True, positive=True)
_SOURCES = Masks(_S, p)
_c = sp.IndexedBase("c")
_LOST = sp.Sum(_c[i] * (1 - r[i]), (i, 1, n))
#: What goes into the six places of a block: 2 sequences of 3 tokens, 4 features, 2 heads, 8 hidden units.
_PLACES = (
    ("attention_dropout", (2, 2, 3, 3)),
    ("dropout", (2, 3, 4)),
    ("drop_path", (2, 3, 4)),
    ("dropout", (2, 3, 8)),
    ("dropout", (2, 3, 4)),
    ("drop_path", (2, 3, 4)),
)


def _lost_words(power: int) -> float:
    """The variance of the number of lost tokens, if each count of a word enters with this power."""
    counts = Counter(_SENTENCE.split()).values()
    return 0.6 * 0.4 * sum(count**power for count in counts)


def _depths(keep_prob: float) -> torch.Tensor:
    """The probabilities that twelve and that six of twelve layers run."""
    return vector(*(comb(12, depth) * keep_prob**depth * (1 - keep_prob) ** (12 - depth) for depth in (12, 6)))


def _sum_of_links(rescale: bool = True) -> sp.Expr:
    """The variance of the sum of S equal attention probabilities under dropout."""
    scale = p if rescale else 1
    return variance(sp.Sum(_SOURCES[i] / (scale * _S), (i, 1, _S)), _SOURCES)


def _numbers_drawn() -> int:
    shapes = (functional.VARIANTS[name].mask_shape(shape) for name, shape in _PLACES)
    return sum(torch.Size(shape).numel() for shape in shapes)


def _without_sharing() -> int:
    return sum(torch.Size(shape).numel() for _, shape in _PLACES)


EXERCISES = {
    "beyond-ex-words": Exercise(
        "the variance with whole words, a number",
        Number(
            lambda: _lost_words(2), keep_prob=0.6, slips={"this is the variance with tokens": lambda: _lost_words(1)}
        ),
    ),
    "beyond-ex-depths": Exercise("a list of two numbers, for twelve and for six layers", Array(_depths, keep_prob=0.8)),
    "beyond-ex-attention": Exercise(
        "the variance as an expression in `p` and `S`",
        Formula(
            _sum_of_links,
            {
                "survivors are divided by p": lambda: _sum_of_links(rescale=False),
                "this is the variance of one link, times S": lambda: _S * _sum_of_links(),
                "the links are 1/S each, and that enters squared": lambda: _S**2 * _sum_of_links(),
            },
        ),
    ),
    "beyond-ex-draws": Exercise(
        "a whole number",
        Number(
            _numbers_drawn,
            slips={
                "a path is one draw for each example": _without_sharing,
                "each head has links of its own": lambda: _numbers_drawn() - 18,
            },
        ),
    ),
    "beyond-ex-chain": Exercise(
        "a `Chain`",
        Proof(r, Var(_LOST), lambda: variance(_LOST, r), frozenset({"uncorrelated-masks", "independent-masks"})),
    ),
}

QUIZZES: dict = {}
