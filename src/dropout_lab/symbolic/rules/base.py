"""What a rule is: a statement, the assumptions that it needs, and the one rewriting that it may do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy as sp

from dropout_lab.symbolic.binding import BINDERS, Limit
from dropout_lab.symbolic.letters import Named, Random, Unknown
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Operator, Weight, mentions
from dropout_lab.symbolic.parts import rebuilt
from dropout_lab.symbolic.printing import in_words

Rewriting = Callable[[sp.Expr, "Context"], sp.Expr]

#: The relations of a line to the line before, in LaTeX and in plain text; ``~`` stands for ≈.
RELATIONS = {
    "=": "=",
    "<=": r"\le",
    ">=": r"\ge",
    "<": "<",
    ">": ">",
    "~": r"\approx",
    "<=>": r"\Longleftrightarrow",
}
SIGNS = {"=": "=", "<=": "≤", ">=": "≥", "<": "<", ">": ">", "~": "≈", "<=>": "⇔"}
#: The relations that say as much as =: numbers decide them.
EXACT_RELATIONS = frozenset({"=", "<=>"})
#: The key of the rules that are chains which were shown before.
LEMMA = "a lemma"


@dataclass(frozen=True)
class Context:
    """What a chain knows: its masks, its unknown functions, and pairs of indices that differ.

    Attributes
    ----------
    families:
        The families of masks that are averaged over.
    unknowns:
        The functions of which only properties are known.
    distinct:
        The pairs of indices that differ.
    ranges:
        The ranges of the sums that a part of a line stands under.
    """

    families: tuple[Masks, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    distinct: frozenset[frozenset[sp.Expr]] = frozenset()
    ranges: tuple[Limit, ...] = ()

    def under(self, limits: Iterable[Limit]) -> Context:
        """Return what is known under a sum: its indices are others than those of the same name outside."""
        limits = tuple(limits)
        own = {limit[0] for limit in limits}
        distinct = frozenset(pair for pair in self.distinct if not any(own & one.free_symbols for one in pair))
        outer = (limit for limit in self.ranges if not any(own & part.free_symbols for part in limit))
        return replace(self, distinct=distinct, ranges=(*outer, *(limit for limit in limits if len(limit) == 3)))

    def range(self, index: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
        """Return the ends between which an index runs, if a sum around it says so."""
        return next(((low, high) for own, low, high in self.ranges if own == index), None)

    def is_inert(self, function: sp.Expr, variables: Iterable[sp.Expr]) -> bool:
        """Tell whether a letter stands in a mean or in another letter, about which SymPy knows nothing."""
        inert = function.atoms(Operator, Named)
        return any(self.varies(one, variable) for one in inert for variable in variables)

    def family(self, part: sp.Basic) -> Masks | None:
        """Return the masks that an indexed value belongs to, or None."""
        if not isinstance(part, sp.Indexed):
            return None
        return next((family for family in self.families if family.base == part.base), None)

    def keep_prob(self, mask: sp.Indexed) -> sp.Expr:
        """Return the keep probability of a mask.

        Raises ValueError for a mask that surely does not exist, such as r[n + 1] of n masks.
        """
        family = self.family(mask)
        if family is None:
            raise ValueError(f"{mask} is no mask of this chain")
        for index, extent in zip(mask.indices, family.size, strict=True):
            low, high = self.range(index) or (index, index)
            if (high - extent).is_positive or (1 - low).is_positive:
                raise ValueError(
                    f"there is no mask {mask} here: the masks {family.base} are numbered from 1 to {extent}"
                )
        return family.keep_prob(*mask.indices)

    def varies(self, expression: sp.Basic, variable: sp.Expr) -> bool:
        """Tell whether an expression may vary with a letter: by itself, or because the law of its masks does."""
        if mentions(expression, variable):
            return True
        if not expression.has(Operator, Weight):
            return False
        return any(mentions(law, variable) for law in self.laws())

    def laws(self) -> list[sp.Expr]:
        """Return the keep probability of each family of masks, at indices that stand nowhere else."""
        return [family.keep_prob(*(sp.Dummy(integer=True) for _ in family.size)) for family in self.families]

    def is_random(self, expression: sp.Basic) -> bool:
        """Tell whether an expression varies with the masks or with an unknown random variable; a mean does not."""
        if isinstance(expression, (Random, Weight)):
            return True
        if isinstance(expression, Operator):
            return False
        if self.family(expression) is not None:
            return True
        if isinstance(expression, Named):
            return self.is_random(expression.meaning)
        return any(self.is_random(argument) for argument in expression.args)

    def unknown(self, part: sp.Basic) -> Unknown | None:
        """Return the unknown function that is applied in ``part``, or None."""
        if not isinstance(part, sp.Function):
            return None
        return next((one for one in self.unknowns if one.function == part.func), None)


@dataclass(frozen=True)
class Rule:
    """A named rule: a statement, the assumptions that it needs, and the one rewriting that it may do.

    Attributes
    ----------
    title:
        What is printed beside a line, with formulas between dollars.
    statement:
        What the rule says, in Markdown with LaTeX.
    rewrite:
        The function that does the one rewriting everywhere in an expression.
    assumes:
        The ids of the assumptions, in the claims file, that the rule needs.
    relation:
        The relation that a rewriting leads to: ``=``, or ``<=`` for an inequality that raises its left side.
    both:
        Whether both sides of a line are rewritten and compared, so that the rule may be read in either direction.
    is_algebra:
        Whether the rule is algebra: named last on a line, it compares the two sides up to the laws of arithmetic.
    key:
        The kind of a rule that is made for one chain, without what it was made with.
    example:
        An expression to which the rule applies, with what is known there, for the page of rules.
    sources:
        The chains that stand behind it, if it is a lemma.
    cites:
        The key of the bibliography, if it is a theorem of the literature.
    """

    title: str
    statement: str
    rewrite: Rewriting = field(repr=False)
    assumes: tuple[str, ...] = ()
    relation: str = "="
    both: bool = True
    is_algebra: bool = False
    key: str = ""
    example: Callable[[], tuple[sp.Expr, Context]] | None = field(default=None, repr=False, compare=False)
    sources: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    cites: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def name(self) -> str:
        """The title in plain text."""
        return in_words(self.title)

    @property
    def slug(self) -> str:
        """The name as an anchor of the page of rules."""
        plain = unicodedata.normalize("NFKD", self.kind.lower())
        return "rule-" + re.sub(r"[^a-z0-9]+", "-", plain).strip("-")

    @property
    def kind(self) -> str:
        """The name without its parameters: the kind of ``definition of S`` is ``definition``."""
        return self.key or self.name

    @property
    def heading(self) -> str:
        """The title without its parameters, for the page of rules."""
        return self.key or self.title

    def because(self, *assumes: str) -> Rule:
        """Return the same rule where it needs further assumptions, named by their ids."""
        return replace(self, assumes=(*self.assumes, *assumes))


#: All rules without parameters by name, in the order of the page of rules.
RULES: dict[str, Rule] = {}


def rule(title: str, statement: str, *, example: Any = None, **options: Any) -> Callable[[Rewriting], Rule]:
    """Make a function that rewrites into a rule of the book, listed on the page of rules."""

    def made(rewrite: Rewriting) -> Rule:
        own = Rule(title, statement, rewrite, example=example, **options)
        if own.name in RULES:
            raise ValueError(f"there are two rules called {own.name!r}")
        RULES[own.name] = own
        return own

    return made


def walk_within(expression: sp.Basic, context: Context, change: Callable[[sp.Basic, Context], sp.Basic]) -> sp.Basic:
    """Rebuild an expression as :func:`~dropout_lab.symbolic.parts.walk` does; ``change`` is told what is known
    there."""
    if isinstance(expression, (sp.Lambda, sp.Indexed, sp.Tuple)) or not expression.args:
        return change(expression, context) if isinstance(expression, sp.Expr) else expression
    if isinstance(expression, Named):
        arguments = [walk_within(argument, context, change) for argument in expression.args[2:]]
        return change(Named(*expression.args[:2], *arguments), context)
    inner = context.under(expression.limits) if isinstance(expression, BINDERS) else context
    arguments = [walk_within(argument, inner, change) for argument in expression.args]
    if any(new is not old for new, old in zip(arguments, expression.args, strict=True)):
        expression = rebuilt(expression, arguments)
    return change(expression, context)
