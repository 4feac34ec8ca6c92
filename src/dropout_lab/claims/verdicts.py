"""From the evidence for a claim to its verdict, and from all verdicts to what is settled as expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dropout_lab.claims.derivations import Derivation, problems_of
from dropout_lab.claims.kinds import Citation, Refutation
from dropout_lab.claims.records import EVIDENCE, Evidence, from_json
from dropout_lab.claims.registry import HEAVIEST, QUANTIFIERS, SOUND, Claim, Grade, Registry

#: Verdicts that leave a claim unsettled: nothing that is settled may rest on one of these.
UNSETTLED = frozenset({Grade.OPEN, Grade.OPINION})
#: Verdicts with which a piece of evidence speaks against its claim.
_AGAINST = frozenset({Grade.WRONG, Grade.IMPRECISE, Grade.NOT_SEEN})


@dataclass(frozen=True)
class Problem:
    """A fault that keeps the claims from being settled.

    Attributes
    ----------
    claim:
        The id of the claim concerned.
    text:
        What is wrong, in a sentence.

    Example
    -------
    >>> str(Problem("2.2", "claim 2.2 has no evidence"))
    'claim 2.2 has no evidence'
    """

    claim: str
    text: str

    def __str__(self) -> str:
        return self.text


class VerdictError(ValueError):
    """The evidence does not settle the claims; ``problems`` lists what is wrong, each with its claim."""

    def __init__(self, problems: Iterable[Problem], heading: str = ""):
        self.problems = tuple(problems)
        self.heading = heading
        lines = [str(problem) for problem in self.problems]
        super().__init__(f"{heading}:\n" + "\n".join(f"  - {line}" for line in lines) if heading else "\n".join(lines))

    def __reduce__(self) -> tuple[type[VerdictError], tuple[tuple[Problem, ...], str]]:
        return type(self), (self.problems, self.heading)


def verdict(claim: Claim, evidence: Sequence[Evidence | Mapping[str, object]]) -> Grade:
    """Return the verdict that the evidence gives on a claim, whatever the claims file expects.

    ``evidence`` holds pieces of evidence, or their records. These rules decide, in this order:

    - A counterexample outweighs everything, the worse degree first.
    - A claim that is declared open or an opinion stays so.
    - An empirical claim is judged by its measurements: every one has to meet its rule.
    - Any other claim is true, under named assumptions if a proof needs them; there a measurement only illustrates.

    Raises :class:`VerdictError` if there is no evidence, or none of a kind that can settle a claim of this kind; if a
    counterexample alone would make a claim wrong that is not said of every case; and if a claim about what others found
    or use has no citation. Raises ValueError or TypeError for a record that is none.

    Example
    -------
    >>> claim = Claim("1", "1 A", "a sum", "I", "One and one is two.", "true", "always", "It is counted.")
    >>> record = {"kind": "none", "verdict": "open", "says": "Nobody knows."}
    >>> str(verdict(claim, [record]))
    'open'
    """
    if not isinstance(claim, Claim):
        raise TypeError(f"a verdict is one on a claim of the registry, got {type(claim).__name__}")
    pieces = _pieces(evidence)
    who = f"claim {claim.id} ({claim.title})"
    if not pieces:
        raise VerdictError([Problem(claim.id, f"{who} has no evidence")])
    if misjudged := [sentence for piece in pieces if (sentence := piece.misjudges(claim))]:
        raise VerdictError(Problem(claim.id, sentence) for sentence in misjudged)
    fitting = [piece for piece in pieces if piece.can_settle(claim)]
    if not fitting:
        given = ", ".join(dict.fromkeys(piece.noun for piece in pieces))
        able = ", ".join(
            kind.noun for kind in EVIDENCE.values() if kind.is_evidence and kind.settles.intersection(claim.kinds)
        )
        reason = f"{who} is of kind {claim.kind_name}, which nothing settles but {able}; it has only: {given}"
        raise VerdictError([Problem(claim.id, reason)])
    own_correction = any(isinstance(piece, Refutation) and piece.corrected_by == claim.id for piece in pieces)
    if own_correction and not any(piece.verdict in SOUND for piece in pieces):
        reason = f"{who} is refuted, but nothing establishes the statement that corrects it"
        raise VerdictError([Problem(claim.id, reason)])
    found = _weighed({piece.verdict for piece in fitting})
    if unfit := _against_its_quantifier(claim, pieces, found):
        raise VerdictError([Problem(claim.id, f"{who} is {QUANTIFIERS[claim.quantifier]}: {unfit}")])
    return found


def _against_its_quantifier(claim: Claim, pieces: Sequence[Evidence], found: Grade) -> str:
    """Why the evidence cannot give this verdict to this sort of sentence, or nothing."""
    if found in UNSETTLED:
        return ""
    if claim.quantifier == "others found" and not any(isinstance(piece, Citation) for piece in pieces):
        return "nothing settles that without a citation"
    one_case = claim.quantifier in ("typically", "somewhere")
    against = [piece for piece in pieces if piece.verdict in _AGAINST and not isinstance(piece, Refutation)]
    if found is Grade.WRONG and one_case and not against:
        return "a counterexample is one case and cannot make it wrong; a measurement or a citation against it can"
    return ""


def _weighed(given: set[Grade]) -> Grade:
    for grade in (*HEAVIEST, Grade.NOT_SEEN, Grade.SUPPORTED, Grade.TRUE_UNDER):
        if grade in given:
            return grade
    return Grade.TRUE


def _pieces(evidence: Sequence[Evidence | Mapping[str, object]]) -> list[Evidence]:
    if not isinstance(evidence, Sequence) or isinstance(evidence, (str, bytes)):
        raise TypeError(f"evidence is a list of pieces or of their records, got {type(evidence).__name__}")
    return [piece if isinstance(piece, Evidence) else from_json(piece) for piece in evidence]


def settle(registry: Registry, evidence: Mapping[str, Sequence[Evidence | Mapping[str, object]]]) -> dict[str, Grade]:
    """Return the verdict of every claim of a registry.

    ``evidence`` maps claim ids to pieces of evidence, or to their records. Raises :class:`VerdictError`, with all
    faults at once, for a claim without evidence, or with evidence that cannot settle it; for evidence without a claim,
    under assumptions that the claim does not name, or corrected by a statement that is not established; for a verdict
    other than expected; and for a settled claim that rests on an unsettled one.

    Example
    -------
    >>> claim = Claim("1", "1 A", "a question", "I", "One and one is two.", "open", "always", "Nobody counted.")
    >>> record = {"kind": "none", "verdict": "open", "says": "Nobody knows."}
    >>> str(settle(Registry([claim], []), {"1": [record]})["1"])
    'open'
    """
    if not isinstance(registry, Registry) or not isinstance(evidence, Mapping):
        raise TypeError(
            "settle takes a registry and the evidence by claim, "
            f"got {type(registry).__name__} and {type(evidence).__name__}"
        )
    given = {claim_id: _pieces(pieces) for claim_id, pieces in evidence.items()}
    problems = [
        Problem(found, f"evidence for {found!r}, which is no claim of the claims file")
        for found in given
        if found not in registry
    ]
    verdicts: dict[str, Grade] = {}
    for claim in registry.values():
        pieces = given.get(claim.id, [])
        problems.extend(Problem(claim.id, text) for piece in pieces for text in piece.problems(claim, registry))
        problems.extend(_corrected_by_nothing(claim, pieces, registry, given))
        derivations = [piece for piece in pieces if isinstance(piece, Derivation)]
        problems.extend(Problem(claim.id, text) for text in problems_of(claim, derivations, registry))
        try:
            found = verdict(claim, pieces)
        except VerdictError as error:
            problems.extend(error.problems)
            continue
        verdicts[claim.id] = found
        if found != claim.expected:
            text = f"the claims file expects {claim.expected!r}, the evidence says {str(found)!r}"
            problems.append(Problem(claim.id, f"claim {claim.id} ({claim.title}): {text}"))
    problems.extend(_resting_on_unsettled(registry, verdicts))
    if problems:
        raise VerdictError(dict.fromkeys(problems), "the claims are not settled as expected")
    return verdicts


def _corrected_by_nothing(
    claim: Claim, pieces: Sequence[Evidence], registry: Registry, evidence: Mapping[str, Sequence[Evidence]]
) -> Iterator[Problem]:
    corrections = {piece.corrected_by for piece in pieces if isinstance(piece, Refutation)} - {claim.id}
    for other in sorted(corrections.intersection(registry)):
        if not any(piece.verdict in SOUND for piece in evidence.get(other, ())):
            yield Problem(claim.id, f"claim {claim.id} is corrected by claim {other}, which nothing establishes")


def _resting_on_unsettled(registry: Registry, verdicts: Mapping[str, Grade]) -> Iterator[Problem]:
    for claim_id, found in verdicts.items():
        if found not in UNSETTLED:
            for used in registry[claim_id].uses:
                if verdicts.get(used) in UNSETTLED:
                    text = f"claim {claim_id} is settled ({found}) but rests on claim {used}, which is {verdicts[used]}"
                    yield Problem(claim_id, text)
