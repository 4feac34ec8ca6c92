"""Measures of the outcome of training: error and loss, on test examples and on training examples, and learned rates."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dropout_lab.experiments.learned import Learned
from dropout_lab.experiments.trained import Trained, example_losses


def error(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the test error: the misclassified test examples, in percent.

    Returns ``error`` (S,). Raises ValueError for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> error(quick())["error"].shape
    (2,)
    """
    return {"error": percent_wrong(trained.outputs(), trained.labels())}


def train_error(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the training error: the misclassified training examples, in percent.

    Returns ``train_error`` (S,), without noise and against the labels that were trained on. Raises ValueError for
    regression.

    >>> from dropout_lab.experiments.training import quick
    >>> train_error(quick())["train_error"].shape
    (2,)
    """
    return {"train_error": percent_wrong(trained.outputs("train"), trained.labels("train"))}


def nll(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the mean test loss: the negative log-likelihood in nats, or the squared error for regression.

    Returns ``nll`` (S,).

    >>> from dropout_lab.experiments.training import quick
    >>> nll(quick())["nll"].shape
    (2,)
    """
    return {"nll": mean_losses(trained, trained.outputs(), trained.labels())}


def train_nll(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the mean training loss without noise, against the labels that were trained on.

    Returns ``train_nll`` (S,), in the units of :func:`nll`.

    >>> from dropout_lab.experiments.training import quick
    >>> train_nll(quick())["train_nll"].shape
    (2,)
    """
    return {"train_nll": mean_losses(trained, trained.outputs("train"), trained.labels("train"))}


def learned_keep_probs(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the learned keep probability at each place whose noise learns its rate.

    Returns ``keep_PLACE`` (S,) for each such place, the mean over the units or weights that have rates of their own.
    For Gaussian noise of variance α it is 1/(1 + α), the keep probability of dropout with the same variance; for
    concrete dropout it is the logistic function of the learned logit. Arms that learn no rate give nothing, so that
    they can stand beside others.

    >>> from dropout_lab.experiments.learned import Concrete
    >>> from dropout_lab.experiments.training import quick
    >>> list(learned_keep_probs(quick(hidden=Concrete(0.9)))), learned_keep_probs(quick())
    (['keep_hidden1', 'keep_hidden2'], {})
    """
    return {
        f"keep_{place}": noise.learned_keep_prob(place, trained.parameters).cpu().numpy()
        for place, noise in trained.noisy().noises
        if isinstance(noise, Learned)
    }


def percent_wrong(outputs: Tensor, labels: Tensor) -> np.ndarray:
    """Compute the percentage of misclassified examples.

    ``outputs`` are (S, n, classes), ``labels`` (S, n), and the result (S,). An output that is not a number is wrong.
    Raises ValueError for the labels of a regression.

    >>> import torch
    >>> percent_wrong(torch.tensor([[[2.0, 1.0], [0.0, 3.0]]]), torch.tensor([[0, 0]]))
    array([50.])
    """
    if labels.is_floating_point():
        raise ValueError(
            "an example can be misclassified only where there are classes; these labels are for regression"
        )
    right = (outputs.argmax(-1) == labels) & outputs.isfinite().all(-1)
    return 100 * (~right).double().mean(1).cpu().numpy()


def mean_losses(trained: Trained, outputs: Tensor, labels: Tensor) -> np.ndarray:
    """Compute each replica's mean loss, (S,), summed in double precision."""
    return example_losses(trained.dataset, outputs, labels).double().mean(1).cpu().numpy()


def need_classes(trained: Trained) -> None:
    """Raise ValueError for a regression, which has no classes to choose from."""
    if not trained.dataset.classes:
        raise ValueError(f"the measure needs classes; {trained.dataset.name} is for regression")
