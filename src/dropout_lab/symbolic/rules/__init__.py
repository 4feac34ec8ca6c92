"""The rules that lead from one line of a chain to the next. Each may do one rewriting, and its name is what is
printed."""

from __future__ import annotations

from dropout_lab.symbolic.rules.approximations import expansion, taylor
from dropout_lab.symbolic.rules.base import RULES, Context, Rule
from dropout_lab.symbolic.rules.calculus import below, chain_rule
from dropout_lab.symbolic.rules.functions import (
    by_substitution,
    derivative,
    derivative_of_sum,
    euler,
    exponential_of_logarithm,
    exponential_of_sum,
    homogeneity,
    in_exponentials,
    integral,
    limit,
    linearity_of_imaginary_part,
    linearity_of_integral,
    logarithm,
    pythagoras,
)
from dropout_lab.symbolic.rules.given import definition, fixed_by_log_odds, given, in_letters, substitution, theorem
from dropout_lab.symbolic.rules.index_sums import (
    algebra,
    closed_form,
    delta_picks,
    last_term,
    no_terms,
    split_diagonal,
    sums_of_minima,
    written_out,
)
from dropout_lab.symbolic.rules.inequalities import cauchy_schwarz, jensen, nonnegative, relu_shrinks
from dropout_lab.symbolic.rules.means import (
    idempotence,
    independence,
    linearity,
    mean_as_sum,
    mean_of_integral,
    mean_of_mask,
    symmetry,
    two_outcomes,
    weight_of_mask,
)
from dropout_lab.symbolic.rules.moments import (
    constants_and_variance,
    covariance_definition,
    variance_definition,
    variance_of_sum,
    zero_covariance,
)
from dropout_lab.symbolic.rules.solving import linear_equation, positive

__all__ = [
    "RULES",
    "Context",
    "Rule",
    "algebra",
    "below",
    "by_substitution",
    "cauchy_schwarz",
    "chain_rule",
    "closed_form",
    "constants_and_variance",
    "covariance_definition",
    "definition",
    "delta_picks",
    "derivative",
    "derivative_of_sum",
    "euler",
    "expansion",
    "exponential_of_logarithm",
    "exponential_of_sum",
    "fixed_by_log_odds",
    "given",
    "homogeneity",
    "idempotence",
    "in_exponentials",
    "in_letters",
    "independence",
    "integral",
    "jensen",
    "last_term",
    "limit",
    "linear_equation",
    "linearity",
    "linearity_of_imaginary_part",
    "linearity_of_integral",
    "logarithm",
    "mean_as_sum",
    "mean_of_integral",
    "mean_of_mask",
    "no_terms",
    "nonnegative",
    "positive",
    "pythagoras",
    "relu_shrinks",
    "split_diagonal",
    "substitution",
    "sums_of_minima",
    "symmetry",
    "taylor",
    "theorem",
    "two_outcomes",
    "variance_definition",
    "variance_of_sum",
    "weight_of_mask",
    "written_out",
    "zero_covariance",
]
