"""What a settled claim leaves behind: a record that travels in the cell's output, and its face in the notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dropout_lab.claims import registry
from dropout_lab.claims.registry import Claim

#: Characters of LaTeX up to which both sides of an equation stand on one line.
ONE_LINE = 90

MIME_TYPE = "application/vnd.dropout-lab.claim+json"

_DONE = {
    "prove": "Proved",
    "enumerate": "Enumerated",
    "measure": "Measured",
    "refute": "Refuted",
    "cite": "Cited",
    "none": "Not settled",
}


def strength(record: Mapping[str, Any]) -> str:
    """What a record's evidence is worth, in words: ``symbolic, any n`` is not ``measured, 30 seeds``."""
    match record["kind"]:
        case "prove":
            return record["scope"] if record["scope"].startswith("symbolic") else f"symbolic, {record['scope']}"
        case "enumerate":
            return f"enumerated, {record['masks']:,} mask{'s' if record['masks'] != 1 else ''}"
        case "measure":
            return f"measured, {record['seeds']} seeds"
        case "refute":
            return "counterexample"
        case "cite":
            return "cited"
        case _:
            return record["verdict"]


@dataclass(frozen=True)
class Evidence:
    """Evidence for one claim. The last expression of a cell: shows itself, and carries its records to the ledger.

    ``records`` are plain JSON objects, the main one last: a correction stands before the refutation that it mends.
    ``formula`` is the LaTeX of the closed form that was checked, or an empty string.
    """

    claim: Claim
    records: tuple[Mapping[str, Any], ...]
    formula: str = field(default="", compare=False)

    @property
    def record(self) -> Mapping[str, Any]:
        """The main record."""
        return self.records[-1]

    def glue(self, name: str) -> Evidence:
        """Make the checked formula available to the prose as ``{glue:math}`name```, and return the evidence itself."""
        if not self.formula:
            raise ValueError(
                f"the {self.record['kind']} evidence of claim {self.claim.id} has no formula to glue as {name!r}"
            )
        from IPython.display import Math
        from myst_nb import glue

        glue(name, Math(self.formula), display=False)
        return self

    def __str__(self) -> str:
        return "\n".join(_plain(self.claim, record) for record in self.records)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return {
            MIME_TYPE: {"claim": self.claim.id, "evidence": [dict(record) for record in self.records]},
            "text/html": "\n".join(_html(self.claim, record) for record in self.records),
            "text/latex": "\n\n".join(_latex(self.claim, record) for record in self.records),
            "text/plain": str(self),
        }


def number(value: float) -> str:
    """A number of three significant digits at most, without a power of ten, and with a real minus sign."""
    return f"{Decimal(f'{value:z.3g}'):f}".replace("-", "−")


def details(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of a record as (label, text) pairs, in the order in which a reader wants them."""
    match record["kind"]:
        case "prove":
            named = registry.load().assumptions
            pairs = [("under", ", ".join(named[used].name for used in record["under"]))] if record["under"] else []
            checked = f"{record['instances']} instances with random rationals agree with {record['against']}"
            return [*pairs, ("checked again", checked)]
        case "enumerate":
            difference = f"at most {record['difference']:.2g}" if record["difference"] else "0, exactly"
            return [("largest difference", difference), ("tolerance", f"{record['tolerance']:.2g}")]
        case "measure":
            low, high = record["interval"]
            unit = f" {record['unit']}" if record["unit"] else ""
            effect = f"{number(record['effect'])}{unit}, 95 % interval {number(low)} to {number(high)}"
            return [
                ("effect", f"{effect}, {record['seeds']} seeds"),
                ("rule", f"{record['rule']}: {'met' if record['supported'] else 'not met'}"),
                ("smallest effect it could have seen", f"{number(record['smallest_detectable'])}{unit} (power 0.8)"),
            ]
        case "refute":
            return [
                ("counterexample", record["counterexample"]),
                ("claimed", record["claimed"]),
                ("actual", record["actual"]),
            ]
        case "cite":
            return [("source", f"{record['key']}, {record['locator']}" if record["locator"] else record["key"])]
        case _:
            return []


def inline_math(text: str) -> str:
    """Plain text with ``$…$`` formulas as HTML: escaped, with the delimiters that MathJax reads everywhere."""
    return re.sub(r"\$([^$]+)\$", r"\\(\1\\)", html.escape(text, quote=False))


def _plain(claim: Claim, record: Mapping[str, Any]) -> str:
    head = f"{_DONE[record['kind']]} ({strength(record)}): claim {claim.id}, {claim.title}. {record['says']}"
    return "\n".join([head, *(f"  {label}: {text}" for label, text in details(record))])


def _html(claim: Claim, record: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{html.escape(label)}</dt><dd>{inline_math(text)}</dd>" for label, text in details(record))
    formula = (
        f'<div class="claim-formula">\\[{html.escape(equation(record), quote=False)}\\]</div>'
        if equation(record)
        else ""
    )
    return (
        f'<div class="claim-evidence claim-evidence-{record["kind"]} claim-verdict-{record["verdict"]}">'
        f'<p class="claim-evidence-head"><span class="claim-badge">{_DONE[record["kind"]]}</span> '
        f"<strong>Claim {html.escape(claim.id)}</strong> {inline_math(claim.title)} "
        f'<span class="claim-strength">{html.escape(strength(record))}</span></p>'
        f"<p>{inline_math(record['says'])}</p>{formula}<dl>{rows}</dl></div>"
    )


def _latex(claim: Claim, record: Mapping[str, Any]) -> str:
    formula = f"\\[{equation(record)}\\]" if equation(record) else ""
    return f"\\textbf{{{_DONE[record['kind']]}: claim {claim.id}}} {record['says']} {formula}"


def equation(record: Mapping[str, Any]) -> str:
    """The LaTeX of the equation that a proof established, or an empty string for the other kinds of evidence.

    A long one has its right side on a line of its own, so that it fits a narrow page.
    """
    if record["kind"] != "prove":
        return ""
    left, right, relation = record["left"], record["right"], record.get("relation", "=")
    if len(left) + len(right) <= ONE_LINE:
        return f"{left} {relation} {right}"
    return rf"\begin{{aligned}} & {left} \\ & \quad {relation} {right} \end{{aligned}}"
