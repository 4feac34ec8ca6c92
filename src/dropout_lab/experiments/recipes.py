"""What the book trains: the arms of its experiments, fixed before their numbers were seen.

Each experiment has the scale ``book``, small enough for two cores, and ``paper``, for a machine with time.
"""

from __future__ import annotations

from dropout_lab.experiments.family import Bernoulli
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe

#: Pilot settings: He initialization, learning rate 0.05 decayed linearly, momentum 0.9, batches of 50.
MNIST = Recipe(network=MLP((128, 128)), train_size=500, steps=1000)

#: Keep probabilities of hidden units in the sweep of test error against p.
HIDDEN_SWEEP = (1.0, 0.9, 0.7, 0.5, 0.3)


def error_against_keep_prob(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for test error against p (claim 4.7), input and hidden dropout told apart.

    ``hidden 1`` has no dropout at all; ``hidden p`` drops hidden units alone; ``input 0.8`` drops inputs alone; and
    ``input 0.8, hidden 0.5`` does both.
    """
    arms = {f"hidden {keep_prob:g}": base.with_noise(hidden=Bernoulli(keep_prob)) for keep_prob in HIDDEN_SWEEP}
    arms["input 0.8"] = base.with_noise(input=Bernoulli(0.8))
    arms["input 0.8, hidden 0.5"] = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    return arms
