"""Derivations in SymPy about networks with a symbolic number of masked units. This package never imports torch.

A derivation is a :class:`Chain`: it starts from a quantity in the terms of its definition, with :class:`Mean`,
:class:`Var` and :class:`Cov` over :class:`Masks` as unevaluated operators, and each further line names the rules of
:mod:`dropout_lab.symbolic.rules` that lead to it. A line is accepted if its rules, and nothing else, lead there, and if
its value at small sizes is that of the line before, by going through all masks. A chain can be used as a rule of
another one, a lemma; :class:`Induction` makes a base and a step, each a chain, into a statement for every n.
:func:`dropout_lab.claims.derive` settles a claim by a chain, once :func:`attacked` has tried to get false lines past
it.

Letters are :class:`Definition` (a name for an expression), :class:`Unknown` (a function of which only properties are
known) and :class:`Random` (a random variable of which nothing is known).

Beside the derivations, :func:`expectation`, :func:`variance` and :func:`covariance` work a moment out whole, for
general n, and :func:`gradient` a derivative. For falsifiers, :func:`enumerated` averages over a finite joint
distribution of the masks, correlated ones too, at given numbers, exactly.
"""

from __future__ import annotations

from dropout_lab._extras import require

require(__name__)

from dropout_lab.symbolic import exceptions, lemmas, rules, tied
from dropout_lab.symbolic.attack import Attack, attacked
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.enumeration import enumerated
from dropout_lab.symbolic.induction import Induction, Statement
from dropout_lab.symbolic.letters import Definition, Random, Unknown
from dropout_lab.symbolic.lines import Line, NotDerived, Remainder
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.moments import covariance, expectation, variance
from dropout_lab.symbolic.operators import Cov, ImaginaryPart, Mean, ProductOverMasks, SumOverMasks, Var, Weight
from dropout_lab.symbolic.sums import gradient

__all__ = [
    "Attack",
    "Chain",
    "Cov",
    "Definition",
    "ImaginaryPart",
    "Induction",
    "Line",
    "Masks",
    "Mean",
    "NotDerived",
    "ProductOverMasks",
    "Random",
    "Remainder",
    "Statement",
    "SumOverMasks",
    "Unknown",
    "Var",
    "Weight",
    "attacked",
    "covariance",
    "enumerated",
    "exceptions",
    "expectation",
    "gradient",
    "lemmas",
    "rules",
    "tied",
    "variance",
]
