"""The answers of chapter 5: the two conventions, and the factor between them."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab import functional
from dropout_lab.constraints import max_norm_
from dropout_lab.exercises.answers import Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, h, i, normal, p, r, some_masks
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Mean, expectation


def _survivor() -> float:
    """By what ``torch.nn.Dropout(0.2)`` multiplies a survivor."""
    torch_layer = torch.nn.Dropout(0.2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return float(torch_layer(torch.ones(100, dtype=torch.float64)).max())


def _test_factor() -> sp.Expr:
    """The factor at test time that gives the first linear map its mean, for survivors divided by the root of p."""
    return sp.simplify(expectation(r[i] / sp.sqrt(p) * h[i], r) / h[i])


def _inverted(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    return torch.where(mask > 0, x / keep_prob, 0.0)


def _masked_input(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 3, 4), some_masks(generator, 3, 4), _between(generator)


def _between(generator: torch.Generator) -> float:
    """A keep probability between 0.6 and 0.9."""
    return 0.6 + 0.3 * float(torch.rand((), generator=generator, dtype=torch.float64))


def _bounded(weights: torch.Tensor, bound: float) -> torch.Tensor:
    projected = weights.clone()
    max_norm_(projected, bound)
    return projected


def _projected(weights: torch.Tensor, bound: float, keep_prob: float) -> torch.Tensor:
    """The projection of V = p W that belongs to the bound on W."""
    return keep_prob * _bounded(weights / keep_prob, bound)


def _weights(generator: torch.Generator) -> tuple[torch.Tensor, float, float]:
    return normal(generator, 3, 4), 1.0, _between(generator)


def _identity_in_eval() -> str:
    """What the package's dropout of a constant is in evaluation, beside its mean in training."""
    one = torch.ones(1, dtype=torch.float64)
    return "1" if float(functional.dropout(one, 0.25, training=False)) == 1 else "p"


EXERCISES = {
    "ch5-ex-framework": Exercise(
        "a number",
        Number(
            _survivor,
            keep_prob=0.8,
            slips={
                "p stands where 1 - p belongs: the argument of nn.Dropout is the probability to drop": lambda: 1 / 0.2
            },
        ),
    ),
    "ch5-ex-between": Exercise("the factor on the weights as an expression in `p`", Formula(_test_factor)),
    "ch5-ex-inverted": Exercise(
        "a function of activations, a mask and a keep probability",
        Function(
            _inverted,
            _masked_input,
            {
                "survivors are not divided": lambda x, mask, q: mask * x,
                "survivors are multiplied by the keep probability": lambda x, mask, q: mask * x * q,
                "it divides by 1 - p": lambda x, mask, q: mask * x / (1 - q),
                "it keeps what the mask drops": lambda x, mask, q: (1 - mask) * x / q,
                "it ignores the mask": lambda x, mask, q: x / q,
            },
        ),
    ),
    "ch5-ex-maxnorm": Exercise(
        "a function of the weights V, the bound c and a keep probability",
        Function(
            _projected,
            _weights,
            {
                "it projects on the ball of radius c": lambda v, c, q: _bounded(v, c),
                "it projects on the ball of radius c / p": lambda v, c, q: _bounded(v, c / q),
                "it gives the weights of the original convention": lambda v, c, q: _bounded(v / q, c),
                "it projects all rows together, and each unit has a norm of its own": lambda v, c, q: (
                    v * min(1.0, q * c / float(v.norm()))
                ),
            },
        ),
    ),
    "ch5-ex-chain": Exercise(
        "a `Chain`", Proof(r, Mean((r[i] * h[i] / p) ** 2), lambda: expectation((r[i] * h[i] / p) ** 2, r), frozenset())
    ),
}

QUIZZES = {
    "ch5-quiz-eval": Quiz(Choice(_identity_in_eval)),
    "ch5-quiz-second": Quiz(Choice(lambda: expectation((r[i] / p) ** 2, r))),
}
