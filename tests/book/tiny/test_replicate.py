"""The script that runs experiments again with fresh seeds: a verdict that was luck shows."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from tiny_book import Book, claim, load_script

# A "measurement" that comes out as claimed with the book's seeds, and otherwise with all others.
CHAPTER = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{code-cell} ipython3
import numpy as np
from dropout_lab import claims
from dropout_lab.experiments import replicas, statistics

seeds = np.array(replicas.reported(4))
effects = EFFECTS
rule = statistics.Rule.above(0.0)
claims.measure("1.1", statistics.compare(effects, rule=rule, unit="points"), says="Better.")
```
"""


@pytest.fixture
def script(monkeypatch, tmp_path) -> ModuleType:
    """The script as a module, for chapters in a folder of the test's."""
    found = load_script("replicate")
    monkeypatch.setattr(found, "CHAPTERS", tmp_path)
    return found


@pytest.mark.parametrize(
    ("effects", "status", "said"),
    (
        ("1 + seeds % 4", 0, "claim 1.1, replication 2: supported, as in the book"),
        (
            "np.where(seeds < 1000, 1, -1) * (1 + seeds % 4)",
            1,
            "claim 1.1, replication 2: not-seen, THE BOOK SAYS supported",
        ),
    ),
    ids=("holds", "luck"),
)
def test_verdicts_of_fresh_seeds_are_compared(script, book: Book, tmp_path: Path, capsys, effects, status, said):
    book.claims(claim("1.1", "supported", kind="E"))
    path = tmp_path / "a.md"
    path.write_text(CHAPTER.replace("EFFECTS", effects), encoding="utf-8")
    (tmp_path / "b.md").write_text("# Nothing is measured here\n", encoding="utf-8")
    assert script.measuring() == [path]
    assert script.main(2, [path]) == status
    printed = capsys.readouterr().out
    assert said in printed and f"{2 * status} verdicts differ" in printed
    assert "+2.5 (+0.4457 to +4.554) points" in printed or status
