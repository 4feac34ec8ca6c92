"""Derivations: a value that SymPy derived from a definition, which can be compared with a closed form in two ways.

The first way is symbolic and exact. The second evaluates the *definition* at small sizes and random rationals, by going
through all masks, and shares nothing with the first: a slip in the rules of this package shows there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from dropout_lab.symbolic.masks import Masks, NotProved, mask_assignments, mean
from dropout_lab.symbolic.sums import canonical, equal, evaluated, rebuild

#: Sizes at which a statement for general n is instantiated.
SIZES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Instance:
    """One exact comparison at given values: the definition's value against the closed form's."""

    values: str
    exact: sp.Expr
    closed_form_value: sp.Expr

    @property
    def agrees(self) -> bool:
        """Whether both values are the same number, exactly."""
        return sp.simplify(self.exact - self.closed_form_value) == 0


@dataclass(frozen=True, eq=False)
class Derivation:
    """A quantity with masks in it (``definition``), and its ``value`` as derived by SymPy.

    ``parts`` are the expressions with masks that are averaged, ``statistic`` maps the enumerated means that it asks for to
    the quantity: it is called with a function E that averages an expression over all masks.
    """

    definition: sp.Expr
    value: sp.Expr
    families: tuple[Masks, ...]
    statistic: Callable[[Callable[[sp.Expr], sp.Expr]], sp.Expr]
    symbol: str
    distinct: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()

    @property
    def scope(self) -> str:
        """``any n`` if a number of masks is a symbol, else the number."""
        scopes = {family.scope for family in self.families}
        return "any n" if "any n" in scopes else ", ".join(sorted(scopes))

    def latex(self) -> str:
        """LaTeX of the left side: the operator applied to the definition."""
        letters = ",".join(sp.latex(family.base) for family in self.families)
        return rf"{self.symbol}_{{{letters}}}\left[{sp.latex(self.definition)}\right]"

    def equals(self, closed_form: sp.Expr) -> bool:
        """Whether the derived value and the closed form are the same expression in canonical form."""
        return equal(self.value, closed_form)

    def instances(self, closed_form: sp.Expr, seed: int = 0, sizes: Sequence[int] = SIZES) -> list[Instance]:
        """Average the definition over all masks at small sizes with random rationals, and evaluate the closed form there."""
        generator = random.Random(seed)
        symbolic = sorted({s for f in self.families for s in f.size if s.is_Symbol}, key=str)
        least = 2 if self.distinct else 1
        # Two-index masks have rows × columns coins: small sizes keep the 2^m assignments few.
        largest = 4 if max(len(family.size) for family in self.families) == 1 else 2
        sizes = [size for size in sizes if least <= size <= largest] if symbolic else [0]
        return [self._instance(closed_form, {s: sp.Integer(size) for s in symbolic}, generator) for size in sizes]

    def _instance(self, closed_form: sp.Expr, extents: Mapping, generator: random.Random) -> Instance:
        probabilities = set().union(*[_probability_symbols(family) for family in self.families])
        draw = Assignment(extents, self._largest(extents), probabilities, self.distinct, generator)
        families = self.families

        def average(expression: sp.Expr) -> sp.Expr:
            concrete = draw(expression, keep=families)
            used = sorted({a for a in concrete.atoms(sp.Indexed) if any(a.base == f.base for f in families)}, key=str)
            outcomes = mask_assignments(used, families)
            return sp.Add(*[draw(weight) * sp.sympify(concrete.xreplace(masks)) for weight, masks in outcomes])

        exact = sp.expand(self.statistic(average))
        return Instance(draw.describe(extents), exact, sp.expand(draw(closed_form)))

    def _largest(self, extents: Mapping) -> int:
        sizes = [int(extents.get(extent, extent)) for family in self.families for extent in family.size]
        return min(sizes)


class Assignment:
    """Random rationals for every free symbol and indexed value that it meets, the same one each time it meets it again."""

    def __init__(self, extents: Mapping, size: int, probabilities: set, distinct, generator: random.Random):
        self._values: dict[sp.Expr, sp.Expr] = dict(extents)
        self._size, self._probabilities, self._generator = size, probabilities, generator
        self._distinct = distinct

    def __call__(self, expression: sp.Expr, keep: tuple[Masks, ...] = ()) -> sp.Expr:
        expression = sp.sympify(expression)
        scalars = sorted((s for s in expression.free_symbols if _is_scalar(s, expression)), key=str)
        for symbol in scalars:
            self._values.setdefault(symbol, self._draw(symbol))
        concrete = evaluated(expression.xreplace({s: self._values[s] for s in scalars}))
        for part in sorted(concrete.atoms(sp.Indexed), key=str):
            if not any(part.base == family.base for family in keep):
                probability = part.base in self._probabilities or part.base.label in self._probabilities
                self._values.setdefault(part, self._rational(probability=probability))
        return concrete.xreplace({part: value for part, value in self._values.items() if isinstance(part, sp.Indexed)})

    def describe(self, extents: Mapping) -> str:
        """The sizes and the free symbols in words, for messages."""
        named = [f"{name} = {value}" for name, value in self._values.items() if not isinstance(name, sp.Indexed)]
        return ", ".join(named) or "the given numbers"

    def _draw(self, symbol: sp.Symbol) -> sp.Expr:
        if symbol in self._probabilities:
            return self._rational(probability=True)
        if symbol.is_integer:
            return sp.Integer(self._index(symbol))
        return self._rational(positive=bool(symbol.is_positive))

    def _index(self, symbol: sp.Symbol) -> int:
        taken = {
            int(self._values[other])
            for pair in self._distinct if symbol in pair
            for other in pair if other != symbol and other in self._values
        }
        return self._generator.choice([k for k in range(1, self._size + 1) if k not in taken])

    def _rational(self, *, probability: bool = False, positive: bool = False) -> sp.Rational:
        if probability:
            return sp.Rational(self._generator.randint(1, 10), 11)
        sign = 1 if positive else self._generator.choice((-1, 1))
        return sign * sp.Rational(self._generator.randint(1, 9), self._generator.randint(1, 9))


def _is_scalar(symbol: sp.Symbol, expression: sp.Expr) -> bool:
    labels = {label for part in expression.atoms(sp.IndexedBase) for label in (part, part.label)}
    return isinstance(symbol, sp.Symbol) and symbol not in labels


def _probability_symbols(family: Masks) -> set:
    sample = family.keep_prob(*[sp.Dummy(integer=True) for _ in family.size])
    bases = sample.atoms(sp.IndexedBase)
    return {s for s in sample.free_symbols if _is_scalar(s, sample) and not isinstance(s, sp.Dummy)} | bases


def _families(masks) -> tuple[Masks, ...]:
    families = masks if isinstance(masks, tuple) else (masks,)
    for family in families:
        if not isinstance(family, Masks):
            raise TypeError(f"masks are symbolic.Masks or a tuple of them, got {type(family).__name__}")
    return families


def expectation(expression: sp.Expr, masks, *, distinct=()) -> Derivation:
    """E over the masks of an expression of degree at most two in them, for general n.

    ``masks`` is one :class:`Masks` or a tuple of independent families; ``distinct`` lists pairs of free indices that differ.
    The rules are E r_i = p_i, r_i² = r_i and E r_i r_j = p_i p_j + p_i (1 − p_i) δ_ij.
    """
    families = _families(masks)
    value = mean(expression, families, distinct)
    return Derivation(sp.sympify(expression), value, families, lambda E: E(expression), r"\mathbb{E}", distinct)


def variance(expression: sp.Expr, masks, *, distinct=()) -> Derivation:
    """Var over the masks of an expression of degree one in them, for general n: E X² − (E X)²."""
    families = _families(masks)
    value = mean(expression**2, families, distinct) - mean(expression, families, distinct) ** 2
    return Derivation(
        sp.sympify(expression),
        rebuild(canonical(value)),
        families,
        lambda E: E(expression**2) - E(expression) ** 2,
        r"\operatorname{Var}",
        distinct,
    )


def covariance(one: sp.Expr, other: sp.Expr, masks, *, distinct=()) -> Derivation:
    """Cov over the masks of two expressions of degree one in them, for general n: E X Y − E X E Y."""
    families = _families(masks)
    value = mean(one * other, families, distinct) - mean(one, families, distinct) * mean(other, families, distinct)
    return Derivation(
        sp.Tuple(one, other),
        rebuild(canonical(value)),
        families,
        lambda E: E(one * other) - E(one) * E(other),
        r"\operatorname{Cov}",
        distinct,
    )


__all__ = ["Derivation", "Instance", "Masks", "NotProved", "covariance", "expectation", "variance"]
