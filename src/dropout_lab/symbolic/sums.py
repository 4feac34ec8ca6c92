"""Indexed sums with a symbolic number of terms: one canonical form, and with it an exact test of equality.

An expression is written as a list of terms. Each term is a product, free of sums, with the indices that it is summed over.
Products and powers of sums become nested sums with fresh indices, so that ``Sum(a[i], (i, 1, n))**2`` and
``Sum(a[i]*a[j], (i, 1, n), (j, 1, n))`` are the same terms. SymPy leaves such sums alone or returns a Piecewise on the range
of an index; here an index always runs inside its range, and a Kronecker delta is used up by the sum over one of its indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import sympy as sp

#: Names for the summation indices of printed results, in the order of use.
_INDEX_NAMES = "ijklmstuv"


@dataclass(frozen=True)
class Term:
    """``summand`` summed over ``bounds``: triples (index, lower, upper)."""

    summand: sp.Expr
    bounds: tuple[tuple[sp.Symbol, sp.Expr, sp.Expr], ...] = ()

    def rename(self, names: dict[sp.Symbol, sp.Symbol]) -> Term:
        """The same term with other summation indices."""
        bounds = tuple((names.get(index, index), lower, upper) for index, lower, upper in self.bounds)
        return Term(self.summand.xreplace(names), bounds)


def terms(expression: sp.Expr) -> list[Term]:
    """Write an expression as a sum of terms whose summands are monomials, without any :class:`sympy.Sum` left inside."""
    expression = sp.sympify(expression)
    if not expression.has(sp.Sum):
        return [Term(monomial) for monomial in sp.Add.make_args(sp.expand(expression))]
    if isinstance(expression, sp.Add):
        return [term for part in expression.args for term in terms(part)]
    if isinstance(expression, sp.Sum):
        fresh = {index: sp.Dummy(index.name, integer=True) for index, _, _ in expression.limits}
        bounds = tuple((fresh[index], lower, upper) for index, lower, upper in expression.limits)
        return [Term(term.summand, bounds + term.bounds) for term in terms(expression.function.xreplace(fresh))]
    if isinstance(expression, sp.Mul):
        return _product([terms(factor) for factor in expression.args])
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer and expression.exp > 0:
        return _product([terms(expression.base) for _ in range(int(expression.exp))])
    if expression.has(sp.Sum) and isinstance(expression, sp.Pow):
        return [Term(expression)]
    raise TypeError(f"cannot write {expression} as a sum of products of sums; expected a polynomial in its sums")


def _product(factors: list[list[Term]]) -> list[Term]:
    result = [Term(sp.Integer(1))]
    for factor in factors:
        expanded = []
        for one in result:
            for other in factor:
                fresh = other.rename({index: sp.Dummy(index.name, integer=True) for index, _, _ in other.bounds})
                for monomial in sp.Add.make_args(sp.expand(one.summand * fresh.summand)):
                    expanded.append(Term(monomial, one.bounds + fresh.bounds))
        result = expanded
    return result


def contract(term: Term, distinct: frozenset[frozenset[sp.Symbol]] = frozenset()) -> list[Term]:
    """Use up Kronecker deltas: each removes a sum over one of its indices, is 1 for equal and 0 for distinct indices.

    ``distinct`` holds pairs of free indices that are known to differ.
    """
    for delta in sorted(term.summand.atoms(sp.KroneckerDelta), key=sp.default_sort_key):
        first, second = delta.indices
        bound = {index: (lower, upper) for index, lower, upper in term.bounds}
        if first in bound or second in bound:
            gone, kept = (first, second) if first in bound else (second, first)
            _same_range(gone, kept, bound)
            rest = tuple(entry for entry in term.bounds if entry[0] != gone)
            summand = term.summand.xreplace({delta: sp.Integer(1)}).xreplace({gone: kept})
            return contract(Term(summand, rest), distinct)
        if frozenset((first, second)) in distinct:
            return []
    return [term]


def _same_range(gone: sp.Symbol, kept: sp.Expr, bound: dict) -> None:
    if kept in bound and bound[kept] != bound[gone]:
        raise ValueError(f"a mask is indexed by {gone} over {bound[gone]} and by {kept} over {bound[kept]}; expected one range")


def canonical(expression: sp.Expr) -> dict[Term, sp.Expr]:
    """A map from standard sums to their coefficients, in which equal expressions have equal maps.

    The key of a term is the part that depends on indices, with standard names for its summation indices; everything else
    goes into the coefficient, which is put over one denominator and cancelled. Zero coefficients are left out.
    """
    collected: dict[Term, sp.Expr] = {}
    for term in terms(expression):
        key, coefficient = _standard(term)
        collected[key] = collected.get(key, sp.Integer(0)) + coefficient
    reduced = {key: sp.factor(_cancelled(coefficient)) for key, coefficient in collected.items()}
    return {key: coefficient for key, coefficient in reduced.items() if coefficient != 0}


def _cancelled(coefficient: sp.Expr) -> sp.Expr:
    return sp.cancel(sp.together(coefficient)) if not coefficient.atoms(sp.Function) else sp.simplify(coefficient)


def _standard(term: Term) -> tuple[Term, sp.Expr]:
    used = term.summand.free_symbols
    factor = sp.Integer(1)
    for index, lower, upper in term.bounds:
        if index not in used:
            factor *= upper - lower + 1
    bounds = tuple(entry for entry in term.bounds if entry[0] in used)
    indices = {index for index, _, _ in bounds}
    outer, inner = sp.sympify(term.summand).as_independent(*indices, sp.Indexed, sp.KroneckerDelta, as_Add=False)
    if not bounds:
        return Term(inner), outer * factor
    candidates = []
    for order in permutations(bounds):
        names = {entry[0]: sp.Symbol(f"{_INDEX_NAMES[k]}", integer=True) for k, entry in enumerate(order)}
        names = _avoid(names, inner.free_symbols - indices)
        renamed = Term(inner, tuple(order)).rename(names)
        candidates.append((sp.srepr(renamed.summand), str(renamed.bounds), renamed))
    return min(candidates, key=lambda candidate: candidate[:2])[2], outer * factor


def _avoid(names: dict[sp.Symbol, sp.Symbol], taken: set[sp.Symbol]) -> dict[sp.Symbol, sp.Symbol]:
    """Other letters for the indices that would collide with a free symbol of the summand."""
    letters = iter([letter for letter in _INDEX_NAMES if letter not in {symbol.name for symbol in taken}])
    return {old: sp.Symbol(next(letters), integer=True) for old in names}


def rebuild(collected: dict[Term, sp.Expr]) -> sp.Expr:
    """The SymPy expression of a canonical map, with one :class:`sympy.Sum` a term."""
    parts = []
    for term, coefficient in collected.items():
        total = sp.Sum(term.summand, *term.bounds) if term.bounds else term.summand
        parts.append(sp.Mul(coefficient, total))
    return sp.Add(*parts)


def equal(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether two expressions are equal, by their canonical forms: exact, and never by numbers."""
    return not canonical(sp.sympify(one) - sp.sympify(other))


def evaluated(expression: sp.Expr) -> sp.Expr:
    """Write out every sum and product of an expression whose ranges are numbers by now."""
    def expand_sum(total: sp.Sum) -> sp.Expr:
        (index, lower, upper), rest = total.limits[-1], total.limits[:-1]
        inner = sp.Sum(total.function, *rest) if rest else total.function
        return sp.Add(*[evaluated(inner.xreplace({index: sp.Integer(k)})) for k in range(int(lower), int(upper) + 1)])

    if not isinstance(expression, sp.Basic) or not expression.has(sp.Sum):
        return expression
    if isinstance(expression, sp.Sum):
        return expand_sum(expression)
    return expression.func(*[evaluated(argument) for argument in expression.args])
