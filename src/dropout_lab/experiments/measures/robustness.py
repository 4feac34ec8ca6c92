"""Measures of how much a trained network changes when units are removed or disturbed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.draws import NormalDraws
from dropout_lab.experiments.measures.activations import recorded
from dropout_lab.experiments.measures.outcome import need_classes, percent_wrong
from dropout_lab.experiments.networks import At, Place
from dropout_lab.experiments.places import Fixed, Recorder
from dropout_lab.experiments.trained import Part, Trained, mean_loss

_EXAMPLES = 1000
#: More of them would save no time and take more memory.
_REMOVED_AT_ONCE = 8


@torch.no_grad()
def single_removal(trained: Trained) -> dict[str, np.ndarray]:
    """Measure what the removal of a single hidden unit changes, over all units of all layers.

    Returns ``worst_flips``, the percentage of predictions that change, and ``worst_nll``, the rise of the loss in nats,
    for the unit that changes most; and ``mean_flips`` and ``mean_nll``, the means over units. Each is (S,), on 500 test
    examples. Raises ValueError for a network without hidden layers, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> list(single_removal(quick()))
    ['worst_flips', 'mean_flips', 'worst_nll', 'mean_nll']
    """
    need_classes(trained)
    inputs, labels = trained.sample(500)
    intact = trained.forward(inputs)
    chosen, loss = intact.argmax(-1), mean_loss(trained.dataset, intact, labels)
    widths = {place.name: one.shape[-1] for place, one in recorded(trained, examples=1).items()}
    # Made at once: small results that stay between large ones that go would leave holes in memory.
    flips, rises = torch.zeros(2, sum(widths.values()), len(trained), dtype=torch.float64, device=inputs.device)
    for row, outputs in enumerate(_each_removed(trained, inputs, widths)):
        flips[row] = 100 * (outputs.argmax(-1) != chosen).double().mean(1)
        rises[row] = (mean_loss(trained.dataset, outputs, labels) - loss).double()
    return {
        "worst_flips": flips.amax(0).cpu().numpy(),
        "mean_flips": flips.mean(0).cpu().numpy(),
        "worst_nll": rises.amax(0).cpu().numpy(),
        "mean_nll": rises.mean(0).cpu().numpy(),
    }


@torch.no_grad()
def half_removed(trained: Trained, draws: int = 5) -> dict[str, np.ndarray]:
    """Measure the test error with half the units of each hidden layer removed, and the others doubled.

    Returns ``half_removed_error`` (S,), in percent, the mean over ``draws`` choices of units, each the same for all
    examples. Raises ValueError for a network without hidden layers, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> half_removed(quick())["half_removed_error"].shape
    (2,)
    """
    streams = trained.streams(1)
    errors = [_error(trained, Fixed(trained.network, _halves(trained, streams))) for _ in range(draws)]
    return {"half_removed_error": np.mean(errors, 0)}


@torch.no_grad()
def most_active_removed(trained: Trained) -> dict[str, np.ndarray]:
    """Measure the test error with the more active half of each hidden layer removed, and nothing rescaled.

    Returns ``most_active_removed_error`` (S,), in percent. The units of a layer are ordered by their mean activation on
    training examples, and those above the middle are removed. It is a set of units that dropout practically never
    draws, and there is no draw in it. Raises ValueError for a network without hidden layers, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> most_active_removed(quick())["most_active_removed_error"].shape
    (2,)
    """
    places, at = recorded(trained, examples=1), Recorder()
    trained.forward(trained.sample(_EXAMPLES, "train")[0], at)
    left = {}
    for place in places:
        activity = at.values[place.name].double().mean(1)
        ranks = activity.argsort(dim=-1, descending=True, stable=True).argsort(-1)
        left[place.name] = (ranks >= activity.shape[-1] // 2).float().unsqueeze(1)
    return {"most_active_removed_error": _error(trained, Fixed(trained.network, left))}


def parts_alone(parts: int = 8) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of what a part of the last hidden layer does without the others, which are removed.

    A part is a run of neighboring units, as equal in number as can be; what it adds to the outputs is multiplied by the
    number of units over that of its own. The measure returns ``part_error`` and ``part_train_error``, each (S,), in
    percent, the means over the ``parts``. It raises ValueError for more parts than units, for a network whose last
    layer reads no hidden place, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> list(parts_alone(2)(quick()))
    ['part_error', 'part_train_error']
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        need_classes(trained)
        last = trained.network.layers[-1]
        places = [place for place in trained.network.of_kind("hidden") if last in place.readers]
        if not places:
            raise ValueError(
                f"the measure looks at hidden units that the last layer reads; {trained.network!r} has none"
            )
        units = trained.parameters[last.weight].shape[1]
        if not 0 < parts <= units:
            raise ValueError(f"parts must lie in 1 … {units}, the units there are; got {parts}")
        part_of = torch.arange(units, device=trained.device) * parts // units
        alone = torch.eye(parts, device=trained.device)[part_of].T
        factors = {places[0].name: (alone * units / alone.sum(1, keepdim=True)).unsqueeze(0)}

        def wrong(part: Part) -> np.ndarray:
            inputs, labels = trained.sample(_EXAMPLES, part)
            outputs = trained.forward_sets(inputs, factors)
            return percent_wrong(outputs.flatten(1, 2), labels.repeat_interleave(parts, 1))

        return {"part_error": wrong("test"), "part_train_error": wrong("train")}

    return measure


def disturbed(deviation: float = 0.5, draws: int = 5) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of the test error under noise *added* to the hidden activations, on which no network was trained.

    The noise is Gaussian, independent for each example and unit, with ``deviation`` times the layer's root mean square.
    The measure returns ``disturbed_error`` (S,), in percent, the mean over ``draws``. It raises ValueError for a
    network without hidden layers, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> disturbed(0.5)(quick())["disturbed_error"].shape
    (2,)
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        at = _Added(recorded(trained, examples=1), deviation, NormalDraws(trained.streams(2)))
        return {"disturbed_error": np.mean([_error(trained, at) for _ in range(draws)], 0)}

    return measure


class _Added(At):
    """Adds noise at some places, in proportion to what is there."""

    def __init__(self, places: Collection[Place], deviation: float, normal: NormalDraws) -> None:
        self._places = places
        self._deviation = deviation
        self._normal = normal

    def __call__(self, place: Place, values: Tensor) -> Tensor:
        if place not in self._places:
            return values
        scale = self._deviation * values.square().mean((1, 2), keepdim=True).sqrt()
        return values + scale * self._normal.draw(tuple(values.shape[1:])).to(values.device)


def _each_removed(trained: Trained, inputs: Tensor, widths: Mapping[str, int]) -> Iterator[Tensor]:
    """The outputs (S, b, outputs) without each unit in turn, of places with so many units."""
    for place, width in widths.items():
        for without in (1 - torch.eye(width, device=inputs.device)).split(_REMOVED_AT_ONCE):
            yield from trained.forward_sets(inputs, {place: without.unsqueeze(0)}).unbind(2)


def _halves(trained: Trained, streams: list[np.random.Generator]) -> dict[str, Tensor]:
    """For each hidden layer, a factor (S, 1, n) of 2 for half the units, chosen by each replica's stream, and of 0."""
    factors = {}
    for place, values in recorded(trained, examples=1).items():
        units = values.shape[-1]
        orders = np.stack([source.permutation(units) for source in streams])
        kept = torch.from_numpy(orders).to(values.device) < (units + 1) // 2
        factors[place.name] = (kept.to(values.dtype) * (units / ((units + 1) // 2))).unsqueeze(1)
    return factors


def _error(trained: Trained, at: At) -> np.ndarray:
    inputs, labels = trained.sample(_EXAMPLES)
    return percent_wrong(trained.forward(inputs, at), labels)
