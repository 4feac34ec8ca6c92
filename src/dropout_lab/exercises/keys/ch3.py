"""The answers of chapter 3: subnetworks counted, and averaged in two ways."""

from __future__ import annotations

import numpy as np
import sympy as sp
import torch

from dropout_lab import ensemble
from dropout_lab.exercises.answers import Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, i, n, normal, over_units, p, r
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Var, expectation, variance


def _subnetworks(*sizes: int) -> int:
    """How many functions the masks of a random tanh network make, counted by going through all of them."""
    generator = torch.Generator().manual_seed(0)
    table, _ = ensemble.masks(sum(sizes))
    signal, width = normal(generator, 7, 3), 3
    for size, mask in zip(sizes, table.split(sizes, dim=1), strict=True):
        hidden = torch.tanh(signal @ normal(generator, width, size) + normal(generator, size))
        signal, width = hidden * mask[:, None, :], size
    outputs = (signal @ normal(generator, width, 2)).flatten(1)
    return len(np.unique(outputs.numpy().round(10), axis=0))


def _shared_mask() -> float:
    """The mean probability of a logistic output r + 2r for one mask r at p = 1/2."""
    return float(ensemble.exact_mean(lambda masks: (3 * masks[:, 0]).sigmoid(), 1, 0.5))


def _path() -> sp.Expr:
    lower, upper = Masks(n, p), Masks(n, p, name="s")
    return expectation(lower[i] * upper[i], (lower, upper))


def _geometric(logits: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """The normalized geometric mean of the softmax outputs."""
    logarithms = probability @ logits.log_softmax(1)
    return logarithms.exp() / logarithms.exp().sum()


def _members(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return 3 * normal(generator, 8, 3), ensemble.masks(3, 0.7)[1]


def _not_normalized(logits: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    return (probability @ logits.log_softmax(1)).exp()


def _plain(logits: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    return _geometric(logits, torch.full_like(probability, 1 / len(probability)))


def _most_uncertain() -> sp.Expr:
    """The keep probability at which all masks of n units are equally probable: where kept and dropped are."""
    return sp.solve(sp.Eq(p, 1 - p), p)[0]


EXERCISES = {
    "ch3-ex-count": Exercise(
        "a whole number",
        Number(
            lambda: _subnetworks(4, 3, 2),
            slips={
                "this counts masks, and masks that end in the same function count once": lambda: 2**9,
                "the subnetworks in which a layer is empty are missing": lambda: 15 * 7 * 3,
            },
        ),
    ),
    "ch3-ex-correlated": Exercise("the arithmetic mean of the one shared mask, a number", Number(_shared_mask)),
    "ch3-ex-deep": Exercise("the factor on each path as an expression in `p`", Formula(_path)),
    "ch3-ex-geometric": Exercise(
        "a function of logits and mask probabilities",
        Function(
            _geometric,
            _members,
            {
                "this is the arithmetic mean": lambda logits, probability: probability @ logits.softmax(1),
                "the probabilities of its classes do not sum to 1": _not_normalized,
                "it counts all masks alike, and they have different probabilities": _plain,
            },
        ),
    ),
    "ch3-ex-chain": Exercise(
        "a `Chain`",
        Proof(
            r,
            Var(over_units(r[i]) / n),
            lambda: sp.simplify(variance(over_units(r[i]), r) / n**2),
            frozenset({"uncorrelated-masks", "independent-masks"}),
        ),
    ),
}

QUIZZES = {
    "ch3-quiz-uniform": Quiz(Choice(_most_uncertain)),
    "ch3-quiz-count": Quiz(Choice(lambda: sp.Integer(_subnetworks(1, 1)))),
}
