"""What is executed again after an edit: the chapters that read what was edited, all of them and no others."""

from __future__ import annotations

import os
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from tiny_book import Book, chapter

from dropout_lab.book import cache
from dropout_lab.book.watch import Watch

#: A package whose modules reach each other in every way that there is, by file.
PACKAGE = {
    "numbers.py": "ANSWER = 41\n",
    "alone.py": '"""Nobody imports this."""\n',
    "inside.py": "def answer():\n    from package import numbers\n    return numbers.ANSWER\n",
    "relative.py": "from . import deep\nfrom .deep.lower import DEPTH\n",
    "deep/__init__.py": "",
    "deep/lower.py": "from ..numbers import ANSWER\nDEPTH = ANSWER\n",
    "named.py": "import importlib\ndef load(name):\n    return importlib.import_module(f'package.{name}')\n",
    "lazy.py": "def __getattr__(name):\n    from package import numbers\n    return getattr(numbers, name)\n",
    "data.py": "from pathlib import Path\nTEXT = Path(__file__).with_name('data.yaml').read_text()\n",
    "data.yaml": "answer: 41\n",
    "folder.py": "from pathlib import Path\nNAMES = sorted(p.name for p in Path(__file__).parent.glob('*.yaml'))\n",
    "optional.py": "try:\n    from package import extra\nexcept ImportError:\n    extra = None\n",
}
#: What each chapter's cell does.
CHAPTERS = {
    "plain": "from package.numbers import ANSWER\nANSWER",
    "nothing": "from package import inside\n1 + 1",
    "function": "from package import inside\ninside.answer()",
    "relative": "import package.relative",
    "named": "from package.named import load\nload('num' + 'bers').ANSWER",
    "lazy": "from package.lazy import ANSWER\nANSWER",
    "yaml": "from package import data\ndata.TEXT",
    "folder": "from package import folder\nfolder.NAMES",
    "optional": "from package import optional\noptional.extra",
    "beside": "open('beside.csv').read()",
    "outside": "import os\nopen('OUTSIDE').read()",
    "python": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import package.alone'], check=True)",
}
EVERYONE = set(CHAPTERS) - {"beside", "outside"}
#: An edit of a file of the package or of the book, and the chapters that have to run again.
EDITS = [
    ("package/alone.py", '"""Still nobody."""\n', {"python"}),
    ("package/numbers.py", "ANSWER = 42\n", {"plain", "function", "relative", "named", "lazy", "python"}),
    ("package/inside.py", '"""New."""\n' + PACKAGE["inside.py"], {"nothing", "function", "python"}),
    ("package/deep/__init__.py", "# New.\n", {"relative", "python"}),
    ("package/__init__.py", "# New.\n", EVERYONE),
    ("package/data.yaml", "answer: 42\n", {"yaml", "python"}),
    ("package/more.yaml", "", {"folder", "python"}),
    ("package/extra.py", "", {"optional", "folder", "python"}),
    (
        "package/numbers/__init__.py",
        "ANSWER = 43\n",
        {"plain", "function", "relative", "named", "lazy", "folder", "python"},
    ),
    ("beside.csv", "2\n", {"beside", "python"}),
    ("../outside.csv", "2\n", {"outside"}),
]


def executed(said: str) -> set[str]:
    """The chapters that a build says it executed."""
    return set(re.findall(r"\] ([\w-]+)\.md executed in", said))


@pytest.fixture
def library(running: Book) -> Book:
    """A book of these chapters on this package, with data beside it and outside of it."""
    (running.folder / "package" / "book" / "side.py").unlink()
    for name, text in {**PACKAGE, "__init__.py": ""}.items():
        path = running.folder / "package" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (running.folder / "beside.csv").write_text("1\n", encoding="utf-8")
    outside = running.folder.parent / "outside.csv"
    outside.write_text("1\n", encoding="utf-8")
    for name, code in CHAPTERS.items():
        running.page(name, chapter(name, code.replace("OUTSIDE", str(outside))))
    return running


def test_an_edit_costs_the_chapters_that_read_what_was_edited(library):
    first = library.build()
    assert first.status == 0, (first.error, first.warnings)
    assert executed(first.said) == set(CHAPTERS)
    assert "nothing to execute" in library.build().said
    for name, text, expected in EDITS:
        path = library.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        built = library.build()
        assert built.status == 0, (name, built.error, built.warnings)
        assert executed(built.said) == expected, name
    assert "43" in library.build().page("plain")


def test_an_edit_that_is_taken_back_costs_nothing(running):
    """Of a cell; the state of the package alone is not kept twice."""
    for code, runs in [("1 + 1", 1), ("1 + 2", 1), ("1 + 1", 0)]:
        running.page("a-first", chapter("First", code))
        assert len(executed(running.build().said)) == runs
    assert ">2<" in re.sub(r"\s", "", running.build().page("a-first"))


def test_what_is_edited_while_a_chapter_runs_is_executed_again(running):
    """Nobody knows which of its states the cell saw."""
    numbers = running.folder / "package" / "numbers.py"
    edit = f"if ANSWER == 41:\n    with open({str(numbers)!r}, 'w') as file:\n        file.write('ANSWER = 42')"
    running.page("a-first", chapter("First", f"from package.numbers import ANSWER\n{edit}\nANSWER"))
    assert executed(running.build().said) == {"a-first"}
    assert executed(running.build().said) == {"a-first"}
    assert "42" in running.build().page("a-first")
    assert "nothing to execute" in running.build().said


def test_an_edit_within_the_same_second_is_what_the_cells_see(running):
    """Of the same size, too: Python would take the compiled code of the source before the edit."""
    numbers = running.folder / "package" / "numbers.py"
    at_first = numbers.stat()
    running.page("a-first", chapter("First", "from package.numbers import ANSWER\nANSWER"))
    assert "41" in running.build().page("a-first")
    numbers.write_text(numbers.read_text(encoding="utf-8").replace("41", "42"), encoding="utf-8")
    os.utime(numbers, ns=(at_first.st_atime_ns, at_first.st_mtime_ns))
    built = running.build()
    assert executed(built.said) == {"a-first"}
    assert "42" in built.page("a-first")


def test_pages_are_read_again_when_another_build_executed_them(running):
    """As a draft does, which shares the executed notebooks."""
    running.settings["dropout_lab_cache"] = str(running.folder.parent / "shared")
    running.page("a-first", chapter("First", "from package.numbers import ANSWER\nANSWER"))
    assert "41" in running.build().page("a-first")
    own, aside = running.folder / "_build", running.folder.parent / "aside"
    own.rename(aside)
    (running.folder / "package" / "numbers.py").write_text("ANSWER = 42\n", encoding="utf-8")
    assert executed(running.build().said) == {"a-first"}
    own.rename(running.folder.parent / "draft")
    aside.rename(own)
    built = running.build()
    assert "nothing to execute" in built.said
    assert "42" in built.page("a-first")


def test_two_chapters_with_the_same_cells_have_their_own_outputs(running):
    for folder in ("one", "two"):
        (running.folder / folder).mkdir()
        (running.folder / folder / "word.txt").write_text(f"word {folder}", encoding="utf-8")
        running.page(f"{folder}/page", chapter(folder, "open('word.txt').read()"))
    running.page("z-list", "# List\n\n```{toctree}\none/page\ntwo/page\n```\n")
    built = running.build()
    assert built.status == 0, built.warnings
    assert "word one" in built.page("one/page") and "word two" in built.page("two/page")


def test_pins_without_their_comments_are_in_the_key(tmp_path):
    from nbformat import v4

    notebook, pins = v4.new_notebook(cells=[v4.new_code_cell("1")]), tmp_path / "requirements.txt"
    keys = []
    for text in ("torch==2.13.0\n", "# pinned\n\ntorch==2.13.0  # exactly\n", "torch==2.14.0\n"):
        pins.write_text(text, encoding="utf-8")
        keys.append(cache.notebook_key(notebook, {}, pins))
    assert keys[0] == keys[1] != keys[2]
    notebook.cells[0].metadata["tags"] = ["raises-exception"]
    assert cache.notebook_key(notebook, {}, pins) != keys[2]


def test_files_of_the_system_and_of_what_is_installed_do_not_count(tmp_path):
    sources = cache.Sources(tmp_path, (tmp_path / "_build",))
    installed = [("read", pytest.__file__), ("read", re.__file__), ("read", "/proc/self/stat"), ("list", "/usr/share")]
    made = [("read", str(tmp_path / "_build" / "x")), ("write", str(tmp_path / "y"))]
    assert sources.names([*installed, *made, ("read", str(tmp_path / "y"))]) == []
    assert sources.names([("read", str(tmp_path / "z")), ("list", str(tmp_path))]) == ["book:./", "book:z"]


def test_what_the_package_says_of_itself_counts(tmp_path):
    """A new entry point changes what a cell finds."""
    sources = cache.Sources(tmp_path, (tmp_path / "_build",))
    own, other = (distribution(name).locate_file("") for name in ("dropout_lab", "pytest"))
    found = Path(own, "dropout_lab-0.1.0.dist-info", "entry_points.txt")
    reads = [("read", str(found)), ("read", str(Path(other, "pytest-1.0.dist-info", "entry_points.txt")))]
    assert sources.names(reads) == [str(found)]


def test_a_compiled_module_stands_for_its_source(tmp_path):
    sources = cache.Sources(tmp_path, (tmp_path / "_build",))
    compiled = tmp_path / "__pycache__" / "module.cpython-311.pyc"
    assert sources.names([("read", str(compiled))]) == ["book:module.py", "book:module/__init__.py"]


def test_the_watch_tells_reading_from_writing(tmp_path):
    import os

    watch = Watch(str(tmp_path / "log"))
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        watch.hear("open", (f"/{flags}", None, flags))
    watch.hear("open", (3, None, 0))
    watch.hear("open", (b"/bytes", "r", 0))
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [line.split('"')[1] for line in lines] == ["read", "read", "write", "write", "read"]
    assert Path(lines[-1].split('"')[3]) == Path("/bytes")
