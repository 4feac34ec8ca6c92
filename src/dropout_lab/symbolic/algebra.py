"""The algebra of the chains: the decision whether two expressions are equal as polynomials and rational functions.

Sums over indices, means, variances, functions and letters are opaque here, but for the laws of finite sums (a constant
comes out, sums of sums are split, a product of sums is a sum over both indices) and the laws exp(a + b) = exp(a) exp(b)
and x^(a + b) = x^a x^b for positive x. What stands inside an opaque part is compared by algebra as well. No Kronecker
delta is used up, no power of a mask is lowered, no mean is taken apart: those are rules of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations

import sympy as sp

from dropout_lab.symbolic.binding import counts, put
from dropout_lab.symbolic.bound_names import same, standard_names
from dropout_lab.symbolic.letters import Named
from dropout_lab.symbolic.operators import Operator
from dropout_lab.symbolic.parts import walk

Bound = tuple[sp.Symbol, sp.Expr, sp.Expr]
#: A product of powers, and the indices that it is summed over.
Monomial = tuple[dict[sp.Expr, sp.Expr], tuple[Bound, ...]]


# -- rational functions of opaque parts --------------------------------------------------------------------------------


class Generators:
    """A symbol for each opaque part, the same one for parts that algebra makes equal.

    One table serves all expressions, so that what was worked out for one is known for the next.
    """

    def __init__(self) -> None:
        self._symbols: dict[sp.Basic, sp.Symbol] = {}
        self._parts: dict[sp.Basic, sp.Basic] = {}

    def symbol(self, part: sp.Expr) -> sp.Symbol:
        """The symbol of an opaque part, whose inside is in canonical form already."""
        key = standard_names(part)
        if key not in self._symbols:
            assumptions = {"positive": True} if part.is_positive else {}
            self._symbols[key] = sp.Dummy(f"g{len(self._symbols)}", **assumptions)
            self._parts[self._symbols[key]] = key
        return self._symbols[key]

    def parts(self) -> dict[sp.Basic, sp.Basic]:
        """What each symbol stands for."""
        return self._parts


GENERATORS = Generators()


@lru_cache(maxsize=1 << 14)
def rational(expression: sp.Expr, generators: Generators = GENERATORS) -> sp.Expr:
    """An expression as a rational function of symbols and of the symbols of its opaque parts."""
    if expression.is_Number or isinstance(expression, (sp.Symbol, sp.Indexed, sp.NumberSymbol)) or expression is sp.I:
        return expression
    if isinstance(expression, (sp.Add, sp.Mul)):
        return expression.func(*(rational(argument, generators) for argument in expression.args))
    if isinstance(expression, sp.exp):
        return sp.Mul(*(_power_of_exponential(part, generators) for part in _summands(expression.args[0])))
    if isinstance(expression, sp.Pow):
        return _power(expression, generators)
    if isinstance(expression, sp.Sum):
        if _is_infinite(expression.limits[-1]):
            constant, series = _series(expression)
            return rational(constant, generators) * generators.symbol(series)
        return sp.Add(*(_summed(monomial, generators) for monomial in monomials(expression)))
    return generators.symbol(_canonical_inside(expression))


def _summands(exponent: sp.Expr) -> tuple[sp.Expr, ...]:
    return sp.Add.make_args(canonical(exponent))


def _power_of_exponential(exponent: sp.Expr, generators: Generators) -> sp.Expr:
    number, rest = exponent.as_coeff_Mul()
    if number.is_Integer:
        return generators.symbol(sp.exp(rest)) ** number
    return generators.symbol(sp.exp(exponent if number > 0 else -exponent)) ** (1 if number > 0 else -1)


def _power(expression: sp.Pow, generators: Generators) -> sp.Expr:
    base, exponent = expression.args
    if exponent.is_Integer:
        return rational(base, generators) ** exponent
    if exponent.is_Rational:
        root = sp.Rational(1, exponent.q)
        inner = canonical(base)
        factors = [sp.Pow(factor, root) for factor in sp.Mul.make_args(inner) if factor.is_positive]
        rest = sp.Mul(*(factor for factor in sp.Mul.make_args(inner) if not factor.is_positive))
        if rest != 1:
            factors.append(sp.Pow(rest, root, evaluate=False))
        return sp.Mul(*(_root(factor, generators) for factor in factors)) ** exponent.p
    base, exponent = canonical(base), canonical(exponent)
    if base.is_positive:
        return sp.Mul(*(_power_of_positive(base, part, generators) for part in sp.Add.make_args(exponent)))
    return generators.symbol(sp.Pow(base, exponent))


def _power_of_positive(base: sp.Expr, exponent: sp.Expr, generators: Generators) -> sp.Expr:
    """One factor of a power whose exponent is a sum: x^(a + b) = x^a x^b, x^(−a) = 1/x^a."""
    number, rest = exponent.as_coeff_Mul()
    if rest == 1 and number.is_Integer:
        return rational(base, generators) ** number
    if number.is_Integer:
        return generators.symbol(sp.Pow(base, rest)) ** number
    return generators.symbol(sp.Pow(base, exponent))


def _root(factor: sp.Expr, generators: Generators) -> sp.Expr:
    if (factor.is_Pow and not factor.exp.is_Integer) or factor.has(sp.Sum, Operator, sp.Function, Named):
        return generators.symbol(factor)
    return factor


def _canonical_inside(part: sp.Expr) -> sp.Expr:
    """An opaque part with the canonical form of its arguments."""
    if isinstance(part, Named):
        return Named(*part.args[:2], *(canonical(argument) for argument in part.args[2:]))
    if isinstance(part, (sp.Integral, sp.Product)):
        return part.func(canonical(part.function), *part.limits)
    if isinstance(part, sp.Derivative):
        return sp.Derivative(canonical(part.expr), *part.variable_count, evaluate=False)
    if isinstance(part, (sp.Limit, sp.Subs, sp.KroneckerDelta, sp.Piecewise, sp.MatrixBase)):
        return part
    arguments = [canonical(argument) if isinstance(argument, sp.Expr) else argument for argument in part.args]
    return part.func(*arguments)


@lru_cache(maxsize=1 << 14)
def canonical(expression: sp.Expr) -> sp.Expr:
    """A form in which expressions that algebra makes equal are mostly the same; for the inside of opaque parts."""
    expression = sp.sympify(expression)
    if expression.is_Number or isinstance(expression, (sp.Symbol, sp.Indexed)):
        return expression
    form = sp.expand(rational(expression), power_base=False, power_exp=False, log=False)
    if not _is_laurent(form):
        form = sp.cancel(sp.together(form))
    parts = GENERATORS.parts()
    return form.xreplace({symbol: parts[symbol] for symbol in form.free_symbols if symbol in parts})


def _is_laurent(form: sp.Expr) -> bool:
    """Whether no sum stands in a denominator."""
    return not any(part.exp.is_negative and part.base.is_Add for part in form.atoms(sp.Pow))


# -- sums --------------------------------------------------------------------------------------------------------------


def monomials(expression: sp.Expr) -> list[Monomial]:
    """An expression multiplied out: products of powers, each with the indices that it is summed over."""
    expression = sp.sympify(expression)
    if isinstance(expression, sp.Add):
        return [monomial for part in expression.args for monomial in monomials(part)]
    if isinstance(expression, sp.Mul):
        return _multiplied([monomials(factor) for factor in expression.args])
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        if expression.exp > 0 and isinstance(expression.base, (sp.Add, sp.Mul, sp.Sum)):
            return _multiplied([monomials(expression.base) for _ in range(int(expression.exp))])
        if isinstance(expression.base, sp.Mul):
            return monomials(sp.Mul(*(factor**expression.exp for factor in expression.base.args)))
    if isinstance(expression, sp.exp) and isinstance(expression.args[0], sp.Add):
        return monomials(sp.Mul(*(sp.exp(part) for part in expression.args[0].args), evaluate=False))
    if isinstance(expression, sp.Sum):
        return _summands_of(expression)
    return [(_powers(expression), ())]


def _powers(factor: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    if isinstance(factor, sp.exp):
        number, rest = canonical(factor.args[0]).as_coeff_Mul()
        # exp(x/2) is no power of exp(x) to be taken apart: for imaginary x the root may be the other one.
        return (
            {sp.exp(rest / number.q): sp.Integer(number.p)}
            if number.is_Rational
            else {sp.exp(number * rest): sp.Integer(1)}
        )
    if isinstance(factor, sp.Pow) and factor.exp.is_Rational:
        return {_opaque(factor.base): factor.exp}
    return {_opaque(factor): sp.Integer(1)}


def _opaque(part: sp.Expr) -> sp.Expr:
    if part.is_Number or isinstance(part, (sp.Symbol, sp.Indexed)):
        return part
    return canonical(part) if isinstance(part, (sp.Add, sp.Mul, sp.Pow)) else _canonical_inside(part)


def _summands_of(total: sp.Sum) -> list[Monomial]:
    (index, lower, upper), rest = total.limits[-1], total.limits[:-1]
    inner = sp.Sum(total.function, *rest) if rest else total.function
    if lower.is_Integer and upper.is_Integer and upper - lower < 8:
        values = range(int(lower), int(upper) + 1)
        return [monomial for value in values for monomial in monomials(put(inner, {index: sp.Integer(value)}))]
    if _is_infinite(total.limits[-1]):
        constant, series = _series(total)
        return [({**powers, series: sp.Integer(1)}, bounds) for powers, bounds in monomials(constant)]
    fresh = sp.Dummy(index.name, integer=True)
    return [(factors, ((fresh, lower, upper), *bounds)) for factors, bounds in monomials(put(inner, {index: fresh}))]


def _is_infinite(limit: Bound) -> bool:
    return bool(limit[1].is_infinite or limit[2].is_infinite)


def _series(total: sp.Sum) -> tuple[sp.Expr, sp.Sum]:
    """An infinite sum stays whole, but for a constant factor: its parts may have no value by themselves."""
    limit, rest = total.limits[-1], total.limits[:-1]
    inner = canonical(sp.Sum(total.function, *rest) if rest else total.function)
    constant, summand = inner.as_independent(limit[0], as_Add=False)
    return constant, sp.Sum(summand, limit)


def _multiplied(factors: list[list[Monomial]]) -> list[Monomial]:
    result: list[Monomial] = [({}, ())]
    for factor in factors:
        expanded = []
        for powers, bounds in result:
            for others, more in factor:
                names = {index: sp.Dummy(index.name, integer=True) for index, _, _ in more}
                renamed = tuple((names[own], low.xreplace(names), high.xreplace(names)) for own, low, high in more)
                merged = dict(powers)
                for base, exponent in others.items():
                    base = base.xreplace(names)
                    merged[base] = merged.get(base, sp.Integer(0)) + exponent
                expanded.append(({base: e for base, e in merged.items() if e != 0}, bounds + renamed))
        result = expanded
    return result


def _summed(monomial: Monomial, generators: Generators) -> sp.Expr:
    """A summed product as constants times connected sums, each a symbol of its own."""
    powers, bounds = monomial
    factors = [sp.Pow(base, exponent) for base, exponent in powers.items()]
    # A delta is 0 or 1: its powers are itself. That much is arithmetic.
    factors = [factor.base if _is_power_of_delta(factor) else factor for factor in factors]
    value = sp.Integer(1)
    used = set().union(
        *(factor.free_symbols for factor in factors), *(end.free_symbols for _, *ends in bounds for end in ends)
    )
    for index, lower, upper in bounds:
        if index not in used and counts(lower, upper):
            value *= rational(upper - lower + 1, generators)
        elif index not in used:
            value *= generators.symbol(standard_sum([], ((index, lower, upper),)))
    bounds = tuple(bound for bound in bounds if bound[0] in used)
    indices = {index for index, _, _ in bounds}
    groups: list[tuple[set[sp.Symbol], list[sp.Expr]]] = []
    # Indices belong together where a factor holds both, and where one is in the range of the other.
    held: list[tuple[set[sp.Symbol], list[sp.Expr]]] = [(one.free_symbols & indices, [one]) for one in factors]
    held += [({index, *(sp.Tuple(*ends).free_symbols & indices)}, []) for index, *ends in bounds]
    for own, group in held:
        if not own:
            value *= rational(group[0], generators)
            continue
        joined = set(own)
        for other in [other for other in groups if other[0] & own]:
            groups.remove(other)
            joined |= other[0]
            group += other[1]
        groups.append((joined, list(group)))
    for own, group in groups:
        connected = tuple(bound for bound in bounds if bound[0] in own)
        value *= generators.symbol(standard_sum(group, connected))
    return value


def _is_power_of_delta(factor: sp.Expr) -> bool:
    return isinstance(factor, sp.Pow) and isinstance(factor.base, sp.KroneckerDelta) and bool(factor.exp.is_positive)


def standard_sum(factors: Iterable[sp.Expr], bounds: tuple[Bound, ...]) -> sp.Sum:
    """A sum of a product with standard names and a standard order of its indices."""
    product = sp.Mul(*factors)
    # Names of sums inside the factors are taken: none of them may catch an index of this sum.
    names_inside = [
        symbol.name[1:]
        for symbol in sp.Tuple(product, *(sp.Tuple(*bound) for bound in bounds)).atoms(sp.Symbol)
        if symbol.name[0] == "#"
    ]
    taken = 1 + max(map(int, names_inside), default=-1)
    candidates = []
    for order in permutations(bounds):
        if any(
            index in end.free_symbols
            for place, (index, *_) in enumerate(order)
            for _, *ends in order[place:]
            for end in ends
        ):
            continue
        names = {
            bound[0]: sp.Symbol(f"#{taken + place}", integer=True, positive=True) for place, bound in enumerate(order)
        }
        named = [(names[index], lower.xreplace(names), upper.xreplace(names)) for index, lower, upper in order]
        candidate = sp.Sum(product.xreplace(names), *named)
        candidates.append((sp.srepr(candidate), candidate))
    return min(candidates, key=lambda entry: entry[0])[1]


# -- the decision ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def _sample(letter: sp.Basic) -> sp.Integer:
    """An integer for a letter: two rational functions that differ there are not one."""
    return sp.Integer(random.Random(str(letter)).randint(2, 997))


def _letters(form: sp.Expr) -> set[sp.Basic]:
    indexed = form.atoms(sp.Indexed)
    return indexed | (form.atoms(sp.Symbol) - {symbol for part in indexed for symbol in part.atoms(sp.Symbol)})


def equal_by_algebra(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether algebra alone makes two expressions equal.

    >>> p, n = sp.symbols("p n", positive=True)
    >>> equal_by_algebra(p / (n * p + 1 - p), 1 / (n + (1 - p) / p))
    True
    """
    if same(one, other):
        return True
    if isinstance(one, sp.Eq) or isinstance(other, sp.Eq):
        # The same may be added to both sides of an equation.
        both = isinstance(one, sp.Eq) and isinstance(other, sp.Eq)
        return both and equal_by_algebra(one.lhs - one.rhs, other.lhs - other.rhs)
    difference = rational(sp.sympify(one)) - rational(sp.sympify(other))
    if difference == 0:
        return True
    value = difference.xreplace({part: _sample(part) for part in _letters(difference)})
    if value.is_Rational and value != 0:
        return False
    expanded = sp.expand(difference, power_base=False, power_exp=False, log=False)
    if expanded == 0:
        return True
    if _is_laurent(expanded) and not any(part.exp.is_negative for part in expanded.atoms(sp.Pow)):
        return False
    return sp.expand(sp.numer(sp.together(expanded))) == 0


@lru_cache(maxsize=1 << 12)
def multiplied_out(expression: sp.Expr) -> sp.Expr:
    """An expression with everything multiplied out, inside its operators too; sums stay sums."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, (sp.Add, sp.Mul, sp.Pow, sp.Sum)):
            return canonical(part)
        return part

    return walk(expression, change)
