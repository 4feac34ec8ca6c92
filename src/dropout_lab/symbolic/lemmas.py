"""Chains that others use by name: the mean of a square, the moments of a mask."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.letters import Definition, Random
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Cov, Mean, Var
from dropout_lab.symbolic.rules import (
    algebra,
    covariance_definition,
    definition,
    idempotence,
    linearity,
    mean_of_mask,
    variance_definition,
)


@lru_cache
def mean_of_square() -> Chain:
    """Derive the mean of a square for any random variable Z: E[Z²] = (E[Z])² + Var(Z).

    >>> mean_of_square().end
    E(Z)**2 + Var(Z)
    """
    Z = Random("Z")
    D = Definition("D", Z - Mean(Z), says="the deviation of Z from its mean")
    return (
        Chain(Mean(Z**2), definitions=(D,), name="mean of a square", shared=True)
        .then(Mean((Mean(Z) + D()) ** 2), definition(D), why="Write Z as its mean and its deviation from it.")
        .then(
            Mean(Z) ** 2 + 2 * Mean(Z) * Mean(D()) + Mean(D() ** 2),
            algebra,
            linearity,
            why="Multiply out; the mean of Z is a constant and comes out.",
        )
        .then(Mean(Z) ** 2 + Mean(D() ** 2), definition(D), linearity, why="A deviation has the mean 0.")
        .then(Mean(Z) ** 2 + Var(Z), definition(D), variance_definition, why="The mean square deviation has a name.")
    )


@lru_cache
def mean_of_product() -> Chain:
    """Derive the mean of a product of any two random variables: E[XY] = E[X] E[Y] + Cov(X, Y).

    >>> mean_of_product().end
    Cov(X, Y) + E(X)*E(Y)
    """
    X, Y = Random("X"), Random("Y")
    A, B = (Definition(f"D_{Z}", Z - Mean(Z), says=f"the deviation of {Z} from its mean") for Z in (X, Y))
    return (
        Chain(Mean(X * Y), definitions=(A, B), name="mean of a product")
        .then(
            Mean((Mean(X) + A()) * (Mean(Y) + B())),
            definition(A, B),
            why="Write each of the two as its mean and its deviation from it.",
        )
        .then(
            Mean(X) * Mean(Y) + Mean(X) * Mean(B()) + Mean(Y) * Mean(A()) + Mean(A() * B()),
            algebra,
            linearity,
            why="Multiply out; means are constants and come out.",
        )
        .then(Mean(X) * Mean(Y) + Mean(A() * B()), definition(A, B), linearity, why="A deviation has the mean 0.")
        .then(Mean(X) * Mean(Y) + Cov(X, Y), definition(A, B), covariance_definition)
    )


def variance_of_mask(mask: sp.Indexed, masks: Masks) -> Chain:
    """Derive the variance of a mask of any family: Var(r) = p(1 − p).

    >>> i, n, p = sp.Symbol("i", integer=True), sp.Symbol("n"), sp.Symbol("p", positive=True)
    >>> r = Masks(n, p)
    >>> variance_of_mask(r[i], r).end
    p*(1 - p)
    """
    keep = masks.keep_prob(*mask.indices)
    chain = (
        Chain(Var(mask), masks=masks, name="variance of a mask", shared=True)
        .then(
            Mean(mask**2) - Mean(mask) ** 2, mean_of_square(), why="A variance is a mean square minus a squared mean."
        )
        .then(Mean(mask) - Mean(mask) ** 2, idempotence, why="A mask is 0 or 1.")
        .then(keep - keep**2, mean_of_mask)
    )
    # A number is worked out at once: there is no p to be taken out.
    return chain if keep.is_number else chain.then(keep * (1 - keep), algebra)
