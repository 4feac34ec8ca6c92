"""The script that runs experiments again with fresh seeds: a verdict that was luck shows, and the book counts it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from tiny_book import Book, claim, load_script

from dropout_lab.claims import replications

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
found = statistics.compare(effects, rule=statistics.Rule.above(0.0), unit="points")
runs = replicas.Results(seeds, {}, digest="DIGEST")
claims.measure("CLAIM", found, RUNS says="Better.")
```
"""
#: Effects that come out as claimed on any seeds; on those of the book alone; and none that is finite in replication 2.
HOLDS, LUCK = "1 + seeds % 4", "np.where(seeds < 1000, 1, -1) * (1 + seeds % 4)"
FAILS = "(1 + seeds % 4) / (seeds // 1000 != 2)"


@pytest.fixture
def script(monkeypatch, tmp_path, book: Book) -> ModuleType:
    """The script as a module, for chapters in a folder of the test's."""
    found = load_script("replicate")
    monkeypatch.setattr(found, "CHAPTERS", tmp_path)
    book.claims(claim("1.1", "supported", kind="E"), claim("1.2", "supported", kind="E"))
    return found


@pytest.fixture
def chapter(tmp_path):
    def write(effects: str, claim_id: str = "1.1", digest: str = "a", runs: str = "runs=runs,") -> Path:
        path = tmp_path / f"chapter-{claim_id.replace('.', '-')}.md"
        text = CHAPTER
        for name, value in (("EFFECTS", effects), ("CLAIM", claim_id), ("DIGEST", digest), ("RUNS", runs)):
            text = text.replace(name, value)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def kept() -> dict:
    path = replications.replications_path()
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_the_verdicts_of_fresh_seeds_are_counted_and_kept(script, chapter, tmp_path, capsys):
    """One that holds, and one that was luck, which is a result and no failure; then one of another recipe."""
    paths = [chapter(HOLDS), chapter(LUCK, "1.2")]
    (tmp_path / "b.md").write_text("# Nothing is measured here\n", encoding="utf-8")
    assert script.measuring() == paths
    assert script.main(range(1, 3), paths) == 0
    printed = capsys.readouterr().out
    assert printed.endswith(
        "claim   in the book   replications   supported    not-seen\n"
        "1.1     supported                2           2           0\n"
        "1.2     supported                2           0           2\n"
    )
    assert "claim 1.1:      +2.5 (+0.4457 to +4.554) points; the 95 % interval lies above 0: met" in printed
    before = kept()
    assert {name: entry["found"] for name, entry in before.items()} == {
        "1.1": {"1": "supported", "2": "supported"},
        "1.2": {"1": "not-seen", "2": "not-seen"},
    }
    script.main(range(3, 4), [chapter(HOLDS, digest="b")])
    assert kept()["1.1"]["found"] == {"3": "supported"} and kept()["1.2"] == before["1.2"]
    assert kept()["1.1"]["recipes"] != before["1.1"]["recipes"]


def test_what_fails_is_said_and_loses_nothing(script, chapter, capsys):
    assert script.main(range(2, 4), [chapter(FAILS)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(
        "replication 2: chapter-1-1.md, cell 1 (line 8), `import numpy as np`: ValueError: the di"
    )
    assert list(kept()["1.1"]["found"]) == ["3"]
    assert "1.1     supported                1" in said.out


def test_a_measurement_without_its_runs_cannot_be_counted(script, chapter, capsys):
    assert script.main(range(1, 2), [chapter(HOLDS, runs="")]) == 2
    assert "claim 1.1 is measured without runs=" in capsys.readouterr().err
    assert kept() == {}


@pytest.mark.parametrize(("given", "numbers"), [([], [1]), (["3"], [1, 2, 3]), (["4-6"], [4, 5, 6]), (["2-2"], [2])])
def test_the_arguments_say_how_often_and_where(script, chapter, given, numbers):
    path = chapter(HOLDS)
    assert script.read_arguments(given) == (range(numbers[0], numbers[-1] + 1), [path])
    if given:
        assert script.read_arguments([*given, str(path)])[1] == [path]


@pytest.mark.parametrize(
    "given", [["0"], ["-1"], ["x"], ["3-2"], ["0-2"], ["1-"], ["1", "nowhere.md"], ["", "a.md"]], ids=str
)
def test_other_arguments_are_refused(script, given):
    with pytest.raises(ValueError, match=r"say how many replications|there is no chapter"):
        script.read_arguments(given)
