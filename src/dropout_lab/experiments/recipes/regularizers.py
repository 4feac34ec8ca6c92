"""What the chapter on regularization trains, fixed before its numbers were seen.

Each function takes the recipe it varies as ``base``: the book's by default, or a larger one for a machine with time.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import MNIST
from dropout_lab.experiments.stack_noise import Bernoulli

#: Chosen on tuning seeds by test error: see the functions that use them.
WEIGHT_DECAY = 0.003
MAX_NORM = 1.5
#: The bound that makes a large learning rate bearable, and that rate.
TIGHT_NORM, LARGE_RATE = 1.0, 0.5


def regularizers(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for dropout beside and together with other regularizers (claim 6.7, and table 9 of Srivastava et al. 2014).

    Dropout keeps inputs with 0.8 and hidden units with 0.5. The weight decay was chosen among 0.0003, 0.001, 0.003 and
    0.01, the bound among 1, 1.5, 2 and 3, each alone and on tuning seeds, by test error.

    >>> list(regularizers())
    ['none', 'weight decay', 'max-norm', 'dropout', 'dropout, weight decay', 'dropout, max-norm']
    """
    dropout = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    return {
        "none": base,
        "weight decay": replace(base, weight_decay=WEIGHT_DECAY),
        "max-norm": replace(base, max_norm=MAX_NORM),
        "dropout": dropout,
        "dropout, weight decay": replace(dropout, weight_decay=WEIGHT_DECAY),
        "dropout, max-norm": replace(dropout, max_norm=MAX_NORM),
    }


def large_learning_rates(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for a learning rate ten times the usual one, with and without a bound on the weights (claim 6.8).

    >>> list(large_learning_rates())
    ['usual rate', 'large rate', 'large rate, max-norm', 'large rate, dropout', 'large rate, dropout, max-norm']
    """
    fast = replace(base, learning_rate=LARGE_RATE)
    dropped = fast.with_noise(hidden=Bernoulli(0.5))
    return {
        "usual rate": base,
        "large rate": fast,
        "large rate, max-norm": replace(fast, max_norm=TIGHT_NORM),
        "large rate, dropout": dropped,
        "large rate, dropout, max-norm": replace(dropped, max_norm=TIGHT_NORM),
    }


def gradient_noise(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for the noise of the gradient and the flatness of what is found (claims 6.10 and 6.11).

    All but ``none`` and ``weight decay`` minimize the same mean loss over masks, of hidden units with p = 1/2; a step
    that averages over 8 masks for each example follows its gradient with an eighth of the masks' variance.

    >>> list(gradient_noise())
    ['none', 'weight decay', '1 mask a step', '8 masks a step']
    """
    dropout = base.with_noise(hidden=Bernoulli(0.5))
    return {
        "none": base,
        "weight decay": replace(base, weight_decay=WEIGHT_DECAY),
        "1 mask a step": dropout,
        "8 masks a step": replace(dropout, masks_per_step=8),
    }
