"""Monte Carlo dropout beside Bayesian linear regression: how often their intervals cover a known truth.

The inputs are real, and the targets are made: weights from a normal prior, a weighted sum, normal noise. So the exact
posterior is known, and the truth that an interval should cover. Training with dropout has a closed form, too: the
minimum of the squared loss averaged over all masks (claims B1 and 6.4).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dropout_lab.experiments import digests, replicas
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.draws import Purpose, stream

#: Half the width of an interval in standard deviations: 95 % of a normal distribution lie inside.
HALF_WIDTH = 1.96
#: Inputs of each seed that are held out, at which the intervals are looked at.
HELD_OUT = 100


@dataclass(frozen=True)
class Arm:
    """An arm: the number of examples, the noise of their targets, and the share of the inputs that dropout keeps.

    Raises ValueError for values outside their range.

    Attributes
    ----------
    examples:
        The number of training examples.
    noise:
        The standard deviation of the targets around their mean, which itself varies with a standard deviation near 1.
    keep_prob:
        The keep probability, between 0 and 1. None is the one that suits the number of examples and the noise: see
        :meth:`.Arm.keep`.

    >>> Arm(examples=100, noise=1.0, keep_prob=0.8).keep(features=10)
    0.8
    """

    examples: int
    noise: float
    keep_prob: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.examples, bool) or not isinstance(self.examples, int) or self.examples < 1:
            raise ValueError(f"examples is a whole number from 1 on, got {self.examples!r}")
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise ValueError(f"noise is a standard deviation above 0, got {self.noise!r}")
        if self.keep_prob is not None and not 0 < self.keep_prob < 1:
            raise ValueError(f"keep_prob lies strictly between 0 and 1, or is None; got {self.keep_prob!r}")

    def keep(self, features: int) -> float:
        r"""Return the keep probability p.

        Where none is given, it is the p with :math:`(1 - p)/p = \text{noise}^2 \cdot \text{features} / \text{examples}`
        (claim B13). Then the penalty of dropout is as strong as the prior, whose variance is 1/features, if the mean
        square of each feature is 1.

        >>> Arm(examples=90, noise=1.0).keep(features=10)
        0.9
        """
        if self.keep_prob is not None:
            return self.keep_prob
        return self.examples / (self.examples + features * self.noise**2)


def run(dataset: Dataset, arms: Mapping[str, Arm], seeds: Sequence[int]) -> replicas.Results:
    """Compute coverage and variance of both kinds of intervals for every arm and seed, at inputs that are held out.

    A seed fixes the true weights, which are normal with mean 0 and variance 1/features, the inputs that are held out,
    and the draws of the training inputs (with replacement, from all others) and of their noise; so arms are paired. The
    results of an arm are, each (seeds,):

    - ``coverage`` and ``posterior_coverage``, the percentage of the held-out inputs at which the true weighted sum lies
      within 1.96 standard deviations of the mean of the masked predictions or of the posterior;
    - ``variance`` and ``posterior_variance``, the mean over these inputs of the two variances.

    Both methods know the noise and the prior where they ask for it. Raises ValueError for no arm, no seed, a repeated
    seed, and for inputs that are no table (examples, features) with more than 100 rows.

    >>> from dropout_lab.experiments import data
    >>> found = run(data.diabetes(), {"few": Arm(20, 1.0, 0.8)}, range(3))
    >>> sorted(found["few"]), found["few"]["coverage"].shape
    (['coverage', 'posterior_coverage', 'posterior_variance', 'variance'], (3,))
    """
    seeds = [int(seed) for seed in seeds]
    if not arms or not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"expected at least one arm and distinct seeds, got {len(arms)} arms and seeds {seeds}")
    inputs = np.asarray(dataset.inputs, dtype=float)
    if inputs.ndim != 2 or len(inputs) <= HELD_OUT:
        raise ValueError(f"expected inputs (examples, features) with more than {HELD_OUT} rows, got {inputs.shape}")
    values = {}
    for name, arm in arms.items():
        rows = [_one(inputs, arm, seed) for seed in seeds]
        values[name] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    places = [replicas.place(seed) for seed in seeds]
    planned = (dataset.fingerprint, digests.written(dict(arms)), places, HALF_WIDTH, HELD_OUT)
    return replicas.Results(seeds, values, hashlib.sha256(repr(planned).encode()).hexdigest())


def _one(inputs: np.ndarray, arm: Arm, seed: int) -> dict[str, float]:
    """One data set, fitted in both ways."""
    features = inputs.shape[1]
    order = stream(seed, Purpose.HELD_OUT).permutation(len(inputs))
    held_out, pool = inputs[order[:HELD_OUT]], inputs[order[HELD_OUT:]]
    weights = stream(seed, Purpose.WEIGHTS).normal(size=features) / math.sqrt(features)
    rows = pool[stream(seed, Purpose.SPLIT).integers(len(pool), size=arm.examples)]
    targets = rows @ weights + arm.noise * stream(seed, Purpose.LABELS).normal(size=arm.examples)
    gram, right, truth = rows.T @ rows, rows.T @ targets, held_out @ weights

    price = 1 / arm.keep(features) - 1
    fitted = np.linalg.solve(gram + price * np.diag(np.diag(gram)), right)
    variance = price * (held_out**2 @ fitted**2)

    covariance = np.linalg.inv(gram / arm.noise**2 + features * np.eye(features))
    likely = covariance @ right / arm.noise**2
    posterior = np.einsum("mi,ij,mj->m", held_out, covariance, held_out)
    return {
        "coverage": _covered(truth, held_out @ fitted, variance),
        "posterior_coverage": _covered(truth, held_out @ likely, posterior),
        "variance": float(variance.mean()),
        "posterior_variance": float(posterior.mean()),
    }


def _covered(truth: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> float:
    return float(100 * np.mean(np.abs(truth - mean) < HALF_WIDTH * np.sqrt(variance)))
