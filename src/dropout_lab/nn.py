"""The family of variants as torch modules: :mod:`dropout_lab.functional` with its arguments remembered.

``train()`` switches the noise on, ``eval()`` off. Every module's ``forward`` takes ``generator=`` as its function does.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from dropout_lab import functional, noise


class _Noise(torch.nn.Module):
    """What all members share: the keep probability, checked once, and one way to show the arguments."""

    def __init__(self, keep_prob: float) -> None:
        super().__init__()
        self.keep_prob = noise.check_keep_prob(keep_prob)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name in self._shown)

    _shown: tuple[str, ...] = ("keep_prob",)


class _Rescaled(_Noise):
    """A member that exists in both conventions."""

    def __init__(self, keep_prob: float, rescale: bool) -> None:
        super().__init__(keep_prob)
        self.rescale = rescale

    _shown = ("keep_prob", "rescale")


class Dropout(_Rescaled):
    """Drop each element by itself: :func:`dropout_lab.functional.dropout`. Input of any shape."""

    def __init__(self, keep_prob: float = 0.5, *, rescale: bool = True) -> None:
        super().__init__(keep_prob, rescale)

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        return functional.dropout(
            x, self.keep_prob, training=self.training, rescale=self.rescale, generator=generator
        )


class GaussianDropout(_Noise):
    """Multiply by Gaussian noise: :func:`dropout_lab.functional.gaussian_dropout`. Input of any shape."""

    def __init__(self, keep_prob: float = 0.5) -> None:
        super().__init__(keep_prob)

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        return functional.gaussian_dropout(x, self.keep_prob, training=self.training, generator=generator)
