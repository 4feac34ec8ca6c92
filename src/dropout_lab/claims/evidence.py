"""The five kinds of evidence, and the two ways to say that there is none.

Each function takes a claim's id, establishes what it says or raises :class:`NotEstablished`, and returns an
:class:`~dropout_lab.claims.records.Evidence` to be displayed as the value of the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Rational
from typing import Any

import numpy as np
import sympy

from dropout_lab.claims import registry
from dropout_lab.claims.records import Evidence

#: Two numbers closer than this are the same number to a refutation that is not exact.
SAME = 1e-9
#: Differences below this, or below a tighter tolerance, are recorded as this: their digits are rounding, and another
#: processor rounds another way.
ROUNDING = 1e-12


class NotEstablished(ValueError):
    """The evidence does not hold; the message names the claim and shows what was found."""


def prove(claim_id: str, derivation, closed_form: sympy.Expr, *, under: Sequence[str] = (), says: str) -> Evidence:
    """Establish that a quantity derived from its definition equals a closed form, for general n or as the scope says.

    ``derivation`` comes from :mod:`dropout_lab.symbolic` and holds the value that SymPy derived from the definition;
    ``closed_form`` is written by the author. Their difference has to simplify to zero, and the definition, averaged over
    all masks by enumeration at n = 1 to 4 with random exact rationals, has to give the closed form's value: a second way
    that shares nothing with the first. ``under`` names the assumptions without which the claim fails; each must stand among
    the claim's ``uses``. Raises :class:`NotEstablished`.
    """
    claim = registry.load()[claim_id]
    _check_assumptions(claim, under)
    against = getattr(derivation, "against", "enumeration")
    closed_form = sympy.sympify(closed_form)
    if not derivation.equals(closed_form):
        raise NotEstablished(f"claim {claim_id}: derived {derivation.value}, which is not {closed_form}")
    instances = derivation.instances(closed_form)
    if not instances:
        raise NotEstablished(f"claim {claim_id}: the derivation has no instance, so nothing checks the proof")
    for instance in instances:
        if not instance.agrees:
            raise NotEstablished(
                f"claim {claim_id}: at {instance.values} {against} gives {instance.exact}, "
                f"the closed form {instance.closed_form_value}"
            )
    return _evidence(
        claim,
        "prove",
        "true-under" if under else "true",
        says,
        formula=sympy.latex(closed_form),
        scope=derivation.scope,
        under=list(under),
        left=derivation.latex(),
        right=sympy.latex(closed_form),
        instances=len(instances),
        against=against,
    )


def derive(
    claim_id: str, chain, *, says: str, stated: Sequence[str] = (), weakest: bool = True
) -> Evidence:
    """Establish a claim by a chain of derivation, whose lines were checked when they were written.

    The assumptions are those of the chain. ``stated`` are those that the claim's own sentence makes, so that it leaves
    nothing unsaid there. A chain that is not the ``weakest`` of its claim may need others than the claims file names.
    Provisional: the ledger's form comes with the types of evidence.
    """
    from dropout_lab.symbolic import attacked
    from dropout_lab.symbolic.printing import printed
    from dropout_lab.symbolic.rules import RELATIONS

    claim = registry.load()[claim_id]
    if unknown := [name for name in (*chain.assumes, *stated) if name not in registry.load().assumptions]:
        raise NotEstablished(f"claim {claim_id}: {unknown[0]!r} is no assumption of the claims file")
    if weakest:
        _check_assumptions(claim, chain.assumes)
    parts = [part for _, part in chain.parts] if hasattr(chain, "parts") else [chain]
    attacks = [attacked(part) for part in parts]
    return _evidence(
        claim,
        "prove",
        "true-under" if set(chain.assumes) - set(stated) else "true",
        says,
        formula=printed(chain.end),
        scope=chain.scope,
        under=list(chain.assumes),
        left=printed(chain.start),
        relation=RELATIONS[chain.relation],
        right=printed(chain.end),
        instances=4,
        against="enumeration",
        survivors=[line for attack in attacks for line in attack.survivors],
    )


def enumerate(claim_id: str, found: Any, expected: Any, *, masks: int, tolerance: float = 0.0, says: str) -> Evidence:
    """Establish that a quantity enumerated over ``masks`` masks equals what is expected, within ``tolerance``.

    ``found`` and ``expected`` are numbers or arrays of one shape; exact numbers (integers, fractions, SymPy rationals) are
    compared exactly before anything is rounded. Raises :class:`NotEstablished`.
    """
    claim = registry.load()[claim_id]
    if not isinstance(masks, int) or masks < 1:
        raise ValueError(f"masks is the number of masks enumerated, a positive integer; got {masks!r}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance!r}")
    difference = _distance(claim_id, found, expected)
    if not difference <= tolerance:
        raise NotEstablished(
            f"claim {claim_id}: enumeration gives {found}, expected {expected}; they differ by {difference:.3g}, "
            f"more than the tolerance {tolerance:.3g}"
        )
    recorded = max(difference, min(ROUNDING, tolerance)) if difference else 0.0
    return _evidence(
        claim, "enumerate", "true", says, masks=masks, tolerance=_rounded(tolerance), difference=_rounded(recorded)
    )


def measure(claim_id: str, comparison, *, says: str) -> Evidence:
    """Record an effect measured over seeds, judged by the rule that its comparison was given beforehand.

    ``comparison`` has ``effect``, ``interval`` (low, high; 95 %), ``seeds`` (a count), ``rule`` (an object whose text says
    it), ``unit``, ``supported`` and ``smallest_detectable``, as made by :func:`dropout_lab.experiments.statistics.compare`.
    A rule that is not met is a result (``not-seen``), not an error.
    """
    claim = registry.load()[claim_id]
    low, high = (float(bound) for bound in comparison.interval)
    if not low <= float(comparison.effect) <= high:
        raise NotEstablished(
            f"claim {claim_id}: the effect {comparison.effect} lies outside its interval {comparison.interval}"
        )
    return _evidence(
        claim,
        "measure",
        "supported" if comparison.supported else "not-seen",
        says,
        effect=_rounded(comparison.effect),
        interval=[_rounded(low), _rounded(high)],
        seeds=int(comparison.seeds),
        rule=str(comparison.rule),
        unit=comparison.unit,
        supported=bool(comparison.supported),
        smallest_detectable=_rounded(comparison.smallest_detectable),
    )


def refute(
    claim_id: str,
    *,
    claimed: Any,
    actual: Any,
    counterexample: str,
    correction: Evidence,
    degree: str,
    says: str,
) -> Evidence:
    """Refute a claim by a counterexample, and put the right statement, with its own evidence, in its place.

    ``claimed`` is what the claim gives in the counterexample, ``actual`` what was computed; they must differ: exactly, or
    by more than 1e-9. ``correction`` is the evidence of the corrected statement: for the same claim (its records are then
    recorded too) or for another one (which is referred to). ``degree`` is ``"wrong"`` or ``"imprecise"``. Raises
    :class:`NotEstablished` if the counterexample is none.
    """
    claim = registry.load()[claim_id]
    if degree not in ("wrong", "imprecise"):
        raise ValueError(f"degree is 'wrong' or 'imprecise', got {degree!r}")
    if not isinstance(correction, Evidence):
        raise TypeError(
            f"claim {claim_id}: correction is the evidence of the right statement, got {type(correction).__name__}"
        )
    if _distance(claim_id, claimed, actual) <= SAME:
        raise NotEstablished(f"claim {claim_id}: no counterexample, since the claimed {claimed} is what comes out")
    own = [record for record in correction.records if correction.claim.id == claim_id]
    return _evidence(
        claim,
        "refute",
        degree,
        says,
        before=own,
        counterexample=counterexample,
        claimed=_written(claimed),
        actual=_written(actual),
        correction=correction.record["says"],
        corrected_by=correction.claim.id,
    )


def cite(claim_id: str, *, key: str, locator: str = "", says: str, degree: str | None = None) -> Evidence:
    """Settle history or attribution by a source: ``key`` stands in the book's bibliography, which the build checks.

    ``degree="imprecise"`` or ``"wrong"`` says that the source cited corrects the claim.
    """
    claim = registry.load()[claim_id]
    if degree not in (None, "wrong", "imprecise"):
        raise ValueError(f"degree is None, 'wrong' or 'imprecise', got {degree!r}")
    return _evidence(claim, "cite", degree or "true", says, key=key, locator=locator)


def opinion(claim_id: str, *, why: str) -> Evidence:
    """Record that a claim is an opinion: it can be shared or not, but not established."""
    return _evidence(registry.load()[claim_id], "none", "opinion", why)


def leave_open(claim_id: str, *, why: str) -> Evidence:
    """Record that a claim stays open, and why."""
    return _evidence(registry.load()[claim_id], "none", "open", why)


def _evidence(
    claim, kind: str, verdict: str, says: str, *, before: Sequence = (), formula: str = "", **figures
) -> Evidence:
    if not says.strip():
        raise ValueError(f"claim {claim.id}: says is empty; say in one line what was established")
    return Evidence(claim, (*before, {"kind": kind, "verdict": verdict, "says": says, **figures}), formula)


def _check_assumptions(claim, under: Sequence[str]) -> None:
    if isinstance(under, str):
        raise TypeError(f"claim {claim.id}: under is a sequence of assumption ids, got the string {under!r}")
    named = registry.load().assumptions_of(claim.id)
    for assumption in under:
        if assumption not in named:
            raise NotEstablished(
                f"claim {claim.id} is proved under {assumption!r}, which its entry in the claims file does not use; "
                f"it names {', '.join(named) or 'no assumption'}"
            )


def _distance(claim_id: str, one: Any, other: Any) -> float:
    """The largest difference of two numbers or arrays; exact numbers are subtracted exactly."""
    first, second = np.asarray(one, dtype=object), np.asarray(other, dtype=object)
    if first.shape != second.shape:
        raise ValueError(
            f"claim {claim_id}: the two sides have shapes {first.shape} and {second.shape}; expected one shape"
        )
    if first.size == 0:
        raise ValueError(f"claim {claim_id}: nothing to compare, the arrays are empty")
    gaps = [abs(_number(claim_id, a) - _number(claim_id, b)) for a, b in zip(first.flat, second.flat, strict=True)]
    if any(gap != gap for gap in gaps):
        raise NotEstablished(f"claim {claim_id}: a number to compare is NaN: {one} against {other}")
    largest = max(float(gap) for gap in gaps)
    # An exact difference may be too small for a float: it must not pass for equality.
    return largest if largest or all(gap == 0 for gap in gaps) else float(np.finfo(float).tiny)


def _number(claim_id: str, value: Any) -> Any:
    if isinstance(value, sympy.Expr):
        if not value.is_number:
            raise TypeError(f"claim {claim_id}: {value} is not a number; substitute values for {value.free_symbols}")
        return value
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, Rational) and not isinstance(value, float):
        return sympy.Rational(value.numerator, value.denominator)
    return float(value)


def _rounded(value: Any) -> float:
    """Six significant digits: enough to read, and the same on machines that round a sum differently."""
    return float(f"{float(value):.6g}")


def _written(value: Any) -> str:
    if isinstance(value, (sympy.Expr, Rational)) and not isinstance(value, float):
        return str(value)
    return np.array2string(np.asarray(value, dtype=float), precision=4, separator=", ", suppress_small=True)
