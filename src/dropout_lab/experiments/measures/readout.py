"""Measures of how information about the class lies in hidden units: in each alone, in a few, or in many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.measures.activations import recorded
from dropout_lab.experiments.measures.outcome import need_classes, percent_wrong
from dropout_lab.experiments.places import Recorder
from dropout_lab.experiments.trained import Part, Trained

_EXAMPLES = 1000
#: The read-out's ridge, relative to the mean square of the activations it reads.
_RIDGE = 1e-2


def unit_information(trained: Trained) -> dict[str, np.ndarray]:
    """Measure how much one hidden unit by itself tells about the class.

    Returns ``unit_information1``, … for each hidden layer, each (S,). It is the correlation ratio of a unit: the
    variance of its mean activation between the classes, divided by its variance over all test examples; 0 where the
    classes look alike to it, 1 where it is a function of the class. The mean is taken over the units that change at
    all. Raises ValueError for a network without hidden layers, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> list(unit_information(quick()))
    ['unit_information1', 'unit_information2']
    """
    need_classes(trained)
    labels = trained.sample(_EXAMPLES)[1]
    classes = _one_hot(trained, labels)
    counts = classes.sum(1).unsqueeze(-1)
    found = {}
    for place, values in recorded(trained, examples=_EXAMPLES).items():
        values = values.double()
        centered = values - values.mean(1, keepdim=True)
        means = torch.bmm(classes.transpose(1, 2), centered) / counts.clamp_min(1)
        between = (counts * means.square()).sum(1)
        share = between / centered.square().sum(1)
        found[f"unit_information{place.number}"] = share.nanmean(1).cpu().numpy()
    return found


@torch.no_grad()
def decision_units(trained: Trained) -> dict[str, np.ndarray]:
    r"""Measure the effective number of units behind a decision, among those that the last layer reads.

    Returns ``decision_units`` (S,), the mean over test examples. Unit j adds :math:`c_j = h_j (w_{ja} - w_{jb})` to the
    lead of the chosen class a over the runner-up b. The number is the participation ratio :math:`(\sum_j |c_j|)^2 /
    \sum_j c_j^2` of these contributions: 1 where one unit decides, n where n decide equally. Raises ValueError for a
    network whose last layer reads the inputs, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> decision_units(quick())["decision_units"].shape
    (2,)
    """
    return {"decision_units": _participation(_contributions(trained)[1]).nanmean(1).cpu().numpy()}


def decision_units_among(count: int = 16) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure like :func:`decision_units`, among the same number of *active* units in every network.

    A network whose layer is sparser has fewer units to decide with; here that is held fixed. For each example ``count``
    of the units that are not 0 are drawn at random. The measure returns ``decision_units_among`` (S,), the effective
    number among these, the mean over the examples with so many, and ``active_units`` (S,), the number of units that are
    not 0, the mean over all examples. It raises ValueError for a count below 1 or above the number of units, for a
    network whose last layer reads the inputs, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> list(decision_units_among(2)(quick()))
    ['decision_units_among', 'active_units']
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        hidden, shares = _contributions(trained)
        if not 0 < count <= hidden.shape[-1]:
            raise ValueError(f"count must lie in 1 … {hidden.shape[-1]}, the units there are; got {count}")
        active = hidden != 0
        draws = np.stack([source.random(tuple(hidden.shape[1:])) for source in trained.streams(13)])
        # Numbers from 0 to 1 for active units, and 2 for the others, which come last.
        order = torch.where(active, torch.from_numpy(draws).to(hidden.device), 2.0).argsort(-1)[..., :count]
        enough = active.sum(-1) >= count
        ratio = torch.where(enough, _participation(shares.gather(-1, order)), torch.nan)
        found = {"decision_units_among": ratio.nanmean(1), "active_units": active.sum(-1).double().mean(1)}
        return {name: values.cpu().numpy() for name, values in found.items()}

    return measure


def few_units(counts: Sequence[int] = (16, 128), draws: int = 5) -> Callable[[Trained], dict[str, np.ndarray]]:
    """Make a measure of what a linear read-out gets from a few random units of those that the last layer reads.

    For each of ``counts``, so many units are drawn, and a ridge regression onto the classes is fitted to their
    activations on the training examples. The measure returns ``readout_error`` (S, len(counts)), the test error of the
    regression in percent, the mean over ``draws`` choices of units. It raises ValueError for a count of more units than
    there are, for a network whose last layer reads the inputs, and for regression.

    >>> from dropout_lab.experiments.training import quick
    >>> few_units((2, 4))(quick())["readout_error"].shape
    (2, 2)
    """

    @torch.no_grad()
    def measure(trained: Trained) -> dict[str, np.ndarray]:
        need_classes(trained)
        seen, _, answers = _last_read(trained, "train")
        unseen, _, labels = _last_read(trained, "test")
        seen, unseen = seen.double(), unseen.double()
        if not 0 < min(counts) <= max(counts) <= seen.shape[-1]:
            raise ValueError(f"counts must lie in 1 … {seen.shape[-1]}, the units there are; got {tuple(counts)}")
        targets = _one_hot(trained, answers)
        sources = trained.streams(11)
        errors = np.zeros((len(trained), len(counts)))
        for _ in range(draws):
            orders = torch.from_numpy(np.stack([source.permutation(seen.shape[-1]) for source in sources]))
            for column, count in enumerate(counts):
                chosen = orders[:, :count].to(seen.device)
                predicted = _read(_units(seen, chosen), targets, _units(unseen, chosen))
                errors[:, column] += percent_wrong(predicted, labels) / draws
        return {"readout_error": errors}

    return measure


def _contributions(trained: Trained) -> tuple[Tensor, Tensor]:
    """What the last layer reads on test examples (S, b, n), and how much each unit adds to the lead, |c| (S, b, n)."""
    need_classes(trained)
    hidden, outputs, _ = _last_read(trained, "test")
    weight = trained.parameters[trained.network.layers[-1].weight]
    first, second = outputs.topk(2, dim=-1).indices.unbind(-1)
    columns = weight.transpose(1, 2)
    lead = _rows(columns, first) - _rows(columns, second)
    return hidden, (hidden * lead).double().abs()


def _participation(shares: Tensor) -> Tensor:
    """(Σc)²/Σc² over the last axis; not a number where all are 0."""
    return shares.sum(-1).square() / shares.square().sum(-1)


def _last_read(trained: Trained, part: Part) -> tuple[Tensor, Tensor, Tensor]:
    """What the last layer reads (S, b, n), its outputs, and labels (S, b), of up to 1000 examples of a part."""
    last = trained.network.layers[-1]
    if last in trained.network.reader("input"):
        raise ValueError(f"the measure looks at hidden units; the last layer of {trained.network!r} reads the inputs")
    inputs, labels = trained.sample(_EXAMPLES, part)
    at = Recorder()
    outputs = trained.forward(inputs, at)
    return at.read[last.weight], outputs, labels


def _one_hot(trained: Trained, labels: Tensor) -> Tensor:
    """Labels (S, b) as float64 (S, b, K)."""
    # Its own function: in one made at run time, cloudpickle takes the attribute ``classes`` for ``torch.classes``.
    return F.one_hot(labels, trained.dataset.classes).double()


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    """Rows (S, b) of stacked tables (S, K, n), as (S, b, n)."""
    return table.gather(1, rows.unsqueeze(-1).expand(-1, -1, table.shape[-1]))


def _units(values: Tensor, chosen: Tensor) -> Tensor:
    """Columns ``chosen`` (S, k) of values (S, b, n), and a constant."""
    picked = values.gather(2, chosen.unsqueeze(1).expand(-1, values.shape[1], -1))
    return F.pad(picked, (0, 1), value=1.0)


def _read(seen: Tensor, targets: Tensor, unseen: Tensor) -> Tensor:
    """Ridge regression onto the targets (S, b, K), fitted on what was seen and read from the unseen."""
    gram = torch.bmm(seen.transpose(1, 2), seen)
    scale = gram.diagonal(dim1=1, dim2=2).mean(1).view(-1, 1, 1)
    penalized = gram + _RIDGE * scale * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.bmm(unseen, torch.linalg.solve(penalized, torch.bmm(seen.transpose(1, 2), targets)))
