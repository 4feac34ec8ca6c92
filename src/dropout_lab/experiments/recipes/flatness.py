"""The arms for noise, flatness and generalization (claims 6.10 and 6.11): ways of training whose minima are compared.

Chosen on tuning seeds: every way fits its training set, so that all can be brought to one training loss. No way changes
the labels: learning wrong ones makes the loss steep and the errors many for a reason that everybody knows.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.practice import DIGITS
from dropout_lab.experiments.stack_noise import Bernoulli, Gaussian

#: To this training loss the outputs of every network are brought before flatness is measured, in nats.
LOSS = 0.1


def gradient_noise(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for the noise of the gradient (claim 6.10): one mask a step, or the mean over eight.

    The masks drop hidden units. Both arms minimize the same mean loss over masks, from the same start, over the same
    batches, at one learning rate. A step that averages over 8 masks for each example follows its gradient with an
    eighth of the masks' variance.

    >>> list(gradient_noise())
    ['1 mask a step', '8 masks a step']
    """
    dropout = base.with_noise(hidden=Bernoulli(0.5))
    return {"1 mask a step": dropout, "8 masks a step": replace(dropout, masks_per_step=8)}


def without_dropout(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make fourteen ways of training without dropout (claim 6.11).

    They differ in rates, batches, optimizers, weight decay, bounds and length.

    >>> len(without_dropout())
    14
    """
    whole = replace(base, batch_size=base.train_size, steps=base.steps // 4, learning_rate=0.1)
    adam = replace(base, optimizer="adam", learning_rate=0.001)
    return {
        "rate 0.01": replace(base, learning_rate=0.01),
        "rate 0.05": replace(base, learning_rate=0.05),
        "rate 0.2": replace(base, learning_rate=0.2),
        "no momentum": replace(base, momentum=0.0, learning_rate=0.2),
        "decay 0.003": replace(base, weight_decay=0.003),
        "decay 0.01": replace(base, weight_decay=0.01),
        "bound 1.5": replace(base, max_norm=1.5),
        "bound 1": replace(base, max_norm=1.0),
        "batch 10": replace(base, batch_size=10, learning_rate=0.02),
        "batch 10, rate 0.005": replace(base, batch_size=10, learning_rate=0.005),
        "whole set": whole,
        "adam 0.001": adam,
        "adam 0.005": replace(adam, learning_rate=0.005),
        "short": replace(base, steps=base.steps // 3),
    }


def with_dropout(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make fourteen ways of training with dropout (claim 6.11): of inputs or hidden units, Bernoulli or Gaussian.

    >>> len(with_dropout())
    14
    """
    half = base.with_noise(hidden=Bernoulli(0.5))
    return {
        "hidden 0.8": base.with_noise(hidden=Bernoulli(0.8)),
        "hidden 0.5": half,
        "hidden 0.3": base.with_noise(hidden=Bernoulli(0.3)),
        "input 0.9": base.with_noise(input=Bernoulli(0.9)),
        "input 0.8": base.with_noise(input=Bernoulli(0.8)),
        "input 0.7": base.with_noise(input=Bernoulli(0.7)),
        "input 0.8, hidden 0.8": base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.8)),
        "input 0.8, hidden 0.5": base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5)),
        "hidden 0.5, decay 0.003": replace(half, weight_decay=0.003),
        "hidden 0.5, bound 1.5": replace(half, max_norm=1.5),
        "hidden 0.5, rate 0.02": replace(half, learning_rate=0.02),
        "Gaussian hidden 0.8": base.with_noise(hidden=Gaussian(0.8)),
        "Gaussian hidden 0.5": base.with_noise(hidden=Gaussian(0.5)),
        "Gaussian input 0.8": base.with_noise(input=Gaussian(0.8)),
    }
