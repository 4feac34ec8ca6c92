"""Proofs in SymPy about networks with a symbolic number of masked units. This package never imports torch.

There are three ways to prove a statement here. Each starts from the definition, ends in a closed form that the author
wrote independently, and is handed to :func:`dropout_lab.claims.prove`, which also evaluates the definition at small
sizes and random exact rationals, a second way that shares nothing with the first.

1. *Averaging over the masks*: :func:`expectation`, :func:`variance`, :func:`covariance`. The expression is a
   polynomial of degree at most two in independent Bernoulli masks, or the log-odds of a softmax whose logits are linear
   in them. Indexed sums keep the number n of masks a symbol; E r_i = p_i and E r_i r_j = p_i p_j +
   p_i (1 − p_i) δ_ij do the rest.
2. *Induction*: :func:`induction`. One more unit is added, the one new coin is averaged over by its two outcomes, and
   the closed form has to grow by just that; at n = 0 it has to be the definition's value without units.
3. *Identities in symbolic parameters*: :func:`identity` evaluates integrals, derivatives, limits and finite sums, and
   :func:`solution` solves an equation that was itself derived, such as the stationarity of an expected loss.

Gradients of losses are taken by :func:`gradient`, and :func:`equal` compares two expressions with sums in canonical
form. For falsifiers, :func:`enumerated` averages over a finite joint distribution of the masks, correlated ones too,
at given numbers, exactly.
"""

from __future__ import annotations

from dropout_lab._extras import require

require(__name__)

from dropout_lab.symbolic import exceptions, lemmas, rules, tied
from dropout_lab.symbolic.attack import Attack, attacked
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.derivations import Derivation, covariance, expectation, variance
from dropout_lab.symbolic.enumeration import enumerated
from dropout_lab.symbolic.identities import Identity, Solution, identity, solution
from dropout_lab.symbolic.induction import Induction, induction
from dropout_lab.symbolic.inductive import Induction as ByInduction
from dropout_lab.symbolic.inductive import Statement
from dropout_lab.symbolic.instances import Instance
from dropout_lab.symbolic.lines import Line, NotDerived, Remainder
from dropout_lab.symbolic.masks import Masks, NotProved
from dropout_lab.symbolic.operators import (
    Cov,
    Definition,
    ImaginaryPart,
    Mean,
    ProductOverMasks,
    Random,
    SumOverMasks,
    Unknown,
    Var,
    Weight,
)
from dropout_lab.symbolic.sums import equal, gradient

__all__ = [
    "Attack",
    "ByInduction",
    "Chain",
    "Cov",
    "Definition",
    "Derivation",
    "Identity",
    "ImaginaryPart",
    "Induction",
    "Instance",
    "Line",
    "Masks",
    "Mean",
    "NotDerived",
    "NotProved",
    "ProductOverMasks",
    "Random",
    "Remainder",
    "Solution",
    "Statement",
    "SumOverMasks",
    "Unknown",
    "Var",
    "Weight",
    "attacked",
    "covariance",
    "enumerated",
    "equal",
    "exceptions",
    "expectation",
    "gradient",
    "identity",
    "induction",
    "lemmas",
    "rules",
    "solution",
    "tied",
    "variance",
]
