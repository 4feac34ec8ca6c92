"""How often the measured claims came out the same on fresh seeds: a file of data that ``make replicate`` writes.

The file is ``replications.json`` beside the claims file. For each measured claim it holds the digests of the recipes
that were replicated, and what came out of each replication, by its number. Cells of the book do not read it, so a new
count executes no chapter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dropout_lab.claims.claims_file import claims_path
from dropout_lab.claims.kinds import Measurement
from dropout_lab.claims.records import Evidence
from dropout_lab.claims.registry import Grade

FILE = "replications.json"
#: What measurements can come to.
OUTCOMES = (Grade.SUPPORTED, Grade.NOT_SEEN)


class ReplicationsError(ValueError):
    """The file of replications cannot be believed; the message names it and the entry."""


@dataclass(frozen=True)
class Replications:
    """The replications of one claim: ``recipes`` are the digests of its measurements, sorted; ``found`` by number.

    >>> some = Replications(("0" * 64,), {1: Grade.SUPPORTED, 2: Grade.NOT_SEEN})
    >>> some.runs, some.same_as(Grade.SUPPORTED)
    (2, 1)
    """

    recipes: tuple[str, ...]
    found: Mapping[int, Grade]

    @property
    def runs(self) -> int:
        """How many replications there are."""
        return len(self.found)

    def same_as(self, outcome: Grade | None) -> int:
        """How many of them came out like this."""
        return sum(found is outcome for found in self.found.values())


def outcome(evidence: Iterable[Evidence]) -> Grade | None:
    """What the measurements among the evidence come to: supported if each meets its rule, or None if there are none.

    For a claim that nothing but measurements settles this is its verdict. Where it has a derivation or a counterexample
    as well, it says whether what illustrates the claim comes out the same again.

    >>> outcome([]) is None
    True
    """
    met = [piece.supported for piece in evidence if isinstance(piece, Measurement)]
    return (Grade.SUPPORTED if all(met) else Grade.NOT_SEEN) if met else None


def recipes(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """The digests of the measurements among the evidence, sorted.

    >>> recipes([])
    ()
    """
    return tuple(sorted(piece.recipe for piece in evidence if isinstance(piece, Measurement)))


def replications_path() -> Path:
    """The file of replications, beside the claims file."""
    return claims_path().with_name(FILE)


def load(path: Path | None = None) -> dict[str, Replications]:
    """The replications of each claim by its id; none if there is no file.

    Raises :class:`ReplicationsError` for a file that cannot be read or that holds something else.

    >>> load(Path("no such file"))
    {}
    """
    path = path or replications_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReplicationsError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ReplicationsError(f"{path} holds a {type(content).__name__}; expected an object with an entry a claim")
    return {claim_id: _entry(entry, f"{path}, claim {claim_id}") for claim_id, entry in content.items()}


def add(claim_id: str, number: int, evidence: Iterable[Evidence], path: Path | None = None) -> None:
    """Write down what one replication gave for a claim; nothing, if the evidence holds no measurement.

    It stands beside the other numbers of the same recipes. Those of other recipes are dropped, for they are of another
    experiment. The file is written under another name and moved, so that it is whole at any moment. Raises ValueError
    for a measurement without a digest.
    """
    path, pieces = path or replications_path(), list(evidence)
    found = outcome(pieces)
    if found is None:
        return
    if not all(recipes(pieces)):
        raise ValueError(f"claim {claim_id} is measured without runs=…, so nobody can tell which recipe was replicated")
    entries = load(path)
    before = entries.get(claim_id)
    kept = before.found if before and before.recipes == recipes(pieces) else {}
    entries[claim_id] = Replications(recipes(pieces), {**kept, number: found})
    content = {
        name: {
            "recipes": list(entry.recipes),
            "found": {str(run): str(entry.found[run]) for run in sorted(entry.found)},
        }
        for name, entry in sorted(entries.items())
    }
    passing = path.with_suffix(".new")
    passing.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(passing, path)


def _entry(entry: object, where: str) -> Replications:
    if not isinstance(entry, dict) or set(entry) != {"recipes", "found"}:
        raise ReplicationsError(f"{where}: expected an object with the fields recipes and found")
    digests, found = entry["recipes"], entry["found"]
    if not isinstance(digests, list) or not digests or not all(isinstance(digest, str) for digest in digests):
        raise ReplicationsError(f"{where}: recipes is a list of digests, got {digests!r}")
    if not isinstance(found, dict) or not found or not all(run.isdecimal() and int(run) for run in found):
        raise ReplicationsError(f"{where}: found is an object with an entry for each number from 1, got {found!r}")
    if odd := [given for given in found.values() if given not in OUTCOMES]:
        raise ReplicationsError(f"{where}: a replication is {' or '.join(OUTCOMES)}, got {odd[0]!r}")
    return Replications(tuple(sorted(digests)), {int(run): Grade(given) for run, given in found.items()})
