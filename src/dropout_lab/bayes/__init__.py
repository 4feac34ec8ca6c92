"""Dropout whose rates are learned: variational Gaussian dropout and concrete dropout.

Both add a regularizer in nats to the loss: a divergence of the weights' approximate posterior from a prior, for the
whole data set. With a loss in nats per example and N training examples, minimize ``loss + sum(layer.regularizer() for
…) / N``.
"""

from dropout_lab.bayes.divergences import cubic_kl, exact_kl, sigmoid_kl
from dropout_lab.bayes.layers import ConcreteDropout, LearnedGaussianDropout, concrete_mask

__all__ = ["ConcreteDropout", "LearnedGaussianDropout", "concrete_mask", "cubic_kl", "exact_kl", "sigmoid_kl"]
