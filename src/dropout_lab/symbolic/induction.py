"""Proof by induction on the number of units: one more unit, one more coin, averaged over by its two outcomes.

Let X_n be a quantity of n units, such as (y − S_n)² with S_n = Σ a_i r_i. Without units no coin is left: E X_0 = X_0.
Unit n + 1 adds to X_n what stands in X_{n+1} − X_n, and the new coin is independent of the older ones, so

    E X_{n+1} − E X_n = E[ p (X_{n+1} − X_n)(r_{n+1} = 1) + (1 − p) (X_{n+1} − X_n)(r_{n+1} = 0) ].

What is left in the brackets has to be of degree one in the older coins; each of them is averaged by its two outcomes
again. In this way one more unit moves (E S, Var S) from (m, v) to (m + p a, v + p (1 − p) a²). No rule for E r_i r_j
is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from dropout_lab.symbolic.derivations import Derivation
from dropout_lab.symbolic.instances import SIZES, Instance
from dropout_lab.symbolic.logs import expand_logs
from dropout_lab.symbolic.masks import Masks, NotProved, mask_factors
from dropout_lab.symbolic.sums import Term, canonical, equal, rebuild, terms


@dataclass(frozen=True, eq=False)
class Induction:
    """A statement for n units, proved at n = 0 and from n to n + 1; made by :func:`induction`.

    ``start`` is the quantity without units, ``added`` what unit n + 1 adds to it. Both come from the definition alone.
    """

    derivation: Derivation
    start: sp.Expr
    added: sp.Expr

    #: What the instances compare the closed form with.
    against = "enumeration"

    @property
    def value(self) -> sp.Tuple:
        """The pair (``start``, ``added``), which determines the quantity for every n."""
        return sp.Tuple(self.start, self.added)

    @property
    def scope(self) -> str:
        """``any n``."""
        return self.derivation.scope

    def latex(self) -> str:
        """LaTeX of the left side."""
        return self.derivation.latex()

    def equals(self, closed_form: sp.Expr) -> bool:
        """Whether the closed form holds without units, and grows by ``added`` from n to n + 1."""
        (family,) = self.derivation.families
        (n,) = family.size
        closed_form = sp.sympify(closed_form)
        base = equal(without_units(closed_form, n), self.start)
        return base and equal(one_more(closed_form, n) - closed_form, self.added)

    def instances(self, closed_form: sp.Expr, seed: int = 0, sizes: Sequence[int] = SIZES) -> list[Instance]:
        """The definition averaged over all masks at small sizes, against the closed form; as for
        :class:`Derivation`."""
        return self.derivation.instances(closed_form, seed, sizes)


def induction(derivation: Derivation) -> Induction:
    """Prove the quantity of a derivation (an expectation, a variance or a covariance) by induction on n,
    independently of it.

    Only the definition is taken from ``derivation``, not its value. The definition has sums over all n units of one
    family of masks, with n a symbol; a single unit r_i with a free index has no place in an induction.

    Raises :class:`TypeError` for what is no derivation, and :class:`NotProved` for another shape or a higher degree.

    For the variance of ``sp.Sum(a[i] * r[i], (i, 1, n))`` the result has ``start`` 0 and ``added`` p (1 − p) a[n + 1]².
    """
    if not isinstance(derivation, Derivation):
        raise TypeError(f"induction proves an expectation, a variance or a covariance; got {type(derivation).__name__}")
    if len(derivation.families) != 1 or len(derivation.families[0].size) != 1:
        raise NotProved("induction runs over the units of one family of masks with one index")
    (family,) = derivation.families
    (n,) = family.size
    if not n.is_Symbol:
        raise NotProved(f"induction needs a symbol for the number of masks, got {n}")
    if derivation.definition.has(sp.KroneckerDelta):
        raise NotProved(f"{derivation.definition} singles out units by Kronecker deltas; expected sums over all")
    start = rebuild(canonical(derivation.statistic(lambda expression: without_units(expand_logs(expression), n))))
    if _has_coins(start, family):
        raise NotProved(f"without units, masks {family.base} are left in {start}; expected sums from 1 to {n}")

    # The mean of a square of n units is the induction's unknown: a symbol, which has to drop out of what one unit adds.
    unknown: dict[sp.Expr, sp.Dummy] = {}

    def before(expression: sp.Expr) -> sp.Expr:
        known = _mean_if_linear(expand_logs(expression), family)
        return unknown.setdefault(expression, sp.Dummy("E")) if known is None else known

    def after(expression: sp.Expr) -> sp.Expr:
        return before(expression) + _added(expand_logs(expression), family, n)

    added = rebuild(canonical(derivation.statistic(after) - derivation.statistic(before)))
    if added.free_symbols & set(unknown.values()):
        raise NotProved(f"what one more unit adds still depends on the mean of {next(iter(unknown))} itself")
    return Induction(derivation, start, added)


def _added(expression: sp.Expr, family: Masks, n: sp.Symbol) -> sp.Expr:
    """E X_{n+1} − E X_n: first the new coin is averaged over its two outcomes, then the older ones."""
    difference = rebuild(canonical(one_more(expression, n) - expression))
    averaged = rebuild(canonical(_over_outcomes(difference, family[n + 1], family)))
    mean = _mean_if_linear(averaged, family)
    if mean is None:
        raise NotProved(f"after averaging over the new coin, {averaged} is of degree two or more in the older ones")
    return mean


def _over_outcomes(expression: sp.Expr, coin: sp.Indexed, family: Masks) -> sp.Expr:
    keep = family.keep_prob(*coin.indices)
    return keep * expression.xreplace({coin: sp.Integer(1)}) + (1 - keep) * expression.xreplace({coin: sp.Integer(0)})


def _mean_if_linear(expression: sp.Expr, family: Masks) -> sp.Expr | None:
    """E of a sum of terms with at most one coin each, by the outcomes of that coin; None if two coins meet in a
    term."""
    total = sp.Integer(0)
    for term in terms(expression):
        coins = mask_factors(term.summand, family)
        if len(coins) > 1:
            return None
        summand = _over_outcomes(term.summand, coins[0], family) if coins else term.summand
        total += Term(summand, term.bounds).expression()
    return total


def _has_coins(expression: sp.Expr, family: Masks) -> bool:
    return any(part.base == family.base for part in expression.atoms(sp.Indexed))


def without_units(expression: sp.Expr, n: sp.Symbol) -> sp.Expr:
    """The expression at n = 0: a sum from 1 to n has no terms."""
    value = sp.Integer(0)
    for term in terms(expression):
        summand = term.summand.subs(n, 0)
        if summand.has(sp.zoo, sp.nan, sp.oo):
            raise NotProved(f"{expression} has no value at {n} = 0, where the induction starts")
        if all(upper != n for _, _, upper in term.bounds):
            value += Term(summand, term.bounds).expression()
    return value


def one_more(expression: sp.Expr, n: sp.Symbol) -> sp.Expr:
    """The expression at n + 1: of each sum from 1 to n + 1, the terms up to n and the last one."""
    return sp.Add(*[part.expression() for term in terms(expression) for part in _split(term, n)])


def _split(term: Term, n: sp.Symbol) -> list[Term]:
    if any(n in total.free_symbols for total in term.summand.atoms(sp.Sum, sp.Product)):
        raise NotProved(f"{term.summand} holds a sum over the units in a function or a quotient, which does not split")
    parts = [Term(term.summand.xreplace({n: n + 1}))]
    for index, lower, upper in term.bounds:
        if upper == n:
            last = [Term(part.summand.xreplace({index: n + 1}), part.bounds) for part in parts]
        elif n in upper.free_symbols | lower.free_symbols:
            raise NotProved(f"the sum over {index} from {lower} to {upper} is not over the units; expected 1 to {n}")
        else:
            last = []
        parts = [Term(part.summand, (*part.bounds, (index, lower, upper))) for part in parts] + last
    return parts
