"""Rules made for one chain: what a letter means, a lemma, a theorem that is cited, an equation that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import sympy as sp

from dropout_lab.symbolic.binding import held, put
from dropout_lab.symbolic.bound_names import same
from dropout_lab.symbolic.letters import Definition, Named, Random
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import ProductOverMasks, SumOverMasks, Weight
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.printing import in_words
from dropout_lab.symbolic.rules.base import LEMMA, Context, Rule, walk_within
from dropout_lab.symbolic.rules.signs import is_nonnegative, is_positive, is_real, raised


class Lemma(Protocol):
    """What a rule asks of a chain that it uses."""

    @property
    def start(self) -> sp.Expr:
        """Its first line."""

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

    @property
    def restricted(self) -> bool:
        """Whether its numbers are those of certain values only, or of different indices."""

    @property
    def name(self) -> str:
        """What it shows, in words."""

    @property
    def claim(self) -> str:
        """The id of the claim that it settles, if it settles one."""

    def as_rule(self, name: str = "") -> Rule:
        """Its first line in place of its last."""


def definition(*definitions: Definition) -> Rule:
    """Make the rule that puts what letters stand for in their place, or, read backwards, the letters for it.

    >>> S = Definition("S", sp.Symbol("x") ** 2)
    >>> definition(S).rewrite(S.symbol + 1, Context())
    x**2 + 1
    """

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        def change(part: sp.Basic) -> sp.Basic:
            if isinstance(part, Named) and any(one.names(part) for one in definitions):
                return part.meaning
            return part

        return walk(expression, change)

    letters = ", ".join(f"${one.latex}$" for one in definitions)
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
    sources: tuple[Lemma, ...] = (),
) -> Rule:
    """Make the rule that puts ``right`` in place of ``left``, wherever that stands.

    :class:`~dropout_lab.symbolic.Random` letters of ``left`` stand for any expression. With ``relation="<="`` the rule
    applies only where something larger makes the whole larger. ``own`` is what the chain behind it took for granted:
    the rule can be used in chains that do so, too.
    """
    if relation not in ("=", "<=", "~"):
        raise ValueError(
            f"{name}: an inequality is written from its smaller side to its larger one, with <=; got {relation!r}"
        )
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
            _check_known(in_words(name), sp.Tuple(left, right), own, context)
        if relation == "=":
            return walk_within(expression, context, change)
        return raised(expression, lambda part: change(part, context))

    return Rule(name, statement, rewrite, tuple(assumes), relation, relation == "=", key=key, sources=sources)


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
    index of that sum in it, nor one under a derivative for something that varies with its variable.
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
    own = held(part)
    if any(own & result[letter].free_symbols for letter in pattern.atoms(Random)):  # type: ignore[index]
        return None
    return result


def _fits(letter: sp.Symbol, part: sp.Expr) -> bool:
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
    """Make the rule of a theorem of the literature, which puts ``right`` in place of ``left``.

    ``key`` is its entry in the bibliography, and the page says so; ``statement`` is the theorem in Markdown with LaTeX,
    ``assumes`` are the ids of the assumptions that it makes. ``name`` may have formulas between dollars, like that of
    every rule.

    >>> t = sp.Symbol("t", positive=True)
    >>> known = theorem("Euler's sine product", sp.sinc(t), t, key="euler", statement="…")
    >>> known.name, known.cites
    ("Euler's sine product (cited)", 'euler')
    """
    step = substitution(
        left, right, f"{name} (cited)", "a cited theorem", statement=statement, relation=relation, assumes=assumes
    )
    return replace(step, cites=key)


def given(left: sp.Expr, right: sp.Expr, name: str, *, assumes: tuple[str, ...] = (), relation: str = "=") -> Rule:
    """Make the rule of an equation that holds by assumption, such as that inputs are white.

    ``assumes`` names the assumption. With ``relation="<="`` it is an inequality, used only where the whole grows with
    its left side. Letters that the equation ties to each other get their values by ``Chain(…, tied=…)``.

    >>> x, y = sp.symbols("x y", real=True)
    >>> given(x * y, sp.Integer(0), "x and y are orthogonal", assumes=("orthogonal",)).rewrite(x * y + 1, Context())
    1
    """
    statement = "An equation or inequality that the assumptions give."
    return substitution(left, right, name, "given", statement=statement, assumes=assumes, relation=relation)


def in_letters(lemma: Lemma, letters: Mapping[sp.Basic, Any], name: str) -> Rule:
    """Make the rule of a lemma in other letters: what holds for r, x and y holds for those of each example.

    ``letters`` gives for a symbol an expression, for an :class:`sympy.IndexedBase` a function of the indices. Different
    masks must become different masks of the same law, anything else something that is not random, and positive where
    the letter is. What the lemma differentiates by becomes another such variable, which nothing else depends on. What
    the lemma defines by these letters is written out. Raises ValueError for other letters, and where the lemma says
    more about its letters than their names: ``within``, ``tied``, ``distinct``, a sum over all masks.

    >>> from dropout_lab.symbolic import Chain, Masks, Mean, rules
    >>> n, i, m = sp.symbols("n i m", integer=True, positive=True)
    >>> p, x, X = sp.Symbol("p", positive=True), sp.IndexedBase("x"), sp.IndexedBase("X")
    >>> r, R = Masks(n, p), Masks((n, n), p, name="R")
    >>> lemma = Chain(Mean(r[i] * x[i]), masks=r).then(p * x[i], rules.linearity, rules.mean_of_mask)
    >>> example = in_letters(lemma, {r.base: lambda i: R[m, i], x: lambda i: X[m, i]}, "the lemma for example m")
    >>> Chain(Mean(R[m, i] * X[m, i]), masks=R).then(p * X[m, i], example).end
    p*X[m, i]
    """
    plain, title, name = lemma.as_rule(name), name, in_words(name)
    if lemma.restricted:
        raise ValueError(f"{name}: a lemma about letters that are restricted holds for these letters only")
    labels = {letter.label if isinstance(letter, sp.IndexedBase) else letter for letter in letters}
    left, right = (_written_out(side, labels) for side in (lemma.start, lemma.end))
    sides = sp.Tuple(*((right, left) if lemma.relation in (">=", ">") else (left, right)))
    if sides.has(SumOverMasks, ProductOverMasks, Weight):
        raise ValueError(f"{name}: the lemma goes through all masks of its chain, and holds for these only")
    laws = _laws(name, letters, sides)
    _check_variables(name, sides, laws)
    left, right = (put(side, laws) for side in sides)
    own = replace(lemma.context, families=())
    made = substitution(
        left, right, title, LEMMA, relation=plain.relation, assumes=lemma.assumes, own=own, sources=(lemma,)
    )

    def rewrite(expression: sp.Expr, context: Context) -> sp.Expr:
        _check_masks(name, lemma.context, laws, context)
        return made.rewrite(expression, context)

    return replace(made, rewrite=rewrite)


#: Indices that stand in no expression of a reader.
_PLACES = tuple(sp.Dummy(f"place{number}", integer=True, positive=True) for number in range(4))


def _written_out(expression: sp.Expr, labels: set[sp.Basic]) -> sp.Expr:
    """An expression without the letters that are defined by certain others."""

    def change(part: sp.Basic) -> sp.Basic:
        concerned = isinstance(part, Named) and part.args[1].free_symbols & labels
        return _written_out(part.meaning, labels) if concerned else part

    return walk(expression, change)


def _laws(name: str, letters: Mapping[sp.Basic, Any], sides: sp.Tuple) -> dict[sp.Basic, sp.Basic]:
    """What letters become, as :func:`put` asks for it: an expression, or for indexed values a function of the
    indices."""
    arity = {part.base: len(part.indices) for part in sides.atoms(sp.Indexed)}
    laws: dict[sp.Basic, sp.Basic] = {}
    for letter, value in letters.items():
        if letter not in arity and letter not in sides.free_symbols:
            raise ValueError(f"{name}: the lemma has no letter {letter}")
        indices = _PLACES[: arity.get(letter, 0)]
        image = sp.sympify(value(*indices) if letter in arity else value)
        label = letter.label if letter in arity else letter
        if label.is_integer and not image.is_integer:
            raise ValueError(f"{name}: {label} is an integer in the lemma, and {image} may be none")
        if not is_real(image) or not _fits(label, image):
            raise ValueError(f"{name}: {label} has a sign in the lemma that {image} may not have")
        laws[letter] = sp.Lambda(indices, image) if letter in arity else image
    return laws


def _check_variables(name: str, sides: sp.Tuple, laws: Mapping[sp.Basic, sp.Basic]) -> None:
    """What is differentiated by becomes a variable of its own: no other letter depends on it."""
    variables = {one for part in sides.atoms(sp.Derivative) for one in part.variables}
    own = {one.base if isinstance(one, sp.Indexed) else one for one in variables}
    bases = {part.base for part in sides.atoms(sp.Indexed)}
    labels = {base.label for base in bases}
    symbols = {one for one in sides.free_symbols if isinstance(one, sp.Symbol) and one not in labels}
    for letter in own:
        image = laws.get(letter, letter)
        variable = image.expr if isinstance(image, sp.Lambda) else image
        if isinstance(image, sp.Lambda) and not set(image.signature) <= set(getattr(variable, "indices", ())):
            raise ValueError(f"{name}: the lemma differentiates by {letter}, and {variable} is no such variable")
        moved = variable.base.free_symbols if isinstance(variable, sp.Indexed) else variable.free_symbols
        if any(moved & laws.get(other, other).free_symbols for other in (bases | symbols) - {letter}):
            raise ValueError(f"{name}: the lemma differentiates by {letter}, on which nothing else may depend")


def _check_masks(name: str, own: Context, laws: Mapping[sp.Basic, sp.Basic], context: Context) -> None:
    """Masks become different masks of the same law; nothing else becomes random."""
    used: set[sp.Basic] = set()
    for family in own.families:
        index = _PLACES[: len(family.size)]
        image = put(family.base[index], laws)
        found = context.family(image)
        if found is None or image.base in used or not set(index) <= set(image.indices):
            raise ValueError(f"{name}: the masks {family.base} of the lemma do not become masks of this chain")
        if found.keep_prob(*image.indices) != put(family.keep_prob(*index), laws):
            raise ValueError(f"{name}: the masks {found.base} have another keep probability than those of the lemma")
        extents = dict(zip(image.indices, found.size, strict=True))
        if any((extents[one] - put(extent, laws)).is_negative for one, extent in zip(index, family.size, strict=True)):
            raise ValueError(f"{name}: there are fewer masks {found.base} than the lemma is about")
        used.add(found.base)
    masks = {family.base for family in own.families}
    for letter, law in laws.items():
        if letter not in masks and context.is_random(law.expr if isinstance(law, sp.Lambda) else law):
            raise ValueError(f"{name}: {letter} is not random in the lemma, and becomes so")


def fixed_by_log_odds(log_odds: Lemma, one: Lemma, other: Lemma) -> Rule:
    r"""Make the rule that two distributions with the same log-odds are the same.

    It holds since :math:`P(k) = 1 / \sum_m \exp(\ell_{mk})`, with the log-odds :math:`\ell_{mk}` of class m against
    class k. ``log_odds`` is a chain from log G(k) − log G(l) to log Q(k) − log Q(l), for any two classes; ``one`` and
    ``other`` are chains from the sums of G(k) and of Q(k) over k to 1. Raises ValueError for chains of another form.
    """
    (first, second), (third, fourth) = _log_odds(log_odds.start), _log_odds(log_odds.end)
    for chain in (log_odds, one, other):
        if chain.relation != "=":
            raise ValueError(f"expected equations, got a chain with {chain.relation} from {chain.start}")
    classes = first.free_symbols - second.free_symbols
    if len(classes) != 1 or any(
        put(at, {next(iter(classes)): _class_of(to, at)}) != to for at, to in ((first, second), (third, fourth))
    ):
        raise ValueError(
            f"expected log-odds of one distribution at two classes, got {log_odds.start} to {log_odds.end}"
        )
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
        sources=(log_odds, one, other),
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
