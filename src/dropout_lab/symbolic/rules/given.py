"""Rules made for one chain: what a letter means, a lemma, a theorem that is cited, an equation that is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import sympy as sp

from dropout_lab.symbolic.algebra import same
from dropout_lab.symbolic.operators import Definition, Named, Random, rebuilt, walk
from dropout_lab.symbolic.rules.base import Context, Rule
from dropout_lab.symbolic.rules.inequalities import upwards


class Lemma(Protocol):
    """What a rule asks of a chain that it uses."""

    start: sp.Expr
    tied: Mapping[sp.Basic, Any] | None
    within: Mapping[sp.Basic, Any] | None

    @property
    def context(self) -> Context:
        """Its masks and unknown functions."""

    @property
    def relation(self) -> str:
        """The relation of its first line to its last."""

    @property
    def end(self) -> sp.Expr:
        """Its last line."""

    @property
    def assumes(self) -> tuple[str, ...]:
        """Its assumptions."""


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


def substitution(left: sp.Expr, right: sp.Expr, name: str, key: str, **options: object) -> Rule:
    """``right`` in place of ``left``, wherever it stands; :class:`Random` letters of ``left`` stand for any expression."""
    left, right = sp.sympify(left), sp.sympify(right)
    wild = left.atoms(Random)

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if not wild:
                return right if same(part, left) else part
            found = matched(left, part, {})
            return right.xreplace(found) if found is not None and set(found) >= wild else part

        return walk(expression, change)

    return Rule(name, "", rewrite, key=key, **options)  # type: ignore[arg-type]


def matched(pattern: sp.Basic, part: sp.Basic, found: Mapping[sp.Basic, sp.Basic]) -> dict[sp.Basic, sp.Basic] | None:
    """What the random letters of a pattern stand for in an expression of its form, or None."""
    if isinstance(pattern, Random):
        if pattern in found:
            return dict(found) if same(found[pattern], part) else None
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
    return result


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
    made = substitution(left, right, f"{name} (cited)", key=name)
    return Rule(
        f"{name} (cited)",
        f"{statement} {{cite}}`{key}`",
        made.rewrite,
        assumes=tuple(assumes),
        relation=relation,
        both=relation == "=",
        key="a cited theorem",
    )


def given(left: sp.Expr, right: sp.Expr, name: str, *, assumes: tuple[str, ...] = (), relation: str = "=") -> Rule:
    """An equation that holds by assumption, such as that inputs are white; ``assumes`` names the assumption.

    With ``relation="<="`` it is an inequality, used only where the whole grows with its left side. Letters that the
    equation ties to each other get their values by ``Chain(…, tied=…)``.
    """
    left, right = sp.sympify(left), sp.sympify(right)
    if relation == "=":
        rewrite = substitution(left, right, name, key="given").rewrite
    elif relation == "<=":

        def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
            return upwards(expression, lambda part: right if same(part, left) else part)

    else:
        raise ValueError(f"what is given is an equation (=) or an inequality (<=), got {relation!r}")
    return Rule(
        name,
        "An equation or inequality that the assumptions give.",
        rewrite,
        assumes=tuple(assumes),
        relation=relation,
        both=relation == "=",
        key="given",
    )


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
    if lemma.tied or lemma.within:
        raise ValueError("a lemma about letters that are restricted holds for these letters only")
    left, right = (_renamed(side, letters) for side in (lemma.start, lemma.end))
    places = [sp.Dummy(f"place{k}", integer=True) for k in range(4)]
    values = {}
    for letter, value in letters.items():
        arity = _arity(letter, (lemma.start, lemma.end))
        values[letter] = sp.sympify(value(*places[:arity])) if callable(value) else sp.sympify(value)
    bound = {limit[0] for side in (left, right) for part in side.atoms(sp.Sum, sp.Product) for limit in part.limits}
    caught = bound & set().union(*(value.free_symbols for value in values.values()), set(letters))
    if caught:
        raise ValueError(f"{sorted(map(str, caught))} is summed over in the lemma; take other letters for its sums")

    def applies(context: Context) -> bool:
        images = []
        for family in lemma.context.families:
            index = places[: len(family.size)]
            image = _renamed(family.base[tuple(index)], letters)
            found = context.family(image)
            if found is None or not set(index) <= image.free_symbols:
                return False
            wanted = _renamed(family.keep_prob(*index), letters)
            if not same(found.keep_prob(*image.indices), wanted) or image.base in images:
                return False
            images.append(image.base)
        masks = {family.base for family in lemma.context.families}
        others = [value for letter, value in values.items() if letter not in masks]
        return not any(context.is_random(value) for value in others)

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        if not applies(context):
            return expression
        replaced = upwards if lemma.relation == "<=" else walk
        return replaced(expression, lambda part: right if same(part, left) else part)

    return Rule(
        name,
        "",
        rewrite,
        assumes=lemma.assumes,
        relation=lemma.relation,
        both=lemma.relation == "=",
        key="a lemma",
    )


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
    for chain, part in ((one, first), (other, third)):
        start = chain.start
        if not (isinstance(start, sp.Sum) and len(start.limits) == 1 and chain.end == 1):
            raise ValueError(f"expected a chain from the sum of a distribution to 1, got {start} to {chain.end}")
        index = start.limits[0][0]
        arguments = [argument for argument in part.args[2:] if isinstance(argument, sp.Symbol)]
        if not any(same(start.function, part.xreplace({argument: index})) for argument in arguments):
            raise ValueError(f"{start} is not the sum over {part}")

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            return {first: third, second: fourth}.get(part, part)

        return walk(expression, change)

    assumes = dict.fromkeys(name for chain in (log_odds, one, other) for name in chain.assumes)
    return Rule(
        "log-odds fix a distribution",
        r"Two distributions over the same classes with equal log-odds $\log P(k) - \log P(l)$ are equal, for "
        r"$P(k) = 1 / \sum_m e^{\log P(m) - \log P(k)}$.",
        rewrite,
        assumes=tuple(assumes),
        key="log-odds fix a distribution",
    )


def _log_odds(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    plus = [part.args[0] for part in sp.Add.make_args(expression) if isinstance(part, sp.log)]
    minus = [(-part).args[0] for part in sp.Add.make_args(expression) if isinstance(-part, sp.log)]
    if len(plus) != 1 or len(minus) != 1 or len(expression.args) != 2:
        raise ValueError(f"expected log-odds log P(k) − log P(l), got {expression}")
    return plus[0], minus[0]
