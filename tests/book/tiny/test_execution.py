"""Execution: what runs, what does not, in which order, and what a failing cell says. Real kernels, tiny notebooks."""

from __future__ import annotations

import json
import os

import pytest
from tiny_book import PROVED, Book, claim

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""


def chapter(title: str, *cells: str) -> str:
    """A MyST notebook with these code cells."""
    code = "\n\n".join(f"```{{code-cell}} ipython3\n{cell}\n```" for cell in cells)
    return f"{HEADER}# {title}\n\n{code}\n"


@pytest.fixture
def running(book: Book) -> Book:
    """A book that executes, with a package of its own."""
    package = book.folder / "package"
    (package / "book").mkdir(parents=True)
    (package / "numbers.py").write_text("ANSWER = 41\n", encoding="utf-8")
    (package / "book" / "side.py").write_text("", encoding="utf-8")
    (book.folder / "requirements.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    book.claims()
    book.settings |= {"nb_execution_mode": "cache", "dropout_lab_package": str(package)}
    return book


def runs(book: Book) -> int:
    """How often the counting cell was executed."""
    return len((book.folder / "runs.txt").read_text(encoding="utf-8"))


def test_what_the_package_says_is_what_the_page_says(running):
    """Editing the package or a pin executes again and changes the page; anything else executes nothing."""
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


def test_the_longest_chapter_begins(running, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    for name in ("a-short", "b-long", "c-unknown"):
        running.page(name, chapter(name, "1 + 1"))
    cache = running.folder / "_build" / ".jupyter_cache"
    cache.mkdir(parents=True)
    (cache / "times.json").write_text(json.dumps({"a-short": 1.0, "b-long": 9.0}), encoding="utf-8")
    running.page("d-times", "# Times\n\n```{chapter-times}\n```\n")
    built = running.build()
    order = [line.split()[1] for line in built.said.splitlines() if " executed in " in line]
    assert order == ["c-unknown.md", "b-long.md", "a-short.md"]
    assert "[3/3] a-short.md executed in" in built.said
    times = json.loads((cache / "times.json").read_text(encoding="utf-8"))
    assert set(times) == {"a-short", "b-long", "c-unknown"}
    page = built.page("d-times")
    assert all(f">{name}</a></th><td>{times[name]:.1f}</td>" in page for name in times)
    index = (built.site / "searchindex.js").read_bytes()
    (cache / "times.json").write_text(json.dumps({**times, "a-short": 1234.5}), encoding="utf-8")
    again = running.build()
    assert ">1234.5</td>" in again.page("d-times")
    assert (again.site / "searchindex.js").read_bytes() == index, "times stand on the page of times only"


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
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    names = ["OMP_NUM_THREADS", "PYTHONHASHSEED", "DROPOUT_LAB_STORE"]
    running.page("a-first", chapter("First", f"import os\n\nprint([os.environ.get(name) for name in {names}])"))
    assert "['1', '0', None]" in running.build().page("a-first").replace("&#39;", "'")


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
    assert set(evidence[0]) < set(PROVED) | {"masks", "tolerance", "difference"}
    again = running.build()
    assert "nothing to execute" in again.said
    assert (again.site / "ledger.json").read_bytes() == before
