"""Execution: what runs, what does not, in which order, and what a failing cell says. Real kernels, tiny notebooks."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from tiny_book import DERIVED, Book, chapter, claim

from dropout_lab.book import executor
from dropout_lab.book.costs import peak_mib
from dropout_lab.book.kernels import KERNEL_SETTINGS, kernel_environment


def runs(book: Book) -> int:
    """How often the counting cell was executed."""
    return len((book.folder / "runs.txt").read_text(encoding="utf-8"))


def test_what_the_package_says_is_what_the_page_says(running, monkeypatch):
    """Editing the package, a pin or the environment executes again and changes the page; nothing else does."""
    count = "with open('runs.txt', 'a') as file: file.write('x')"
    code = f"{count}\n\nfrom package.numbers import ANSWER\nprint('answer', ANSWER)"
    running.page("a-first", chapter("First", code))
    first = running.build()
    assert first.status == 0, (first.error, first.warnings)
    assert "[1/1] a-first.md executed in" in first.said
    assert "answer 41" in first.page("a-first")

    assert "nothing to execute" in running.build().said
    (running.folder / "package" / "book" / "side.py").write_text("changed = True\n", encoding="utf-8")
    running.page("a-first", chapter("First, better", code))
    assert "better" in running.build().page("a-first")
    assert runs(running) == 1, "neither prose nor the Sphinx side of the package changes what a cell prints"

    (running.folder / "package" / "numbers.py").write_text("ANSWER = 42\n", encoding="utf-8")
    assert "answer 42" in running.build().page("a-first")
    assert runs(running) == 2
    (running.folder / "requirements.txt").write_text("torch==2.14.0\n", encoding="utf-8")
    running.build()
    assert runs(running) == 3
    monkeypatch.setitem(KERNEL_SETTINGS, "MKL_CBWR", "COMPATIBLE")
    running.build()
    assert runs(running) == 4


def test_the_longest_chapter_begins(running, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_JOBS", "1")
    for name in ("a-short", "b-long", "c-unknown"):
        running.page(name, chapter(name, "1 + 1"))
    noted = running.folder / "_build" / "costs.json"
    noted.parent.mkdir()
    known = {"a-short": {"seconds": 1.0, "peak_mib": None}, "b-long": {"seconds": 9.0, "peak_mib": 300}}
    noted.write_text(json.dumps(known), encoding="utf-8")
    built = running.build()
    order = [line.split()[1] for line in built.said.splitlines() if " executed in " in line]
    assert order == ["c-unknown.md", "b-long.md", "a-short.md"]
    assert "[3/3] a-short.md executed in" in built.said
    assert set(json.loads(noted.read_text(encoding="utf-8"))) == {"a-short", "b-long", "c-unknown"}


@pytest.mark.parametrize("wanted", ["0", "-1", "two", "1.5"])
def test_a_number_of_kernels_that_is_none(monkeypatch, wanted):
    monkeypatch.setenv("DROPOUT_LAB_JOBS", wanted)
    with pytest.raises(ValueError, match=f"DROPOUT_LAB_JOBS .*a number from 1, got '{wanted}'"):
        executor.kernels_at_once()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_peak_of_the_memory_is_noted(running):
    running.page("a-small", chapter("Small", "1 + 1"))
    running.page("b-large", chapter("Large", "block = b'x' * (300 << 20)", "del block", "1 + 1"))
    assert running.build().status == 0
    noted = json.loads((running.folder / "_build" / "costs.json").read_text(encoding="utf-8"))
    small, large = noted["a-small"]["peak_mib"], noted["b-large"]["peak_mib"]
    assert 20 < small < 300
    assert 290 < large - small < 330


def test_the_memory_of_a_process_that_is_not_there():
    assert peak_mib(2**40) is None


def test_failing_cells_name_chapter_cell_line_and_error(running):
    running.claims(claim("1.1"))
    running.page("a-wrong", chapter("Wrong", "x = 1", "# a comment\ny = x / 0"))
    prove = "from dropout_lab import claims\n\nclaims.enumerate('1.1', 1, 2, masks=2, says='One is two.')"
    running.page("b-claim", chapter("Claim", prove))
    running.page("c-right", chapter("Right", "1 + 1"))
    built = running.build()
    assert built.status != 0
    message = str(built.error)
    assert "a-wrong.md, cell 2 (line 14), `# a comment`: ZeroDivisionError: division by zero" in message
    assert "b-claim.md, cell 1" in message
    assert "NotEstablished: claim 1.1: enumeration gives 1, expected 2" in message
    assert "c-right" not in message
    assert "c-right.md executed in" in built.said, "one failure does not hide the next"


def test_kernels_run_on_one_thread_and_compute_afresh(running, monkeypatch):
    monkeypatch.setenv("DROPOUT_LAB_STORE", "somewhere")
    monkeypatch.setenv("DROPOUT_LAB_REPLICATION", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    names = ["OMP_NUM_THREADS", "PYTHONHASHSEED", "DROPOUT_LAB_STORE", "DROPOUT_LAB_REPLICATION", "MKL_CBWR"]
    running.page("a-first", chapter("First", f"import os\n\nprint([os.environ.get(name) for name in {names}])"))
    assert "['1', '0', None, None, 'AVX2,STRICT']" in running.build().page("a-first").replace("&#39;", "'")


def test_the_makefile_exports_what_kernels_get():
    """So that a benchmark or a notebook that a reader opens counts as the build does."""
    makefile = (Path(__file__).resolve().parents[3] / "Makefile").read_text(encoding="utf-8")
    exported = dict(re.findall(r"^export (\w+) [?:]?= *(.*)$", makefile, re.MULTILINE))
    assert exported == KERNEL_SETTINGS
    assert KERNEL_SETTINGS.items() <= kernel_environment(Path("/home")).items()


def test_evidence_travels_through_the_cache(running):
    """A chapter settles a claim with the package's own functions; the second build takes the record from the cache."""
    running.claims(claim("1.1"))
    cell = "from dropout_lab import claims\n\nclaims.enumerate('1.1', [1, 2], [1, 2], masks=4, says='They agree.')"
    running.page("a-first", chapter("First", cell))
    running.page("b-prose", "# Prose\n\n{claim}`1.1`\n")
    first = running.build()
    assert first.status == 0, (first.error, first.warnings)
    before = (first.site / "ledger.json").read_bytes()
    evidence = json.loads(before)[0]["evidence"]
    assert [record["masks"] for record in evidence] == [4]
    assert set(evidence[0]) < set(DERIVED) | {"masks", "tolerance", "difference"}
    again = running.build()
    assert "nothing to execute" in again.said
    assert (again.site / "ledger.json").read_bytes() == before
