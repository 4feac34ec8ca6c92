"""Keep probabilities that were learned."""

from __future__ import annotations

import numpy as np

from dropout_lab.experiments.trained import Trained


def learned_keep_probs(trained: Trained) -> dict[str, np.ndarray]:
    """``keep_PLACE`` (S,) for each place with a learned rate, the mean over whoever shares a rate.

    1/(1 + α) for Gaussian noise of variance α, the keep probability of matched dropout; σ(logit) for concrete dropout.
    """
    found = {}
    for name, value in trained.parameters.items():
        quantity, _, place = name.partition(".")
        if quantity == "log_alpha":
            found[f"keep_{place}"] = (-value).sigmoid().double().mean((1, 2)).cpu().numpy()
        elif quantity == "logit":
            found[f"keep_{place}"] = value.sigmoid().double().cpu().numpy()
    return found
