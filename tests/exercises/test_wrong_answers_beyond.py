"""Answers that readers may give on the pages beyond the source: seeded wrong ones fail, and are told what is wrong."""

from __future__ import annotations

import math

import pytest
import sympy as sp
import torch

from dropout_lab.exercises import EXERCISES, Proof, check
from dropout_lab.symbolic import Chain, Cov, Masks, Mean, Var, rules

p, alpha, tau, rho, mu, sigma, b, t, c = sp.symbols("p alpha tau rho mu sigma b t c", positive=True)
n, m, N, K, S, L, i, j, k, l = sp.symbols("n m N K S L i j k l", integer=True, positive=True)  # noqa: E741
w, h, a, x, v = (sp.IndexedBase(letter) for letter in "whaxv")
r = Masks(n, p)

WRONG = [
    ("b8-ex-little", math.log(2), "doubling the standard deviation"),
    ("b8-ex-little", 0.5, "in bits"),
    ("b8-ex-much", 1 / alpha, "twice the divergence"),
    ("b8-ex-much", 2 * alpha, "reciprocal"),
    ("b8-ex-bias", tau**2 / 2 * p * (1 - p) * (1 - 2 * p), "standard normal number"),
    ("b8-ex-bias", sp.pi**2 / 6 * tau**2 * p * (1 - p) * (2 * p - 1), "sign"),
    ("b8-ex-baseline", p, "usual baseline"),
    ("b9-ex-box", [9 / 14, 333 / 338], "2 of its 2 entries"),
    ("b9-ex-box", [333 / 338], "the shape (1,)"),
    ("b9-ex-correlation", p * rho, "units of mean 0"),
    ("b9-ex-correlation", rho, "not the variance"),
    ("b9-ex-repair", lambda seen, w, s, q: seen - (1 - q) * q * w**2 @ s, "not divided by p"),
    ("b9-ex-repair", lambda seen, w, s, q: seen - (1 - q) / q * w @ s, "other values"),
    ("b10-ex-budget", 0.6, "limit for many blocks"),
    ("b10-ex-budget", 0.8, "same keep probability"),
    ("b10-ex-gamma", 0.5 / 49 * 14**2 / 8**2, "published"),
    ("b10-ex-gamma", 1 - 0.5 ** (1 / 49), "the center"),
    ("b10-ex-limit", (1 + p) / 2 * (1 - (1 + p) / 2), "along the schedule"),
    ("beyond-ex-words", 0.24 * 11, "with tokens"),
    ("beyond-ex-depths", [0.8**12, 0.16**6], "1 of its 2 entries"),
    ("beyond-ex-attention", (1 - p) / p, "variance of one link"),
    ("beyond-ex-attention", p * (1 - p) / S, "survivors are divided by p"),
    ("beyond-ex-draws", 180, "one draw for each example"),
    ("beyond-ex-draws", 118, "each head"),
    ("b11-ex-origin", p * sp.Sum(a[k], (k, 1, n)) / sp.pi, "bias is missing"),
    ("b11-ex-variance", lambda parts, bias, q: torch.tensor(0.25), "other values"),
    ("b11-ex-probit", lambda parts, bias, q: torch.special.ndtr(bias + q * parts.sum()), "mean logit"),
    ("b11-ex-gaussian", 1 - p + p * sp.exp(sp.I * c * t / p), "of a mask"),
    ("b11-ex-gaussian", sp.exp(sp.I * c * t - c**2 * t**2 / 2), "and not 1"),
    ("b12-ex-parts", K * 2**n, "plain enumeration"),
    ("b12-ex-parts", 2**m + 2 ** (n - m), "column for each class"),
    ("b12-ex-forty", 10 * 2**40 / 1e11, "one is counted"),
    ("b12-ex-variance", lambda A, B, pi, om, k: (pi @ A * (om @ B)).softmax(0)[k], "other values"),
    ("b13-ex-predict", [0.0004, 0.01], "1 of its 2 entries"),
    ("b13-ex-half", 1 / (p * (1 - p)), "those of training"),
    ("b13-ex-half", (1 - p) / p, "1 - p"),
]


@pytest.mark.parametrize(("label", "wrong", "reason"), WRONG)
def test_a_seeded_wrong_answer_is_told_why(label, wrong, reason):
    verdict = check(label, wrong)
    assert not verdict and reason in verdict.wrong


def test_the_penalty_of_dropout_changes_with_the_example_that_is_left_out():
    def by_the_hat_matrix(rows, targets, keep_prob):
        gram = rows.T @ rows
        hat = rows @ torch.linalg.solve(gram + (1 / keep_prob - 1) * gram.diag().diag(), rows.T)
        return ((targets - hat @ targets) / (1 - hat.diag())).square().mean()

    assert "one of them is left out" in check("b13-ex-choose", by_the_hat_matrix).wrong


#: For each proof a chain whose lines are right and which is no answer: it ends too early, or begins elsewhere.
one, own, blocks, signs = Masks(1, p), Masks((N, n), p), Masks(L, p), Masks(n, sp.Rational(1, 2))
score = (one[1] - b) * (one[1] - p) / (p * (1 - p))
batch = sp.Sum(w[i] * own[m, i] / p * h[m, i], (m, 1, N), (i, 1, n)) / N
both = [sp.Sum(r[i] / p * w[i] * of[i], (i, 1, n)) for of in (x, v)]
wave = sp.exp(sp.I * t * a[k] * (2 * signs[k] - 1))
UNFINISHED = {
    "b8-ex-chain": Chain(Var(score), one).then(Mean((score - Mean(score)) ** 2), rules.variance_definition),
    "b9-ex-chain": Chain(Var(batch), own),
    "b10-ex-chain": Chain(Mean(1 + blocks[1] / p**2), blocks).then(1 + 1 / p, rules.linearity, rules.mean_of_mask),
    "beyond-ex-chain": Chain(Var(sp.Sum(w[i] * r[i], (i, 1, n))), r).then(
        sp.Sum(w[i] * w[j] * Cov(r[i], r[j]), (i, 1, n), (j, 1, n)), rules.variance_of_sum
    ),
    "b11-ex-chain": Chain(Mean(sp.Product(wave, (k, 1, n))), signs).then(
        sp.Product(Mean(wave), (k, 1, n)), rules.independence
    ),
    "b12-ex-chain": Chain(Mean(sp.exp(r[1] * w[k, 1])), r).then(
        1 - p + p * sp.exp(w[k, 1]), rules.two_outcomes(r[1], alone=True)
    ),
    "b13-ex-two": Chain(Cov(both[0], both[0]), r),
}


@pytest.mark.parametrize(("label", "chain"), UNFINISHED.items())
def test_a_chain_that_stops_early_or_begins_elsewhere_is_no_answer(label, chain):
    assert isinstance(EXERCISES[label].answer, Proof)
    told = check(label, chain).wrong
    assert any(reason in told for reason in ("no closed form yet", "first line"))


def test_masks_with_another_law_are_told_so():
    assert "its masks are others" in check("b11-ex-chain", Chain(Mean(r[1]), r)).wrong
