"""Rules made for one chain: what a letter means, a lemma, a theorem that is cited, an equation that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import sympy as sp

from dropout_lab.symbolic.algebra import same
from dropout_lab.symbolic.binding import BINDERS, bound_symbols, put
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Definition, Named, ProductOverMasks, Random, SumOverMasks, Weight, rebuilt, walk
from dropout_lab.symbolic.rules.base import Context, Rule, walk_within
from dropout_lab.symbolic.rules.signs import is_nonnegative, is_positive, raised


#: Indices that stand in no expression of a reader.
_PLACES = tuple(sp.Dummy(f"place{number}", integer=True) for number in range(4))


class Lemma(Protocol):
    """What a rule asks of a chain that it uses."""

    start: sp.Expr
    tied: Mapping[sp.Basic, Any] | None
    within: Mapping[sp.Basic, Any] | None

    @property
    def end(self) -> sp.Expr:
        """Its last line."""

    @property
    def relation(self) -> str:
        """The relation of its first line to its last."""

    @property
    def assumes(self) -> tuple[str, ...]:
        """Its assumptions."""

    @property
    def context(self) -> Context:
        """Its masks, unknown functions and indices that differ."""


def definition(*definitions: Definition) -> Rule:
    """What letters stand for, put in their place; read backwards, the letter for what it stands for."""

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if isinstance(part, Named) and any(one.names(part) for one in definitions):
                return part.meaning
            return part

        return walk(expression, change)

    letters = ", ".join(one.letter for one in definitions)
    return Rule(
        f"definition of {letters}",
        "A letter stands for what it was defined as.",
        rewrite,
        assumes=tuple(dict.fromkeys(name for one in definitions for name in one.assumes)),
        key="definition",
    )


def substitution(
    left: sp.Expr,
    right: sp.Expr,
    name: str,
    key: str,
    *,
    statement: str = "",
    relation: str = "=",
    assumes: tuple[str, ...] = (),
    own: Context | None = None,
    source: object = None,
) -> Rule:
    """``right`` in place of ``left``, wherever it stands; :class:`Random` letters of ``left`` stand for any expression.

    With ``<=`` only where something larger makes the whole larger. ``own`` is what the chain behind it took for granted:
    the rule can be used in chains that do so, too.
    """
    if relation not in ("=", "<=", "~"):
        raise ValueError(f"{name}: an inequality is written from its smaller side to its larger one, with <=; got {relation!r}")
    left, right = sp.sympify(left), sp.sympify(right)
    wild = left.atoms(Random)
    if right.atoms(Random) - wild:
        raise ValueError(f"{right} has random letters that {left} does not have")

    def replaced(part: sp.Basic) -> sp.Basic:
        if not wild:
            return right if same(part, left) else part
        found = matched(left, part, {})
        return part if found is None else put(right, found)

    def change(part: sp.Basic, here: Context) -> sp.Basic:
        return replaced(part) if own is None or own.distinct <= here.distinct else part

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        if own is not None:
            _check_known(name, sp.Tuple(left, right), own, context)
        if relation == "=":
            return walk_within(expression, context, change)
        return raised(expression, lambda part: change(part, context))

    return Rule(name, statement, rewrite, tuple(assumes), relation, relation == "=", key=key, source=source)


def _check_known(name: str, sides: sp.Tuple, own: Context, context: Context) -> None:
    """What a lemma says of its masks and functions holds for those of the chain that uses it."""
    whole = sides.has(SumOverMasks, ProductOverMasks, Weight)
    used = {part.base for part in sides.atoms(sp.Indexed)}
    for family in own.families:
        if not whole and family.base not in used:
            continue
        other = next((one for one in context.families if one.base == family.base), None)
        if other is None or not one_law(family, other, whole):
            raise ValueError(f"{name} was derived for the masks {family}, which are not those of this chain")
    if whole and len(own.families) != len(context.families):
        raise ValueError(f"{name} goes through all masks of its chain, which are not those of this one")
    for unknown in own.unknowns:
        if sides.has(unknown.function):
            here = next((one for one in context.unknowns if one.function == unknown.function), None)
            if here is None or not here.properties >= unknown.properties:
                raise ValueError(
                    f"{name} was derived for a function {unknown.function} that is {sorted(unknown.properties)}, "
                    f"and this chain has none"
                )


def one_law(one: Masks, other: Masks, whole: bool) -> bool:
    """Whether two families of one letter have the same keep probabilities, and the second no fewer masks."""
    if len(one.size) != len(other.size):
        return False
    if whole and one.size != other.size:
        return False
    if any((there - here).is_negative for here, there in zip(one.size, other.size, strict=True)):
        return False
    index = [sp.Dummy(integer=True, positive=True) for _ in one.size]
    return one.keep_prob(*index) == other.keep_prob(*index)


def matched(pattern: sp.Basic, part: sp.Basic, found: Mapping[sp.Basic, sp.Basic]) -> dict[sp.Basic, sp.Basic] | None:
    """What the random letters of a pattern stand for in an expression of its form, or None.

    A letter that is said to be positive stands for what surely is; no letter under a sum stands for something with the
    index of that sum in it.
    """
    if isinstance(pattern, Random):
        if pattern in found:
            return dict(found) if same(found[pattern], part) else None
        if not isinstance(part, sp.Expr) or not _fits(pattern, part):
            return None
        return {**found, pattern: part}
    if not pattern.atoms(Random):
        return dict(found) if same(pattern, part) else None
    if type(pattern) is not type(part) or len(pattern.args) != len(part.args):
        return None
    result: dict[sp.Basic, sp.Basic] | None = dict(found)
    for one, other in zip(pattern.args, part.args, strict=True):
        result = matched(one, other, result)  # type: ignore[arg-type]
        if result is None:
            return None
    if isinstance(part, BINDERS):
        own = {limit[0] for limit in part.limits}
        if any(own & result[letter].free_symbols for letter in pattern.atoms(Random)):  # type: ignore[index]
            return None
    return result


def _fits(letter: Random, part: sp.Expr) -> bool:
    if letter.is_positive:
        return is_positive(part)
    return is_nonnegative(part) if letter.is_nonnegative else True


def theorem(
    name: str,
    left: sp.Expr,
    right: sp.Expr,
    *,
    key: str,
    statement: str,
    assumes: tuple[str, ...] = (),
    relation: str = "=",
) -> Rule:
    """A theorem of the literature as a step: ``key`` is its entry in the bibliography, and the page says so."""
    said = f"{statement} {{cite}}`{key}`"
    return substitution(
        left, right, f"{name} (cited)", "a cited theorem", statement=said, relation=relation, assumes=assumes
    )


def given(left: sp.Expr, right: sp.Expr, name: str, *, assumes: tuple[str, ...] = (), relation: str = "=") -> Rule:
    """An equation that holds by assumption, such as that inputs are white; ``assumes`` names the assumption.

    With ``relation="<="`` it is an inequality. Letters that it ties to each other get their values by ``Chain(…, tied=…)``.
    """
    statement = "An equation or inequality that the assumptions give."
    return substitution(left, right, name, "given", statement=statement, relation=relation, assumes=assumes)


def in_letters(lemma: Lemma, letters: Mapping[sp.Basic, Any], name: str) -> Rule:
    """A lemma in other letters: what holds for r, x and y holds for the masks, inputs and target of each example.

    ``letters`` gives for a symbol an expression, for an :class:`sympy.IndexedBase` a function of the indices. Masks
    must become masks with the same keep probability, anything else something that is not random. What the lemma
    defines by these letters is written out. Raises ValueError for a letter that the lemma sums over.

    >>> from dropout_lab.symbolic import Chain, Masks, Mean, rules
    >>> n, i, m = sp.symbols("n i m", integer=True, positive=True)
    >>> p, x, X = sp.Symbol("p", positive=True), sp.IndexedBase("x"), sp.IndexedBase("X")
    >>> r, R = Masks(n, p), Masks((n, n), p, name="R")
    >>> lemma = Chain(Mean(r[i] * x[i]), masks=r).then(p * x[i], rules.linearity, rules.mean_of_mask)
    >>> example = in_letters(lemma, {r.base: lambda i: R[m, i], x: lambda i: X[m, i]}, "the lemma for example m")
    >>> Chain(Mean(R[m, i] * X[m, i]), masks=R).then(p * X[m, i], example).end
    p*X[m, i]
    """
    if lemma.tied or lemma.within or lemma.context.distinct:
        raise ValueError(f"{name}: a lemma about letters that are restricted holds for these letters only")
    sides = lemma.start, lemma.end
    values = {letter: _sample(value, _arity(letter, sides)) for letter, value in letters.items()}
    caught = {letter for side in sides for letter in bound_symbols(_renamed(side, letters))}
    caught &= {*letters, *set().union(*(value.free_symbols for value in values.values()))}
    if caught:
        raise ValueError(f"{name}: the lemma sums over {sorted(map(str, caught))}; take other letters")
    left, right = (_renamed(side, letters) for side in sides)
    relation = "<=" if lemma.relation == ">=" else lemma.relation
    if lemma.relation == ">=":
        left, right = right, left
    made = substitution(left, right, name, "a lemma", relation=relation, assumes=lemma.assumes, source=lemma)

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        _check_letters(name, lemma, letters, values, context)
        return made.rewrite(expression, context)

    return replace(made, rewrite=rewrite)


def _sample(value: Any, arity: int) -> sp.Expr:
    """What a letter becomes, at indices that stand nowhere else."""
    return sp.sympify(value(*_PLACES[:arity]) if callable(value) else value)


def _check_letters(
    name: str, lemma: Lemma, letters: Mapping[sp.Basic, Any], values: Mapping[sp.Basic, sp.Expr], context: Context
) -> None:
    """Masks become different masks of the same law; nothing else becomes random."""
    own = {family.base for family in lemma.context.families}
    used: list[sp.Basic] = []
    for family in lemma.context.families:
        index = _PLACES[: len(family.size)]
        image = _renamed(family.base[tuple(index)], letters)
        found = context.family(image)
        if found is None or not set(index) <= set(image.indices) or image.base in used:
            raise ValueError(f"{name}: the masks {family.base} of the lemma do not become masks of this chain")
        if not same(found.keep_prob(*image.indices), _renamed(family.keep_prob(*index), letters)):
            raise ValueError(f"{name}: the masks {image.base} have another keep probability than those of the lemma")
        used.append(image.base)
    for letter, value in values.items():
        if letter not in own and context.is_random(value):
            raise ValueError(f"{name}: {letter} is no random number in the lemma, and {value} is one")
    for unknown in lemma.context.unknowns:
        if not any(one.function == unknown.function and one.properties >= unknown.properties for one in context.unknowns):
            raise ValueError(f"{name} was derived for a function {unknown.function} that this chain does not have")


def _renamed(part: sp.Basic, letters: Mapping[sp.Basic, Any]) -> Any:
    if isinstance(part, Named):
        if part.args[1].free_symbols & {getattr(letter, "label", letter) for letter in letters}:
            return _renamed(part.meaning, letters)
        return Named(*part.args[:2], *(_renamed(argument, letters) for argument in part.args[2:]))
    if isinstance(part, sp.Indexed):
        indices = tuple(_renamed(index, letters) for index in part.indices)
        made = letters.get(part.base)
        return part.base[indices] if made is None else sp.sympify(made(*indices) if callable(made) else made[indices])
    if part in letters:
        return sp.sympify(letters[part])
    if not part.args or isinstance(part, sp.IndexedBase):
        return part
    return rebuilt(part, [_renamed(argument, letters) for argument in part.args])


def _arity(letter: sp.Basic, sides: tuple[sp.Expr, ...]) -> int:
    stack: list[sp.Basic] = [*sides]
    while stack:
        part = stack.pop()
        if isinstance(part, sp.Indexed) and part.base == letter:
            return len(part.indices)
        stack += [part.meaning] if isinstance(part, Named) else part.args
    return 1


def fixed_by_log_odds(log_odds: Lemma, one: Lemma, other: Lemma) -> Rule:
    """Two distributions with the same log-odds are one: P(k) = 1 / Σ_m exp(log-odds of m against k).

    ``log_odds`` is a chain from log G(k) − log G(l) to log Q(k) − log Q(l), for any two classes; ``one`` and ``other`` are
    chains from Σ_k G(k) and Σ_k Q(k) to 1. Raises ValueError for chains of another form.
    """
    (first, second), (third, fourth) = _log_odds(log_odds.start), _log_odds(log_odds.end)
    for chain in (log_odds, one, other):
        if chain.relation != "=":
            raise ValueError(f"expected equations, got a chain with {chain.relation} from {chain.start}")
    classes = first.free_symbols - second.free_symbols
    if len(classes) != 1 or any(put(at, {next(iter(classes)): _class_of(to, at)}) != to for at, to in ((first, second), (third, fourth))):
        raise ValueError(f"expected log-odds of one distribution at two classes, got {log_odds.start} to {log_odds.end}")
    (k,) = classes
    ranges = set()
    for chain, part in ((one, first), (other, third)):
        start = chain.start
        if not (isinstance(start, sp.Sum) and len(start.limits) == 1 and chain.end == 1):
            raise ValueError(f"expected a chain from the sum of a distribution to 1, got {start} to {chain.end}")
        index, *ends = start.limits[0]
        if not same(start, sp.Sum(put(part, {k: index}), start.limits[0])):
            raise ValueError(f"{start} is not the sum over {part}")
        ranges.add(tuple(ends))
    if len(ranges) > 1:
        raise ValueError(f"the two distributions have other classes: {one.start} and {other.start}")

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        for chain in (log_odds, one, other):
            _check_known("log-odds fix a distribution", sp.Tuple(chain.start, chain.end), chain.context, context)
        return walk(expression, lambda part: {first: third, second: fourth}.get(part, part))

    assumes = dict.fromkeys(name for chain in (log_odds, one, other) for name in chain.assumes)
    return Rule(
        "log-odds fix a distribution",
        r"Two distributions over the same classes with equal log-odds $\log P(k) - \log P(l)$ are equal, for "
        r"$P(k) = 1 / \sum_m e^{\log P(m) - \log P(k)}$.",
        rewrite,
        assumes=tuple(assumes),
        key="log-odds fix a distribution",
    )


def _class_of(part: sp.Expr, like: sp.Expr) -> sp.Basic:
    """The argument at which a letter is taken in ``part`` and not in ``like``."""
    others = [one for one, other in zip(part.args, like.args, strict=True) if one != other]
    return others[0] if len(others) == 1 else sp.nan


def _log_odds(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    plus = [part.args[0] for part in sp.Add.make_args(expression) if isinstance(part, sp.log)]
    minus = [(-part).args[0] for part in sp.Add.make_args(expression) if isinstance(-part, sp.log)]
    if len(plus) != 1 or len(minus) != 1 or len(expression.args) != 2:
        raise ValueError(f"expected log-odds log P(k) − log P(l), got {expression}")
    return plus[0], minus[0]
