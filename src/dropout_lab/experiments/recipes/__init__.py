"""The recipes of the book: the arms of its experiments, fixed before their numbers were seen, and their scales.

Each experiment is a function that takes the recipe it varies as ``base`` and returns its arms: a map from their names
to recipes. So one experiment runs at the scale of the :func:`book`, small enough for two cores, and at that of a
:func:`paper`, for a machine with time. Settings were chosen on tuning seeds (:func:`.replicas.tuning`), on which no
result is reported. The arms of a chapter stand in a module of their own: :mod:`~.recipes.interpretations`,
:mod:`~.recipes.regularizers`, :mod:`~.recipes.flatness`, :mod:`~.recipes.variants`, :mod:`~.recipes.guidance`, and the
quick ones in :mod:`~.recipes.practice`. Those of :mod:`~.recipes.calibration` are linear models with a closed form.

>>> list(error_against_keep_prob())[:2]
['hidden 1', 'hidden 0.9']
>>> list(variants.sequences())
['none', 'output', 'each step', 'one mask']
"""

from dropout_lab.experiments.recipes import (
    calibration,
    flatness,
    guidance,
    interpretations,
    practice,
    regularizers,
    variants,
)
from dropout_lab.experiments.recipes.scales import (
    FULL,
    HIDDEN_SWEEP,
    MNIST,
    Scale,
    book,
    error_against_keep_prob,
    paper,
)

__all__ = [
    "FULL",
    "HIDDEN_SWEEP",
    "MNIST",
    "Scale",
    "book",
    "calibration",
    "error_against_keep_prob",
    "flatness",
    "guidance",
    "interpretations",
    "paper",
    "practice",
    "regularizers",
    "variants",
]
