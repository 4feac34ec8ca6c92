"""What is measured on a trained stack: each function takes a ``Trained`` and returns named arrays with a first axis S."""

from dropout_lab.experiments.measures.accuracy import error, nll, train_error, train_nll

__all__ = ["error", "nll", "train_error", "train_nll"]
