"""From the records of a claim to its verdict, and from all verdicts to what is fully established."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dropout_lab.claims.registry import Claim, Registry

#: Verdicts that leave a claim unsettled: nothing that is settled may rest on one of these.
UNSETTLED = frozenset({"open", "opinion"})


class VerdictError(ValueError):
    """The evidence of the book does not settle the claims file; the message has one line for each claim concerned."""


def verdict(claim: Claim, records: Sequence[Mapping[str, Any]]) -> str:
    """The verdict that the records give, whatever the claims file expects.

    A counterexample outweighs everything, the worse degree first. Then a claim that is declared open or an opinion. An
    empirical claim is judged by its measurements: every one has to meet its rule. Any other claim is true, under named
    assumptions if a proof needs them; there a measurement only illustrates.
    """
    if not records:
        raise VerdictError(f"claim {claim.id} ({claim.title}) has no evidence")
    given = {record["verdict"] for record in records}
    for heavier in ("wrong", "imprecise", "open", "opinion"):
        if heavier in given:
            return heavier
    if "E" in claim.kinds and (measured := [record["verdict"] for record in records if record["kind"] == "measure"]):
        return "supported" if all(found == "supported" for found in measured) else "not-seen"
    return "true-under" if "true-under" in given else "true"


def settle(registry: Registry, evidence: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The verdict of every claim of the registry; raises :class:`VerdictError` with all that is amiss at once.

    ``evidence`` maps claim ids to their records. Amiss are: a claim without evidence, evidence without a claim, a verdict
    other than expected, and a settled claim that rests on an unsettled one.
    """
    problems = [
        f"evidence for {found!r}, which is no claim of the claims file" for found in evidence if found not in registry
    ]
    verdicts: dict[str, str] = {}
    for claim in registry.values():
        try:
            verdicts[claim.id] = verdict(claim, evidence.get(claim.id, ()))
        except VerdictError as error:
            problems.append(str(error))
            continue
        if verdicts[claim.id] != claim.expected:
            problems.append(
                f"claim {claim.id} ({claim.title}): the claims file expects {claim.expected!r}, "
                f"the evidence says {verdicts[claim.id]!r}"
            )
    problems.extend(_resting_on_unsettled(registry, verdicts))
    if problems:
        raise VerdictError("the claims are not settled as expected:\n" + "\n".join(f"  - {line}" for line in problems))
    return verdicts


def _resting_on_unsettled(registry: Registry, verdicts: Mapping[str, str]) -> Iterable[str]:
    for claim_id, found in verdicts.items():
        if found not in UNSETTLED:
            for used in registry[claim_id].uses:
                if verdicts.get(used) in UNSETTLED:
                    yield f"claim {claim_id} is settled ({found}) but rests on claim {used}, which is {verdicts[used]}"
