"""False derivations, which the rule named has to refuse by itself: no number is looked at here.

Each was accepted once, by some version of the rules, or is of a kind with one that was.
"""

import pytest
import sympy as sp
from soundness import (
    A,
    E,
    R,
    S,
    Sum,
    a,
    accepted,
    b,
    half,
    i,
    j,
    k,
    m,
    n,
    p,
    r,
    square,
    t,
    u,
    x,
    y,
    z,
)

from dropout_lab.symbolic import (
    Cov,
    Definition,
    Masks,
    Random,
    Var,
)
from dropout_lab.symbolic.rules import (
    algebra,
    closed_form,
    constants_and_variance,
    definition,
    delta_picks,
    exponential_below_one,
    independence,
    independent_covariance,
    jensen,
    last_term,
    linearity,
    logarithm,
    mean_of_mask,
    shifted,
    split_diagonal,
    symmetric_covariance,
    symmetry,
    two_outcomes,
    variance_of_sum,
    written_out,
    zero_covariance,
)

TRUE = {
    "masks of two families": (E(r[i] * R[i, j]), E(r[i]) * E(R[i, j]), independence, {"masks": (r, R)}),
    "neighbours": (E(r[i] * r[i + 1]), E(r[i]) * E(r[i + 1]), independence, {}),
    "indices that differ": (E(r[i] * r[j]), E(r[i]) * E(r[j]), independence, {"distinct": ((i, j),)}),
    "the new mask": (E(r[n + 1] * Sum(r[i], (i, 1, n))), E(r[n + 1]) * E(Sum(r[i], (i, 1, n))), independence, {}),
    "a product": (E(sp.Product(1 + r[i], (i, 1, n))), sp.Product(E(1 + r[i]), (i, 1, n)), independence, {}),
    "a product over two indices": (
        E(sp.Product(1 + R[i, j], (i, 1, n), (j, 1, m))),
        sp.Product(E(1 + R[i, j]), (i, 1, n), (j, 1, m)),
        independence,
        {"masks": R},
    ),
    "a convex function": (square(E(r[1])), E(square(r[1])), jensen, {"relation": "<="}),
    "raised under an integral": (
        sp.Integral(u * sp.exp(-(t**2)), (t, x, x + u)),
        sp.Integral(u, (t, x, x + u)),
        exponential_below_one,
        {"relation": "<="},
    ),
    "raised in a sum": (E(r[2]) + square(E(r[1])), E(r[2]) + E(square(r[1])), jensen, {"relation": "<="}),
    "means under a sum": (
        Sum(a[i] * E(r[i]), (i, 1, n)) ** 2,
        E(Sum(a[i] * r[i], (i, 1, n)) ** 2),
        jensen,
        {"relation": "<="},
    ),
    "a delta": (Sum(a[i] * sp.KroneckerDelta(i, k), (i, 1, n)), a[k], delta_picks, {}),
    "a delta of two ranges that overlap": (
        Sum(a[i] * b[j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 2, n + 1)),
        Sum(a[j] * b[j], (j, 2, n)),
        delta_picks,
        {},
    ),
    "a covariance of two ranges that overlap": (
        Sum(a[i] * b[j] * Cov(r[i], r[j]), (i, 1, n), (j, 2, n + 1)),
        Sum(a[j] * b[j] * Var(r[j]), (j, 2, n)),
        zero_covariance,
        {"masks": Masks(n + 1, p)},
    ),
    "a shifted sum": (Sum(a[i - 1] * b[i], (i, 2, n + 1)), Sum(a[i] * b[i + 1], (i, 1, n)), shifted, {}),
    "a shifted product": (sp.Product(a[i + 2], (i, 0, n)), sp.Product(a[i + 1], (i, 1, n + 1)), shifted, {}),
    "a covariance of different masks": (Cov(2 ** r[1], r[2]), 0, independent_covariance, {}),
    "covariances of pairs": (
        Sum(a[i] * b[j] * Cov(2 ** r[i], 2 ** r[j]), (i, 1, n), (j, 1, n)),
        Sum(a[i] * b[i] * Var(2 ** r[i]), (i, 1, n)),
        independent_covariance,
        {},
    ),
    "covariances of letters": (
        Sum(Cov(z(i), z(j)), (i, 1, n), (j, 1, n)),
        Sum(Var(z(i)), (i, 1, n)),
        independent_covariance,
        {"definitions": (S, z)},
    ),
    "the two sides of a covariance": (Cov(r[2], r[1]) + Cov(r[1], r[2]), 2 * Cov(r[1], r[2]), symmetric_covariance, {}),
    "an exponential": (sp.log(sp.exp(x) * u), x + sp.log(u), logarithm, {}),
    "a real exponent": (sp.log(u**x), x * sp.log(u), logarithm, {}),
    "fair masks": (E(2 ** half[1]), E((2 ** half[1] + 2 ** (1 - half[1])) / 2), symmetry, {"masks": half}),
}


@pytest.mark.parametrize("case", TRUE)
def test_what_holds_is_accepted(case):
    before, after, rule, options = TRUE[case]
    assert accepted(before, after, rule, **options)


FALSE = {
    # independence
    "indices that may be equal": (E(r[i] * r[j]), E(r[i]) * E(r[j]), independence, {}),
    "a sum that holds the mask": (E(r[1] * Sum(r[i], (i, 1, n))), E(r[1]) * E(Sum(r[i], (i, 1, n))), independence, {}),
    "a bound index that looks like the neighbour": (
        E(r[i] * Sum(r[i + 1] * a[i], (i, 1, n))),
        E(r[i]) * E(Sum(r[i + 1] * a[i], (i, 1, n))),
        independence,
        {},
    ),
    "two shifted sums": (
        E(Sum(a[i] * r[i + 1], (i, 1, n)) * Sum(b[i] * r[i + 2], (i, 1, n))),
        E(Sum(a[i] * r[i + 1], (i, 1, n))) * E(Sum(b[i] * r[i + 2], (i, 1, n))),
        independence,
        {},
    ),
    "a triangular sum": (
        E(r[i] * Sum(r[j], (j, 1, i - 1), (i, 1, n))),
        E(r[i]) * E(Sum(r[j], (j, 1, i - 1), (i, 1, n))),
        independence,
        {},
    ),
    "a bound index with the name of one that differs": (
        E(r[j] * Sum(r[i], (i, 1, n))),
        E(r[j]) * E(Sum(r[i], (i, 1, n))),
        independence,
        {"distinct": ((i, j),)},
    ),
    "bound outside, with the names of two that differ": (
        Sum(E(r[i] * r[j]), (i, 1, n), (j, 1, n)),
        Sum(E(r[i]) * E(r[j]), (i, 1, n), (j, 1, n)),
        independence,
        {"distinct": ((i, j),)},
    ),
    "a product of one mask with itself": (
        E(sp.Product(r[1] * a[i], (i, 1, n))),
        sp.Product(E(r[1] * a[i]), (i, 1, n)),
        independence,
        {},
    ),
    "a product of neighbours": (
        E(sp.Product(r[i] * r[i + 1], (i, 1, n))),
        sp.Product(E(r[i] * r[i + 1]), (i, 1, n)),
        independence,
        {},
    ),
    "a product over rows of one column": (
        E(sp.Product(1 + R[i, 1], (i, 1, n), (j, 1, m))),
        sp.Product(E(1 + R[i, 1]), (i, 1, n), (j, 1, m)),
        independence,
        {"masks": R},
    ),
    "a mask inside a function": (E(sp.exp(r[1]) * sp.exp(2 * r[1])), E(sp.exp(r[1])) ** 3, independence, {}),
    "random variables of which nothing is known": (
        E(Random("X") * Random("Y")),
        E(Random("X")) * E(Random("Y")),
        independence,
        {},
    ),
    "a mask in a letter": (E(r[1] * S()), E(r[1]) * E(S()), independence, {}),
    # a mask is 1 or 0
    "the mask under a bound index of its name": (
        E(r[k] * Sum(r[k], (k, 1, n))),
        p * n,
        (two_outcomes(r[k]), algebra),
        {},
    ),
    "the mask in an inner mean": (E(r[1] * E(r[1])), p * E(1), two_outcomes(r[1]), {}),
    "the mask in a letter": (
        E(r[1] * Definition("T", r[1])()),
        p * E(Definition("T", 1)()) + (1 - p) * 0,
        two_outcomes(r[1]),
        {},
    ),
    "the mask elsewhere": (
        E((y - Sum(r[i], (i, 1, n)) - r[k]) ** 2),
        p * E((y - Sum(r[i], (i, 1, n)) - 1) ** 2) + (1 - p) * E((y - Sum(r[i], (i, 1, n))) ** 2),
        two_outcomes(r[k]),
        {},
    ),
    # linearity
    "a mask as the end of a sum": (E(Sum(a[i], (i, 1, r[1]))), Sum(a[i], (i, 1, r[1])), linearity, {}),
    "a mask in a function": (E(sp.exp(r[1])), sp.exp(E(r[1])), linearity, {}),
    "a factor that is random": (E(r[1] * r[2]), r[1] * E(r[2]), linearity, {}),
    "a mask that does not exist": (E(r[n + 1]), p, mean_of_mask, {}),
    "the mean of a function of a mask": (E(2 ** r[1]), 2**p, mean_of_mask, {}),
    # deltas
    "a delta outside the range": (Sum(a[i] * sp.KroneckerDelta(i, 1), (i, 2, n)), a[1], delta_picks, {}),
    "a delta of an outer sum with a longer range": (
        Sum(b[j] * Sum(a[i] * sp.KroneckerDelta(i, j), (i, 1, n)), (j, 1, m)),
        Sum(a[j] * b[j], (j, 1, m)),
        delta_picks,
        {},
    ),
    "the longer of two ranges that overlap": (
        Sum(a[i] * b[j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 2, n + 1)),
        Sum(a[j] * b[j], (j, 2, n + 1)),
        delta_picks,
        {},
    ),
    "two ranges that may be far apart": (
        Sum(a[i] * b[j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 3, n + 2)),
        Sum(a[j] * b[j], (j, 3, n)),
        delta_picks,
        {},
    ),
    "two ranges of which one may end first": (
        Sum(a[i] * b[j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 2, m)),
        Sum(a[j] * b[j], (j, 2, n)),
        delta_picks,
        {},
    ),
    "an overlapping range that depends on an index": (
        Sum(A[i, j] * sp.KroneckerDelta(i, j), (i, j + 1, n + j), (j, 1, n)),
        Sum(A[j, j], (j, 2, n)),
        delta_picks,
        {},
    ),
    "a delta inside a function": (
        Sum(1 / (1 + sp.KroneckerDelta(i, k)), (i, 1, n)),
        sp.Rational(1, 2),
        delta_picks,
        {},
    ),
    "a delta and a range that depends on its index": (
        Sum(a[i] * sp.KroneckerDelta(j, k), (i, 1, j), (j, 1, n)),
        Sum(a[i], (i, 1, j)),
        delta_picks,
        {},
    ),
    "a delta whose other index is caught": (
        Sum(sp.KroneckerDelta(i, j) * Sum(A[i, j], (j, 1, n)), (i, 1, n)),
        Sum(A[j, j], (j, 1, n)),
        delta_picks,
        {},
    ),
    "one over a delta": (
        Sum(a[i] * b[j] / sp.KroneckerDelta(i, j), (i, 1, n), (j, 1, n)),
        Sum(a[i] * b[j] * sp.KroneckerDelta(i, j), (i, 1, n), (j, 1, n)),
        algebra,
        {},
    ),
    "a covariance of an outer sum with a longer range": (
        Sum(b[j] * Sum(a[i] * Cov(r[i], r[j]), (i, 1, n)), (j, 1, m)),
        Sum(b[j] * a[j] * Var(r[j]), (j, 1, m)),
        zero_covariance,
        {},
    ),
    "indices of a covariance that may be equal": (Cov(r[i], r[j]), 0, zero_covariance, {}),
    "a diagonal whose index is caught": (
        Sum(b[j] * Sum(A[i, j], (i, 1, n)), (i, 1, n), (j, 1, n)),
        Sum(b[j] * (1 - sp.KroneckerDelta(i, j)) * Sum(A[i, j], (i, 1, n)), (i, 1, n), (j, 1, n))
        + Sum(b[i] * Sum(A[i, i], (i, 1, n)), (i, 1, n)),
        split_diagonal,
        {},
    ),
    # sums
    "a last term of a sum that may be empty": (
        Sum(a[i], (i, 5, n + 1)),
        Sum(a[i], (i, 5, n)) + a[n + 1],
        last_term,
        {},
    ),
    "the number of terms of a sum that may be empty": (Sum(y, (i, m, n)), (n - m + 1) * y, algebra, {}),
    "a triangular sum as a square": (Sum(b[j], (j, 1, i), (i, 1, n)), n * Sum(b[j], (j, 1, n)), algebra, {}),
    "two different letters": (Sum(a[i], (i, 1, n)) ** 2, Sum(a[i] ** 2, (i, 1, n)), algebra, {}),
    "powers of a mask": (E(r[1] ** 2), E(r[1]), algebra, {}),
    "a mean taken apart": (E(r[1] + r[2]), E(r[1]) + E(r[2]), algebra, {}),
    "an infinite sum taken apart": (
        Sum(1 / k - 1 / (k + 1), (k, 1, sp.oo)),
        Sum(1 / k, (k, 1, sp.oo)) - Sum(1 / (k + 1), (k, 1, sp.oo)),
        algebra,
        {},
    ),
    "the index of a letter's argument is caught": (
        Definition("q", Sum(A[k, i], (i, 1, n)), (k,))(i),
        Sum(A[i, i], (i, 1, n)),
        definition(Definition("q", Sum(A[k, i], (i, 1, n)), (k,))),
        {},
    ),
    "a written sum whose index is caught": (
        Sum(Sum(a[i], (i, 1, n)) * a[i], (i, 1, 2)),
        n * a[1] ** 2 + n * a[2] ** 2,
        (written_out, algebra),
        {},
    ),
    "a closed form with a delta": (Sum(sp.KroneckerDelta(i, k), (i, 1, n)), 1, closed_form, {}),
    # shifts
    "terms that are not shifted with their range": (Sum(a[i], (i, 2, n + 1)), Sum(a[i], (i, 1, n)), shifted, {}),
    "a range that is not shifted at its end": (Sum(a[i], (i, 2, n)), Sum(a[i + 1], (i, 1, n)), shifted, {}),
    "a shift the wrong way": (Sum(a[i], (i, 2, n + 1)), Sum(a[i - 1], (i, 1, n)), shifted, {}),
    "one of two sums that depend on each other": (
        Sum(A[i, j], (i, j, n), (j, 1, n)),
        Sum(A[i + j - 1, j], (i, 1, n), (j, 1, n)),
        shifted,
        {},
    ),
    # variances
    "a covariance at indices that may be equal": (Cov(2 ** r[i], 2 ** r[j]), 0, independent_covariance, {}),
    "a covariance of expressions that share a mask": (
        Sum(Cov(r[i] * r[1], r[j] * r[1]), (i, 1, n), (j, 1, n)),
        Sum(Var(r[i] * r[1]), (i, 1, n)),
        independent_covariance,
        {},
    ),
    "a covariance of neighbours": (
        Sum(Cov(r[i] * r[i + 1], r[j] * r[j + 1]), (i, 1, n), (j, 1, n)),
        Sum(Var(r[i] * r[i + 1]), (i, 1, n)),
        independent_covariance,
        {"masks": Masks(n + 1, p)},
    ),
    "a covariance of two kinds": (
        Sum(Cov(2 ** r[i], r[j]), (i, 1, n), (j, 1, n)),
        Sum(Var(2 ** r[i]), (i, 1, n)),
        independent_covariance,
        {},
    ),
    "a covariance of letters that are any": (Cov(Random("X"), Random("Y")), 0, independent_covariance, {}),
    "a variance that is none": (Var(2 ** r[i]), 0, independent_covariance, {}),
    "another variable in a covariance": (Cov(r[2], r[1]), Cov(r[1], r[3]), symmetric_covariance, {}),
    "a covariance as a variance": (Cov(r[2], r[1]), Var(r[1]), symmetric_covariance, {}),
    "a variance of a double sum": (
        Var(Sum(A[i, j] * R[i, j], (i, 1, n), (j, 1, m))),
        Sum(A[i, j] * A[k, k] * Cov(R[i, j], R[k, k]), (i, 1, n), (j, 1, m), (k, 1, n), (k, 1, m)),
        variance_of_sum,
        {"masks": R},
    ),
    "a factor whose index the sum catches": (
        Var(a[i] * Sum(r[i], (i, 1, n))),
        Sum(a[i] * a[j] * Cov(r[i], r[j]), (i, 1, n), (j, 1, n)),
        variance_of_sum,
        {},
    ),
    "a constant factor, not squared": (Var(2 * r[1]), 2 * Var(r[1]), constants_and_variance, {}),
    "a random summand": (Var(r[1] + r[2]), Var(r[1]), constants_and_variance, {}),
    "a variance without the covariance": (Var(r[1] + r[2]), Var(r[1]) + Var(r[2]), variance_of_sum, {}),
}


@pytest.mark.parametrize("case", FALSE)
def test_what_does_not_hold_is_refused(case):
    before, after, rules, options = FALSE[case]
    rules = rules if isinstance(rules, tuple) else (rules,)
    assert not accepted(before, after, *rules, **options)
