"""The answers of chapter 7, second part: masks that pixels, blocks or time steps share."""

from __future__ import annotations

import sympy as sp
import torch

from dropout_lab import functional
from dropout_lab.exercises.answers import Array, Choice, Formula, Function, Number
from dropout_lab.exercises.keys.base import Exercise, Quiz, T, i, k, n, normal, over_units, p, r, some_masks, vector, x
from dropout_lab.exercises.proofs import Proof
from dropout_lab.symbolic import Masks, Mean, Var, expectation, variance

_ONE = Masks(1, p)
_STEPS = Masks(T, p)
_a, _gamma = sp.symbols("a gamma", positive=True)


def _explained(keep_prob: float) -> torch.Tensor:
    """Which share of a pixel its two neighbors at the distances 1, 2, 5 explain, for the correlation 0.9 of pixels."""
    found = []
    for distance in (1, 2, 5):
        near = 0.9**distance
        among, across = vector(1, near**2), vector(near, near)
        covariance = torch.stack([among, among.flip(0)])
        found.append(float(across @ torch.linalg.solve(covariance, across)))
    return vector(*found)


def _equal_price() -> sp.Expr:
    """The keep probability q of a channel whose penalty is that of n pixels kept with probability p."""
    q = sp.Symbol("q", positive=True)
    channel = Masks(1, q)
    of_channel = variance(n * channel[1] / q, channel)
    of_pixels = variance(over_units(r[i] / p), r)
    (found,) = sp.solve(sp.Eq(sp.simplify(of_channel), of_pixels), q)
    return found


def _channels(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """Spatial dropout of (N, C, H, W) by a mask (N, C)."""
    return x * mask[:, :, None, None] / keep_prob


def _maps(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 2, 3, 4, 4), some_masks(generator, 2, 3), 0.75


def _line_seed() -> sp.Expr:
    """The exact γ that keeps half of a line of three pixels, with blocks of two at its two places."""
    free = sp.Symbol("s", positive=True)
    covered = [sum(place <= pixel < place + 2 for place in range(2)) for pixel in range(3)]
    kept = sum(free**blocks for blocks in covered) / 3
    return sp.simplify(1 - sp.solve(sp.Eq(kept, sp.Rational(1, 2)), free)[0])


def _center() -> float:
    gamma = functional.block_gamma((14, 14), 0.9, 8)
    return float(functional.block_keep_probs((14, 14), 8, gamma)[7, 7])


def _seeds_dilated(seeds: torch.Tensor, block: int) -> torch.Tensor:
    """Which of the pixels of a line stay, for seeds at the places where a block starts; 1 is kept."""
    kept = torch.ones(len(seeds) + block - 1, dtype=torch.float64)
    for place in torch.nonzero(seeds).flatten().tolist():
        kept[place : place + block] = 0
    return kept


def _seed_line(generator: torch.Generator) -> tuple[torch.Tensor, int]:
    return (torch.rand(10, generator=generator) < 0.2).double(), 3


def _tied(x: torch.Tensor, mask: torch.Tensor, keep_prob: float) -> torch.Tensor:
    """One mask (N, D) for all steps of (N, T, D)."""
    return x * mask[:, None, :] / keep_prob


def _sequences(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, float]:
    return normal(generator, 3, 5, 4), some_masks(generator, 3, 4), 0.75


def _half_life() -> int:
    return next(steps for steps in range(1, 100) if 0.9**steps < 0.5)


def _leaky_mean() -> sp.Expr:
    """The mean after T steps of a state that starts at 1 and keeps the share a, under one inverted mask for all."""
    return expectation(_ONE[1], _ONE) * (_a / p) ** T


def _channel_draws() -> sp.Expr:
    """How many masks spatial dropout draws for two examples with three channels of 4 × 4 pixels."""
    return sp.Integer(torch.Size(functional.VARIANTS["spatial_dropout"].mask_shape((2, 3, 4, 4))).numel())


def _no_seed() -> sp.Expr:
    """The probability that none of k places is seeded."""
    seeds = Masks(k, _gamma, name="s")
    return expectation(1 - seeds[1], seeds) ** k


def _mean_survives() -> str:
    tied, fresh = expectation(_ONE[1], _ONE), p**T
    values = {p: sp.Rational(9, 10), T: 10}
    return "tied" if tied.subs(values) > fresh.subs(values) else "fresh"


EXERCISES = {
    "ch7-ex-neighbors": Exercise("a list of three numbers, for the distances 1, 2 and 5", Array(_explained)),
    "ch7-ex-price": Exercise("the keep probability as an expression in `n` and `p`", Formula(_equal_price)),
    "ch7-ex-channels": Exercise(
        "a function of `x` (N, C, H, W), a mask (N, C) and a keep probability",
        Function(
            _channels,
            _maps,
            {
                "survivors are not divided": lambda x, mask, q: _channels(x, mask, 1.0),
                "it divides by 1 - p": lambda x, mask, q: _channels(x, mask, 1 - q),
                "every example has the mask of the first": lambda x, mask, q: _channels(x, mask[:1], q),
            },
        ),
    ),
    "ch7-ex-map": Exercise(
        "a `Chain`",
        Proof(
            _ONE,
            Var(_ONE[1] / p * over_units(x[i])),
            lambda: sp.simplify(variance(_ONE[1] / p, _ONE)) * over_units(x[i]) ** 2,
            frozenset(),
        ),
    ),
    "ch7-ex-seeds": Exercise("the exact seed probability, a number", Number(_line_seed)),
    "ch7-ex-center": Exercise("a number", Number(_center, slips={"this is the average over the map": lambda: 0.9})),
    "ch7-ex-covered": Exercise(
        "the probability as an expression in `k` and `gamma`",
        Formula(
            _no_seed,
            {
                "this is the probability to be dropped": lambda: 1 - _no_seed(),
                "this is the probability that all blocks are seeded": lambda: _gamma**k,
                "two blocks may both be seeded: their probabilities do not add up": lambda: 1 - k * _gamma,
            },
        ),
    ),
    "ch7-ex-dilate": Exercise(
        "a function of seeds (places,) and a block size",
        Function(
            _seeds_dilated,
            _seed_line,
            {
                "it has 1 where a pixel is dropped": lambda seeds, block: 1 - _seeds_dilated(seeds, block),
                "the blocks end at their seeds, and they start there": lambda seeds, block: (
                    _seeds_dilated(seeds.flip(0), block).flip(0).roll(-1)
                ),
            },
        ),
    ),
    "ch7-ex-leaky": Exercise("the mean as an expression in `a`, `p` and `T`", Formula(_leaky_mean)),
    "ch7-ex-half-life": Exercise("a whole number", Number(_half_life)),
    "ch7-ex-tied": Exercise(
        "a function of `x` (N, T, D), a mask (N, D) and a keep probability",
        Function(
            _tied,
            _sequences,
            {
                "survivors are not divided": lambda x, mask, q: _tied(x, mask, 1.0),
                "every example has the mask of the first": lambda x, mask, q: _tied(x, mask[:1], q),
                "only the first step is masked": lambda x, mask, q: torch.cat(
                    [_tied(x[:, :1], mask, q), x[:, 1:]], dim=1
                ),
            },
        ),
    ),
    "ch7-ex-forget": Exercise(
        "a `Chain`",
        Proof(
            _STEPS,
            Mean(sp.Product(_STEPS[i], (i, 1, T))),
            lambda: expectation(_STEPS[1], _STEPS) ** T,
            frozenset({"independent-masks"}),
        ),
    ),
}

QUIZZES = {
    "ch7-quiz-channel": Quiz(Choice(_channel_draws)),
    "ch7-quiz-tied": Quiz(Choice(_mean_survives)),
    "ch7-quiz-center": Quiz(Choice(lambda: "the center" if _center() < 0.9 else "the corner")),
}
