"""What one update of one subnetwork does to the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dropout_lab.experiments.places import At
from dropout_lab.experiments.trained import Trained, mean_loss


def members_improved(members: int = 50, learning_rate: float = 0.05) -> Callable[[Trained], dict[str, np.ndarray]]:
    """A measure of how many members of the ensemble one plain gradient step on one member improves.

    One mask an example is drawn for 100 training examples, a step of ``learning_rate`` is taken on their loss, and the
    loss of other draws is compared before and after on the same examples: ``members_improved``, percent, (S,).
    ``unseen_improved`` is the same on 100 test examples.
    """

    def measure(trained: Trained) -> dict[str, np.ndarray]:
        inputs, labels = trained.sample(100, "train")
        others, answers = trained.sample(100)
        learned = {name: value.clone().requires_grad_() for name, value in trained.parameters.items()}
        loss = mean_loss(trained.dataset, trained.forward(inputs, trained.noisy(1), learned), labels)
        slopes = torch.autograd.grad(loss.sum(), list(learned.values()))
        pairs = zip(learned.items(), slopes, strict=True)
        stepped = {name: (value - learning_rate * slope).detach() for (name, value), slope in pairs}
        return {
            "members_improved": _improved(trained, stepped, inputs, labels, members),
            "unseen_improved": _improved(trained, stepped, others, answers, members),
        }

    return measure


@torch.no_grad()
def _improved(
    trained: Trained, stepped: dict[str, torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor, members: int
) -> np.ndarray:
    better = []
    for member in range(members):
        # Two sources with one key draw the same masks: the same member before and after.
        before, after = (
            mean_loss(trained.dataset, trained.forward(inputs, at, parameters), labels)
            for at, parameters in _twins(trained, member, stepped)
        )
        better.append(after < before)
    return 100 * torch.stack(better).double().mean(0).cpu().numpy()


def _twins(trained: Trained, member: int, stepped: dict[str, torch.Tensor]) -> list[tuple[At, dict[str, torch.Tensor]]]:
    return [(trained.noisy(2 + member), parameters) for parameters in (trained.parameters, stepped)]
