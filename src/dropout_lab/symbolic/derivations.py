"""Derivations: a value that SymPy derived from a definition, which can be compared with a closed form in two ways.

The first way is symbolic and exact. The second evaluates the *definition* at small sizes and random rationals, by going
through all masks, and shares nothing with the first: a slip in the rules of this package shows there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from dropout_lab.symbolic.instances import PAIRS, SIZES, Assignment, Instance
from dropout_lab.symbolic.masks import Masks, as_families, mask_assignments, mean
from dropout_lab.symbolic.sums import canonical, equal, rebuild

#: An operator E that averages an expression over all masks.
Average = Callable[[sp.Expr], sp.Expr]


@dataclass(frozen=True, eq=False)
class Derivation:
    """A quantity with masks in it (``definition``), and its ``value`` as derived by SymPy.

    ``statistic`` says what the quantity is in terms of an operator E that averages an expression over the masks: for a
    variance, E X² − (E X)². Every way to prove or check the value gives it an E of its own.
    """

    definition: sp.Expr
    value: sp.Expr
    families: tuple[Masks, ...]
    statistic: Callable[[Average], sp.Expr]
    symbol: str
    distinct: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()

    #: What the instances compare the closed form with.
    against = "enumeration"

    @property
    def scope(self) -> str:
        """``any n`` if a number of masks is a symbol, else the number."""
        scopes = {family.scope for family in self.families}
        return "any n" if "any n" in scopes else ", ".join(sorted(scopes))

    def latex(self) -> str:
        """LaTeX of the left side: the operator applied to the definition."""
        letters = ",".join(sp.latex(family.base) for family in self.families)
        inside = sp.latex(self.definition)
        if isinstance(self.definition, sp.Tuple):
            inside = ", ".join(sp.latex(part) for part in self.definition)
        return rf"{self.symbol}_{{{letters}}}\left[{inside}\right]"

    def equals(self, closed_form: sp.Expr) -> bool:
        """Whether the derived value and the closed form are the same expression in canonical form."""
        pairs = [frozenset(pair) for pair in self.distinct]
        closed_form = sp.sympify(closed_form)
        same = {d: sp.Integer(0) for d in closed_form.atoms(sp.KroneckerDelta) if frozenset(d.indices) in pairs}
        return equal(self.value, closed_form.xreplace(same))

    def instances(self, closed_form: sp.Expr, seed: int = 0, sizes: Sequence[int] = SIZES) -> list[Instance]:
        """Average the definition over all masks at small sizes with random rationals, and evaluate the closed form
        there.

        ``sizes`` are those of masks with one index; masks with two get small rectangles. Masks of a given number are
        enumerated at three draws of the other values; more than 12 of them are refused with a :class:`ValueError`.
        """
        generator = random.Random(seed)
        return [self._instance(sp.sympify(closed_form), extents, generator) for extents in self._extents(sizes)]

    def _extents(self, sizes: Sequence[int]) -> list[dict[sp.Symbol, sp.Integer]]:
        symbols = list(dict.fromkeys(s for family in self.families for s in family.size if s.is_Symbol))
        coins = sum(int(sp.prod(f.size)) for f in self.families if all(extent.is_Integer for extent in f.size))
        if coins > 12:
            raise ValueError(f"{coins} masks have 2^{coins} outcomes, too many to list; use at most 12, or a symbol")
        if not symbols:
            return [{}, {}, {}]
        least = max([2 if self.distinct else 1, *self._numbered()])
        if max(len(family.size) for family in self.families) == 1:
            return [{s: sp.Integer(size) for s in symbols} for size in sizes if size >= least]
        pairs = [[size[k % 2] for k in range(len(symbols))] for size in PAIRS]
        return [dict(zip(symbols, map(sp.Integer, pair), strict=True)) for pair in pairs if min(pair) >= least]

    def _numbered(self) -> list[int]:
        """The numbers of masks that the definition names, as in r[2]: no fewer masks than that."""
        named = [part for part in self.definition.atoms(sp.Indexed) if any(part.base == f.base for f in self.families)]
        return [int(index) for part in named for index in part.indices if index.is_Integer]

    def _instance(self, closed_form: sp.Expr, extents: Mapping, generator: random.Random) -> Instance:
        families = self.families
        draw = Assignment([self.definition, closed_form], families, extents, self.distinct, generator)

        def average(expression: sp.Expr) -> sp.Expr:
            concrete = draw(expression, keep=families)
            used = sorted({a for a in concrete.atoms(sp.Indexed) if any(a.base == f.base for f in families)}, key=str)
            outcomes = mask_assignments(used, families, draw)
            return sp.Add(*[weight * sp.sympify(concrete.xreplace(masks)) for weight, masks in outcomes])

        exact = self.statistic(average)
        return Instance(draw.describe(), sp.expand_mul(sp.expand_log(exact)), draw(closed_form))


def _pairs(distinct: Iterable[tuple[sp.Symbol, sp.Symbol]]) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
    pairs = tuple(tuple(pair) for pair in distinct)
    if any(len(pair) != 2 or pair[0] == pair[1] for pair in pairs):
        raise ValueError(f"distinct lists pairs of different indices, as in ((i, j),); got {distinct}")
    return pairs


def expectation(
    expression: sp.Expr, masks: Masks | tuple[Masks, ...], *, distinct: Iterable[tuple[sp.Symbol, sp.Symbol]] = ()
) -> Derivation:
    """E over the masks of an expression of degree at most two in them, for general n.

    ``masks`` is one :class:`Masks` or a tuple of independent families; ``distinct`` lists pairs of free indices that
    differ. The rules are E r_i = p_i, r_i² = r_i and E r_i r_j = p_i p_j + p_i (1 − p_i) δ_ij. Logarithms of products
    of positive factors are expanded first, so that the log-odds of a softmax with logits linear in the masks can be
    averaged: there the degree is one, and only E r_i = p_i is used, which needs no independence.

    Raises :class:`NotProved` for any other expression.
    """
    families = as_families(masks)
    expression, pairs = sp.sympify(expression), _pairs(distinct)
    value = mean(expression, families, pairs)
    return Derivation(expression, value, families, lambda E: E(expression), r"\mathbb{E}", pairs)


def variance(
    expression: sp.Expr, masks: Masks | tuple[Masks, ...], *, distinct: Iterable[tuple[sp.Symbol, sp.Symbol]] = ()
) -> Derivation:
    """Var over the masks of an expression of degree one in them, for general n: E X² − (E X)².

    The arguments and the errors are those of :func:`expectation`.
    """
    expression = sp.sympify(expression)
    return _second_moment(expression, expression, masks, distinct, expression, r"\operatorname{Var}")


def covariance(
    one: sp.Expr,
    other: sp.Expr,
    masks: Masks | tuple[Masks, ...],
    *,
    distinct: Iterable[tuple[sp.Symbol, sp.Symbol]] = (),
) -> Derivation:
    """Cov over the masks of two expressions of degree one in them, for general n: E X Y − E X E Y.

    The arguments and the errors are those of :func:`expectation`.
    """
    one, other = sp.sympify(one), sp.sympify(other)
    return _second_moment(one, other, masks, distinct, sp.Tuple(one, other), r"\operatorname{Cov}")


def _second_moment(
    one: sp.Expr,
    other: sp.Expr,
    masks: Masks | tuple[Masks, ...],
    distinct: Iterable[tuple[sp.Symbol, sp.Symbol]],
    definition: sp.Basic,
    symbol: str,
) -> Derivation:
    families, pairs = as_families(masks), _pairs(distinct)
    value = mean(one * other, families, pairs) - mean(one, families, pairs) * mean(other, families, pairs)
    return Derivation(
        definition, rebuild(canonical(value)), families, lambda E: E(one * other) - E(one) * E(other), symbol, pairs
    )
