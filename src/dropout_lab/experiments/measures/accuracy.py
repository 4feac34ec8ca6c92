"""Error and likelihood, on the test part and on the training part."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dropout_lab.experiments.trained import Trained, example_losses


def error(trained: Trained) -> dict[str, np.ndarray]:
    """``error``: misclassified test examples in percent, (S,)."""
    return {"error": percent_wrong(trained.outputs(), trained.labels())}


def train_error(trained: Trained) -> dict[str, np.ndarray]:
    """``train_error``: misclassified training examples in percent, (S,), against the labels that were trained on."""
    return {"train_error": percent_wrong(trained.outputs("train"), trained.labels("train"))}


def nll(trained: Trained) -> dict[str, np.ndarray]:
    """``nll``: the mean test loss, (S,): negative log-likelihood in nats, or the squared error for regression."""
    return {"nll": mean(trained, trained.outputs(), trained.labels())}


def train_nll(trained: Trained) -> dict[str, np.ndarray]:
    """``train_nll``: the mean training loss without noise, (S,), against the labels that were trained on."""
    return {"train_nll": mean(trained, trained.outputs("train"), trained.labels("train"))}


def percent_wrong(outputs: Tensor, labels: Tensor) -> np.ndarray:
    """Misclassified examples in percent, (S,), for outputs (S, n, classes) and labels (S, n).

    An output that is not a number is wrong.
    """
    right = (outputs.argmax(-1) == labels) & outputs.isfinite().all(-1)
    return 100 * (~right).double().mean(1).cpu().numpy()


def mean(trained: Trained, outputs: Tensor, labels: Tensor) -> np.ndarray:
    """Each replica's mean loss, (S,), summed in double precision."""
    return example_losses(trained.dataset, outputs, labels).double().mean(1).cpu().numpy()
