"""Which inputs a network's fit to its training set rests on, seen by giving it another example's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dropout_lab.experiments.measures.accuracy import percent_wrong
from dropout_lab.experiments.trained import Trained

_EXAMPLES = 1000


def swapped_inputs(first: int, last: int) -> Callable[[Trained], dict[str, np.ndarray]]:
    """A measure of the training error when the input columns ``first`` … ``last`` − 1 come from another example.

    ``swapped_train_error`` is percent, (S,): each replica shuffles these columns once over its training examples (at
    most 1000) and leaves all other inputs and the labels in place. Negative columns count from the end; ``last`` may be
    0 for the end itself.
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        inputs, labels = trained.sample(_EXAMPLES, "train")
        columns = slice(first, last or None)
        orders = np.stack([source.permutation(inputs.shape[1]) for source in trained.streams(12)])
        rows = torch.from_numpy(orders).to(inputs.device).unsqueeze(-1)
        swapped = inputs.clone()
        swapped[..., columns] = inputs.take_along_dim(rows, 1)[..., columns]
        return {"swapped_train_error": percent_wrong(trained.forward(swapped), labels)}

    return measure
