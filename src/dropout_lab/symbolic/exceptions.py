"""What attacks may leave open, with the reason: two rules that lead to one line, slips that are none.

Everything else that an attack does not see refused stops the build.
"""

from __future__ import annotations

from dropout_lab.symbolic.attack import Attack, attacked
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.lines import NotDerived

#: A rule named on a line, another one that leads to the line as well, and why both may.
OVERLAPS: dict[tuple[str, str], str] = {
    ("constants and the variance", "variance of a sum"): (
        "A constant has no covariance with anything, so both leave it out of a variance."
    ),
    ("variance of a sum", "constants and the variance"): (
        "The variance of a constant times a random variable is the case of one term of a sum."
    ),
    ("mean of a square", "definition of the variance"): "A lemma about the variance is derived from its definition.",
}

#: A chain by its name (or its first line, if it has none), the number of a line, an altered form of the line that is
#: accepted, and why that is no slip.
SURVIVORS: dict[tuple[str, int, str], str] = {}


def open_ends(chain: Chain, attack: Attack) -> list[str]:
    """Sentences about what an attack on a chain left open and no list of exceptions explains."""
    name = chain.name or str(chain.start)
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


def check(chain: Chain, attack: Attack | None = None) -> Attack:
    """Attack a chain and give the counts.

    Raises :class:`~dropout_lab.symbolic.NotDerived` with the first thing that is left open.

    >>> import sympy as sp
    >>> from dropout_lab.symbolic import Masks, Mean, rules
    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p, h = sp.Symbol("p", positive=True), sp.IndexedBase("h")
    >>> r = Masks(n, p)
    >>> chain = Chain(Mean(r[i] * h[i]), masks=r).then(h[i] * Mean(r[i]), rules.linearity)
    >>> check(chain).survivors
    []
    """
    attack = attacked(chain) if attack is None else attack
    left = open_ends(chain, attack)
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise NotDerived(f"{left[0]}{more}; mend the rule or the line, or list it with its reason")
    return attack
