"""All rules with an example each, in the order of the page of rules: the same objects that check the lines.

>>> entry = catalogue()["E r = p"]
>>> entry.before, entry.after
(E(r[i]), p)
>>> print(*entry.values(2))
6/11 6/11
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy as sp

from dropout_lab.symbolic.arithmetic import EXACT, PRECISE, NotExact, inexact, pretty
from dropout_lab.symbolic.binding import lettered
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.draws import Draws
from dropout_lab.symbolic.equations import value_of
from dropout_lab.symbolic.induction import Statement
from dropout_lab.symbolic.lemmas import mean_of_square
from dropout_lab.symbolic.letters import Definition, Unknown
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.operators import Mean
from dropout_lab.symbolic.parts import everywhere
from dropout_lab.symbolic.printing import printed
from dropout_lab.symbolic.rules.approximations import expansion, taylor
from dropout_lab.symbolic.rules.base import RELATIONS, RULES, Context, Rule
from dropout_lab.symbolic.rules.functions import homogeneity, logarithm
from dropout_lab.symbolic.rules.given import definition, fixed_by_log_odds, given, theorem
from dropout_lab.symbolic.rules.index_sums import algebra
from dropout_lab.symbolic.rules.integrals import below, by_substitution
from dropout_lab.symbolic.rules.means import two_outcomes
from dropout_lab.symbolic.rules.solving import linear_equation, positive
from dropout_lab.symbolic.values import Evaluator

#: The sections of the page, each with the families of its rules.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Numbers and sums": (
        "algebra",
        "split off the diagonal",
        "a delta picks one term",
        "the last term",
        "shift of an index",
        "no terms",
        "write the terms out",
        "closed form of a sum",
        "sums of minima",
        "order of summation",
    ),
    "The mean over masks": (
        "linearity of the mean",
        "mean of an integral",
        "E r = p",
        "r² = r",
        "independence",
        "a mask is 1 or 0",
        "a mean is a sum over masks",
        "probability of a mask",
        "r and 1 − r have the same law",
    ),
    "Variances and covariances": (
        "definition of the variance",
        "definition of the covariance",
        "symmetry of the covariance",
        "variance of a sum",
        "constants and the variance",
        "zero covariance",
        "covariance of independent variables",
    ),
    "Functions, derivatives and integrals": (
        "absolute value",
        "power of a product",
        "logarithm of a product",
        "exponential of a logarithm",
        "exponential of a sum",
        "Euler's formula",
        "linearity of the imaginary part",
        "in exponentials",
        "cos² + sin² = 1",
        "homogeneity",
        "derivative",
        "linearity of the derivative",
        "chain rule",
        "integral",
        "linearity of the integral",
        "substitution",
        "exchanged ends",
        "Gaussian integral",
        "Frullani's integral",
        "derivative under the integral sign",
        "a uniform number below p",
        "limit",
        "expansion",
        "Taylor's formula",
    ),
    "Inequalities": (
        "Jensen's inequality",
        "Cauchy–Schwarz",
        "Bernoulli's inequality",
        "a term is not negative",
        "a product of positive factors",
        "integral of a positive function",
        "a ReLU makes nothing larger",
        "an exponential below 1",
    ),
    "Letters, equations and other chains": (
        "definition",
        "a lemma",
        "induction hypothesis",
        "given",
        "zero of a linear expression",
        "log-odds fix a distribution",
        "a cited theorem",
    ),
}

#: Of the random numbers at which the examples are shown.
_SEED = 4

n, i, k, m = sp.symbols("n i k m", integer=True, positive=True)
p, a, b = sp.symbols("p a b", positive=True)
t, v, y = sp.symbols("t v y", real=True)
w, h, c = (sp.IndexedBase(letter) for letter in "whc")
r = Masks(n, p)
_context = Context((r,))


@dataclass(frozen=True)
class Entry:
    """A rule, and an expression with what the rule makes of it."""

    rule: Rule
    before: sp.Expr
    context: Context
    statement: str
    unknown: sp.Symbol | None = None
    tied: Mapping[sp.Basic, Callable[[Draws], Any]] | None = None

    @property
    def after(self) -> sp.Expr:
        """What the rule makes of the example."""
        return lettered(self.rule.rewrite(self.before, self.context))

    def values(self, size: int = 2) -> tuple[str, str]:
        """Both sides for ``size`` masks, by going through all of them: both fractions, or both with eight digits."""
        sides = [self.value(side, size) for side in (self.before, self.after)]
        exact = all(isinstance(value, (int, Fraction)) for value in sides)
        one, other = (pretty(value if exact else inexact(value)) for value in sides)
        return one, other

    @property
    def place(self) -> str:
        """Where the numbers of both sides are taken, in words: at an n only where there is one."""
        counted = any(part == n for side in (self.before, self.after) for part in everywhere(side))
        return "At $n = 2$" if counted else "In numbers"

    def value(self, side: sp.Expr, size: int) -> object:
        """The value of one side for ``size`` masks; that of an equation is its solution."""
        evaluator = Evaluator(self.context.families, self.context.unknowns)
        small = {t: (0, sp.Rational(1, 20))} if self.rule.relation == "~" else None
        draws = Draws(_SEED, size, self.context.families, small, tied=self.tied)
        try:
            return value_of(evaluator, side, draws, EXACT, self.unknown)
        except NotExact:
            return value_of(evaluator, side, draws, PRECISE, self.unknown)

    def markdown(self, assumptions: Mapping[str, str], beneath: str = "") -> str:
        """The rule for its page: a name to link to, statement, assumptions, example, the numbers of both sides."""
        needs = [assumptions.get(name, name) for name in self.rule.assumes]
        one, other = (value.replace("-", "−") for value in self.values())
        relation = RELATIONS[self.rule.relation]
        sign = {"~": "≈", "<=": "≤", "<=>": "and"}.get(self.rule.relation, self.rule.relation)
        lines = [
            f'<div class="rule" id="{self.rule.slug}">',
            f"**{self.rule.heading}.** {self.statement}",
            f"$$\n{printed(self.before)} \\;{relation}\\; {printed(self.after)}\n$$",
            f"{self.place}: {one} {sign} {other}.",
            *([f"*Needs:* {'; '.join(needs)}."] if needs else []),
            *([beneath.format(anchor=self.rule.slug)] if beneath else []),
            "</div>",
        ]
        return "\n\n".join(lines)


def _softmaxes() -> tuple[Rule, sp.Expr, Context]:
    """Two ways to write a softmax, with the chains that show that their log-odds are equal."""
    classes = sp.Symbol("K", integer=True, positive=True)
    j = sp.Symbol("j", integer=True, positive=True)

    def softmax(label: str, factor: sp.Expr) -> Definition:
        total = sp.Sum(factor * sp.exp(c[m]), (m, 1, classes))
        return Definition(f"{label}({{{{0}}}})", factor * sp.exp(c[k]) / total, (k,))

    P, Q = softmax("P", sp.Integer(1)), softmax("Q", a)

    def one(law: Definition) -> Chain:
        whole = sp.Sum(law(k), (k, 1, classes))
        return Chain(whole, definitions=(law,), name="sum").then(1, definition(law), algebra)

    odds = Chain(sp.log(P(k)) - sp.log(P(j)), definitions=(P, Q), name="log-odds")
    odds = odds.then(c[k] - c[j], definition(P), logarithm)
    odds = odds.then(sp.log(Q(k)) - sp.log(Q(j)), definition(Q), logarithm)
    return fixed_by_log_odds(odds, one(P), one(Q)), P(k), Context()


def _made() -> dict[str, tuple[Rule, sp.Expr, Context, str]]:
    """Rules that are made for one chain, each with an example and what may be said of all of its kind."""
    S = Definition("S", sp.Sum(w[i] * r[i], (i, 1, n)))
    relu = Unknown("a", lambda x: max(x, 0), properties=("homogeneous",))
    smooth = Unknown("f", lambda x: x**3, properties=("smooth",))
    total = Mean(sp.Sum(w[i] * r[i], (i, 1, n)))
    closed = p * sp.Sum(w[i], (i, 1, n))
    means = theorem("of the two means", sp.sqrt(a * b), (a + b) / 2, key="", statement="", relation="<=")
    u = sp.Symbol("u", positive=True)
    lemma = "A chain that was shown before, used by its name: its first line may be replaced by its last."
    found: list[tuple[Rule, sp.Expr, Context, str]] = [
        (two_outcomes(r[1]), Mean(2 ** r[1]), _context, ""),
        (homogeneity(relu), relu(p * y), Context(unknowns=(relu,)), ""),
        (below(p), sp.Integral(sp.Piecewise((1 / p, u < p), (0, True)), (u, 0, 1)), _context, ""),
        (by_substitution(v, u**2, u, 0, 1), sp.Integral(sp.exp(v), (v, 0, 1)), Context(), ""),
        (expansion(t, 2), sp.exp(t), Context(), ""),
        (taylor(smooth, b, 3), smooth(b + t), Context(unknowns=(smooth,)), ""),
        (positive({}), a * p, Context(), ""),
        (
            definition(S),
            Mean(S() ** 2),
            _context,
            "A letter stands for what it was defined as. What its definition assumes, the line assumes as well.",
        ),
        (mean_of_square().as_rule(), Mean(r[i] ** 2), _context, lemma),
        (
            Statement(total, closed, n).hypothesis,
            total + p,
            _context,
            "In the step from n to n + 1 of an induction the statement may be used for n.",
        ),
        (
            given(h[1] + h[2], sp.Integer(0), "h is centered"),
            Mean(r[1]) * (h[1] + h[2]) + p,
            _context,
            "An equation between letters, such as $h_1 + h_2 = 0$, that an assumption gives: the claim names it.",
        ),
        (linear_equation(v), sp.Eq(a * v - b, 0), Context(), ""),
        (*_softmaxes(), ""),
        (
            means,
            sp.sqrt(a * b),
            Context(),
            "A theorem of the literature, as a step: the line says whose it is, and the bibliography where it stands.",
        ),
    ]
    return {rule.kind: (rule, before, context, text or rule.statement) for rule, before, context, text in found}


@lru_cache
def catalogue() -> dict[str, Entry]:
    """Every rule by its kind, in the order of the page."""
    made = _made()
    entries = {}
    for kind in (kind for section in SECTIONS.values() for kind in section):
        if kind in made:
            rule, before, context, statement = made[kind]
            unknown = v if isinstance(before, sp.Eq) else None
            # What is given holds for the letters of which it is given.
            tied = {h: lambda draws: {(1,): Fraction(3), (2,): Fraction(-3)}} if kind == "given" else None
            entries[kind] = Entry(rule, before, context, statement, unknown, tied)
        else:
            rule = RULES[kind]
            example: Callable[[], tuple[sp.Expr, Context]] | None = rule.example
            if example is None:
                raise ValueError(f"the rule {kind!r} has no example for the page of rules")
            entries[kind] = Entry(rule, *example(), rule.statement)
    return entries


@dataclass(frozen=True)
class Section:
    """A section of the page of rules; shows itself as Markdown with formulas."""

    title: str
    assumptions: Mapping[str, str]
    beneath: str

    def _repr_markdown_(self) -> str:
        entries = (catalogue()[kind] for kind in SECTIONS[self.title])
        return "\n\n".join(entry.markdown(self.assumptions, self.beneath) for entry in entries)

    def __repr__(self) -> str:
        entries = (catalogue()[kind] for kind in SECTIONS[self.title])
        return "\n".join(f"{entry.rule.kind}: {sp.sstr(entry.before)} -> {sp.sstr(entry.after)}" for entry in entries)


def section(title: str, assumptions: Mapping[str, str] | None = None, beneath: str = "") -> Section:
    """The rules of one section. ``assumptions`` gives words for the ids of assumptions; ``beneath`` is Markdown that
    follows each rule, with ``{anchor}`` for the place of the rule on its page."""
    if title not in SECTIONS:
        raise ValueError(f"there is no section {title!r}; there are {', '.join(SECTIONS)}")
    return Section(title, dict(assumptions or {}), beneath)
