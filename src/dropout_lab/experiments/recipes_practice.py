"""Small, quick arms on 8 by 8 digits for the chapters on regularization, on DropConnect and on practice.

They were fixed before their numbers were seen. Each function takes the recipe it varies as ``base``: the book's by
default, or a larger one for a machine with time. What the chapters train besides stands in :mod:`.recipes_regularizers`,
:mod:`.recipes_variants` and :mod:`.recipes_guidance`, and takes :data:`DIGITS` as its base.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.family import Bernoulli
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe

#: Two hidden layers of 64 units on 200 of the 8 by 8 digits.
DIGITS = Recipe(network=MLP((64, 64)), train_size=200, steps=600)
#: Bounds and weight decays that were tried on tuning seeds, and the best of them by test error.
BOUNDS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
DECAYS = (0.0003, 0.001, 0.003, 0.01, 0.03)


def bound_sweep(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Arms for tuning seeds: every bound and every weight decay, without dropout and with it."""
    dropped = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    arms = {}
    for name, recipe in (("alone", base), ("with dropout", dropped)):
        arms[f"nothing {name}"] = recipe
        arms |= {f"bound {bound:g} {name}": replace(recipe, max_norm=bound) for bound in BOUNDS}
        arms |= {f"decay {decay:g} {name}": replace(recipe, weight_decay=decay) for decay in DECAYS}
    return arms
