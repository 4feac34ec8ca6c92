"""Two builds are equal to the byte, in different folders and with other numbers of workers; what differs is found."""

from __future__ import annotations

import shutil
from types import ModuleType

import pytest
from tiny_book import Book, chapter, claim, load_script

#: Cells whose outputs tempt a build to differ: text in pieces, an error's place, a set, an address, a figure, evidence.
TEMPTING = [
    "import sys, time\nfor word in 'abc':\n    print(word, flush=True)\n    time.sleep(0.05)",
    "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(traceback.format_exc().splitlines()[-1])",
    "print({'mask', 'gate', 'cell', 'input', 'forget', 'output'})",
    "from dropout_lab import figures\nimport matplotlib.pyplot as plt\nfigures.style()\nplt.plot([1, 2])\nplt.show()",
    "from dropout_lab import claims\nclaims.enumerate('1.1', [1, 2], [1, 2], masks=4, says='They agree.')",
]

#: A build that copies a page, and looks whether it is the copy's and works one chapter at a time.
STAND_IN = """
import os, pathlib, sys
root = pathlib.Path(sys.argv[1])
assert os.environ["DROPOUT_LAB_JOBS"] == "1" and str(root) in __file__
for name in ("html", "jupyter_execute"):
    (root / "_build" / name).mkdir(parents=True)
    (root / "_build" / name / "index.html").write_text("")
    (root / "_build" / name / "page.html").write_text((root / "page.md").read_text())
"""


@pytest.fixture
def script() -> ModuleType:
    """The script as a module."""
    return load_script("reproduce")


def test_two_cold_builds_are_equal_to_the_byte(running, script, monkeypatch, tmp_path):
    running.claims(claim("1.1"))
    for number, name in enumerate("abc"):
        cells = TEMPTING if name == "b" else TEMPTING[:number]
        running.page(name, chapter(name, *(cells or ["1 + 1"])))
    running.page("d-ledger", "# Ledger\n\nSee {claim}`1.1`.\n")
    monkeypatch.setenv("DROPOUT_LAB_JOBS", "2")
    first = running.build()
    assert first.status == 0, (first.error, first.warnings)
    elsewhere = tmp_path / "another place" / "book"
    shutil.copytree(running.folder, elsewhere, ignore=shutil.ignore_patterns("_build"))
    monkeypatch.setenv("DROPOUT_LAB_JOBS", "1")
    second = Book(elsewhere, running.patch, running.settings).build()
    assert second.status == 0, (second.error, second.warnings)
    for name in script.COMPARED:
        assert script.first_difference(running.folder / "_build" / name, elsewhere / "_build" / name) == ""
    assert (second.site / "built-with.json").is_file()


def test_a_build_after_an_edit_is_equal_to_a_cold_one(running, script, tmp_path):
    """Of a page, of what a chapter reads, and after a page went; the index entries of the other pages are still found."""
    entry = "\n\n```{index} single: mask; of NAME\n```\n\n```{index} mask\n```\n"
    for name in "abc":
        code = "from package.numbers import ANSWER\nANSWER" if name == "b" else "1 + 1"
        running.page(name, chapter(name, code) + entry.replace("NAME", name))
    running.page("d", "# Prose" + entry.replace("NAME", "d"))
    assert running.build().status == 0

    def is_as_if_cold(number: int) -> None:
        assert running.build().status == 0
        elsewhere = tmp_path / f"cold {number}"
        shutil.copytree(running.folder, elsewhere, ignore=shutil.ignore_patterns("_build"))
        assert Book(elsewhere, running.patch, running.settings).build().status == 0
        for name in script.COMPARED:
            assert script.first_difference(running.folder / "_build" / name, elsewhere / "_build" / name) == ""

    running.page("d", "# Other prose" + entry.replace("NAME", "e"))
    is_as_if_cold(1)
    (running.folder / "package" / "numbers.py").write_text("ANSWER = 42\n", encoding="utf-8")
    is_as_if_cold(2)
    (running.folder / "c.md").unlink()
    is_as_if_cold(3)


@pytest.mark.parametrize(
    "here, there, said",
    [
        ("one\ntwo\n", "one\ntoo\n", "a.txt, line 2, byte 5:\n  two\n  too"),
        ("one\n", "one\nmore\n", "a.txt, line 2, byte 4:\n  \n  more"),
        ("x" * 500 + "1", "x" * 500 + "2", f"a.txt, line 1, byte 500:\n  {'x' * 80}1\n  {'x' * 80}2"),
        ("same", "same", ""),
    ],
)
def test_the_first_difference_is_told(script, tmp_path, here, there, said):
    for folder, text in (("one", here), ("other", there)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(text, encoding="utf-8")
    assert script.first_difference(tmp_path / "one", tmp_path / "other") == said


def test_a_file_of_one_side_only_is_told(script, tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder / "deep").mkdir(parents=True)
    (tmp_path / "other" / "deep" / "b.bin").write_bytes(b"\0")
    assert (
        script.first_difference(tmp_path / "one", tmp_path / "other") == f"deep/b.bin is only in {tmp_path / 'other'}"
    )


def test_without_a_book_there_is_nothing_to_compare(script, tmp_path, capsys):
    assert script.main(tmp_path) == 2
    assert "build it first (make book)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "edit, status, said", [("", 0, "the same to the byte"), ("!", 1, "NOT THE SAME: html/page.html")]
)
def test_a_copy_is_built_and_compared(script, tmp_path, capfd, edit, status, said):
    """Of a stand-in for the book whose build copies the source, in a folder whose name needs quotes."""
    root = tmp_path / "a 'b'" / "book"
    package = root / "src" / "dropout_lab" / "book"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (package / "build.py").write_text(STAND_IN, encoding="utf-8")
    (root / "page.md").write_text("text", encoding="utf-8")
    for name in script.COMPARED:
        (root / "_build" / name).mkdir(parents=True)
        (root / "_build" / name / "index.html").write_text("", encoding="utf-8")
        (root / "_build" / name / "page.html").write_text("text" + edit, encoding="utf-8")
    assert script.main(root) == status
    assert said in capfd.readouterr().out
