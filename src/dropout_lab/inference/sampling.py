"""Monte Carlo dropout: predict with the subnetworks that training would draw (Gal and Ghahramani 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from dropout_lab.ensemble.members import evaluating, is_random


class Predictive(NamedTuple):
    """What the drawn subnetworks say together.

    ``mean`` and ``variance`` (between subnetworks, divided by samples − 1) have the shape of the model's output. For
    class probabilities, ``entropy`` is that of the mean, and ``mutual_information`` is what remains of it when the
    mean entropy of the members is taken off (Houlsby et al. 2011): both in nats, one for each example, without the
    axis of classes ("sigmoid" outputs have none). For raw outputs both are None.
    """

    mean: Tensor
    variance: Tensor
    entropy: Tensor | None
    mutual_information: Tensor | None
    samples: int

    @property
    def standard_error(self) -> Tensor:
        """The standard error of ``mean``: √(variance / samples), which is where the K^(−1/2) of Monte Carlo stands."""
        return (self.variance / self.samples).sqrt()


def _entropy_of_classes(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(-1)


def _entropy_of_binary(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities) + torch.special.entr(1 - probabilities)


_READ: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(-1),
    "sigmoid": torch.sigmoid,
    "raw": lambda output: output,
}
_ENTROPY = {"softmax": _entropy_of_classes, "sigmoid": _entropy_of_binary}


@torch.no_grad()
def monte_carlo(
    model: nn.Module,
    x: Tensor,
    samples: int = 100,
    *,
    output: Literal["softmax", "sigmoid", "raw"] = "softmax",
    generator: Generator | None = None,
    batch_size: int | None = None,
    also: tuple[type[nn.Module], ...] = (),
) -> Predictive:
    """Predictions for ``x`` (N, …) from ``samples`` forward passes with the noise of training left on.

    ``output`` reads the model's outputs as logits of the classes on the last axis, as logits of binary outputs, or as
    they are. ``batch_size`` is how many examples a forward pass gets (default: all). Means and variances are
    accumulated in float64, so memory does not grow with ``samples``; they come back in the output's type, without
    gradients.

    Only modules that sample are put into training mode: the layers of this package, torch's dropout layers, its
    recurrent layers and attention with dropout, and the modules that contain those, since their shortcuts for
    ``eval()`` would pass them by. Batch norm stays in ``eval()`` and keeps its statistics. Name classes of your own
    that call ``torch.nn.functional.dropout`` in ``also``. Each module's mode is what it was afterwards, also after an
    error.

    The layers draw from torch's global generators. With ``generator`` these are seeded from it for the time of the
    call, and then are what they were: the same state of ``generator`` gives the same result, for torch's layers too.

    Raises ValueError for a model in which nothing samples, for fewer than two samples, and for a single "softmax"
    class.
    """
    if samples < 2:
        raise ValueError(f"samples must be at least 2, or there is no variance; got {samples}")
    if output not in _READ:
        raise ValueError(f"output must be 'softmax', 'sigmoid' or 'raw', got {output!r}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    layers = [module for module in model.modules() if is_random(module) or isinstance(module, also)]
    if not layers:
        raise ValueError(
            f"nothing to sample: {type(model).__name__} has no dropout layer with a keep_prob strictly between 0 and "
            "1. If a class of yours drops in its forward(), name it: also=(ThatClass,)"
        )
    batches = [x] if batch_size is None else x.split(batch_size)
    with evaluating(model), _seeded(generator, x.device):
        _switch_on(model, set(layers))
        parts = [_sample(model, batch, samples, output) for batch in batches]
    mean, variance, entropy, information = (
        None if column[0] is None else torch.cat(column) for column in zip(*parts, strict=True)
    )
    return Predictive(mean, variance, entropy, information, samples)


def _sample(model: nn.Module, x: Tensor, samples: int, output: str) -> tuple[Tensor | None, ...]:
    """Mean, variance, entropy and mutual information for one batch, by Welford's recurrence."""
    entropy_of = _ENTROPY.get(output)
    mean = squares = member_entropy = torch.zeros((), dtype=torch.float64, device=x.device)
    for count in range(1, samples + 1):
        # A layer that drops in place would leave the next pass a masked input.
        raw = model(x.clone())
        if output == "softmax" and (raw.dim() < 2 or raw.shape[-1] < 2):
            raise ValueError(
                f"expected logits (N, classes) of at least two classes, got shape {tuple(raw.shape)}; "
                "for the logit of a binary output pass output='sigmoid'"
            )
        values = _READ[output](raw.to(torch.float64))
        deviation = values - mean
        mean = mean + deviation / count
        squares = squares + deviation * (values - mean)
        if entropy_of:
            member_entropy = member_entropy + entropy_of(values) / samples
    variance = squares / (samples - 1)
    if entropy_of is None:
        return mean.to(raw.dtype), variance.to(raw.dtype), None, None
    entropy = entropy_of(mean)
    # Rounding can take the difference of two nearly equal entropies below 0, which it never is.
    information = (entropy - member_entropy).clamp(min=0)
    return tuple(part.to(raw.dtype) for part in (mean, variance, entropy, information))


def _switch_on(module: nn.Module, layers: set[nn.Module]) -> bool:
    """Training mode for ``layers`` and for what contains them; True if ``module`` is or contains one."""
    # No short cut: every child has to be visited.
    inside = [_switch_on(child, layers) for child in module.children()]
    module.training = module in layers or any(inside)
    return module.training


@contextmanager
def _seeded(generator: Generator | None, device: torch.device) -> Iterator[None]:
    """torch's global generators, of the CPU and ``device``, seeded from ``generator`` for a while, if there is one."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
