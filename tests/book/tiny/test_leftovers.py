"""What a build leaves for the next one, damaged in every way: it costs what was damaged, and a line says so."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_book import Book, Built, chapter

from dropout_lab.book import cache

FIGURE = (
    "import matplotlib.pyplot as plt\nfrom dropout_lab import figures\nfigures.style()\nplt.plot([1, 2])\nplt.show()"
)


@pytest.fixture
def built_book(running: Book) -> Book:
    """A book of two chapters and a page without cells, built once."""
    running.page("a-first", chapter("First", "from package.numbers import ANSWER\nprint('answer', ANSWER)"))
    running.page("b-second", chapter("Second", FIGURE))
    running.page("c-prose", "# Prose\n\nNothing is computed here.\n")
    first = running.build()
    assert first.status == 0, (first.error, first.warnings)
    assert "last build" not in first.said
    return running


def site(book: Book) -> dict[str, bytes]:
    """All that readers get."""
    folders = [book.folder / "_build" / name for name in ("html", "jupyter_execute")]
    return {str(p.relative_to(book.folder)): p.read_bytes() for d in folders for p in d.rglob("*") if p.is_file()}


def executed(built: Built) -> set[str]:
    """The chapters that were executed."""
    return set(re.findall(r"\] ([\w-]+)\.md executed in", built.said))


def cut(path: Path) -> None:
    """As after a full disk."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """As after a power cut."""
    os.truncate(path, 0)


def garble(path: Path) -> None:
    """As a failing disk does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x15
    path.write_bytes(content)


def remove(path: Path) -> None:
    """As someone who tidies up."""
    path.unlink()


#: What is damaged, by its pattern below ``_build``, and the chapters that this costs.
LEFT = {
    ".cache/executed/a-first/*.json": {"a-first"},
    ".cache/home/.cache/matplotlib/fontlist*": set(),
    "costs.json": set(),
    "manifest.json": set(),
    "buildinfo": set(),
    "doctrees/environment.pickle": set(),
    "doctrees/a-first.doctree": set(),
    "doctrees/c-prose.doctree": set(),
    "html/a-first.html": set(),
    "html/c-prose.html": set(),
    "html/search.html": set(),
    "html/searchindex.js": set(),
    "html/objects.inv": set(),
    "html/ledger.json": set(),
    "html/_images/*.*": set(),
    "html/_static/doctools.js": set(),
    "html/_sources/a-first.md*": set(),
    "jupyter_execute/a-first.ipynb": set(),
    "jupyter_execute/*.svg": set(),
}
#: matplotlib looks after its list of fonts itself; costs are read only when something is executed.
QUIET = (".cache/home", "costs.json")


@pytest.mark.parametrize("damage", [cut, empty, garble, remove])
def test_what_is_damaged_is_made_again_and_nothing_else_executed(built_book, damage: Callable[[Path], None]):
    whole = site(built_book)
    for pattern, expected in LEFT.items():
        path = next((built_book.folder / "_build").glob(pattern))
        damage(path)
        again = built_book.build()
        assert again.status == 0, (pattern, again.error, again.warnings)
        assert executed(again) == expected, pattern
        now = site(built_book)
        assert {k for k in now.keys() | whole.keys() if now.get(k) != whole.get(k)} == set(), pattern
        if pattern == "manifest.json":
            # A single character may be that of a digest: then one file is not as it says, and the list can be read.
            said = ["cannot be checked: all pages are made again"]
            said += ["not as the last build left it"] if damage is garble else []
            assert any(one in again.said for one in said)
        elif pattern.startswith(".cache/executed"):
            assert ("a-first: its executed notebook is damaged" in again.said) == (damage is not remove)
        elif not pattern.startswith(QUIET):
            assert f"not as the last build left it: {path.relative_to(built_book.folder / '_build')}" in again.said


def test_costs_that_cannot_be_read_are_said_when_they_are_needed(built_book):
    costs = built_book.folder / "_build" / "costs.json"
    cut(costs)
    assert "costs.json" not in built_book.build().said
    (built_book.folder / "package" / "numbers.py").write_text("ANSWER = 42\n", encoding="utf-8")
    assert "costs.json cannot be read" in built_book.build().said
    assert set(json.loads(costs.read_text(encoding="utf-8"))) == {"a-first"}


def test_everything_is_damaged(built_book):
    whole = site(built_book)
    for path in (built_book.folder / "_build").rglob("*"):
        if path.is_file():
            cut(path)
    again = built_book.build()
    assert again.status == 0, (again.error, again.warnings)
    assert executed(again) == {"a-first", "b-second"}
    assert site(built_book) == whole


def test_site_and_doctrees_that_were_removed_are_made_without_executing(built_book):
    whole = site(built_book)
    for name in ("html", "doctrees"):
        shutil.rmtree(built_book.folder / "_build" / name)
    again = built_book.build()
    assert executed(again) == set()
    assert site(built_book) == whole


def test_an_undamaged_build_is_left_alone(built_book):
    page = built_book.folder / "_build" / "html" / "a-first.html"
    before = page.stat().st_mtime_ns
    again = built_book.build()
    assert "last build" not in again.said and "is damaged" not in again.said
    assert page.stat().st_mtime_ns == before


def test_one_chapters_damage_leaves_the_others(built_book):
    """A kept notebook that is JSON, but not what was written, is noticed by its digest."""
    path = next((built_book.folder / "_build" / ".cache" / "executed" / "a-first").iterdir())
    digest, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(digest + b"\n" + body.replace(b"41", b"42"))
    again = built_book.build()
    assert executed(again) == {"a-first"}
    assert "answer 41" in again.page("a-first")


def test_a_build_that_fails_leaves_the_site_of_before(built_book):
    built_book.page("c-prose", "# Other prose\n\nSee {claim}`7.7`.\n")
    assert built_book.build().status != 0
    assert "Nothing is computed here" in (built_book.folder / "_build" / "html" / "c-prose.html").read_text()


def test_a_file_is_written_beside_its_place(tmp_path, monkeypatch):
    """Who is interrupted leaves the file of before."""
    path = tmp_path / "folder" / "file"
    cache.write_atomically(path, b"before")

    def interrupted(passing: Path, place: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.write_atomically(path, b"after")
    assert path.read_bytes() == b"before"


def test_the_manifest_names_no_folder(built_book):
    manifest = json.loads((built_book.folder / "_build" / "manifest.json").read_text(encoding="utf-8"))
    assert "html/a-first.html" in manifest and "doctrees/environment.pickle" in manifest
    assert not any(name.startswith("/") for name in manifest)
    assert not (built_book.folder / "_build" / "html" / ".buildinfo").exists()
