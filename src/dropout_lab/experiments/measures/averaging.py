"""What the subnetworks say together: masks left on, and Monte Carlo averages of two kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.measures.outcome import mean_losses, need_classes, percent_wrong
from dropout_lab.experiments.trained import Trained


def mask_left_on(trained: Trained) -> dict[str, np.ndarray]:
    """Measure error and loss under one draw of the training noise at test time.

    Returns ``error_with_mask``, in percent, and ``nll_with_mask``, in nats, each (S,). Raises ValueError for
    regression.

    >>> from dropout_lab.experiments.stack_noise import Bernoulli
    >>> from dropout_lab.experiments.training import quick
    >>> sorted(mask_left_on(quick(hidden=Bernoulli(0.5))))
    ['error_with_mask', 'nll_with_mask']
    """
    outputs, labels = trained.outputs(at=trained.noisy()), trained.labels()
    return {"error_with_mask": percent_wrong(outputs, labels), "nll_with_mask": mean_losses(trained, outputs, labels)}


def monte_carlo(samples: Sequence[int] = (1, 5, 20, 50)) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of two Monte Carlo averages, the arithmetic and the geometric one, of class probabilities.

    For each of ``samples``, so many draws of the training noise are averaged, the first ones of one sequence. The
    measure returns, each (S, len(samples)):

    - ``mc_error``, in percent, and ``mc_nll``, in nats, of the arithmetic mean of the draws;
    - ``geometric_error``, in percent, of their normalized geometric mean;
    - ``to_geometric`` and ``to_arithmetic``, the total variation from the weight-scaled prediction to the two means,
      and ``between``, that from one mean to the other. Few draws make all three too long.

    Raises ValueError for counts that are not positive, and for regression.

    >>> from dropout_lab.experiments.stack_noise import Bernoulli
    >>> from dropout_lab.experiments.training import quick
    >>> monte_carlo((1, 5))(quick(hidden=Bernoulli(0.5)))["mc_error"].shape
    (2, 2)
    """
    wanted = sorted(set(samples))
    if not wanted or wanted[0] < 1:
        raise ValueError(f"samples are how many draws to average, each at least 1; got {tuple(samples)}")

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        need_classes(trained)
        at, labels, scaled = trained.noisy(), trained.labels(), trained.outputs().softmax(-1)
        members = logs = torch.zeros(())
        found = []
        for count in range(1, wanted[-1] + 1):
            log_member = trained.outputs(at=at).double().log_softmax(-1)
            members, logs = members + log_member.exp(), logs + log_member
            if count in wanted:
                arithmetic, geometric = members / count, (logs / count).softmax(-1)
                found.append(
                    {
                        "mc_error": percent_wrong(arithmetic, labels),
                        "mc_nll": mean_losses(trained, arithmetic.log(), labels),
                        "geometric_error": percent_wrong(geometric, labels),
                        "to_geometric": _total_variation(scaled, geometric),
                        "to_arithmetic": _total_variation(scaled, arithmetic),
                        "between": _total_variation(geometric, arithmetic),
                    }
                )
        return {name: np.stack([of_count[name] for of_count in found], 1) for name in found[0]}

    return measure


def probabilities(trained: Trained) -> dict[str, np.ndarray]:
    """Record the class probabilities of the test examples, by weight scaling.

    Returns ``probabilities`` (S, n, classes), for n test examples. For bias and variance over training sets, take data
    with a shared test set (:func:`.data.hold_out`). Raises ValueError for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> probabilities(quick())["probabilities"].shape
    (2, 1697, 10)
    """
    need_classes(trained)
    return {"probabilities": trained.outputs().softmax(-1).cpu().numpy()}


def training_set_variance(predicted: np.ndarray, groups: int) -> np.ndarray:
    """Compute the variance of predictions between training sets.

    ``predicted`` has the shape (seeds, …, n, classes), with an axis of members between if there are several, and the
    result (groups, …). Seeds are cut into groups; in each, the variance over its seeds (divided by their number − 1) is
    summed over classes and averaged over examples. No training set is in two groups, although sets may share examples,
    so groups can be compared like seeds. Raises ValueError if the seeds don't divide into groups of two or more.

    >>> training_set_variance(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), groups=1)
    array([1.])
    """
    seeds = len(predicted)
    if seeds % groups or seeds // groups < 2:
        raise ValueError(f"{seeds} seeds do not divide into {groups} groups of two or more")
    grouped = predicted.reshape(groups, seeds // groups, *predicted.shape[1:])
    return grouped.var(axis=1, ddof=1, dtype=float).sum(-1).mean(-1)


def _total_variation(one: Tensor, other: Tensor) -> np.ndarray:
    return ((one - other).abs().sum(-1) / 2).double().mean(1).cpu().numpy()
