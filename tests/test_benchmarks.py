"""What the benchmark compares, and what it says of a peer that is not there. Nothing is timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


class _Broken:
    """A finder by which the import of two peers fails in a given way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in ("timm", "keras"):
            raise self.error


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    names = ("cases", "run", "timing")
    import cases
    import run

    yield cases, run
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImportError("No module named this"), "ImportError: No module named this"),
        (RuntimeError("operator does not exist\nand more"), "RuntimeError: operator does not exist"),
        (AttributeError("has no attribute"), "AttributeError: has no attribute"),
        (ImportError(), "ImportError"),
    ],
    ids=("absent", "two lines", "another version", "without a word"),
)
def test_a_peer_that_cannot_be_imported_is_reported_with_the_reason(benchmarks, monkeypatch, error, reason):
    cases, run = benchmarks
    for name in [name for name in sys.modules if name.split(".")[0] in ("timm", "keras")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Broken(error), *sys.meta_path])
    compared, absent = cases.cases()
    assert absent == {"timm": reason, "keras": reason}
    assert {peer for case in compared for peer in case.peers} == {"torch", cases.PLAIN}
    assert run.absence("timm", reason).startswith(f"timm is not compared: {reason}. It comes with")


def test_each_call_that_is_timed_drops_what_it_says(benchmarks):
    """|z| < 6 for each call, which a false alarm meets with 2e-9."""
    cases, _ = benchmarks
    torch.manual_seed(0)
    compared, _ = cases.cases()
    of_elements = [case for case in compared if case.variant.startswith("dropout")]
    names = ["dropout", "dropout, keep .9", "dropout, keep .9, product", "dropout, from a stream"]
    assert [case.variant for case in of_elements] == names
    for case in of_elements:
        keep_prob = 0.9 if "keep" in case.variant else 0.5
        for call in (case.ours, *case.peers.values()):
            kept = (call(torch.ones(100, 1000)) != 0).double().mean()
            assert abs(kept - keep_prob) < 6 * (keep_prob * (1 - keep_prob) / 100_000) ** 0.5
