"""Quick arms on 8 by 8 digits, for the chapters on regularization, on DropConnect and on practice.

Their sizes were chosen on tuning seeds; trial runs on the reported seeds came before the rules of the chapters were
written into the code. Each function takes the recipe it varies as ``base``: the book's by
default, or a larger one for a machine with time. The other arms of these chapters stand in
:mod:`~.recipes.regularizers`, :mod:`~.recipes.variants` and :mod:`~.recipes.guidance`, and are given ``DIGITS`` as
their base.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import dense
from dropout_lab.experiments.stack_noise import Bernoulli

#: Two hidden layers of 128 units on 200 of the 8 by 8 digits.
DIGITS = Recipe(network=MLP((128, 128)), train_size=200, steps=800)
#: What was tried on tuning seeds.
BOUNDS = (1.0, 1.25, 1.5, 1.75, 2.0, 3.0)
DECAYS = (0.001, 0.003, 0.01)


def strengths(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Arms for tuning seeds (claim 6.7): each bound on the norm and each weight decay, without dropout and with it.

    On twelve tuning seeds a bound of 1.5 and a weight decay of 0.003 had the lowest test error in both cases, up to
    ties, which are the values of :func:`~.recipes.regularizers.regularizers`.

    >>> len(strengths()), list(strengths())[0]
    (18, 'bound 1, alone')
    """
    arms: dict[str, Recipe] = {}
    dropout = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    for name, recipe in (("alone", base), ("with dropout", dropout)):
        arms |= {f"bound {bound:g}, {name}": replace(recipe, max_norm=bound) for bound in BOUNDS}
        arms |= {f"decay {decay:g}, {name}": replace(recipe, weight_decay=decay) for decay in DECAYS}
    return arms


def quarter_kept(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Arms for width at p = 1/4 (claim 8.3): as narrow as in :func:`~.recipes.guidance.widths`, and n/p wide.

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
