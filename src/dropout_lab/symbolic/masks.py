"""Independent Bernoulli masks with a symbolic number of units, and expectations over them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import sympy as sp

from dropout_lab.symbolic.sums import Term, canonical, contract, rebuild, terms


class NotProved(ValueError):
    """A step of a derivation failed; the message says which, and shows what was found."""


class Masks:
    """Independent Bernoulli masks: ``r[i]`` is 1 with the keep probability and 0 otherwise.

    Parameters
    ----------
    size:
        The number of masks: a SymPy symbol for a general number, or an integer. For masks with two indices, as in
        DropConnect, a pair (rows, columns).
    keep_prob:
        The probability of a 1: an expression for all masks, or a function of the index (or of both indices).
    name:
        The letter of the masks in print.
    """

    def __init__(self, size, keep_prob, name: str = "r"):
        sizes = size if isinstance(size, tuple) else (size,)
        self.size = tuple(sp.sympify(extent) for extent in sizes)
        for extent in self.size:
            if extent.is_number and not (extent.is_Integer and extent > 0):
                raise ValueError(f"size is a symbol or a positive integer, got {extent}")
        self._keep_prob: Callable[..., sp.Expr] = keep_prob if callable(keep_prob) else lambda *index: sp.sympify(keep_prob)
        self.base = sp.IndexedBase(name)

    def __getitem__(self, index) -> sp.Indexed:
        index = index if isinstance(index, tuple) else (index,)
        if len(index) != len(self.size):
            raise IndexError(f"the masks {self.base} have {len(self.size)} indices, got {index}")
        return self.base[index]

    def keep_prob(self, *index) -> sp.Expr:
        """The keep probability of the mask with the given index."""
        return sp.sympify(self._keep_prob(*index))

    @property
    def scope(self) -> str:
        """``any n``, or the number of masks in words."""
        if all(extent.is_Integer for extent in self.size):
            return "n = " + " × ".join(str(extent) for extent in self.size)
        return "any n"

    def moment(self, factors: list[sp.Indexed]) -> sp.Expr:
        """E of a product of one or two masks of this family, with a Kronecker delta where two may be the same."""
        if len(factors) == 1:
            return self.keep_prob(*factors[0].indices)
        first, second = factors
        p, q = self.keep_prob(*first.indices), self.keep_prob(*second.indices)
        same = sp.Mul(*[sp.KroneckerDelta(a, b) for a, b in zip(first.indices, second.indices, strict=True)])
        return p * q + p * (1 - p) * same

    def __repr__(self) -> str:
        return f"Masks({self.base}, size={self.size}, {self.scope})"


def mean(expression: sp.Expr, families: tuple[Masks, ...], distinct: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()) -> sp.Expr:
    """E of an expression of degree at most two in each family of masks, as canonical indexed sums.

    ``distinct`` names pairs of free indices that differ. Raises :class:`NotProved` for a higher degree, or for masks
    inside anything but a polynomial.
    """
    pairs = frozenset(frozenset(pair) for pair in distinct)
    total = sp.Integer(0)
    for term in terms(expression):
        averaged = sp.expand(_averaged(term.summand, families))
        for monomial in sp.Add.make_args(averaged):
            for contracted in contract(Term(monomial, term.bounds), pairs):
                total += rebuild(canonical(_as_expression(contracted)))
    return rebuild(canonical(total))


def _as_expression(term: Term) -> sp.Expr:
    return sp.Sum(term.summand, *term.bounds) if term.bounds else term.summand


def _averaged(monomial: sp.Expr, families: tuple[Masks, ...]) -> sp.Expr:
    rest, result = monomial, sp.Integer(1)
    for family in families:
        found = [part for part in rest.atoms(sp.Indexed) if part.base == family.base]
        found.sort(key=sp.default_sort_key)
        powers = {part: sp.degree(rest, part) if rest.is_polynomial(part) else None for part in found}
        if None in powers.values():
            raise NotProved(f"{monomial} is no polynomial in the masks {family.base}; only those have moments to substitute")
        if len(found) > 2:
            raise NotProved(f"{monomial} has degree {len(found)} in the masks {family.base}; at most two different ones can meet")
        # A mask is 0 or 1, so any power of it is itself.
        for part, power in powers.items():
            rest = rest.coeff(part, power)
        if found:
            result *= family.moment(found)
    return rest * result


def mask_assignments(used: list[sp.Indexed], families: tuple[Masks, ...]):
    """Every 0/1 assignment of the given masks with its probability: 2^m pairs (probability, assignment)."""
    kept = {part: next(f for f in families if f.base == part.base).keep_prob(*part.indices) for part in used}
    for size in range(len(used) + 1):
        for ones in combinations(used, size):
            chosen = set(ones)
            probability = sp.Mul(*[kept[part] if part in chosen else 1 - kept[part] for part in used])
            yield probability, {part: sp.Integer(part in chosen) for part in used}
