"""Independent Bernoulli masks with a symbolic number of units, and expectations over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import sympy as sp

from dropout_lab.symbolic.sums import Term, canonical, contract, rebuild, terms


class Masks:
    """A family of independent Bernoulli masks: ``r[i]`` is 1 with the keep probability, and 0 otherwise.

    Parameters
    ----------
    size:
        The number of masks: a SymPy symbol for a general number, or an integer. For masks with two indices, as in
        DropConnect, a pair (rows, columns).
    keep_prob:
        The probability of a 1: an expression for all masks, a :class:`sympy.IndexedBase` with one value for each, or a
        function of the index (or of both indices).
    name:
        The letter of the masks in print.

    Raises :class:`ValueError` for a size that is neither a symbol nor a positive integer, and for a ``keep_prob`` that
    is no probability or that uses the letter of the masks. A ``keep_prob`` with symbols is checked as soon as these are
    numbers.

    >>> r = Masks(sp.Symbol("n", integer=True, positive=True), sp.Symbol("p", positive=True))
    >>> r[1], r.keep_prob(1), r.scope
    (r[1], p, 'any n')
    """

    def __init__(self, size: Any, keep_prob: Any, name: str = "r"):
        sizes = size if isinstance(size, tuple) else (size,)
        self.size = tuple(sp.sympify(extent) for extent in sizes)
        for extent in self.size:
            if not (extent.is_Symbol or _is_one_more(extent) or (extent.is_Integer and extent > 0)):
                raise ValueError(f"size is a symbol (or one more than it) or a positive integer, got {extent}")
        self.base = sp.IndexedBase(name)
        self._keep_prob = _function_of_index(keep_prob)
        self._check_probabilities()

    def __getitem__(self, index: Any) -> sp.Indexed:
        index = index if isinstance(index, tuple) else (index,)
        if len(index) != len(self.size):
            raise IndexError(f"the masks {self.base} have {len(self.size)} indices, got {index}")
        for part, extent in zip(index, self.size, strict=True):
            if sp.sympify(part).is_Integer and not (part >= 1 and (extent.is_Symbol or part <= extent)):
                raise IndexError(f"the masks {self.base} are numbered from 1 to {extent}, got {part}")
        return self.base[index]

    def keep_prob(self, *index: Any) -> sp.Expr:
        """Return the keep probability of the mask with the given index."""
        return _expression(self._keep_prob(*index))

    def _check_probabilities(self) -> None:
        """Look at what can be seen of the keep probabilities: all of them, if there are few masks with numbers."""
        few = all(extent.is_Integer for extent in self.size) and sp.prod(self.size) <= 64
        ranges = [range(1, int(extent) + 1) for extent in self.size] if few else []
        samples = [
            tuple(sp.Dummy("i", integer=True, positive=True) for _ in self.size),
            *(product(*ranges) if few else ()),
        ]
        for index in samples:
            keep = self.keep_prob(*map(sp.sympify, index))
            if self.base.label in keep.free_symbols:
                raise ValueError(f"keep_prob is a probability, and {keep} uses the letter of the masks, {self.base}")
            if keep.is_number or not isinstance(keep, sp.Expr):
                probability(keep)

    @property
    def scope(self) -> str:
        """The number of masks in words; ``any n`` for a symbol."""
        if all(extent.is_Integer for extent in self.size):
            return "n = " + " × ".join(str(extent) for extent in self.size)
        return "any n"

    def moment(self, factors: list[sp.Indexed]) -> sp.Expr:
        """Return the mean of a product of one or two masks of this family.

        Where the two may be the same mask, the result has a Kronecker delta.
        """
        if len(factors) == 1:
            return self.keep_prob(*factors[0].indices)
        first, second = factors
        p, q = self.keep_prob(*first.indices), self.keep_prob(*second.indices)
        same = sp.Mul(*[sp.KroneckerDelta(a, b) for a, b in zip(first.indices, second.indices, strict=True)])
        return p * q + p * (1 - p) * same

    def __repr__(self) -> str:
        return f"Masks({self.base}, size={self.size}, {self.scope})"


def _is_one_more(extent: sp.Expr) -> bool:
    number, symbol = extent.as_coeff_Add()
    return bool(number.is_Integer and number > 0 and symbol.is_Symbol)


def _function_of_index(keep_prob: Any) -> Callable[..., sp.Expr]:
    if isinstance(keep_prob, sp.IndexedBase):
        return lambda *index: keep_prob[index]
    if callable(keep_prob):
        return keep_prob
    keep = _expression(keep_prob)
    return lambda *index: keep


def _expression(keep: Any) -> sp.Expr:
    try:
        found = sp.sympify(keep)
    except (sp.SympifyError, SyntaxError, TypeError) as error:
        raise ValueError(f"keep_prob is a probability, an expression or a number, got {keep!r}") from error
    if not isinstance(found, sp.Expr) or getattr(found, "is_Matrix", False):
        raise TypeError(f"keep_prob is a probability, an expression or a number, got {keep!r}")
    return found


def probability(value: Any, mask: Any = "keep_prob") -> sp.Expr:
    """A number between 0 and 1, as it is; ValueError that names the ``mask`` and the value for anything else."""
    value = sp.sympify(value)
    if not (value.is_number and value.is_extended_real and 0 <= value <= 1):
        raise ValueError(f"{mask} needs a probability between 0 and 1, got {value}")
    return value


def as_families(masks: Masks | tuple[Masks, ...]) -> tuple[Masks, ...]:
    """One family of masks or a tuple of them, as a tuple; raises if it is neither, or if two share a letter."""
    families = masks if isinstance(masks, tuple) else (masks,)
    for family in families:
        if not isinstance(family, Masks):
            raise TypeError(f"masks are symbolic.Masks or a tuple of them, got {type(family).__name__}")
    letters = [family.base for family in families]
    if len(set(letters)) < len(letters):
        raise ValueError(f"independent masks need different names, got {letters}")
    for family in families:
        keep = family.keep_prob(*(sp.Dummy("i", integer=True, positive=True) for _ in family.size))
        for other in families:
            if other.base.label in keep.free_symbols:
                raise ValueError(f"a probability is a number: that of {family.base} uses the masks {other.base}")
    return families


def mean(
    expression: sp.Expr, families: tuple[Masks, ...], distinct: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()
) -> sp.Expr:
    """E of an expression of degree at most two in each family of masks, as canonical indexed sums.

    ``distinct`` names pairs of free indices that differ. Raises :class:`ValueError` for a higher degree, for masks
    inside anything but a polynomial, and for masks that are summed over another range than their own.
    """
    pairs = frozenset(frozenset(pair) for pair in distinct)
    total = sp.Integer(0)
    for term in terms(expression):
        averaged = sp.expand(_averaged(term, families))
        for monomial in sp.Add.make_args(averaged):
            for contracted in contract(Term(monomial, term.bounds), pairs):
                total += rebuild(canonical(contracted.expression()))
    return rebuild(canonical(total))


def _averaged(term: Term, families: tuple[Masks, ...]) -> sp.Expr:
    rest, result = term.summand, sp.Integer(1)
    for family in families:
        found = mask_factors(rest, family)
        if len(found) > 2:
            raise ValueError(
                f"{term.summand} has degree {len(found)} in the masks {family.base}: {len(found)} of them can differ, "
                "and only the moments of one and of two are known here"
            )
        for mask in found:
            _check_indices(mask, family, term)
        rest = without_masks(rest, family)
        if found:
            result *= family.moment(found)
    return rest * result


def mask_factors(monomial: sp.Expr, family: Masks) -> list[sp.Indexed]:
    """The different masks among the factors of a monomial; any power of a mask, which is 0 or 1, is the mask itself."""
    found = set()
    for factor in sp.Mul.make_args(monomial):
        base, exponent = factor.as_base_exp()
        inside = {part for part in factor.atoms(sp.Indexed) if part.base == family.base}
        if base in inside and exponent.is_Integer and exponent > 0:
            found.add(base)
        elif inside:
            raise ValueError(f"the masks {family.base} stand in {factor}; expected a polynomial in them")
    return sorted(found, key=sp.default_sort_key)


def without_masks(monomial: sp.Expr, family: Masks) -> sp.Expr:
    """The factors of a monomial that are no masks of the family."""
    bases = {factor: factor.as_base_exp()[0] for factor in sp.Mul.make_args(monomial)}
    return sp.Mul(*[f for f, base in bases.items() if not (isinstance(base, sp.Indexed) and base.base == family.base)])


def _check_indices(mask: sp.Indexed, family: Masks, term: Term) -> None:
    ranges = {index: (lower, upper) for index, lower, upper in term.bounds}
    for index, extent in zip(mask.indices, family.size, strict=True):
        if not (index.is_Symbol or index.is_Integer):
            raise ValueError(f"the mask {mask} has the index {index}; expected a plain index or an integer")
        if index.is_Integer and extent.is_Integer and index > extent:
            raise ValueError(f"the mask {mask} does not exist: the masks run from 1 to {extent}")
        if index in ranges and ranges[index] != (1, extent):
            lower, upper = ranges[index]
            raise ValueError(f"the mask {mask} is summed from {lower} to {upper}, but the masks run from 1 to {extent}")


def mask_assignments(
    used: list[sp.Indexed], families: tuple[Masks, ...], number: Callable[[sp.Expr], sp.Expr]
) -> Iterator[tuple[sp.Expr, dict[sp.Indexed, sp.Integer]]]:
    """Every 0/1 assignment of the given masks with its probability: 2^m pairs (probability, assignment).

    ``number`` puts numbers in the keep probabilities. Raises :class:`ValueError` for one that is no probability then.
    """
    own = {part: next(f for f in families if f.base == part.base) for part in used}
    kept = {part: probability(number(family.keep_prob(*part.indices)), part) for part, family in own.items()}
    for size in range(len(used) + 1):
        for ones in combinations(used, size):
            chosen = set(ones)
            weight = sp.Mul(*[kept[part] if part in chosen else 1 - kept[part] for part in used])
            yield weight, {part: sp.Integer(part in chosen) for part in used}
