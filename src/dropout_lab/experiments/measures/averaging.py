"""What the subnetworks say together: masks left on, Monte Carlo averages, and the averages over all masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dropout_lab.ensemble import masks
from dropout_lab.experiments.measures.activations import recorded
from dropout_lab.experiments.measures.outcome import mean_losses, need_classes, percent_wrong
from dropout_lab.experiments.plan import Replica
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.trained import Trained

#: All masks of more hidden units than these are too many to enumerate for each test example.
_MOST_UNITS = 16
_MASKS_AT_ONCE = 64


def mask_left_on(trained: Trained) -> dict[str, np.ndarray]:
    """``error_with_mask`` (percent) and ``nll_with_mask``, (S,): one draw of the training noise at test time.

    Raises ValueError for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> sorted(mask_left_on(quick(hidden=Bernoulli(0.5))))
    ['error_with_mask', 'nll_with_mask']
    """
    outputs, labels = trained.outputs(at=trained.noisy()), trained.labels()
    return {"error_with_mask": percent_wrong(outputs, labels), "nll_with_mask": mean_losses(trained, outputs, labels)}


def monte_carlo(samples: Sequence[int] = (1, 5, 20, 50)) -> Callable[[Trained], dict[str, np.ndarray]]:
    """A measure of Monte Carlo averages of class probabilities over so many draws of the training noise.

    ``mc_error`` (percent) and ``mc_nll`` are (S, len(samples)), of the first draws of one sequence. ``to_geometric``
    and ``to_arithmetic``, (S,), are the total variation from the weight-scaled prediction to the two means of all
    draws, the geometric one normalized. Raises ValueError for counts that are not positive, and for regression.

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
        at, labels = trained.noisy(), trained.labels()
        members = logs = torch.zeros(())
        errors, losses = [], []
        for count in range(1, wanted[-1] + 1):
            log_member = trained.outputs(at=at).double().log_softmax(-1)
            members, logs = members + log_member.exp(), logs + log_member
            if count in wanted:
                averaged = (members / count).log()
                errors.append(percent_wrong(averaged, labels))
                losses.append(mean_losses(trained, averaged, labels))
        scaled = trained.outputs().softmax(-1)
        return {
            "mc_error": np.stack(errors, 1),
            "mc_nll": np.stack(losses, 1),
            "to_geometric": _total_variation(scaled, (logs / wanted[-1]).softmax(-1)),
            "to_arithmetic": _total_variation(scaled, members / wanted[-1]),
        }

    return measure


@torch.no_grad()
def all_masks(trained: Trained) -> dict[str, np.ndarray]:
    """Weight scaling against the exact averages over every mask of the hidden units, on 200 examples.

    For small networks.     ``geometric_error``, ``arithmetic_error`` and ``scaled_error`` are percent, ``other_class``
    the percent of examples where weight scaling and the geometric mean choose other classes, ``to_geometric`` and
    ``to_arithmetic`` the total variation from the weight-scaled prediction; each (S,). Masks weigh as the recipes' keep
    probabilities say. Raises ValueError for more than 16 hidden units in all, for a network without hidden units, for a
    replica whose noise is something else than :class:`~.stack_noise.Bernoulli` masks of its hidden units, and for
    regression.

    >>> from dropout_lab.experiments.training import quick
    >>> sorted(all_masks(quick(hidden=Bernoulli(0.5))))
    ['arithmetic_error', 'geometric_error', 'other_class', 'scaled_error', 'to_arithmetic', 'to_geometric']
    """
    need_classes(trained)
    widths = {place.name: values.shape[-1] for place, values in recorded(trained, examples=1).items()}
    units = sum(widths.values())
    if units > _MOST_UNITS:
        raise ValueError(f"all masks of {units} hidden units are too many; at most {_MOST_UNITS} units")
    inputs, labels = trained.sample(200)
    by_layer = torch.tensor([_mask_keep_probs(replica, list(widths)) for replica in trained.replicas])
    # One keep probability for each replica and unit: (S, 1, units).
    keep_probs = by_layer.repeat_interleave(torch.tensor(list(widths.values())), 1).unsqueeze(1).to(inputs.device)
    arithmetic = logs = torch.zeros((), device=inputs.device)
    for some in masks(units, 0.5)[0].bool().to(inputs.device).split(_MASKS_AT_ONCE):
        weight = torch.where(some, keep_probs, 1 - keep_probs).double().prod(-1)[:, None, :, None]
        factors = (some.float() / keep_probs).split(list(widths.values()), -1)
        outputs = trained.forward_sets(inputs, dict(zip(widths, factors, strict=True)))
        log_members = outputs.double().log_softmax(-1)
        arithmetic = arithmetic + (weight * log_members.exp()).sum(2)
        logs = logs + (weight * log_members).sum(2)
    scaled, geometric = trained.forward(inputs).double().softmax(-1), logs.softmax(-1)
    return {
        "scaled_error": percent_wrong(scaled, labels),
        "geometric_error": percent_wrong(geometric, labels),
        "arithmetic_error": percent_wrong(arithmetic, labels),
        "other_class": percent_wrong(scaled, geometric.argmax(-1)),
        "to_geometric": _total_variation(scaled, geometric),
        "to_arithmetic": _total_variation(scaled, arithmetic),
    }


def _mask_keep_probs(replica: Replica, hidden: Sequence[str]) -> list[float]:
    """The keep probabilities of a replica's hidden places, whose masks are all the noise that it has."""
    noise = replica.recipe.noise_by_place()
    other = [
        place
        for place, member in noise.items()
        if member.keep_prob < 1 and (place not in hidden or not isinstance(member, Bernoulli))
    ]
    if other or not noise:
        standing = f"noise of another kind at {other[0]}" if other else "no noise"
        raise ValueError(f"arm {replica.arm!r} has {standing}; all masks are those of Bernoulli noise on hidden units")
    return [noise[place].keep_prob if place in noise else 1.0 for place in hidden]


def probabilities(trained: Trained) -> dict[str, np.ndarray]:
    """``probabilities`` (S, n, classes) of the test examples, weight-scaled, and ``member``, by subnetworks.

    Each example has a subnetwork of its own.     For bias and variance over training sets, take data with a shared test
    set (:func:`.data.hold_out`). Raises ValueError for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> probabilities(quick())["probabilities"].shape
    (2, 1697, 10)
    """
    need_classes(trained)
    return {
        "probabilities": trained.outputs().softmax(-1).cpu().numpy(),
        "member": trained.outputs(at=trained.noisy()).softmax(-1).cpu().numpy(),
    }


def training_set_variance(predicted: np.ndarray, groups: int) -> np.ndarray:
    """The variance of predictions between training sets, (groups,), from predictions (seeds, n, classes).

    Seeds are cut into groups; in each, the variance over its seeds (divided by their number − 1) is summed over classes
    and averaged over examples. No training set is in two groups, although sets may share examples, so groups can be
    compared like seeds. Raises ValueError if the seeds don't divide into groups of two or more.

    >>> training_set_variance(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), groups=1)
    array([1.])
    """
    seeds = len(predicted)
    if seeds % groups or seeds // groups < 2:
        raise ValueError(f"{seeds} seeds do not divide into {groups} groups of two or more")
    grouped = predicted.astype(float).reshape(groups, seeds // groups, *predicted.shape[1:])
    return grouped.var(axis=1, ddof=1).sum(-1).mean(-1)


def _total_variation(one: Tensor, other: Tensor) -> np.ndarray:
    return ((one - other).abs().sum(-1) / 2).double().mean(1).cpu().numpy()
