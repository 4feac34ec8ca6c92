"""Settlements of one claim as one: the evidence in its order, and one card."""

from __future__ import annotations

import pytest

from dropout_lab import claims


def counted(claim_id: str, masks: int) -> claims.Settlement:
    """A settlement by enumeration."""
    return claims.enumerate(claim_id, 0.5, 0.5, masks=masks, says=f"{masks} masks.")


def test_the_evidence_keeps_its_order_and_travels_as_one() -> None:
    both = claims.together(counted("2.2", 4), counted("2.2", 2))
    assert [piece.says for piece in both.evidence] == ["4 masks.", "2 masks."]
    assert both.main.says == "2 masks."
    bundle = both._repr_mimebundle_()
    assert [record["masks"] for record in bundle[claims.MIME_TYPE]["evidence"]] == [4, 2]


def test_one_alone_is_itself() -> None:
    assert claims.together(counted("2.2", 4)) == counted("2.2", 4)


def test_what_cannot_be_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one claim, got 2\.2 and 2\.3"):
        claims.together(counted("2.2", 4), counted("2.3", 4))
    with pytest.raises(ValueError, match="got none"):
        claims.together()
    with pytest.raises(TypeError, match="got str"):
        claims.together(counted("2.2", 4), "2.2")
