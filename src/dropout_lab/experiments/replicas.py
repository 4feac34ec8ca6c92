"""Runs of experiments: seeds × arms, trained as stacks and handed to workers by joblib.

A stack's numbers depend on the stack alone: which replicas share one is decided by the arms and the seeds, never by the
workers, each of which computes with one torch thread. By default the workers are local processes, one a core; under
``joblib.parallel_config`` they are what it says, a Dask or Ray cluster included (``backend="dask"`` inside a Dask
client; ``backend="ray", n_jobs=-1`` after ``ray.util.joblib.register_ray()``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import joblib
import numpy as np
import torch
from tqdm import tqdm

from dropout_lab import pinned
from dropout_lab.experiments import digests, store
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.described import described
from dropout_lab.experiments.plan import VARIED, Recipe, Replica
from dropout_lab.experiments.trained import Trained
from dropout_lab.experiments.training import train

__all__ = ["Measure", "Recipe", "Replica", "Results", "Trained", "place", "reported", "run", "stacks", "tuning"]

#: Looks at a stack and returns named arrays whose first axis is the replicas.
Measure = Callable[[Trained], Mapping[str, np.ndarray]]

#: About so many replicas in a stack, two thirds to one and a half times as many: fewer waste time on calls, more fall
#: out of the processor's cache.
STACK_SIZE = 32
#: Seeds from here on are for tuning, those below for what is reported.
_TUNING = 1_000_000
#: The environment variable that numbers a replication, how many seeds each has, and how many there are in a series.
REPLICATION = "DROPOUT_LAB_REPLICATION"
_SEEDS = 1000
_REPLICATIONS = 100
_SERIES = _TUNING // (_SEEDS * _REPLICATIONS)


def reported(count: int, series: int = 0) -> range:
    """Return the seeds of a result that is reported: the first ``count`` from 0.

    In the next ``series`` they start at 100 000: an experiment that is designed again takes seeds that nobody had
    looked at when its rule was written. Where the environment variable ``DROPOUT_LAB_REPLICATION`` holds a number k,
    the seeds start 1000 k later: the same experiment with others again. Raises ValueError for more than 1000 seeds, a
    series that is not from 0 to 9, or a k that is not a number from 0 to 99.

    >>> reported(3), reported(3, series=1)
    (range(0, 3), range(100000, 100003))
    """
    if not 0 < count <= _SEEDS:
        raise ValueError(f"a result has from 1 to {_SEEDS} seeds, got {count}")
    if series not in range(_SERIES):
        raise ValueError(f"series is a number from 0 to {_SERIES - 1}, got {series!r}")
    number = os.environ.get(REPLICATION) or "0"
    if not number.isdecimal() or int(number) >= _REPLICATIONS:
        raise ValueError(f"{REPLICATION} must be a number from 0 to {_REPLICATIONS - 1}, got {number!r}")
    first = (series * _REPLICATIONS + int(number)) * _SEEDS
    return range(first, first + count)


def tuning(count: int) -> range:
    """Return the seeds for choosing settings; no result is reported on them.

    >>> tuning(3)
    range(1000000, 1000003)
    """
    return range(_TUNING, _TUNING + count)


class Results(Mapping[str, Mapping[str, np.ndarray]]):
    """The results of an experiment: ``results["arm"]["error"]`` is an array (seeds, …), in the order of ``seeds``.

    ``digest`` is that of the experiment: its data, its arms, its seeds but for the number of a replication, and its
    measures. ``description`` says the same in words. Results that :func:`run` did not make have neither.

    >>> Results([0, 1], {"none": {"error": np.array([3.0, 4.0])}}).table("error")
    array([[3.],
           [4.]])
    """

    def __init__(
        self,
        seeds: Sequence[int],
        values: dict[str, dict[str, np.ndarray]],
        digest: str | TypeError | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        self.seeds = tuple(seeds)
        self.description = description
        self._values = values
        self._digest = digest

    @property
    def digest(self) -> str:
        """The digest of the experiment, 64 hexadecimal digits. Raises TypeError if there is none, and says why."""
        if isinstance(self._digest, str):
            return self._digest
        raise self._digest or TypeError("these results were not made by replicas.run, so they have no digest")

    def __getitem__(self, arm: str) -> Mapping[str, np.ndarray]:
        if arm not in self._values:
            raise KeyError(f"no arm {arm!r}; the arms are {', '.join(map(repr, self._values))}")
        return self._values[arm]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def table(self, quantity: str, arms: Sequence[str] | None = None) -> np.ndarray:
        """Return one quantity of several arms (all by default) side by side: (seeds, arms, …)."""
        return np.stack([self[arm][quantity] for arm in (self if arms is None else arms)], axis=1)

    def __repr__(self) -> str:
        return f"Results({len(self)} arms × {len(self.seeds)} seeds: {', '.join(self)})"


def run(
    dataset: Dataset,
    arms: Mapping[str, Recipe],
    seeds: Sequence[int],
    measure: Measure | Sequence[Measure],
    *,
    workers: int | None = None,
    progress: bool | None = None,
    device: str = "cpu",
) -> Results:
    """Train every arm with every seed and measure it.

    Arms are paired: a seed fixes the split, the noisy labels, the initial weights (for networks of one shape) and the
    order of the batches in each arm. ``workers`` is the number of processes; None stands for what
    ``joblib.parallel_config`` says, or else for all cores. ``progress`` shows a line of the stacks done; None shows it
    where a person watches a terminal. Where the environment variable ``DROPOUT_LAB_STORE`` names a folder, finished
    stacks are kept there and not trained again. Raises ValueError for no arm, no seed or a repeated one.

    >>> from dropout_lab.experiments import data, measures
    >>> from dropout_lab.experiments.networks import MLP
    >>> arms = {"none": Recipe(network=MLP((4,)), train_size=50, steps=5)}
    >>> run(data.digits(), arms, [0, 1], measures.error, workers=1)
    Results(1 arms × 2 seeds: none)
    """
    seeds = [int(seed) for seed in seeds]
    if not arms or not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"expected at least one arm and distinct seeds, got {len(arms)} arms and seeds {seeds}")
    measures = [measure] if callable(measure) else list(measure)
    planned = stacks(arms, seeds)
    jobs = min(len(planned), _workers(workers))
    configured = pinned.joblib_is_configured()
    done: Iterable[Mapping[str, np.ndarray]]
    if jobs == 1 and not configured:
        done = (_measured(dataset, stack, measures, device) for stack in planned)
    else:
        # As they are done, where the backend can: Ray's hands them over all at once.
        as_done = "generator" if pinned.joblib_hands_over_one_by_one() else "list"
        pool = joblib.Parallel(n_jobs=jobs if workers or not configured else None, return_as=as_done)
        done = pool(joblib.delayed(_measured)(dataset, stack, measures, device) for stack in planned)
    shown = sys.stderr.isatty() if progress is None else progress
    found: dict[tuple[str, int], Mapping[str, np.ndarray]] = {}
    for stack, measured in zip(planned, tqdm(done, "stacks", len(planned), disable=not shown), strict=True):
        for row, replica in enumerate(stack):
            found[replica.arm, replica.seed] = {name: values[row] for name, values in measured.items()}
    values = {}
    for arm in arms:
        of_seeds = [found[arm, seed] for seed in seeds]
        values[arm] = {name: np.stack([one[name] for one in of_seeds]) for name in of_seeds[0]}
    digest = _digest(dataset, arms, seeds, measures)
    known = digest if isinstance(digest, str) else None
    return Results(
        seeds, values, digest, described(dataset, arms, seeds, measures, list(next(iter(values.values()))), known)
    )


def stacks(arms: Mapping[str, Recipe], seeds: Sequence[int]) -> list[list[Replica]]:
    """Return which replicas are trained together: those of one form, in stacks of about 32.

    >>> [len(stack) for stack in stacks({"none": Recipe(), "longer": Recipe(steps=2000)}, range(40))]
    [40, 40]
    """
    groups: list[tuple[tuple, dict[str, tuple], list[Replica]]] = []
    for arm, recipe in arms.items():
        noises = recipe.noise_by_place()
        kinds = {place: noise.kind for place, noise in noises.items()}
        learned = {place: kinds[place] for place, noise in noises.items() if noise.is_learned}
        form = (replace(recipe, **{name: getattr(Recipe(), name) for name in VARIED}), learned)
        members = [Replica(arm, seed, recipe) for seed in seeds]
        for other, shared, group in groups:
            if other == form and all(shared.get(place, kind) == kind for place, kind in kinds.items()):
                shared.update(kinds)
                group.extend(members)
                break
        else:
            groups.append((form, kinds, members))
    planned = []
    for _, _, group in groups:
        count = max(1, round(len(group) / STACK_SIZE))
        cuts = [len(group) * part // count for part in range(count + 1)]
        planned += [group[start:end] for start, end in pairwise(cuts)]
    return planned


def _measured(
    dataset: Dataset, stack: Sequence[Replica], measures: Sequence[Measure], device: str
) -> dict[str, np.ndarray]:
    """Train one stack and measure it, with one thread: what a worker does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = store.trained(dataset, stack, device, train)
        found: dict[str, np.ndarray] = {}
        for measure in measures:
            for name, values in measure(trained).items():
                values = np.asarray(values)
                if values.shape[:1] != (len(stack),):
                    raise ValueError(f"{name} has shape {values.shape}; expected a first axis of {len(stack)} replicas")
                if name in found:
                    raise ValueError(f"two measures are called {name!r}")
                found[name] = values
        return found
    finally:
        torch.set_num_threads(threads)


def _digest(
    dataset: Dataset, arms: Mapping[str, Recipe], seeds: Sequence[int], measures: Sequence[Measure]
) -> str | TypeError:
    """The digest, or why there is none: an experiment that settles no claim needs none."""
    try:
        return digests.of_run(dataset, arms, [place(seed) for seed in seeds], measures)
    except TypeError as error:
        return error


def place(seed: int) -> int:
    """Return the seed of the book whose place a seed takes in a replication.

    In the book, and for tuning, that is the seed itself.

    >>> place(7), place(3007)
    (7, 7)
    """
    return seed if seed >= _TUNING else seed - seed // _SEEDS % _REPLICATIONS * _SEEDS


def _workers(workers: int | None) -> int:
    if workers is None:
        return int(joblib.effective_n_jobs(None if pinned.joblib_is_configured() else -1))
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    return workers
