"""The functions with which a cell settles a claim: five kinds of evidence, and two ways to say that there is none.

Each takes a claim's id, establishes what it says or raises :class:`NotEstablished`, and returns a
:class:`~dropout_lab.claims.settlement.Settlement` to be displayed as the value of the cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from dropout_lab.claims.claimed import claimed_at
from dropout_lab.claims.claims_file import load
from dropout_lab.claims.comparison import NotANumber, count, differ, largest_difference, real, written
from dropout_lab.claims.derivations import Derivation
from dropout_lab.claims.kinds import Citation, Enumeration, Measurement, Refutation, Unsettled, rule_bounds
from dropout_lab.claims.records import Evidence
from dropout_lab.claims.registry import SOUND, Claim, Grade, Registry
from dropout_lab.claims.settlement import Settlement
from dropout_lab.symbolic.chain import Chain
from dropout_lab.symbolic.induction import Induction
from dropout_lab.symbolic.report import report

#: Differences below this, or below a tighter tolerance, are recorded as this: their digits are rounding, and another
#: processor rounds another way.
ROUNDING = 1e-12
_Result = TypeVar("_Result")


class NotEstablished(ValueError):
    """The evidence does not hold; the message names the claim and shows what was found."""


@runtime_checkable
class Comparison(Protocol):
    """What :func:`measure` takes as an effect over seeds.

    It has the attributes ``effect``, ``interval``, ``seeds``, ``rule``, ``unit``, ``supported``,
    ``smallest_detectable`` and ``exact``, with the meaning of those of
    :class:`dropout_lab.experiments.statistics.Comparison`.

    Example
    -------
    >>> isinstance("30 % better", Comparison)
    False
    """

    @property
    def effect(self) -> float: ...
    @property
    def interval(self) -> tuple[float, float]: ...
    @property
    def seeds(self) -> int: ...
    @property
    def rule(self) -> object: ...
    @property
    def unit(self) -> str: ...
    @property
    def supported(self) -> bool: ...
    @property
    def smallest_detectable(self) -> float | None: ...
    @property
    def exact(self) -> bool: ...


@runtime_checkable
class Run(Protocol):
    """What :func:`measure` takes as an experiment; :func:`dropout_lab.experiments.replicas.run` makes such.

    Its ``digest`` is the SHA-256, in hexadecimal digits, of what the experiment is.

    Example
    -------
    >>> from dropout_lab.experiments import replicas
    >>> isinstance(replicas.Results([0], {}, digest="0" * 64), Run)
    True
    """

    @property
    def digest(self) -> str: ...


def derive(
    claim_id: str, chain: Chain | Induction, *, says: str, part: str = "", stated: Sequence[str] = ()
) -> Settlement:
    """Establish a claim by a chain of derivation, and attack the chain: alter its lines and exchange its rules.

    ``chain`` comes from :class:`dropout_lab.symbolic.Chain` or :class:`dropout_lab.symbolic.Induction`; its lines were
    checked when they were written. ``says`` is the result in a sentence. The assumptions are those of the chain;
    ``stated`` names those that the claim's own sentence makes, so that they are not left unsaid. Chains for the same
    ``part`` of a claim are alternatives, of which the one that assumes least counts. Raises :class:`NotEstablished` for
    a chain without lines, for an altered line that neither its rule nor the numbers refuse, and for a rule that could
    have been another, unless both stand in the committed list of exceptions; TypeError for what is no chain.

    Example
    -------
    >>> import sympy
    >>> from dropout_lab import symbolic
    >>> n, i = sympy.symbols("n i", integer=True, positive=True)
    >>> p = sympy.Symbol("p", positive=True)
    >>> h, r = sympy.IndexedBase("h"), symbolic.Masks(n, p)
    >>> chain = symbolic.Chain(symbolic.Mean(h[i] * r[i]), masks=r)
    >>> chain = chain.then(h[i] * symbolic.Mean(r[i]), symbolic.rules.linearity)
    >>> chain = chain.then(p * h[i], symbolic.rules.mean_of_mask)
    >>> derive("2.2", chain, says="The mean is p h_i.").main.strength
    'derived, any n, 3 lines'
    """
    registry, claim = _claim(claim_id)
    if not isinstance(chain, (Chain, Induction)):
        raise TypeError(f"claim {claim.id}: derive takes a chain of symbolic, got {type(chain).__name__}")
    if isinstance(stated, str):
        raise TypeError(f"claim {claim.id}: stated is a sequence of assumption ids, got the string {stated!r}")
    if needless := [name for name in stated if name not in chain.assumes]:
        raise NotEstablished(f"claim {claim.id}: it is said to state {needless[0]!r}, which the chain does not assume")
    if len(chain.lines) < 2:
        raise NotEstablished(f"claim {claim.id}: the chain has no line beside its first, so nothing is derived")
    if isinstance(chain, Chain) and chain.hypotheses:
        raise NotEstablished(
            f"claim {claim.id}: the chain rests on an induction hypothesis; settle it by the induction"
        )
    found = report(chain)
    if found.open_ends:
        raise NotEstablished(f"claim {claim.id}: {found.open_ends[0]}")
    return _settled(
        registry,
        claim,
        Derivation,
        verdict=Grade.TRUE_UNDER if set(chain.assumes) - set(stated) else Grade.TRUE,
        says=says,
        scope=chain.scope,
        left=found.left,
        right=found.right,
        relation=chain.relation,
        assumes=chain.assumes,
        lines=tuple(found.lines),
        slips=found.slips,
        swaps=found.swaps,
        at=found.at,
        part=part,
        stated=tuple(stated),
        cites=chain.cites,
    )


def enumerate_masks(
    claim_id: str, found: object, expected: object, *, masks: int, tolerance: float = 0.0, says: str
) -> Settlement:
    """Establish that a quantity enumerated over ``masks`` masks equals what is expected, within ``tolerance``.

    ``found`` and ``expected`` are finite numbers, or arrays or nested lists of one shape; exact numbers (integers,
    fractions, SymPy's) are compared exactly before anything is rounded. ``masks`` is at least 1, ``tolerance`` finite
    and not negative. ``says`` is the result in a sentence. Raises :class:`NotEstablished` if the sides differ by more,
    or if a value on either side is NaN or infinite; ValueError or TypeError for other arguments that cannot be.

    Example
    -------
    >>> print(enumerate_masks("2.2", [0.25, 0.5], [0.25, 0.5], masks=4, says="The means agree.").main.strength)
    enumerated, 4 masks
    """
    registry, claim = _claim(claim_id)
    counted = _of_claim(claim, count, masks, "masks, the number of masks enumerated,")
    allowed = _of_claim(claim, real, tolerance, "tolerance")
    if allowed < 0:
        raise ValueError(f"claim {claim.id}: tolerance must not be negative, got {tolerance!r}")
    difference = _of_claim(claim, largest_difference, found, expected)
    if not difference <= allowed:
        raise NotEstablished(
            f"claim {claim.id}: enumeration gives {found}, expected {expected}; they differ by {difference:.3g}, "
            f"more than the tolerance {allowed:.3g}"
        )
    recorded = max(difference, min(ROUNDING, allowed)) if difference else 0.0
    return _settled(
        registry,
        claim,
        Enumeration,
        verdict=Grade.TRUE,
        says=says,
        masks=counted,
        tolerance=_rounded(allowed),
        difference=_rounded(recorded),
    )


def measure(claim_id: str, comparison: Comparison, *, runs: Run | Sequence[Run], says: str) -> Settlement:
    """Record an effect measured over seeds, judged by the rule that its comparison was given beforehand.

    ``comparison`` is what :func:`dropout_lab.experiments.statistics.compare` returns, or anything with the attributes
    of :class:`Comparison`, over at least 2 seeds. ``runs`` is what :func:`dropout_lab.experiments.replicas.run` gave,
    or several of these: their digests, the rule and the unit make the digest of the recipe, by which a replication of
    the measurement is known. ``says`` is the result in a sentence. A rule that is not met is a result (``not-seen``),
    not an error. Raises :class:`NotEstablished` for an effect outside its interval, for numbers that are not finite,
    and for a rule that is said to be met and is not; TypeError or ValueError for other arguments that cannot be.

    Example
    -------
    >>> from dropout_lab.experiments import replicas, statistics
    >>> runs = replicas.Results(range(4), {}, digest="0" * 64)
    >>> effects = statistics.compare([1.0, 2.0, 3.0, 2.0], rule=statistics.Rule.above(0.5), unit="points")
    >>> str(measure("1.1", effects, runs=runs, says="Better.").main.verdict)
    'supported'
    """
    registry, claim = _claim(claim_id)
    if not isinstance(comparison, Comparison):
        raise TypeError(f"claim {claim.id}: measure takes a comparison of statistics, got {type(comparison).__name__}")
    if not isinstance(comparison.interval, (tuple, list, np.ndarray)) or len(comparison.interval) != 2:
        raise ValueError(f"claim {claim.id}: the interval is a pair (low, high), got {comparison.interval!r}")
    low, high = (_of_claim(claim, real, bound, "a bound of the interval") for bound in comparison.interval)
    effect = _of_claim(claim, real, comparison.effect, "the effect")
    detectable = comparison.smallest_detectable
    if detectable is not None:
        detectable = _rounded(_of_claim(claim, real, detectable, "the smallest detectable effect"))
    if not low <= effect <= high:
        raise NotEstablished(f"claim {claim.id}: the effect {effect} lies outside its interval, {low} to {high}")
    if not isinstance(comparison.supported, (bool, np.bool_)):
        raise TypeError(f"claim {claim.id}: supported is a truth value, got {comparison.supported!r}")
    supported, rule = bool(comparison.supported), str(comparison.rule)
    least, most = _of_claim(claim, rule_bounds, rule)
    met_by = getattr(comparison.rule, "met_by", None)
    if supported and not (least <= low and high <= most and (met_by is None or met_by((low, high)))):
        raise NotEstablished(f"claim {claim.id}: {rule}, it is said, but it runs from {low} to {high}")
    return _settled(
        registry,
        claim,
        Measurement,
        verdict=Grade.SUPPORTED if supported else Grade.NOT_SEEN,
        says=says,
        effect=_rounded(effect),
        interval=(_rounded(low), _rounded(high)),
        seeds=_of_claim(claim, count, comparison.seeds, "the number of seeds", 2),
        rule=rule,
        unit=comparison.unit,
        supported=supported,
        smallest_detectable=detectable,
        exact=bool(comparison.exact),
        recipe=_of_claim(claim, _recipe, runs, rule, comparison.unit),
    )


def refute(
    claim_id: str,
    *,
    claimed: object,
    at: Mapping[Any, Any],
    actual: object,
    counterexample: str,
    correction: Settlement,
    degree: str,
    says: str,
) -> Settlement:
    """Refute a claim by a counterexample, and put the right statement, with its own evidence, in its place.

    ``claimed`` is what the source's words or its formula say, as a SymPy formula with free symbols or an array of such
    formulas; ``at`` has the symbols' values in the counterexample: a number for each symbol, a sequence for each
    :class:`sympy.IndexedBase`. ``actual`` is what was computed: a finite number, or an array of the same shape. The
    two must differ: exactly, or by more than 1e-9 where one is rounded. ``correction`` settles the corrected statement
    as ``true``, ``true-under`` or ``supported``: for the same claim (its records are then recorded too) or for another
    one (which is referred to). ``degree`` is ``"wrong"`` or ``"imprecise"``. Raises :class:`NotEstablished` if the
    counterexample is none or the correction is not established; ValueError for a literal in place of a formula, also
    for one that is wrapped: a formula without free symbols, one that gives the same number whatever its symbols are,
    and a symbol alone; ValueError or TypeError for other arguments that cannot be.

    Example
    -------
    >>> import sympy
    >>> p, h = sympy.symbols("p h", positive=True)
    >>> right = enumerate_masks("2.4", 4, 4, masks=2, says="The mean energy is p h².")
    >>> found = refute("2.4", claimed=p * h, at={p: sympy.Rational(1, 4), h: 4}, actual=2, degree="imprecise",
    ...                counterexample="How large is the amplitude of one unit?", correction=right, says="It is larger.")
    >>> [piece.kind for piece in found.evidence], found.main.claimed_formula, found.main.claimed
    (['enumerate', 'refute'], 'h p', '1')
    """
    registry, claim = _claim(claim_id)
    if degree not in (Grade.WRONG, Grade.IMPRECISE):
        raise ValueError(f"claim {claim.id}: degree is 'wrong' or 'imprecise', got {degree!r}")
    if not isinstance(correction, Settlement):
        raise TypeError(
            f"claim {claim.id}: correction is the evidence of the right statement, got {type(correction).__name__}"
        )
    if correction.main.verdict not in SOUND:
        raise NotEstablished(
            f"claim {claim.id}: the correction, a {correction.main.noun}, says {correction.main.verdict!s}; expected "
            "evidence that establishes the right statement"
        )
    given = _of_claim(claim, claimed_at, claimed, at)
    if not _of_claim(claim, differ, given.value, actual):
        raise NotEstablished(f"claim {claim.id}: no counterexample, since the claimed {given.value} is what comes out")
    # As many digits as it takes to see the difference.
    pairs = [(written(given.value, digits), written(actual, digits)) for digits in (4, 8, 17)]
    shown = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])
    return _settled(
        registry,
        claim,
        Refutation,
        before=correction.evidence if correction.claim.id == claim.id else (),
        verdict=Grade(degree),
        says=says,
        counterexample=counterexample,
        claimed_formula=given.formula,
        claimed_at=given.at,
        claimed=shown[0],
        actual=shown[1],
        correction=correction.main.says,
        corrected_by=correction.claim.id,
    )


def cite(claim_id: str, *, key: str, locator: str = "", says: str, degree: str | None = None) -> Settlement:
    """Settle a claim of history or attribution by a source.

    ``key`` is the source's entry in the book's bibliography, which the build checks, and ``locator`` a place in it,
    such as a page. ``says`` is what the source says, in a sentence. ``degree="imprecise"`` or ``"wrong"`` says that the
    source corrects the claim. Raises ValueError for another degree or a key that is none.

    Example
    -------
    >>> cite("1.5", key="hinton2012", says="It was proposed there.").main.details(load())
    [('source', 'hinton2012')]
    """
    registry, claim = _claim(claim_id)
    if degree not in (None, Grade.WRONG, Grade.IMPRECISE):
        raise ValueError(f"claim {claim.id}: degree is None, 'wrong' or 'imprecise', got {degree!r}")
    return _settled(registry, claim, Citation, verdict=Grade(degree or Grade.TRUE), says=says, key=key, locator=locator)


def opinion(claim_id: str, *, why: str) -> Settlement:
    """Record that a claim is an opinion: one can share it or not, but not establish it.

    ``why`` says so in a sentence. Raises :class:`NotEstablished` for a claim of another kind.

    Example
    -------
    >>> claim = next(claim for claim in load().values() if claim.kinds == ("O",))
    >>> opinion(claim.id, why="It is a matter of taste.").main.strength
    'opinion'
    """
    registry, claim = _claim(claim_id)
    return _settled(registry, claim, Unsettled, verdict=Grade.OPINION, says=why)


def leave_open(claim_id: str, *, why: str) -> Settlement:
    """Record that a claim stays open.

    ``why`` says in a sentence why nothing settles it.

    Example
    -------
    >>> leave_open("1.1", why="Nobody knows.").main.strength
    'open'
    """
    registry, claim = _claim(claim_id)
    return _settled(registry, claim, Unsettled, verdict=Grade.OPEN, says=why)


def _claim(claim_id: str) -> tuple[Registry, Claim]:
    registry = load()
    return registry, registry[claim_id]


def _of_claim(claim: Claim, compute: Callable[..., _Result], *arguments: object) -> _Result:
    """The result of a computation whose errors name the claim; a NaN or an infinity establishes nothing."""
    try:
        return compute(*arguments)
    except NotANumber as error:
        raise NotEstablished(f"claim {claim.id}: {error}") from error
    except (TypeError, ValueError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"claim {claim.id}: {error}") from error


def _recipe(runs: Run | Sequence[Run], rule: str, unit: str) -> str:
    """The digest of a measurement: of the experiments that its numbers come from, its rule and its unit."""
    several = runs if isinstance(runs, (tuple, list)) else (runs,)
    digests = [getattr(run, "digest", None) for run in several]
    if not digests or not all(isinstance(digest, str) and digest for digest in digests):
        raise TypeError(f"runs is what replicas.run found, or several of these, got {runs!r}")
    return hashlib.sha256(repr((digests, rule, unit)).encode()).hexdigest()


def _settled(
    registry: Registry, claim: Claim, kind: type[Evidence], *, before: tuple[Evidence, ...] = (), **fields: object
) -> Settlement:
    piece = _of_claim(claim, lambda: kind(**fields))  # type: ignore[arg-type]
    if problems := piece.problems(claim, registry):
        raise NotEstablished(problems[0])
    return Settlement(claim, (*before, piece), registry)


def _rounded(value: float) -> float:
    """Six significant digits: enough to read, and the same on machines that round a sum differently."""
    return float(f"{value:.6g}")
