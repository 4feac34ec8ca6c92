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
    """Evidence for one claim. The last expression of a cell: shows itself, and carries its records to the ledger.

    ``evidence`` has the main piece last: a correction stands before the refutation that it mends. ``registry`` is the
    one that the claim comes from.

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
        """The main piece of evidence."""
        return self.evidence[-1]

    @property
    def records(self) -> tuple[dict[str, Json], ...]:
        """The pieces of evidence as they travel in the cell's output."""
        return tuple(piece.to_json() for piece in self.evidence)

    @property
    def record(self) -> dict[str, Json]:
        """The main piece as it travels in the cell's output."""
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
