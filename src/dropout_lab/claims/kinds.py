"""The kinds of evidence, one class each: what a piece holds, what it is worth, and which claims it can settle."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from dropout_lab.claims.records import Evidence
from dropout_lab.claims.registry import Claim, Grade, Registry

#: Where a decision rule says that the interval has to lie.
_NUMBER = r"([+\-−]?(?:\d+\.?\d*|\.\d+)(?:[eE][+\-]?\d+)?)"
_RULE = re.compile(rf"\b(below|above|between|within)\s+{_NUMBER}(?:\s+and\s+{_NUMBER})?")
#: Bounds and intervals are written with six digits.
_SIX_DIGITS = 1e-5
#: An interval is at the edge of its rule if its end is nearer to the bound than this part of half its width. With the
#: effect for the true one, other seeds then turn the verdict in about one case of six, or more often.
EDGE = 0.5
_DIGEST = re.compile("[0-9a-f]{64}")
#: A formula, or a hyphen that stands for a minus sign.
_HYPHEN = re.compile(r"(\$[^$]*\$)|(?<![\w.)\]}-])-(?=\.?\d)")
#: Whole sentences, the first of which may begin with a formula.
_SENTENCES = re.compile(r"[A-Z0-9$“].*[.?!]", re.DOTALL)
_NO_NUMBER = re.compile(r"\b(?:nan|inf|infinity|zoo|oo)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Enumeration(Evidence, kind="enumerate", noun="enumeration", done="Enumerated", grades="true", settles="I A D"):
    """The evidence of an enumeration: over all masks of an example, a quantity is what is expected, within a tolerance.

    :func:`enumerate` makes it.

    Attributes
    ----------
    masks:
        How many masks were gone through.
    tolerance:
        The largest difference that was allowed.
    difference:
        The largest difference that was found.

    Example
    -------
    >>> Enumeration(verdict=Grade.TRUE, says="Equal.", masks=1024, tolerance=0.0, difference=0.0).strength
    'enumerated, 1,024 masks'
    """

    masks: int = field(metadata={"minimum": 1})
    tolerance: float = field(metadata={"minimum": 0})
    difference: float = field(metadata={"minimum": 0})

    def _check(self) -> None:
        if self.difference > self.tolerance:
            raise ValueError(f"the difference {self.difference:.3g} is more than the tolerance {self.tolerance:.3g}")

    @property
    def strength(self) -> str:
        """The number of masks, in words."""
        return f"enumerated, {self.masks:,} mask{'s' if self.masks != 1 else ''}"

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return the largest difference and the tolerance as (label, text) pairs."""
        difference = f"at most {self.difference:.2g}" if self.difference else "0, exactly"
        return [("largest difference", difference), ("tolerance", f"{self.tolerance:.2g}")]


@dataclass(frozen=True, kw_only=True)
class Measurement(
    Evidence, kind="measure", noun="measurement", done="Measured", grades="supported not-seen", settles="E"
):
    """The evidence of a measurement: an effect over seeds with its 95 % interval, judged by a rule fixed beforehand.

    :func:`measure` makes it.

    Attributes
    ----------
    effect:
        The mean effect over seeds, in ``unit``.
    interval:
        The ends (low, high) of its 95 % interval, in the same unit.
    seeds:
        The number of seeds.
    rule:
        Where the whole interval has to lie, in words.
    unit:
        The unit of the effect, in words.
    supported:
        Whether the rule is met.
    smallest_detectable:
        The distance from zero that so many seeds would have shown, or None where the rule is not about zero.
    exact:
        Whether all seeds gave the same value, for which the interval is an exact bound.
    recipe:
        The digest of the experiment and of its rule, the same in each replication.

    Example
    -------
    >>> Measurement(verdict=Grade.SUPPORTED, says="Better.", effect=1.0, interval=(0.5, 1.5), seeds=30, unit="points",
    ...             rule="the 95 % interval lies above 0", supported=True, smallest_detectable=0.4,
    ...             exact=False, recipe="0" * 64).strength
    'measured, 30 seeds'
    """

    effect: float
    interval: tuple[float, float]
    seeds: int = field(metadata={"minimum": 2})
    rule: str
    unit: str = field(metadata={"blank": True})
    supported: bool
    smallest_detectable: float | None = field(metadata={"minimum": 0})
    exact: bool
    recipe: str

    def _check(self) -> None:
        low, high = self.interval
        if low == high:
            raise ValueError(f"an interval of width 0, here at {low}, says nothing of other seeds; give an exact bound")
        if not low <= self.effect <= high:
            raise ValueError(f"the effect {self.effect} lies outside its interval, {low} to {high}")
        if self.supported != (self.verdict is Grade.SUPPORTED):
            raise ValueError(f"a measurement is supported if its rule is met; got {self.verdict}, {self.supported}")
        least, most = rule_bounds(self.rule)
        about_zero = (least, most) in ((-math.inf, 0), (0, math.inf))
        if self.smallest_detectable is not None and (self.exact or not about_zero):
            why = "the interval is exact" if self.exact else f"the rule is not about zero: {self.rule}"
            raise ValueError(f"the smallest detectable effect is a distance from zero, but {why}")
        if not _DIGEST.fullmatch(self.recipe):
            raise ValueError(f"the recipe of a measurement is a digest of 64 hexadecimal digits, got {self.recipe!r}")
        if self.supported and not (_at_most(least, low) and _at_most(high, most)):
            raise ValueError(f"the interval, {low} to {high}, does not lie where the rule wants it: {self.rule}")

    @property
    def strength(self) -> str:
        """The number of seeds, in words."""
        return f"measured, {self.seeds} seeds"

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return effect and interval, the rule and whether it is met, and what the seeds could have shown.

        They are (label, text) pairs.
        """
        low, high = self.interval
        unit = f" {self.unit}" if self.unit else ""
        effect = f"{readable(self.effect)}{unit}, 95 % interval {readable(low)} to {readable(high)}"
        found = [
            ("effect", f"{effect}, {self.spread}"),
            ("rule", f"{true_minus(self.rule)}: {'met' if self.supported else 'not met'}"),
        ]
        if self.smallest_detectable is not None:
            smallest = f"{readable(self.smallest_detectable)}{unit} (power 0.8)"
            found.append(("smallest effect it could have seen", smallest))
        return found

    @property
    def at_edge(self) -> bool:
        """Whether the verdict is a close one.

        That is so if the interval ends near the bound of its rule, on either side, or if only a correction says that
        the rule is not met.
        """
        low, high = self.interval
        least, most = rule_bounds(self.rule)
        room = min(low - least, most - high)
        return abs(room) < EDGE * (high - low) / 2 or (room > 0) != self.supported

    @property
    def spread(self) -> str:
        """The number of seeds that the interval rests on, in words, and whether they differ."""
        return f"exact bound, all {self.seeds} seeds equal" if self.exact else f"{self.seeds} seeds"


@dataclass(frozen=True, kw_only=True)
class Refutation(
    Evidence, kind="refute", noun="counterexample", done="Refuted", grades="wrong imprecise", settles="I Th A D"
):
    """The evidence of a counterexample: what the claim gives there, what comes out, and the right statement.

    :func:`refute` makes it.

    Attributes
    ----------
    counterexample:
        The case, and the quantity that is asked for, in whole sentences; its two values are ``claimed`` and ``actual``.
    claimed_formula:
        What the source says, as a formula in LaTeX.
    claimed_at:
        The values of the formula's symbols in this case, in LaTeX.
    claimed:
        What the formula gives there.
    actual:
        What comes out.
    correction:
        The right statement, in a sentence.
    corrected_by:
        The id of the claim whose evidence establishes the right statement.

    Example
    -------
    >>> Refutation(verdict=Grade.WRONG, says="No.", counterexample="Let $p = 4/5$.", claimed_formula="2^{-n}",
    ...            claimed_at="n = 1", claimed="1/2", actual="0.5", correction="The weights are p.", corrected_by="2.2")
    Traceback (most recent call last):
    ...
    ValueError: no counterexample, since the claimed 1/2 is what comes out: 0.5
    """

    counterexample: str
    claimed_formula: str
    claimed_at: str
    claimed: str
    actual: str
    correction: str
    corrected_by: str

    def _check(self) -> None:
        if not _SENTENCES.fullmatch(self.counterexample):
            raise ValueError(f"a counterexample is told in whole sentences, got {self.counterexample!r}")
        for name in ("claimed", "actual"):
            if _NO_NUMBER.search(text := getattr(self, name)):
                raise ValueError(f"{name} is no number: {text}")
        if self.claimed == self.actual or _fraction(self.claimed) == _fraction(self.actual) is not None:
            raise ValueError(f"no counterexample, since the claimed {self.claimed} is what comes out: {self.actual}")

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return the counterexample, what the claim gives there by which formula, and what comes out."""
        claimed = f"{self.claimed}, which is ${self.claimed_formula}$ at ${self.claimed_at}$"
        return [("case", self.counterexample), ("by the sentence", claimed), ("computed", self.actual)]

    def problems(self, claim: Claim, registry: Registry) -> list[str]:
        """Return a sentence if no claim has the id of the correction."""
        found = super().problems(claim, registry)
        if self.corrected_by in registry:
            return found
        return [*found, f"claim {claim.id} is corrected by claim {self.corrected_by!r}, which the claims file lacks"]


@dataclass(frozen=True, kw_only=True)
class Citation(Evidence, kind="cite", noun="citation", done="Cited", grades="true wrong imprecise", settles="H D"):
    """The evidence of a citation: history or attribution, settled by a source of the bibliography.

    :func:`cite` makes it.

    Attributes
    ----------
    key:
        The key of the source in the bibliography.
    locator:
        The place in the source, such as a page; empty if none is given.

    Example
    -------
    >>> Citation(verdict=Grade.TRUE, says="It was first.", key="hinton2012", locator="p. 1").sources
    (('hinton2012', 'p. 1'),)
    """

    key: str
    locator: str = field(default="", metadata={"blank": True})

    def _check(self) -> None:
        if re.search(r"[\s,{}`]", self.key):
            raise ValueError(f"key is one key of the bibliography, got {self.key!r}")
        if re.search(r"[{}`]", self.locator):
            raise ValueError(f"locator is a place in the source, without braces and backticks, got {self.locator!r}")

    @property
    def strength(self) -> str:
        """The word ``cited``."""
        return "cited"

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return the key and the place as (label, text) pairs."""
        return [("source", ", ".join(filter(None, (self.key, self.locator))))]

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """The key and the place, as the one pair of a tuple."""
        return ((self.key, self.locator),)


@dataclass(frozen=True, kw_only=True)
class Unsettled(
    Evidence, kind="none", noun="opinion or open question", done="Not settled", grades="opinion open",
    settles="I Th A E H D O", is_evidence=False,
):  # fmt: skip
    """The record that nothing settles a claim, and why: it is an opinion, or it stays open.

    :func:`opinion` and :func:`leave_open` make it.

    Example
    -------
    >>> Unsettled(verdict=Grade.OPEN, says="Nobody knows.").strength
    'open'
    """

    @property
    def strength(self) -> str:
        """The word ``opinion`` or ``open``."""
        return str(self.verdict)

    def can_settle(self, claim: Claim) -> bool:
        """Tell whether this may stand for a claim.

        Any claim may stay open; an opinion is only what is called one in the claims file.
        """
        return self.verdict is Grade.OPEN or "O" in claim.kinds


def readable(value: float) -> str:
    """A number of three significant digits at most, without a power of ten, and with a real minus sign.

    Example
    -------
    >>> readable(-0.00139479), readable(71.4167)
    ('−0.00139', '71.4')
    """
    return true_minus(f"{Decimal(f'{value:z.3g}'):f}")


def true_minus(text: str) -> str:
    """A text for readers, with a minus sign for the hyphen before a number; formulas between dollars stay as they are.

    A hyphen behind a letter, a digit or a bracket stays as well: it joins a word, a range or a name.

    Example
    -------
    >>> true_minus("between -3 and .5, at (1, -.5), $n = -1$, seeds 0-9, claim-2")
    'between −3 and .5, at (1, −.5), $n = -1$, seeds 0-9, claim-2'
    """
    return _HYPHEN.sub(lambda found: found[1] or "−", text)


def rule_bounds(rule: str) -> tuple[float, float]:
    """Where a decision rule says that the whole interval must lie; raises ValueError for a rule that does not say it.

    Example
    -------
    >>> rule_bounds("the 95 % interval lies below 0.5, Holm over 2 comparisons")
    (-inf, 0.5)
    """
    found = _RULE.search(rule)
    if found is None or (found[1] in ("between", "within")) != (found[3] is not None):
        raise ValueError(
            f"the rule {rule!r} does not say where the interval has to lie; expected 'below 0', 'above 0' or "
            "'between -1 and 1' in it"
        )
    first = float(found[2].replace("−", "-"))
    match found[1]:
        case "below":
            return -math.inf, first
        case "above":
            return first, math.inf
    second = float(found[3].replace("−", "-"))
    if not first < second:
        raise ValueError(f"the rule {rule!r} leaves no room between {first:g} and {second:g}")
    return first, second


def _at_most(low: float, high: float) -> bool:
    return low <= high + (_SIX_DIGITS * abs(high) if math.isfinite(high) else 0)


def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        return None
