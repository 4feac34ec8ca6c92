"""A record of each kind of evidence, whole, and claims to settle with it."""

from __future__ import annotations

from itertools import count
from typing import Any

import sympy

from dropout_lab.claims import Claim


def line(formula: str, text: str, relation: str = "", *rules: str, assumes: tuple[str, ...] = ()) -> dict[str, Any]:
    """One line of a derivation."""
    return {
        "formula": formula,
        "relation": relation,
        "rule": " + ".join(rules),
        "assumes": list(assumes),
        "reasons": [{"title": rule, "anchor": f"rule-{rule}", "chain": "", "claim": ""} for rule in rules],
        "why": "",
        "value": "1/2",
        "heading": "",
        "name": "",
        "text": text,
    }


RECORDS: dict[str, dict[str, Any]] = {
    "derive": {
        "verdict": "true",
        "scope": "any n",
        "left": r"\mathbb{E}[r h]",
        "right": "h p",
        "relation": "=",
        "assumes": [],
        "lines": [line(r"\mathbb{E}[r h]", "E(h*r)"), line("h p", "h*p", "=", "linearity of the mean", "E r = p")],
        "slips": {"tried": 9, "by_rule": 9, "by_numbers": 8, "refused": 9},
        "swaps": {"tried": 70, "refused": 70},
        "at": "n = 2",
        "part": "",
        "stated": [],
        "cites": [],
    },
    "enumerate": {"verdict": "true", "masks": 16, "tolerance": 1e-9, "difference": 0.0},
    "measure": {
        "verdict": "supported",
        "effect": -1.5,
        "interval": [-2.0, -1.0],
        "seeds": 30,
        "rule": "the 95 % interval lies below 0",
        "unit": "points",
        "supported": True,
        "smallest_detectable": 0.4,
        "exact": False,
        "recipe": "0123456789abcdef" * 4,
    },
    "refute": {
        "verdict": "wrong",
        "counterexample": "One unit is kept with $p = 4/5$.",
        "claimed_formula": "2^{-n}",
        "claimed_at": "n = 1",
        "claimed": "1/2",
        "actual": "4/5",
        "correction": "The weights are p.",
        "corrected_by": "1",
    },
    "cite": {"verdict": "true", "key": "hinton2012", "locator": ""},
    "none": {"verdict": "open"},
}


def record(kind: str, verdict: str = "", **changes: Any) -> dict[str, Any]:
    """A record as a cell leaves it, consistent with its verdict, but for the ``changes``."""
    own = {"kind": kind, "says": "So it is.", **RECORDS[kind]}
    if verdict:
        own["verdict"] = verdict
    if verdict == "true-under":
        own["assumes"] = ["fair"]
    if verdict == "not-seen":
        own |= {"supported": False, "interval": [-2.0, 1.0], "effect": -0.5}
    return {**own, **changes}


def claim(claim_id: str = "1", *uses: str, **changes: Any) -> Claim:
    """A claim, an identity that is expected to be true but for the ``changes``."""
    own = {"section": "1 A", "title": "title", "kind": "I", "statement": "statement", "expected": "true", "uses": uses}
    own["quantifier"] = "others found" if "H" in changes.get("kind", "") else "always"
    return Claim(id=claim_id, **{**own, "reason": "reason", **changes})


def as_formula(value: Any) -> dict[str, Any]:
    """Arguments of a refutation whose claim gives this number, or these nested lists of numbers: products a_i * b."""
    at: dict[Any, Any] = {sympy.Symbol("b"): 1}
    letters = (sympy.Symbol(f"a{place}") for place in count())

    def product(entry: Any) -> Any:
        if hasattr(entry, "tolist"):
            entry = entry.tolist()
        if isinstance(entry, list):
            return [product(own) for own in entry]
        at[letter := next(letters)] = entry
        return letter * sympy.Symbol("b")

    return {"claimed": product(value), "at": at}
