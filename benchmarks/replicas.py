"""How much faster stacks of replicas are than the same networks trained one by one: ratios measured in one run.

``python benchmarks/replicas.py`` prints the table. Ours: 64 networks in two stacks of 32, by two workers of one thread.
The peer: plain torch, ``nn.Linear``, ``nn.Dropout`` and ``torch.optim.SGD``, one network after another, with one thread
or two, whichever is faster. Both sides alternate; times are medians, given for one network."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from dropout_lab.experiments import data, measures, replicas
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.training import Recipe

NETWORKS = 64
KEEP_PROB = 0.5


class Row(NamedTuple):
    """One comparison: the network, median seconds of ours and of the peer for one network, and the ratio wanted."""

    what: str
    ours: float
    reference: float
    wanted: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer ours is."""
        return self.reference / self.ours


def stacked(recipe: Recipe, workers: int) -> float:
    """Seconds for one of 64 networks trained as two stacks."""
    begun = time.perf_counter()
    replicas.run(data.digits(), {"dropout": recipe}, range(NETWORKS), measures.error, workers=workers)
    return (time.perf_counter() - begun) / NETWORKS


def one_by_one(recipe: Recipe, threads: int, networks: int = 2) -> float:
    """Seconds for one network in plain torch, the mean of a few."""
    torch.set_num_threads(threads)
    dataset = data.digits()
    begun = time.perf_counter()
    for seed in range(networks):
        _train(dataset, recipe, seed)
    taken = (time.perf_counter() - begun) / networks
    torch.set_num_threads(1)
    return taken


def _train(dataset: data.Dataset, recipe: Recipe, seed: int) -> float:
    torch.manual_seed(seed)
    split = data.split(dataset, recipe.train_size, seed)
    inputs, labels = torch.from_numpy(dataset.inputs), torch.from_numpy(dataset.labels)
    train, answers = inputs[split.train], labels[split.train]
    sizes = (dataset.features, *recipe.network.hidden)
    layers = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(1 - KEEP_PROB)]
    model = nn.Sequential(*layers, nn.Linear(sizes[-1], dataset.classes))
    optimizer = torch.optim.SGD(model.parameters(), recipe.learning_rate, recipe.momentum)
    loss_of = nn.CrossEntropyLoss()
    for step in range(recipe.steps):
        if step * recipe.batch_size % recipe.train_size == 0:
            order = torch.randperm(recipe.train_size)
        start = step * recipe.batch_size % recipe.train_size
        batch = order[start : start + recipe.batch_size]
        optimizer.zero_grad()
        loss_of(model(train[batch]), answers[batch]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        wrong = model(inputs[split.test]).argmax(1) != labels[split.test]
    return 100 * float(np.mean(wrong.numpy()))


def compare(hidden: tuple[int, ...], batch_size: int, wanted: float, *, steps: int = 300, repeats: int = 5) -> Row:
    """One row of the table."""
    base = Recipe(network=MLP(hidden), train_size=1000, batch_size=batch_size, steps=steps)
    recipe = base.with_noise(hidden=Bernoulli(KEEP_PROB))
    stacked(replace(recipe, steps=2), workers=2)
    one_by_one(replace(recipe, steps=2), 2)
    ours, reference = [], []
    for _ in range(repeats):
        ours.append(stacked(recipe, workers=2))
        reference.append(min(one_by_one(recipe, threads) for threads in (1, 2)))
    name = "-".join(map(str, (64, *hidden, 10)))
    return Row(f"{name}, batch {batch_size}", statistics.median(ours), statistics.median(reference), wanted)


def rows() -> list[Row]:
    """The whole table."""
    torch.set_num_threads(1)
    return [compare((32, 32), 20, 12.0, steps=1000), compare((256, 256), 50, 4.0)]


def main() -> int:
    """Print the table; the exit code says whether every ratio is as large as wanted."""
    found = rows()
    print(f"{'network':28} {'stacked, ms':>12} {'one by one, ms':>15} {'ratio':>7} {'wanted':>7}")
    for row in found:
        print(f"{row.what:28} {1e3 * row.ours:12.1f} {1e3 * row.reference:15.1f} {row.ratio:7.1f} {row.wanted:7.1f}")
    return 0 if all(row.ratio >= row.wanted for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
