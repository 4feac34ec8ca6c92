"""The two ways to build: the whole book with Jupyter Book's configuration, and one page while it is being written."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_book import DERIVED, Book, cell, claim

import dropout_lab
from dropout_lab.book import build, page

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(dropout_lab.__file__).parent


@pytest.fixture
def jupyter_book(book: Book) -> Book:
    """A tiny book with this project's own settings; its notebook is not executed."""
    settings = (ROOT / "_config.yml").read_text(encoding="utf-8").replace("notebooks: cache", "notebooks: off")
    (book.folder / "_config.yml").write_text(settings, encoding="utf-8")
    contents = "format: jb-book\nroot: chapters/index\nchapters:\n  - file: chapters/a-first\n"
    (book.folder / "_toc.yml").write_text(contents, encoding="utf-8")
    (book.folder / "chapters").mkdir()
    shutil.move(book.folder / "references.bib", book.folder / "chapters")
    book.claims(claim("1.1"), claim("1.2"))
    chapters = Book(book.folder / "chapters", book.patch)
    chapters.page("index", "# A book\n\n```{claims} ledger\n```\n")
    chapters.notebook("a-first", "# First\n", cell("1.1", DERIVED), "```{claims} map\n```\n")
    return book


def test_the_projects_settings_build_a_book(jupyter_book, capfd):
    jupyter_book.claims(claim("1.1"))
    assert build.main([str(jupyter_book.folder)]) == 0
    said = capfd.readouterr()
    assert "WARNING" not in said.err
    site = jupyter_book.folder / "_build" / "html"
    html = (site / "chapters" / "a-first.html").read_text(encoding="utf-8")
    assert "thebe" not in html.lower()
    assert "github.com/executablebooks" not in html
    assert 'href="../_sources/chapters/a-first.ipynb"' in html, "the notebook can be downloaded"
    assert (site / "ledger.json").is_file()
    assert 'id="ledger-1-1"' in (site / "chapters" / "index.html").read_text(encoding="utf-8")


def test_a_book_that_does_not_hold_ends_with_a_message(jupyter_book, capfd):
    assert build.main([str(jupyter_book.folder)]) == 1
    said = capfd.readouterr().err
    assert "claim 1.2 (title of 1.2) has no evidence" in said
    assert "The book was not built" in said
    assert "Traceback" not in said


def test_a_page_is_built_alone(jupyter_book, capfd, monkeypatch):
    monkeypatch.chdir(jupyter_book.folder)
    monkeypatch.setenv("DROPOUT_LAB_DRAFT", "")  # the command sets it, the test takes it back
    assert page.main(["chapters/a-first.ipynb"]) == 0
    assert "_build/draft/html/chapters/a-first.html" in capfd.readouterr().out
    assert (jupyter_book.folder / "_build" / "draft" / "html" / "chapters" / "a-first.html").is_file()


@pytest.mark.parametrize("arguments", [[], ["chapters/none.md"], ["a", "b"]])
def test_a_page_that_is_not_there(jupyter_book, capsys, monkeypatch, arguments):
    monkeypatch.chdir(jupyter_book.folder)
    assert page.main(arguments) == 2
    assert "say which page" in capsys.readouterr().err


def test_nothing_below_knows_the_sphinx_side():
    """The package without ``book`` imports neither it nor Sphinx, so chapters and readers never load them."""
    files = [path for path in PACKAGE.rglob("*.py") if "book" not in path.relative_to(PACKAGE).parts]
    # It wraps private names of all libraries, and imports each when it is asked: the next test.
    files.remove(PACKAGE / "pinned.py")
    assert len(files) > 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "dropout_lab":
                names += [f"dropout_lab.{alias.name}" for alias in node.names]
            for name in names:
                assert name.split(".")[0] not in ("sphinx", "docutils", "jupyter_book"), (path, name)
                assert not f"{name}.".startswith("dropout_lab.book."), (path, name)


def test_what_wraps_private_names_loads_none_of_the_libraries():
    loaded = "import sys, dropout_lab.pinned; print(sorted({'sphinx', 'torch', 'joblib'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
