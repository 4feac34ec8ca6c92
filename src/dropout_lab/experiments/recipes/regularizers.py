"""The arms of the chapter on regularization, fixed before their numbers were seen."""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import MNIST
from dropout_lab.experiments.stack_noise import Bernoulli

#: A learning rate ten times the usual one, and the bounds tried with it: see :func:`bounds_at_a_large_rate`.
LARGE_RATE = 0.5
TIGHT_NORMS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
TIGHT_NORM, TIGHT_NORM_DROPOUT = 1.0, 0.5
#: Steps after which activations are looked at on the way.
STAGES = (1, 3, 10, 30, 100, 300)


def regularizers(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for dropout beside and together with other regularizers (claim 6.7).

    They are those of Srivastava et al. (2014, table 9). Each has the best of the 18 settings that
    :func:`~.practice.strengths` tried for it on tuning seeds, learning rate included. Dropout keeps inputs with 0.8 in
    all arms; its p below is that of hidden units.

    >>> list(regularizers())
    ['none', 'weight decay', 'max-norm', 'dropout', 'dropout, weight decay', 'dropout, max-norm']
    """

    def dropout(keep_prob: float, rate: float) -> Recipe:
        return replace(base, learning_rate=rate).with_noise(input=Bernoulli(0.8), hidden=Bernoulli(keep_prob))

    return {
        "none": replace(base, learning_rate=0.12),
        "weight decay": replace(base, learning_rate=0.2, weight_decay=0.0003),
        "max-norm": replace(base, learning_rate=0.2, max_norm=1.75),
        "dropout": dropout(0.8, rate=0.05),
        "dropout, weight decay": replace(dropout(0.8, rate=0.1), weight_decay=0.001),
        "dropout, max-norm": replace(dropout(0.9, rate=0.1), max_norm=1.75),
    }


def large_learning_rates(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for a learning rate ten times the usual one, with and without a bound on the weights (claim 6.8).

    Each stands with and without dropout of hidden units. The rate stays constant, so that one training can be looked at
    on its way: see :func:`along_training`.

    >>> list(large_learning_rates())[:3]
    ['usual rate', 'large rate', 'large rate, max-norm']
    """
    usual = replace(base, schedule="constant")
    arms: dict[str, Recipe] = {}
    for suffix, recipe, bound in (
        ("", usual, TIGHT_NORM),
        (", dropout", usual.with_noise(hidden=Bernoulli(0.5)), TIGHT_NORM_DROPOUT),
    ):
        fast = replace(recipe, learning_rate=LARGE_RATE)
        arms |= {f"usual rate{suffix}": recipe, f"large rate{suffix}": fast}
        arms[f"large rate{suffix}, max-norm"] = replace(fast, max_norm=bound)
    return arms


def along_training(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms of :func:`large_learning_rates`, each stopped after 1, 3, 10, 30, 100 and 300 steps.

    >>> list(along_training())[:2]
    ['usual rate, 1 steps', 'usual rate, 3 steps']
    """
    return {
        f"{arm}, {steps} steps": replace(recipe, steps=steps)
        for arm, recipe in large_learning_rates(base).items()
        for steps in STAGES
    }


def bounds_at_a_large_rate(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms that were tried on tuning seeds for claim 6.8: each bound at the large rate.

    Each stands without dropout and with it. Of each the bound with the lowest mean test error after 300 steps over
    twelve tuning seeds was taken.

    >>> list(bounds_at_a_large_rate())[0], len(bounds_at_a_large_rate())
    ('max-norm, bound 0.25', 14)
    """
    fast = replace(base, schedule="constant", learning_rate=LARGE_RATE, steps=STAGES[-1])
    dropped = fast.with_noise(hidden=Bernoulli(0.5))
    return {
        f"{name}, bound {bound:g}": replace(recipe, max_norm=bound)
        for name, recipe in (("max-norm", fast), ("dropout, max-norm", dropped))
        for bound in TIGHT_NORMS
    }
