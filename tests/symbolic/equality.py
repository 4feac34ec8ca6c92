"""Whether two expressions with sums are equal, by their canonical forms."""

import sympy as sp

from dropout_lab.symbolic.sums import canonical, rebuild


def equal(one, other):
    """Exact, and never by numbers. A quotient of sums is compared by its numerator over the common denominator."""
    difference = canonical(sp.sympify(one) - sp.sympify(other))
    return not difference or not canonical(sp.numer(sp.together(rebuild(difference))))
