"""The arms and rules for what intervals of Monte Carlo dropout and of the exact posterior cover.

They were fixed before the run. The keep probability 0.8, the numbers of examples and the noises were chosen on seeds
for tuning.
"""

from __future__ import annotations

from dropout_lab.experiments.linear import Arm
from dropout_lab.experiments.statistics import Rule

#: What an interval of 95 % promises to cover, in percent.
PROMISED = 95.0
#: The keep probability that stays as it is, whatever the data are.
KEEP_PROB = 0.8
#: Standard deviations of the noise in the picture; the mean of the targets varies with one near 1.
NOISES = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Keep probabilities in the picture; None is the one that suits the data.
KEEP_PROBS = (0.5, KEEP_PROB, 0.95, None)
#: Where the whole interval of an effect has to lie: in points of coverage, and for the last one a ratio of variances.
RULES = {
    "covers what it promises": Rule.within(-3, 3),
    "covers too little": Rule.below(-5),
    "covers too much": Rule.above(3),
    "covers more where noise is low": Rule.above(5),
    "covers too little, matched": Rule.below(-3),
    "variance of the right size, matched": Rule.within(0.7, 1.4),
}


def judged() -> dict[str, Arm]:
    """Make the arms of the measurements that are judged.

    >>> judged()["few"]
    Arm(examples=20, noise=1.0, keep_prob=0.8)
    """
    return {
        "few": Arm(20, 1.0, KEEP_PROB),
        "many": Arm(10_000, 1.0, KEEP_PROB),
        "quiet": Arm(100, min(NOISES), KEEP_PROB),
        "noisy": Arm(100, max(NOISES), KEEP_PROB),
        "matched": Arm(1000, 1.0),
    }


def against_noise(examples: int = 100) -> dict[str, dict[float, Arm]]:
    """Make the arms of the picture: for each keep probability, named as it is written, one arm for each noise.

    >>> list(against_noise())
    ['0.5', '0.8', '0.95', 'matched']
    """
    names = {keep: "matched" if keep is None else str(keep) for keep in KEEP_PROBS}
    return {names[keep]: {noise: Arm(examples, noise, keep) for noise in NOISES} for keep in KEEP_PROBS}
