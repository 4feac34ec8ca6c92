"""Indexed sums with a symbolic number of terms: one canonical form, and with it an exact test of equality.

An expression is written as a list of terms. Each term is a product, free of sums, with the indices that it is summed
over. Products and powers of sums become nested sums with fresh indices, so that ``Sum(a[i], (i, 1, n))**2`` and
``Sum(a[i]*a[j], (i, 1, n), (j, 1, n))`` are the same terms. SymPy leaves such sums alone or returns a Piecewise on
the range of an index; here an index always runs inside its range, and a Kronecker delta is used up by the sum over
one of its indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import sympy as sp

from dropout_lab.symbolic.binding import counts
from dropout_lab.symbolic.binding import put as put_free

#: Names for the summation indices of printed results, in the order of use.
_INDEX_NAMES = "ijklmstuvabcdefg"

#: Sums over at most this many numbered terms are written out, so that they compare equal to their terms.
_WRITTEN_OUT = 8


class Index(sp.Symbol):
    """A summation index of a result: it prints like a symbol, and differs from every symbol of the reader.

    So a derivative of a result by ``w[k]`` meets no summation index that happens to be called k as well.
    """


@dataclass(frozen=True)
class Term:
    """``summand`` summed over ``bounds``: triples (index, lower, upper)."""

    summand: sp.Expr
    bounds: tuple[tuple[sp.Symbol, sp.Expr, sp.Expr], ...] = ()

    def rename(self, names: dict[sp.Symbol, sp.Symbol]) -> Term:
        """The same term with other summation indices."""
        bounds = tuple((names.get(index, index), lower, upper) for index, lower, upper in self.bounds)
        return Term(self.summand.xreplace(names), bounds)

    def expression(self) -> sp.Expr:
        """The term as a SymPy expression."""
        return sp.Sum(self.summand, *self.bounds) if self.bounds else self.summand


def terms(expression: sp.Expr) -> list[Term]:
    """Write an expression as a sum of terms whose summands are monomials, in which Kronecker deltas are factors."""
    return [term for found in _terms(expression) for term in _with_deltas_as_factors(found)]


def _with_deltas_as_factors(term: Term) -> list[Term]:
    """A delta δ in a function is 0 or 1, so that f(δ) = f(0) + (f(1) − f(0)) δ."""
    factors = sp.Mul.make_args(term.summand)
    plain = {factor for factor in factors if isinstance(factor, sp.KroneckerDelta)}
    for factor in factors:
        for delta in sorted(factor.atoms(sp.KroneckerDelta) - plain, key=sp.default_sort_key):
            rest = sp.Mul(*(other for other in factors if other is not factor))
            zero, one = (factor.xreplace({delta: sp.Integer(value)}) for value in (0, 1))
            if zero.has(sp.zoo, sp.nan, sp.oo) or one.has(sp.zoo, sp.nan, sp.oo):
                raise ValueError(f"{factor} has no value for {delta} = 0 or 1")
            parts = (rest * zero, rest * one * delta, -rest * zero * delta)
            monomials = (part for whole in parts for part in sp.Add.make_args(_multiplied_out(whole)))
            return [found for part in monomials for found in _with_deltas_as_factors(Term(part, term.bounds))]
    return [term]


def _terms(expression: sp.Expr) -> list[Term]:
    """Write an expression as a sum of terms whose summands are monomials.

    A function or a negative power of sums is one factor of a monomial; its arguments are put in canonical form. Raises
    :class:`TypeError` for what is no expression, and for a sum whose range depends on another summation index.
    """
    expression = sp.sympify(expression)
    if not isinstance(expression, sp.Expr):
        raise TypeError(f"expected a SymPy expression, got {type(expression).__name__}: {expression}")
    if not expression.has(sp.Sum):
        return [Term(monomial) for monomial in sp.Add.make_args(_multiplied_out(expression))]
    if isinstance(expression, sp.Add):
        return [term for part in expression.args for term in _terms(part)]
    if isinstance(expression, sp.Sum):
        return _terms_of_sum(expression)
    if isinstance(expression, sp.Mul):
        return _product([_terms(factor) for factor in expression.args])
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer and expression.exp > 0:
        return _product([_terms(expression.base) for _ in range(int(expression.exp))])
    # A product under a negative power is taken apart, so that its factors can cancel against others.
    if isinstance(expression, sp.Pow) and isinstance(expression.base, sp.Mul) and expression.exp.is_Integer:
        return _terms(sp.Mul(*[factor**expression.exp for factor in expression.base.args]))
    arguments = [rebuild(canonical(part)) if part.has(sp.Sum) else part for part in expression.args]
    return [Term(expression.func(*arguments))]


def _terms_of_sum(total: sp.Sum) -> list[Term]:
    indices = {index for index, *_ in total.limits}
    for limit in total.limits:
        if len(limit) != 3 or indices & (limit[1].free_symbols | limit[2].free_symbols):
            raise TypeError(f"the range of {limit[0]} in {total} is missing or depends on another index")
    (index, lower, upper), rest = total.limits[-1], total.limits[:-1]
    inner = sp.Sum(total.function, *rest) if rest else total.function
    if lower.is_Integer and upper.is_Integer and upper - lower < _WRITTEN_OUT:
        return [term for k in range(int(lower), int(upper) + 1) for term in _terms(put(inner, index, sp.Integer(k)))]
    fresh = sp.Dummy(index.name, integer=True)
    return [Term(term.summand, ((fresh, lower, upper), *term.bounds)) for term in _terms(put(inner, index, fresh))]


def put(expression: sp.Expr, index: sp.Symbol, value: sp.Expr) -> sp.Expr:
    """Replace a free index; an inner sum over an index of the same name keeps its own, and none catches the value."""
    return put_free(expression, {index: value})


def _product(factors: list[list[Term]]) -> list[Term]:
    result = [Term(sp.Integer(1))]
    for factor in factors:
        expanded = []
        for one in result:
            for other in factor:
                fresh = other.rename({index: sp.Dummy(index.name, integer=True) for index, _, _ in other.bounds})
                for monomial in sp.Add.make_args(_multiplied_out(one.summand * fresh.summand)):
                    expanded.append(Term(monomial, one.bounds + fresh.bounds))
        result = expanded
    return result


def _multiplied_out(expression: sp.Expr) -> sp.Expr:
    # Exponentials and logarithms stay whole: SymPy would take exp of a sum apart into a product.
    return sp.expand(expression, power_exp=False, log=False)


def contract(term: Term, distinct: frozenset[frozenset[sp.Symbol]] = frozenset()) -> list[Term]:
    """Use up Kronecker deltas that are factors: each removes a sum over one of its indices.

    It is 1 for equal indices and 0 for ``distinct`` ones, pairs of free indices that are known to differ, and 0 for an
    index that lies outside the range of the sum. A free index k is taken to lie in it; for any other, such as 3 or k +
    1 in a sum up to n, that has to be decided: ValueError where it cannot be.
    """
    bound = {index: (lower, upper) for index, lower, upper in term.bounds}
    factors = sp.Mul.make_args(term.summand)
    deltas = [factor for factor in factors if isinstance(factor, sp.KroneckerDelta)]
    for delta in sorted(deltas, key=sp.default_sort_key):
        first, second = delta.indices
        if first in bound or second in bound:
            gone, kept = (first, second) if first in bound else (second, first)
            if not _is_in_range(gone, kept, bound):
                return []
            rest = tuple(entry for entry in term.bounds if entry[0] != gone)
            summand = put(sp.Mul(*(factor for factor in factors if factor is not delta)), gone, kept)
            return [] if summand == 0 else contract(Term(summand, rest), distinct)
        if frozenset((first, second)) in distinct:
            return []
    return [term]


def _is_in_range(gone: sp.Symbol, kept: sp.Expr, bound: dict) -> bool:
    if kept in bound:
        if bound[kept] != bound[gone]:
            raise ValueError(
                f"{gone} runs over {bound[gone]}, {kept} over {bound[kept]}; to be equal they need one range"
            )
        return True
    if kept.is_Symbol and not any(kept in end.free_symbols for end in bound[gone]):
        return True
    lower, upper = bound[gone]
    if (kept - lower).is_negative or (upper - kept).is_negative:
        return False
    below = (kept - lower).is_nonnegative
    above = (upper - kept).is_nonnegative or (kept == lower and counts(lower, upper) and upper.is_Symbol)
    if (below and above) or (kept == upper and counts(lower, upper) and upper.is_Symbol):
        return True
    raise ValueError(f"{kept} may leave the range {bound[gone]} of {gone}; expected a plain index, or one in the range")


def canonical(expression: sp.Expr) -> dict[Term, sp.Expr]:
    """A map from standard sums to their coefficients, in which equal expressions have equal maps.

    The key of a term is the part that depends on indices, with standard names for its summation indices; everything
    else goes into the coefficient, which is put over one denominator and cancelled. Zero coefficients are left out.
    """
    collected: dict[Term, sp.Expr] = {}
    for term in terms(expression):
        for contracted in contract(term):
            key, coefficient = _standard(contracted)
            collected[key] = collected.get(key, sp.Integer(0)) + coefficient
    reduced = {key: sp.factor(_cancelled(coefficient)) for key, coefficient in collected.items()}
    return {key: coefficient for key, coefficient in reduced.items() if coefficient != 0}


def _cancelled(coefficient: sp.Expr) -> sp.Expr:
    cancelled = sp.cancel(sp.together(coefficient))
    # Simplification takes sums apart in its own way; a quotient of sums stays one of whole sums.
    return sp.simplify(cancelled) if cancelled.atoms(sp.Function) and not cancelled.has(sp.Sum) else cancelled


def _standard(term: Term) -> tuple[Term, sp.Expr]:
    used = term.summand.free_symbols
    factor = sp.Integer(1)
    for index, lower, upper in term.bounds:
        if index not in used:
            factor *= upper - lower + 1
    bounds = tuple(entry for entry in term.bounds if entry[0] in used)
    indices = {index for index, _, _ in bounds}
    outer, inner = sp.sympify(term.summand).as_independent(*indices, sp.Indexed, sp.KroneckerDelta, as_Add=False)
    # A quotient by sums, say, holds indices of its own only: it is a constant here.
    factors = sp.Mul.make_args(inner)
    constant = [part for part in factors if part.has(sp.Sum) and not part.free_symbols & indices]
    outer, inner = outer * sp.Mul(*constant), sp.Mul(*[part for part in factors if part not in constant])
    if not bounds:
        return Term(inner), outer * factor
    letters = _free_letters(inner.atoms(sp.Symbol) - indices, len(bounds))
    candidates = []
    for order in permutations(bounds):
        names = {entry[0]: Index(letter, integer=True) for entry, letter in zip(order, letters, strict=True)}
        renamed = Term(inner, tuple(order)).rename(names)
        candidates.append((sp.srepr(renamed.summand), str(renamed.bounds), renamed))
    return min(candidates, key=lambda candidate: candidate[:2])[2], outer * factor


def _free_letters(taken: set[sp.Symbol], count: int) -> list[str]:
    """Letters for summation indices that collide with no symbol of the summand, bound in an inner sum or not."""
    names = {symbol.name for symbol in taken}
    letters = [letter for letter in _INDEX_NAMES if letter not in names]
    return (letters + [f"i{k}" for k in range(count)])[:count]


def rebuild(collected: dict[Term, sp.Expr]) -> sp.Expr:
    """The SymPy expression of a canonical map, with one :class:`sympy.Sum` a term."""
    return sp.Add(*[sp.Mul(readable(coefficient), term.expression()) for term, coefficient in collected.items()])


def readable(coefficient: sp.Expr) -> sp.Expr:
    """The same factored coefficient with 1 − p in place of p − 1: p(1 − p), and not −p(p − 1)."""
    sign, factors = 1, []
    for factor in sp.Mul.make_args(coefficient):
        base, exponent = factor.as_base_exp()
        if base.is_Add and exponent.is_Integer and base.as_coeff_Add()[0] == -1:
            sign *= -1 if exponent % 2 else 1
            factor = sp.Pow(-base, exponent)
        factors.append(factor)
    return sp.Mul(sign, *factors)


def gradient(expression: sp.Expr, variable: sp.Expr) -> sp.Expr:
    """Differentiate an expression with indexed sums by ``w[k]``, where k is a free index.

    Each sum keeps a Kronecker delta, which the rule ``delta_picks`` uses up. :func:`sympy.diff` takes a summation index
    that has the same letter for the free one, and gives something else without a word; here that is a
    :class:`ValueError`.

    >>> n, i, k = sp.symbols("n i k", integer=True, positive=True)
    >>> w = sp.IndexedBase("w")
    >>> gradient(sp.Sum(w[i] ** 2, (i, 1, n)), w[k])
    Sum(2*KroneckerDelta(i, k)*w[i], (i, 1, n))
    """
    expression = sp.sympify(expression)
    bound = {limit[0] for total in expression.atoms(sp.Sum, sp.Product) for limit in total.limits}
    if bound & variable.free_symbols:
        raise ValueError(f"{variable} has the index of a sum in {expression}; take a letter that is not summed over")
    return sp.diff(expression, variable)


def evaluated(expression: sp.Expr) -> sp.Expr:
    """Write out every sum and product of an expression whose ranges are numbers by now; infinite ones stay."""
    if not isinstance(expression, sp.Basic) or not expression.has(sp.Sum, sp.Product):
        return expression
    if isinstance(expression, (sp.Sum, sp.Product)):
        (index, lower, upper), rest = expression.limits[-1], expression.limits[:-1]
        inner = expression.func(expression.function, *rest) if rest else expression.function
        if lower.is_infinite or upper.is_infinite:
            return expression
        if not (lower.is_Integer and upper.is_Integer):
            raise ValueError(f"the range of {index} in {expression} is no range of integers: {lower} to {upper}")
        parts = [evaluated(put(inner, index, sp.Integer(k))) for k in range(int(lower), int(upper) + 1)]
        return sp.Add(*parts) if isinstance(expression, sp.Sum) else sp.Mul(*parts)
    return expression.func(*[evaluated(argument) for argument in expression.args])
