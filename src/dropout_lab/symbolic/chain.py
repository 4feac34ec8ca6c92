"""A derivation as a chain of lines, each checked for the reason printed beside it.

    chain = Chain(Mean(S.symbol), masks=r).then(Sum(w[i] * Mean(r[i]), (i, 1, n)), definition(S), linearity)

A line is accepted if its rules, and nothing else, lead to it from the line before: the rewriting of each rule is done
on both, in the order in which the rules are named, and the results have to be the same. Each rule has to be needed.
Then the line's value is compared with that of the first line at n = 1 to 4, by going through all masks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from dropout_lab._faces import faces
from dropout_lab.symbolic.algebra import equal_by_algebra
from dropout_lab.symbolic.binding import lettered
from dropout_lab.symbolic.bound_names import same
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.intervals import bounds
from dropout_lab.symbolic.letters import Definition, Named, Random, Unknown
from dropout_lab.symbolic.lines import HYPOTHESIS, Line, NotDerived, Remainder, agrees, aligned, in_columns, joined
from dropout_lab.symbolic.masks import Masks, as_families
from dropout_lab.symbolic.operators import Operator
from dropout_lab.symbolic.printing import in_text, in_words
from dropout_lab.symbolic.rules.base import LEMMA, RELATIONS, Context, Rule
from dropout_lab.symbolic.rules.given import substitution
from dropout_lab.symbolic.valuation import Valuation

#: Keys of the rules that put one side of an equation for the other.
_EQUATIONS = {LEMMA, "given", "a cited theorem", HYPOTHESIS}


@dataclass(frozen=True)
class Chain:
    """A derivation: a chain of lines, each checked for the rules that it names.

    A chain is made with its first line; :meth:`then` returns the chain with one line more, once that line is checked.
    Chains are immutable, so that every line of a chain was checked. Raises :class:`NotDerived` for a line that does not
    follow, and ValueError for a first line that cannot be evaluated.

    Attributes
    ----------
    start:
        The first line: a quantity in the terms of its definition.
    masks:
        The family of masks that is averaged over, or a tuple of families. A chain without masks is an identity.
    definitions:
        The letters that stand for expressions in the lines.
    unknowns:
        The functions of which only properties are known.
    distinct:
        Pairs of indices that differ.
    within:
        The bounds of letters that are restricted, as (low, high).
    tied:
        How to compute the values of letters that an assumption ties to each other: see
        :mod:`dropout_lab.symbolic.tied`.
    name:
        What the chain shows, in words, with formulas between dollars. It is the heading of the chain, and the reason of
        a line that uses the chain.
    claim:
        The id of the claim that the chain settles, for the lines of other claims that rest on it.
    shared:
        True for a chain that is shown where it is settled, and not again where it is used as a lemma.
    solve_for:
        For a chain of equations, whose lines are equivalent (⇔), the symbol that is asked for.
    lines:
        The lines so far. They grow by :meth:`then` only, so that every line was checked.

    >>> from dropout_lab.symbolic import Masks, Mean, rules
    >>> n, i = sp.symbols("n i", integer=True, positive=True)
    >>> p, h = sp.Symbol("p", positive=True), sp.IndexedBase("h")
    >>> r = Masks(n, p)
    >>> chain = Chain(Mean(r[i] * h[i]), masks=r).then(h[i] * Mean(r[i]), rules.linearity)
    >>> chain.then(p * h[i], rules.mean_of_mask).end
    p*h[i]
    >>> chain.then(p * h[i] ** 2, rules.mean_of_mask)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dropout_lab.symbolic.lines.NotDerived: line 3 does not follow by 'E r = p': it would give p*h[i], the line says ...
    """

    start: sp.Expr
    masks: Masks | tuple[Masks, ...] = ()
    definitions: tuple[Definition, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    distinct: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    within: Mapping[sp.Basic, tuple[Any, Any]] | None = None
    tied: Mapping[sp.Basic, Callable[[Draws], Any]] | None = None
    name: str = ""
    claim: str = ""
    shared: bool = False
    solve_for: sp.Symbol | None = None
    lines: tuple[Line, ...] = field(default=(), init=False)
    # What evaluates the lines; a longer chain goes on with it.
    valuation: Valuation = field(init=False, repr=False, compare=False)
    _rewritten: dict[tuple[Rule, sp.Expr], sp.Expr] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for given in ("definitions", "unknowns", "distinct"):
            object.__setattr__(self, given, tuple(getattr(self, given)))
        object.__setattr__(self, "start", sp.sympify(self.start))
        if not isinstance(self.start, (sp.Expr, sp.Eq)):
            raise TypeError(f"a chain starts from a SymPy expression, got {type(self.start).__name__}")
        if self.start.has(sp.nan, sp.zoo):
            raise ValueError(f"a chain starts from a quantity, and {self.start} is no number")
        if isinstance(self.start, sp.Eq) != isinstance(self.solve_for, sp.Symbol):
            raise ValueError(
                f"an equation is solved for a symbol, and nothing else is; {self.start} has solve_for={self.solve_for}"
            )
        as_families(self.masks if self.masks else ())
        letters = [definition.letter for definition in self.definitions]
        if len(set(letters)) < len(letters):
            raise ValueError(f"two definitions have one letter: {', '.join(sorted(letters))}")
        for pair in self.distinct:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise ValueError(f"distinct lists pairs of different indices, as in ((i, j),); got {pair}")
        letters_of_laws = (
            family.keep_prob(*map(sp.Dummy, "ij"[: len(family.size)])) for family in self.context.families
        )
        known = set().union(self.start.free_symbols, *(law.free_symbols for law in letters_of_laws))
        object.__setattr__(self, "within", bounds(self.within or {}, known))
        object.__setattr__(self, "lines", (Line(self.start),))
        self._check_means()
        self._check_letters(self.start)
        valuation = Valuation(self.start, self.context, self.distinct, self.within, self.tied, self.solve_for)
        object.__setattr__(self, "valuation", valuation)
        for size in valuation.sizes:
            try:
                valuation.value(self.start, size)
            except ZeroDivisionError:
                raise ValueError(f"{sp.sstr(self.start)} has no value at n = {size}: it divides by 0 there") from None

    def _check_means(self) -> None:
        for operator in (
            *self.start.atoms(Operator),
            *(one for part in self.start.atoms(Named) for one in part.meaning.atoms(Operator)),
        ):
            if not self.context.families and not operator.atoms(Random):
                raise ValueError(f"{operator} is a mean, and the chain has no masks: give masks=, or start an identity")
            if not any(map(self.context.is_random, operator.args)):
                raise ValueError(f"{operator} is a mean of nothing random: without the mean it is an identity")

    # -- what a chain is -----------------------------------------------------------------------------------------------

    @property
    def end(self) -> sp.Expr:
        """The formula of the last line."""
        return self.lines[-1].formula

    @property
    def relation(self) -> str:
        """The relation of the first line to the last: ``=`` if every line has it."""
        found = "="
        for line in self.lines[1:]:
            found = joined(found, line.relation) or found
        return found

    @property
    def scope(self) -> str:
        """What the chain holds for: ``any n`` if a number of masks is a symbol, else that number of masks.

        A chain without masks holds for ``symbolic parameters``.
        """
        families = self.context.families
        if not families:
            return "any distribution" if self.start.atoms(Random) else "symbolic parameters"
        scopes = [family.scope for family in families]
        return "any n" if "any n" in scopes else ", ".join(dict.fromkeys(scopes))

    @cached_property
    def assumes(self) -> tuple[str, ...]:
        """The ids of all assumptions that the definitions and the rules of the lines make."""
        named: dict[str, None] = {}
        for definition in self._definitions_used:
            named.update(dict.fromkeys(definition.assumes))
        for unknown in self.unknowns:
            named.update(dict.fromkeys(unknown.assumes))
        for line in self.lines:
            named.update(dict.fromkeys(line.assumes))
        return tuple(named)

    @property
    def restricted(self) -> bool:
        """Whether the numbers of the lines are those of certain values only, or of indices that differ."""
        return bool(self.tied or self.within or self.distinct)

    @property
    def _definitions_used(self) -> list[Definition]:
        parts = [part for line in self.lines for part in sp.preorder_traversal(line.formula)]
        return [one for one in self.definitions if any(one.names(part) for part in parts)]

    def _check_letters(self, formula: sp.Expr) -> None:
        for part in sp.preorder_traversal(formula):
            if isinstance(part, Named) and not any(one.names(part) for one in self.definitions):
                raise ValueError(
                    f"the letter {sp.sstr(part)} stands for nothing here, or for something else than its definition "
                    f"says: list it in definitions=, which has {', '.join(map(str, self.definitions)) or 'none'}"
                )

    @property
    def hypotheses(self) -> tuple[Rule, ...]:
        """The induction hypotheses that lines rest on. A chain that has one shows nothing by itself."""
        return tuple(rule for line in self.lines for rule in line.rules if rule.key == HYPOTHESIS)

    @cached_property
    def context(self) -> Context:
        """What the rules may know: the masks, the unknown functions, and the indices that differ."""
        families = as_families(self.masks) if self.masks else ()
        return Context(families, self.unknowns, frozenset(map(frozenset, self.distinct)))

    # -- the next line -------------------------------------------------------------------------------------------------

    def then(
        self,
        formula: Any,
        *reasons: Any,
        relation: str = "=",
        why: str = "",
        remainder: Remainder | None = None,
    ) -> Chain:
        """Return the chain with one line more, once the line is checked.

        ``formula`` is the new line. ``reasons`` are the rules that lead to it, in their order, and chains that are used
        as lemmas. ``relation`` is ``=``, ``<=``, ``>=``, ``<``, ``>``, ``<=>`` (between equations) or ``~`` (≈, with a
        ``remainder``). ``why`` says in a sentence why one would take this step. Raises :class:`NotDerived` for a line
        that does not follow; the message names the line, the rule, and what the rule would have given.
        """
        if relation not in RELATIONS:
            raise ValueError(f"a relation is one of {', '.join(RELATIONS)}; got {relation!r}")
        if (relation == "~") != (remainder is not None):
            raise ValueError("a line with ~ (≈) says what it leaves out: remainder=Remainder(small, order, says)")
        if (relation == "<=>") != isinstance(self.end, sp.Eq) or isinstance(self.end, sp.Eq) != isinstance(
            formula, sp.Eq
        ):
            raise ValueError(f"{self._place}: <=> stands between two equations, sp.Eq(…, …), and nothing else does")
        if not reasons:
            raise ValueError(f"{self._place} names no rule: say why the line holds")
        rules = tuple(reason.as_rule() if hasattr(reason, "as_rule") else reason for reason in reasons)
        for one in rules:
            if not isinstance(one, Rule):
                raise TypeError(f"{self._place}: a reason is a rule or a chain, got {type(one).__name__}")
        line = Line(sp.sympify(formula), relation, rules, why, remainder)
        if line.formula.has(sp.nan, sp.zoo) or getattr(line.formula, "is_infinite", False):
            raise NotDerived(f"{self._place}: {line.formula} is no number")
        for earlier in self.lines[1:]:
            if joined(earlier.relation, relation) is None:
                raise ValueError(f"{self._place} has {relation} after {earlier.relation}: together they say nothing")
        self._check_letters(line.formula)
        self._check_rules(line)
        self._check_numbers(line)
        longer = copy.copy(self)
        longer.__dict__.pop("assumes", None)
        object.__setattr__(longer, "lines", (*self.lines, line))
        return longer

    def named(self, name: str) -> Chain:
        """The same chain under another name: one that goes on after what its first lines show.

        >>> Chain(sp.Integer(1), name="one").named("two").name
        'two'
        """
        other = copy.copy(self)
        object.__setattr__(other, "name", name)
        return other

    def as_rule(self, name: str = "") -> Rule:
        """Return this chain as a lemma, which puts its last line in the place of its first.

        Random letters of the first line stand for any random expression. ``name`` is what lines print as their reason;
        without it, that is the name of the chain.
        """
        if len(self.lines) < 2:
            raise ValueError(f"the chain {self.called} has no line yet that could be used")
        if self.hypotheses:
            raise ValueError(f"the chain {self.called} rests on an induction hypothesis: use the induction")
        left, right, relation = self.start, self.end, self.relation
        if relation in (">=", ">"):
            left, right = right, left
        # In a larger expression a strict inequality may become an equation: a factor beside it may be 0.
        relation = "<=" if relation in (">=", ">", "<") else relation
        name = name or self.name or "the line above"
        return substitution(
            left, right, name, LEMMA, relation=relation, assumes=self.assumes, own=self.context, sources=(self,)
        )

    @property
    def lemmas(self) -> tuple[Any, ...]:
        """The chains that this one uses and that are shown with it.

        They stand in the order of their use, each behind the lemmas that it uses itself.
        """
        found: list[Any] = []
        for line in self.lines:
            for rule in line.rules:
                for source in rule.sources:
                    if not getattr(source, "shared", False):
                        found += [one for one in (*source.lemmas, source) if one not in found]
        return tuple(found)

    @property
    def cites(self) -> tuple[str, ...]:
        """The keys of the bibliography for the theorems of the literature that this chain and its lemmas use."""
        rules = [rule for chain in (*self.lemmas, self) for line in chain.lines for rule in line.rules]
        return tuple(dict.fromkeys(rule.cites for rule in rules if rule.cites))

    @property
    def _place(self) -> str:
        line = f"line {len(self.lines) + 1}"
        return f"{self.called}, {line}" if self.name else line

    @property
    def called(self) -> str:
        """What messages call it: its name in plain text, or its first line if it has none."""
        return in_words(self.name) or str(self.start)

    # -- the check by rules --------------------------------------------------------------------------------------------

    def _check_rules(self, line: Line) -> None:
        before = self.end
        if same(before, line.formula):
            raise NotDerived(f"{self._place} repeats the line before: {before}")
        if not self.follows(before, line.formula, line.rules, line.relation):
            names = " + ".join(f"'{rule}'" for rule in line.rules)
            found = self.rewritten(before, line.rules)
            raise NotDerived(
                f"{self._place} does not follow by {names}: it would give {in_text(lettered(found))}, "
                f"the line says {in_text(line.formula)}"
            )
        for place, rule in enumerate(line.rules):
            others = line.rules[:place] + line.rules[place + 1 :]
            if self.follows(before, line.formula, others, line.relation):
                raise NotDerived(f"{self._place} does not need '{rule}': it follows without it")

    def rewritten(self, expression: sp.Expr, rules: Sequence[Rule]) -> sp.Expr:
        """Return what the rules, in their order, make of an expression."""
        for place, rule in enumerate(rules):
            if not (rule.is_algebra and place == len(rules) - 1):
                expression = self.rewritten_by(rule, expression)
        return expression

    def rewritten_by(self, rule: Rule, expression: sp.Expr) -> sp.Expr:
        """Return what one rule makes of an expression."""
        key = rule, expression
        if key not in self._rewritten:
            self._rewritten[key] = rule.rewrite(expression, self.context)
        return self._rewritten[key]

    def follows(self, before: sp.Expr, after: sp.Expr, rules: Sequence[Rule], relation: str = "=") -> bool:
        """Tell whether ``after`` follows from ``before`` by these rules alone, with this relation."""
        leads = any(rule.relation == relation for rule in rules)
        if relation in (">=", ">") and not leads:
            return self.follows(after, before, rules, {">=": "<=", ">": "<"}[relation])
        weaker = [rule for rule in rules if rule.relation not in ("=", relation)]
        if weaker:
            return False
        if relation in ("<=", "<") and not leads:
            return False
        left, right = before, after
        for place, rule in enumerate(rules):
            if rule.is_algebra and place == len(rules) - 1:
                continue
            left = self.rewritten_by(rule, left)
            if rule.both:
                right = self.rewritten_by(rule, right)
        equal = equal_by_algebra if any(rule.is_algebra for rule in rules) else same
        if equal(left, right):
            return True
        # What a lemma leads to may have another place for the lemma in it: then it is read in one direction.
        if relation == "=" and any(rule.key in _EQUATIONS for rule in rules):
            return (right != after and equal(left, after)) or (left != before and equal(before, right))
        return False

    # -- the check by numbers ------------------------------------------------------------------------------------------

    def _check_numbers(self, line: Line) -> None:
        for instance in range(self.valuation.instances):
            for size in self.valuation.sizes:
                before, after = (self.valuation.value(one, size, instance) for one in (self.end, line.formula))
                if not agrees(before, after, line.relation):
                    raise NotDerived(
                        f"{self._place}: at n = {size} the line before is {before} and this line {after}, "
                        f"which is not {line.relation}"
                    )
            if line.remainder is not None:
                self._check_remainder(line, line.remainder, instance)

    def _check_remainder(self, line: Line, remainder: Remainder, instance: int) -> None:
        small = remainder.small
        broken = remainder.broken(lambda value: self.valuation.gap(self.end, line.formula, {small: value}, instance))
        if broken:
            raise NotDerived(
                f"{self._place}: halving {small} takes the difference from {broken[0]} to {broken[1]}, "
                f"which is not of order {remainder.order}"
            )

    def numbers(self, size: int = 2) -> list[Any]:
        """Return the value of every line for ``size`` masks.

        A value is an exact fraction where there is one, else a number of 50 digits.
        """
        return [self.valuation.value(line.formula, size) for line in self.lines]

    # -- how it shows itself -------------------------------------------------------------------------------------------

    def latex(self) -> str:
        """Return the chain as an aligned environment of LaTeX, each line with its reason."""
        return aligned(self.lines)

    def __str__(self) -> str:
        return in_columns(self.lines)

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        return str(faces()["chain"](self)) if "chain" in faces() else None

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"
