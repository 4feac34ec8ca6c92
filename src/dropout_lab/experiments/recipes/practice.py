"""Quick arms on 8×8 digits, for the chapters on regularization, on DropConnect and on practice.

Their sizes were chosen on tuning seeds; trial runs on the reported seeds came before the rules of the chapters were
written into the code. The other arms of these chapters stand in :mod:`~.recipes.regularizers`,
:mod:`~.recipes.variants` and :mod:`~.recipes.guidance`, and are given ``DIGITS`` as their base.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import dense
from dropout_lab.experiments.stack_noise import Bernoulli

#: Two hidden layers of 128 units on 200 of the 8 by 8 digits.
DIGITS = Recipe(network=MLP((128, 128)), train_size=200, steps=800)
#: What was tried on tuning seeds for claim 6.7, at each of three learning rates.
TRIED_RATES = (0.05, 0.1, 0.2)
KEEP_PROBS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BOUNDS = (1.0, 1.25, 1.5, 1.75, 2.0, 3.0)
DECAYS = (0.0003, 0.001, 0.003, 0.006, 0.01, 0.02)
#: The shorter lists that are crossed with each other where two regularizers meet.
SOME_KEEP_PROBS, SOME_BOUNDS, SOME_DECAYS = (0.5, 0.8, 0.9), (1.25, 1.75), (0.001, 0.003)
#: Without a regularizer there is only the learning rate to choose.
RATES = (*(0.01 * step for step in range(1, 13)), 0.15, 0.17, 0.2, 0.25, 0.3, 0.35)


def strengths(base: Recipe = DIGITS) -> dict[str, dict[str, Recipe]]:
    """Make the arms that were tried on tuning seeds for claim 6.7: 18 settings for each of the regularizers.

    Each arm of :func:`~.regularizers.regularizers` has the same number of trials, whatever it has to choose: a strength
    at six values, or two strengths at three and two, each at three learning rates; or 18 learning rates where there is
    no strength. Inputs are kept with 0.8 in all arms with dropout. Of each arm the setting with the lowest mean test
    error over eight tuning seeds is taken.

    >>> {arm: len(settings) for arm, settings in strengths().items()}["dropout, max-norm"]
    18
    """

    def dropout(keep_prob: float, recipe: Recipe) -> Recipe:
        return recipe.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(keep_prob))

    tried: dict[str, dict[str, Recipe]] = {"none": {f"rate {rate:g}": _at(base, rate) for rate in RATES}}
    tried |= {arm: {} for arm in ("weight decay", "max-norm", "dropout", "dropout, weight decay", "dropout, max-norm")}
    for rate in TRIED_RATES:
        here, said = _at(base, rate), f"rate {rate:g}"
        tried["weight decay"] |= {f"{said}, decay {decay:g}": replace(here, weight_decay=decay) for decay in DECAYS}
        tried["max-norm"] |= {f"{said}, bound {bound:g}": replace(here, max_norm=bound) for bound in BOUNDS}
        tried["dropout"] |= {f"{said}, p = {keep_prob:g}": dropout(keep_prob, here) for keep_prob in KEEP_PROBS}
        for keep_prob in SOME_KEEP_PROBS:
            dropped, told = dropout(keep_prob, here), f"{said}, p = {keep_prob:g}"
            tried["dropout, weight decay"] |= {
                f"{told}, decay {decay:g}": replace(dropped, weight_decay=decay) for decay in SOME_DECAYS
            }
            tried["dropout, max-norm"] |= {
                f"{told}, bound {bound:g}": replace(dropped, max_norm=bound) for bound in SOME_BOUNDS
            }
    return tried


def _at(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, learning_rate=rate)


def quarter_kept(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for width at p = 1/4 (claim 8.3): as narrow as in :func:`~.recipes.guidance.widths`, and n/p wide.

    ``narrow`` has a quarter of the base's units in each hidden layer, ``wide`` four times as many, all of the base's:
    on average it has as many active units as the narrow network without dropout.

    >>> list(quarter_kept())
    ['narrow, p = 1/4', 'wide, p = 1/4']
    """
    narrow = replace(base, network=MLP(tuple(width // 4 for width in dense(base).hidden)))
    return {
        "narrow, p = 1/4": narrow.with_noise(hidden=Bernoulli(0.25)),
        "wide, p = 1/4": base.with_noise(hidden=Bernoulli(0.25)),
    }
