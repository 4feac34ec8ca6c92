"""Experiments on real data: many networks trained at once, measured, and compared by rules fixed beforehand.

An experiment is a call of :func:`.replicas.run` with four things: real data (:mod:`~dropout_lab.experiments.data`);
arms, each a recipe for training (:mod:`~dropout_lab.experiments.plan`) of a network
(:mod:`~dropout_lab.experiments.networks`) with noise at its places (:mod:`~dropout_lab.experiments.stack_noise`,
:mod:`~dropout_lab.experiments.learned`); seeds; and measures of the trained networks
(:mod:`~dropout_lab.experiments.measures`). Its results are paired by seed, and
:mod:`~dropout_lab.experiments.statistics` judges their differences. :mod:`~dropout_lab.experiments.recipes` holds what
the book trains.

Networks are trained in stacks. In the shapes below S is the number of replicas (networks) in a stack, B that of
examples in a batch, N that of examples in a data set.
"""

from dropout_lab._extras import require

require(__name__)

# The modules that are not listed serve a run inside: nobody who plans an experiment calls them.
__all__ = [
    "data",
    "draws",
    "learned",
    "linear",
    "measures",
    "networks",
    "noisy",
    "places",
    "plan",
    "ranks",
    "recipes",
    "replicas",
    "stack_noise",
    "statistics",
    "trained",
    "training",
]
