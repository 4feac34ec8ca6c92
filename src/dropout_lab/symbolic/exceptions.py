"""What attacks may leave open, with the reason: two rules that lead to one line, slips that are none.

A chain of which an attack leaves anything else open settles no claim, and so stops the build.
"""

from __future__ import annotations

from dropout_lab.symbolic.attack import Attack
from dropout_lab.symbolic.chain import Chain

#: A rule named on a line, another one that leads to the line as well, and why both may.
OVERLAPS: dict[tuple[str, str], str] = {
    ("constants and the variance", "variance of a sum"): (
        "A constant has no covariance with anything, so both leave it out of a variance."
    ),
    ("variance of a sum", "constants and the variance"): (
        "The variance of a constant times a random variable is the case of one term of a sum."
    ),
    ("no terms", "algebra"): "To algebra, too, a sum without terms is 0.",
    ("no terms", "write the terms out"): "Written out, a sum without terms has none.",
    ("algebra", "closed form of a sum"): (
        "That n equal terms, zeros too, make n times the term is a law of algebra, and the simplest of the known sums."
    ),
    ("algebra", "a delta picks one term"): (
        "Both sides of a line are rewritten. With the deltas used up they are the same; algebra sees it without."
    ),
    ("symmetry of the covariance", "definition of the covariance"): (
        "The definition multiplies the two deviations, and a product has no order."
    ),
    ("zero covariance", "covariance of independent variables"): (
        "Independent masks are uncorrelated. The line names what assumes less."
    ),
    ("variance of a sum", "covariance of independent variables"): (
        "Sums of different masks are independent as a whole. The line goes term by term, and assumes less."
    ),
    ("definition", "covariance of independent variables"): (
        "Letters for different masks are independent, written out or not. The line assumes less."
    ),
    ("algebra", "exponential of a sum"): "Algebra knows the law of exponentials that the other rule states.",
    ("Frullani's integral", "integral"): "Frullani's is a definite integral that is known in general.",
    ("integral", "Gaussian integral"): "The Gaussian integral is one of the known definite integrals.",
    ("mean of a square", "definition of the variance"): "A lemma about the variance is derived from its definition.",
}

#: A chain by its name (or its first line, if it has none), the number of a line, an altered form of the line that is
#: accepted, and why that is no slip.
SURVIVORS: dict[tuple[str, int, str], str] = {}


def open_ends(chain: Chain, attack: Attack) -> list[str]:
    """Return sentences about what an attack on a chain left open and no list of exceptions explains.

    >>> import sympy as sp
    >>> from dropout_lab.symbolic import Masks, Mean, attacked, rules
    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p, h = sp.Symbol("p", positive=True), sp.IndexedBase("h")
    >>> r = Masks(n, p)
    >>> chain = Chain(Mean(r[i] * h[i]), masks=r).then(h[i] * Mean(r[i]), rules.linearity)
    >>> open_ends(chain, attacked(chain))
    []
    """
    name = chain.called
    found = [
        f"{name}, line {slip.line}: with {slip.kind} altered it is accepted as {slip.formula}"
        for slip in attack.survivors
        if (name, slip.line, slip.formula) not in SURVIVORS
    ]
    return found + [
        f"{name}: where it names {own!r}, the rule {other!r} leads to the same line"
        for own, other in dict.fromkeys(attack.overlaps)
        if (own, other) not in OVERLAPS
    ]
