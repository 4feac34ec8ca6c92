"""Experiments on real data: many networks trained at once, measured, and compared by rules fixed beforehand.

:mod:`~dropout_lab.experiments.data` splits real data, :mod:`~dropout_lab.experiments.replicas` trains seeds × arms as
stacks and hands them to workers, :mod:`~dropout_lab.experiments.measures` looks at the trained stacks, and
:mod:`~dropout_lab.experiments.statistics` judges paired differences. :mod:`~dropout_lab.experiments.recipes` holds what
the book trains.
"""

from dropout_lab._extras import require

require(__name__)
