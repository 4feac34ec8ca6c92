"""The scales of the experiments, that of the book and that of a paper, and the arms of the sweep of error against p."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from dropout_lab.experiments import data
from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.stack_noise import Bernoulli

#: The recipe of the book on MNIST: two hidden layers of 128 ReLUs with He initialization, learning rate 0.05 that
#: decays linearly, momentum 0.9, batches of 50.
MNIST = Recipe(network=MLP((128, 128)), train_size=500, steps=1000)
#: The recipe of a paper: three layers of 1024 ReLUs as in Srivastava et al. (2014, table 2), 100 epochs of all 60 000
#: training images.
FULL = Recipe(
    network=MLP((1024, 1024, 1024)), train_size=60_000, batch_size=100, steps=60_000, learning_rate=0.1, max_norm=3.0
)

#: The keep probabilities of hidden units in the sweep of test error against p.
HIDDEN_SWEEP = (1.0, 0.9, 0.7, 0.5, 0.3)


@dataclass(frozen=True)
class Scale:
    """A scale: where an experiment runs, and on what.

    Attributes
    ----------
    dataset:
        The data.
    base:
        The recipe that the experiment varies.
    seeds:
        The seeds.
    device:
        torch's name of the device.

    >>> book().dataset.name, book().dataset.shape, len(book().seeds)
    ('MNIST digits', (1, 14, 14), 10)
    """

    dataset: Dataset
    base: Recipe
    seeds: range
    device: str


def dense(base: Recipe) -> MLP:
    """Return the network of a recipe whose widths an experiment varies. Raises TypeError if it is no MLP.

    >>> dense(MNIST)
    MLP(hidden=(128, 128), batch_norm=False)
    """
    if not isinstance(base.network, MLP):
        raise TypeError(f"the experiment varies the widths of an MLP, got {base.network!r}")
    return base.network


def book() -> Scale:
    """Return the scale of the book: 5000 MNIST digits of 14×14 pixels, 500 of them for training, ten seeds, on the CPU.

    >>> book().base.network, book().device
    (MLP(hidden=(128, 128), batch_norm=False), 'cpu')
    """
    return Scale(data.mnist(14), MNIST, range(10), "cpu")


def paper(folder: str | Path) -> Scale:
    """Return the scale of a paper: the full MNIST or Fashion-MNIST files in ``folder``, large networks, five seeds.

    It runs on a GPU if there is one, and takes hours on a CPU. Raises FileNotFoundError naming the file that is
    missing.

    >>> paper("no such folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: neither no such folder/train-images-idx3-ubyte nor ...
    """
    return Scale(data.full(folder), FULL, range(5), "cuda" if torch.cuda.is_available() else "cpu")


def error_against_keep_prob(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for test error against p (claim 4.7), with input and hidden dropout told apart.

    ``hidden 1`` has no dropout at all; ``hidden p`` drops hidden units alone; ``input 0.8`` drops inputs alone; and
    ``input 0.8, hidden 0.5`` does both.

    >>> list(error_against_keep_prob())
    ['hidden 1', 'hidden 0.9', 'hidden 0.7', 'hidden 0.5', 'hidden 0.3', 'input 0.8', 'input 0.8, hidden 0.5']
    """
    arms = {f"hidden {keep_prob:g}": base.with_noise(hidden=Bernoulli(keep_prob)) for keep_prob in HIDDEN_SWEEP}
    arms["input 0.8"] = base.with_noise(input=Bernoulli(0.8))
    arms["input 0.8, hidden 0.5"] = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    return arms
