"""Means, variances and covariances over masks, worked out in one step.

No claim rests on them. A chain (:class:`~dropout_lab.symbolic.Chain`) derives line by line what these functions only
state.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from dropout_lab.symbolic.masks import Masks, as_families, mean
from dropout_lab.symbolic.sums import canonical, rebuild

_Pairs = Iterable[tuple[sp.Symbol, sp.Symbol]]


def expectation(expression: sp.Expr, masks: Masks | tuple[Masks, ...], *, distinct: _Pairs = ()) -> sp.Expr:
    r"""Compute the mean over the masks of a polynomial of degree at most two in them, for a general number of masks.

    ``masks`` is one :class:`Masks` or a tuple of independent families; ``distinct`` lists pairs of free indices that
    differ. The rules are :math:`\mathbb{E}[r_i] = p_i`, :math:`r_i^2 = r_i` and :math:`\mathbb{E}[r_i r_j] = p_i p_j +
    p_i (1 - p_i)\,\delta_{ij}`. Raises :class:`ValueError` for any other expression.

    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p, h = sp.Symbol("p", positive=True), sp.IndexedBase("h")
    >>> r = Masks(n, p)
    >>> expectation(sp.Sum(r[i] * h[i], (i, 1, n)), r)
    p*Sum(h[i], (i, 1, n))
    """
    return mean(sp.sympify(expression), as_families(masks), _pairs(distinct))


def variance(expression: sp.Expr, masks: Masks | tuple[Masks, ...], *, distinct: _Pairs = ()) -> sp.Expr:
    """Compute the variance over the masks of an expression of degree one in them, for a general number of masks.

    It is E[X²] − (E[X])². The arguments and the errors are those of :func:`expectation`.

    >>> r = Masks(2, sp.Symbol("p", positive=True))
    >>> variance(r[1] + r[2], r)
    2*p*(1 - p)
    """
    return covariance(expression, expression, masks, distinct=distinct)


def covariance(one: sp.Expr, other: sp.Expr, masks: Masks | tuple[Masks, ...], *, distinct: _Pairs = ()) -> sp.Expr:
    """Compute the covariance over the masks of two expressions of degree one in them, for a general number of masks.

    It is E[XY] − E[X] E[Y]. The arguments and the errors are those of :func:`expectation`.

    >>> r = Masks(2, sp.Symbol("p", positive=True))
    >>> covariance(r[1], r[1] + r[2], r)
    p*(1 - p)
    """
    one, other = sp.sympify(one), sp.sympify(other)
    families, pairs = as_families(masks), _pairs(distinct)
    value = mean(one * other, families, pairs) - mean(one, families, pairs) * mean(other, families, pairs)
    return rebuild(canonical(value))


def _pairs(distinct: _Pairs) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
    pairs = tuple(tuple(pair) for pair in distinct)
    if any(len(pair) != 2 or pair[0] == pair[1] for pair in pairs):
        raise ValueError(f"distinct lists pairs of different indices, as in ((i, j),); got {distinct}")
    return pairs
