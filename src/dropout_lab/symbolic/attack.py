"""Attacks on a chain: every line altered, every rule exchanged, to see that both would have been noticed.

A *slip* alters one line: a sign, a factor, an index, an exponent, p for 1 − p, a dropped term. The rule and the numbers
judge it apart from one another. A *swap* leaves the line and takes another rule for one that it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sympy as sp

from dropout_lab.symbolic.arithmetic import FLOAT, Arithmetic, closeness
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.equations import equivalent, value_of
from dropout_lab.symbolic.letters import Named, SlopeAt
from dropout_lab.symbolic.lines import Line, Remainder, agrees
from dropout_lab.symbolic.parts import rebuilt
from dropout_lab.symbolic.rules import idempotence
from dropout_lab.symbolic.rules.base import EXACT_RELATIONS, RULES, Rule

#: Floating point values farther apart than this belong to different numbers; nearer ones are looked at exactly.
_APART = 1e-6
#: Slips of one kind on one line at most.
_MOST = 6


class Survivor(NamedTuple):
    """A slip that nothing refused: the number of the line, the kind of slip, and the altered formula."""

    line: int
    kind: str
    formula: str


@dataclass
class Attack:
    """The counts of one or several attacks on chains: how many slips and swaps were tried, and how many were refused.

    A slip alters one line; the rules of the line and its numbers judge it apart from one another. A swap puts another
    rule in the place of one that a line names. :func:`attacked` makes an attack.

    Attributes
    ----------
    tried:
        How many slips were tried on lines with =.
    by_rule:
        How many of them the rules of the line refused.
    by_numbers:
        How many of them the numbers refused.
    refused:
        How many of them the rules or the numbers refused.
    swaps:
        How many rules were tried in the place of those that the lines name.
    swaps_refused:
        How many of these rules do not lead to the line.
    inequalities:
        How many slips were tried on lines with another relation than =, which are counted apart.
    inequalities_refused:
        How many of these the rules or the numbers refused.
    survivors:
        The slips that nothing refused, each with the number of its line, its kind and the altered formula.
    overlaps:
        The swaps that were not refused: the rule named, and the other rule that leads to the line as well.

    >>> one = Attack(tried=8, refused=8)
    >>> one.add(Attack(tried=2, refused=1))
    >>> one.tried, one.refused
    (10, 9)
    """

    tried: int = 0
    by_rule: int = 0
    by_numbers: int = 0
    refused: int = 0
    swaps: int = 0
    swaps_refused: int = 0
    inequalities: int = 0
    inequalities_refused: int = 0
    survivors: list[Survivor] = field(default_factory=list)
    overlaps: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Attack) -> None:
        """Add the counts and the lists of another attack to these."""
        for name in ("tried", "by_rule", "by_numbers", "refused", "swaps", "swaps_refused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.inequalities += other.inequalities
        self.inequalities_refused += other.inequalities_refused
        self.survivors += other.survivors
        self.overlaps += other.overlaps


def attacked(chain: Chain) -> Attack:
    """Alter every line of a chain and exchange every rule, and count what is refused.

    Returns an :class:`Attack`, which lists the altered lines that nothing refused (``survivors``) and the other rules
    that lead to a line as well (``overlaps``). The book allows the few that :mod:`dropout_lab.symbolic.exceptions`
    explains.

    >>> import sympy as sp
    >>> from dropout_lab.symbolic import Chain, Masks, Mean, rules
    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p, h = sp.Symbol("p", positive=True), sp.IndexedBase("h")
    >>> r = Masks(n, p)
    >>> chain = Chain(Mean(r[i] * h[i]), masks=r).then(h[i] * Mean(r[i]), rules.linearity)
    >>> found = attacked(chain)
    >>> found.refused == found.tried, found.survivors
    (True, [])
    """
    attack = Attack()
    for place in range(1, len(chain.lines)):
        _slips(chain, place, attack)
        _swaps(chain, place, attack)
    return attack


# -- slips -------------------------------------------------------------------------------------------------------------


def _slips(chain: Chain, place: int, attack: Attack) -> None:
    before, line = chain.lines[place - 1].formula, chain.lines[place]
    numbers = [_Numbers(chain, before, instance) for instance in range(chain.valuation.instances)]
    for kind, altered in slips(line.formula, chain):
        by_numbers = any(one.refuse(altered, line) for one in numbers)
        # No slip at all: the same expression, also by r² = r, which holds for the masks in whatever stands here. Where
        # an equation has another value, it is another expression.
        if not (by_numbers and line.relation in EXACT_RELATIONS) and _is_none(chain, altered, line.formula):
            continue
        by_rule = not _follows(chain, before, altered, line.rules, line.relation)
        if line.relation in EXACT_RELATIONS:
            attack.tried += 1
            attack.by_rule += by_rule
            attack.by_numbers += by_numbers
            attack.refused += by_rule or by_numbers
        else:
            attack.inequalities += 1
            attack.inequalities_refused += by_rule or by_numbers
        if not by_rule and not by_numbers:
            attack.survivors.append(Survivor(place + 1, kind, sp.sstr(altered)))


def _is_none(chain: Chain, altered: sp.Expr, formula: sp.Expr) -> bool:
    one, other = (idempotence.rewrite(side, chain.context) for side in (altered, formula))
    return equivalent(one, other, chain.solve_for)


def _follows(chain: Chain, before: sp.Expr, after: sp.Expr, rules: tuple[Rule, ...], relation: str) -> bool:
    """Whether the rules lead from one formula to the other; a rule that raises leads nowhere."""
    try:
        return chain.follows(before, after, rules, relation)
    except (ValueError, TypeError, NotImplementedError, ArithmeticError):
        return False


class _Numbers:
    """The values of the line before, and whether an altered line has others, with one instance of each unknown
    function."""

    def __init__(self, chain: Chain, before: sp.Expr, instance: int = 0) -> None:
        self._chain = chain
        self._before = before
        self._values: dict[int, object] = {}
        self._instance = instance
        self._valuation = chain.valuation

    def refuse(self, altered: sp.Expr, line: Line) -> bool:
        if line.remainder is not None:
            return not self._shrinks(altered, line.remainder)
        for size in sorted(self._valuation.sizes, key=lambda size: (size < 2, size)):
            try:
                before, after = (
                    self._value_before(size),
                    self._valued(altered, self._valuation.draws(size), FLOAT),
                )
            except (ValueError, ZeroDivisionError, OverflowError, TypeError, NotImplementedError):
                return True
            if line.relation in EXACT_RELATIONS:
                if not closeness(before, after) < _APART:
                    return True
            elif not agrees(before, after, line.relation) and closeness(before, after) > _APART:
                return True
        if line.relation not in EXACT_RELATIONS:
            return False
        return any(not self._agrees_exactly(altered, size) for size in self._valuation.sizes)

    def _agrees_exactly(self, altered: sp.Expr, size: int) -> bool:
        before, after = (self._valuation.value(one, size, self._instance) for one in (self._before, altered))
        return agrees(before, after, "=")

    def _shrinks(self, altered: sp.Expr, remainder: Remainder) -> bool:
        def gap(value: sp.Rational) -> Any:
            return self._valuation.gap(self._before, altered, {remainder.small: value}, self._instance)

        return remainder.broken(gap) is None

    def _value_before(self, size: int) -> object:
        if size not in self._values:
            self._values[size] = self._valued(self._before, self._valuation.draws(size), FLOAT)
        return self._values[size]

    def _valued(self, expression: sp.Expr, draws: Draws, arithmetic: Arithmetic) -> object:
        return value_of(self._valuation.evaluator(self._instance), expression, draws, arithmetic, self._chain.solve_for)


def slips(formula: sp.Expr, chain: Chain) -> Iterator[tuple[str, sp.Expr]]:
    """Altered forms of a formula, with the kind of slip; each once."""
    seen: set[sp.Expr] = {formula}
    for kind, make in _KINDS.items():
        count = 0
        for altered in make(formula, chain):
            if (
                altered in seen
                or isinstance(altered, sp.Eq) != isinstance(formula, sp.Eq)
                or altered.has(sp.zoo, sp.nan)
            ):
                continue
            seen.add(altered)
            yield kind, altered
            count += 1
            if count == _MOST:
                break


def _replaced(formula: sp.Expr, path: tuple[int, ...], new: sp.Basic) -> sp.Expr:
    if not path:
        return new
    arguments = list(formula.args)
    arguments[path[0]] = _replaced(arguments[path[0]], path[1:], new)
    return rebuilt(formula, arguments)


def _parts(formula: sp.Basic, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], sp.Basic]]:
    """All parts that a slip may touch: not what letters mean, nor the ranges of sums."""
    yield path, formula
    if isinstance(formula, (sp.Indexed, sp.Lambda)) or not formula.args:
        return
    for place, argument in enumerate(formula.args):
        if (isinstance(formula, Named) and place < 2) or isinstance(argument, sp.Tuple):
            continue
        if (isinstance(formula, sp.Derivative) and place > 0) or (isinstance(formula, SlopeAt) and place != 1):
            continue
        yield from _parts(argument, (*path, place))


def _whole(formula: sp.Basic) -> list[tuple[tuple[int, ...], sp.Expr]]:
    """The whole formula, or each side of an equation."""
    return (
        [((place,), side) for place, side in enumerate(formula.args)] if isinstance(formula, sp.Eq) else [((), formula)]
    )


def _signs(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    for path, part in _parts(formula):
        if isinstance(part, sp.Add):
            for place, term in enumerate(part.args):
                yield _replaced(formula, (*path, place), -term)
    for path, side in _whole(formula):
        yield _replaced(formula, path, -side)


def _factors(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    for path, part in _parts(formula):
        if isinstance(part, sp.Add):
            for place, term in enumerate(part.args):
                yield _replaced(formula, (*path, place), 2 * term)
        if isinstance(part, sp.Mul):
            for place, factor in enumerate(part.args):
                if not factor.is_Number:
                    rest = sp.Mul(*(other for k, other in enumerate(part.args) if k != place))
                    yield _replaced(formula, path, rest)
    for path, side in _whole(formula):
        yield _replaced(formula, path, 2 * side)


def _indices(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    used = {index for part in formula.atoms(sp.Indexed) for index in part.indices if index.is_Symbol}
    bound = {limit[0] for part in formula.atoms(sp.Sum, sp.Product) for limit in part.limits}
    choices = sorted(used | bound, key=sp.default_sort_key)
    for path, part in _parts(formula):
        if isinstance(part, sp.Indexed):
            for place, index in enumerate(part.indices):
                for other in choices:
                    if other != index:
                        indices = [other if k == place else old for k, old in enumerate(part.indices)]
                        yield _replaced(formula, path, part.base[tuple(indices)])
        if isinstance(part, sp.KroneckerDelta):
            yield _replaced(formula, path, sp.Integer(1))


def _exponents(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    for path, part in _parts(formula):
        if isinstance(part, sp.Pow) and part.exp.is_Integer:
            for exponent in (part.exp + 1, part.exp - 1):
                yield _replaced(formula, path, part.base**exponent)
        elif isinstance(part, (sp.Indexed, sp.Symbol)) and path:
            yield _replaced(formula, path, part**2)


def _complements(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    letters = set()
    for family in chain.context.families:
        sample = family.keep_prob(*[sp.Symbol("i", integer=True, positive=True) for _ in family.size])
        letters |= {part for part in sp.preorder_traversal(sample) if isinstance(part, (sp.Symbol, sp.Indexed))}
    names = {str(letter).split("[")[0] for letter in letters} or {"p"}
    for path, part in _parts(formula):
        if isinstance(part, (sp.Symbol, sp.Indexed)) and str(part).split("[")[0] in names:
            yield _replaced(formula, path, 1 - part)
    # What a derivative is taken by stays a letter.
    fixed = {variable for part in formula.atoms(sp.Derivative) for variable in part.variables}
    whole = {part: 1 - part for part in formula.free_symbols - fixed if str(part) in names}
    if whole:
        yield formula.xreplace(whole)


def _dropped(formula: sp.Expr, chain: Chain) -> Iterator[sp.Expr]:
    for path, part in _parts(formula):
        if isinstance(part, sp.Add) and len(part.args) > 1:
            for place in range(len(part.args)):
                rest = sp.Add(*(other for k, other in enumerate(part.args) if k != place))
                yield _replaced(formula, path, rest)


_KINDS = {
    "a sign": _signs,
    "a factor": _factors,
    "an index": _indices,
    "an exponent": _exponents,
    "p for 1 − p": _complements,
    "a dropped term": _dropped,
}


# -- swaps -------------------------------------------------------------------------------------------------------------


def _swaps(chain: Chain, place: int, attack: Attack) -> None:
    before, line = chain.lines[place - 1].formula, chain.lines[place]
    named = {rule.kind for rule in line.rules}
    for position, own in enumerate(line.rules):
        for other in RULES.values():
            if other.kind in named:
                continue
            rules = (*line.rules[:position], other, *line.rules[position + 1 :])
            attack.swaps += 1
            idle = _is_idle(chain, before, line, rules, position)
            if not idle and _follows(chain, before, line.formula, rules, line.relation):
                attack.overlaps.append((own.kind, other.kind))
            else:
                attack.swaps_refused += 1


def _is_idle(chain: Chain, before: sp.Expr, line: Line, rules: tuple[Rule, ...], position: int) -> bool:
    """Whether a rule finds nothing to do on either side: it cannot take the place of one that was needed."""
    if rules[position].is_algebra:
        return False
    try:
        for side in (before, line.formula):
            there = chain.rewritten(side, [rule for rule in rules[:position] if side is before or rule.both])
            if chain.rewritten_by(rules[position], there) != there:
                return False
    except (ValueError, TypeError, NotImplementedError, ArithmeticError):
        return True
    return True
