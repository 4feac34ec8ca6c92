"""What a cell shows that settles a claim: the evidence, which travels in the output, and how it reads in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field

from dropout_lab._faces import faces
from dropout_lab.claims.records import Evidence, Json
from dropout_lab.claims.registry import Claim, Registry

#: The MIME type under which a cell's output carries its evidence.
MIME_TYPE = "application/vnd.dropout-lab.claim+json"


@dataclass(frozen=True)
class Settlement:
    """The evidence for one claim, as the value of the cell that settles it.

    In a notebook it shows itself, and its records travel in the cell's output to the ledger.

    Attributes
    ----------
    claim:
        The claim that is settled.
    evidence:
        The pieces of evidence, the main one last: a correction stands before the refutation that it mends.
    registry:
        The registry that the claim comes from.

    Example
    -------
    >>> from dropout_lab import claims
    >>> print(claims.enumerate("2.2", 0.5, 0.5, masks=2, says="The mean is p h."))
    Enumerated (enumerated, 2 masks): claim 2.2, the mean of a masked activation. The mean is p h.
      largest difference: 0, exactly
      tolerance: 0
    """

    claim: Claim
    evidence: tuple[Evidence, ...]
    registry: Registry = field(repr=False, compare=False)

    @property
    def main(self) -> Evidence:
        """The main piece of evidence, which is the last one."""
        return self.evidence[-1]

    @property
    def records(self) -> tuple[dict[str, Json], ...]:
        """The records of all pieces of evidence, as they travel in the cell's output."""
        return tuple(piece.to_json() for piece in self.evidence)

    @property
    def record(self) -> dict[str, Json]:
        """The record of the main piece, as it travels in the cell's output."""
        return self.main.to_json()

    def glue(self, name: str) -> Settlement:
        """Make the checked formula available to the prose as ``{glue:math}`name```, and return the settlement itself.

        Where the book's side of the package cannot be loaded there is no prose that asks for it, and nothing is done: a
        chapter that was downloaded has the formula in its text. Raises :class:`ValueError` if there is no formula.
        """
        if not self.main.formula:
            raise ValueError(
                f"the {self.main.noun} of claim {self.claim.id} has no formula to glue as {name!r}; a proof has"
            )
        if "glue" in faces():
            faces()["glue"](self, name)
        return self

    def __str__(self) -> str:
        return "\n".join(self._plain(piece) for piece in self.evidence)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Json]:
        records: list[Json] = list(self.records)
        bundle: dict[str, Json] = {MIME_TYPE: {"claim": self.claim.id, "evidence": records}}
        if "html" in faces():
            bundle["text/html"] = str(faces()["html"](self))
        else:
            # A notebook would show the words of the LaTeX as they are written.
            bundle["text/markdown"] = "\n\n".join(self._markdown(piece) for piece in self.evidence)
        bundle["text/latex"] = "\n\n".join(self._latex(piece) for piece in self.evidence)
        bundle["text/plain"] = str(self)
        return bundle

    def _plain(self, piece: Evidence) -> str:
        head = f"{piece.done} ({piece.strength}): claim {self.claim.id}, {self.claim.title}. {piece.says}"
        return "\n".join(
            [
                head,
                *([piece.plain] if piece.plain else []),
                *(f"  {label}: {text}" for label, text in piece.details(self.registry)),
            ]
        )

    def _markdown(self, piece: Evidence) -> str:
        formula = f"\n\n$${piece.equation}$$" if piece.equation else ""
        return f"**{piece.done} ({piece.strength}): claim {self.claim.id}.** {piece.says}{formula}"

    def _latex(self, piece: Evidence) -> str:
        formula = f"\\[{piece.equation}\\]" if piece.equation else ""
        return f"\\textbf{{{piece.done}: claim {self.claim.id}}} {piece.says} {formula}"


def together(*settlements: Settlement) -> Settlement:
    """Join several settlements of one claim into one, which shows itself as one card.

    Measurements share a forest plot. The evidence keeps its order, so the main piece is that of the last one. Raises
    TypeError for what is no settlement, and ValueError for none at all and for settlements of different claims.

    Example
    -------
    >>> from dropout_lab import claims
    >>> one = claims.enumerate("2.2", 0.5, 0.5, masks=2, says="One unit.")
    >>> two = claims.enumerate("2.2", 0.5, 0.5, masks=4, says="Two units.")
    >>> [piece.masks for piece in together(one, two).evidence]
    [2, 4]
    """
    if odd := [one for one in settlements if not isinstance(one, Settlement)]:
        raise TypeError(f"together takes what the functions of claims return, got {type(odd[0]).__name__}")
    if not settlements:
        raise ValueError("together takes one settlement or more, got none")
    first = settlements[0]
    if others := [one.claim.id for one in settlements if one.claim.id != first.claim.id]:
        raise ValueError(f"a card is about one claim, got {first.claim.id} and {others[0]}")
    return Settlement(first.claim, tuple(piece for one in settlements for piece in one.evidence), first.registry)
