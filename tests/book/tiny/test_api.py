"""The pages of the package's reference: every public name is there, once, and everything they refer to exists."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_book import Book, Built

from dropout_lab.book import api, docstrings

PAGES = Path(__file__).resolve().parents[3] / "chapters" / "back" / "api"
_DIRECTIVE = re.compile(r"^\.\. reference:: (.+)$", re.MULTILINE)

#: Floors that describe arguments in sentences: their functions take what the claims and the book hand to them.
IN_PROSE = ("claims", "exercises", "experiments", "figures", "passports", "symbolic")

_SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
_ENTRY = re.compile(r'<dt class="sig sig-object py" id="([^"]+)"')


def page(*floors: str) -> str:
    """A page of the reference, without words of its own."""
    return f"# Reference\n\n```{{eval-rst}}\n.. reference:: {' '.join(floors)}\n```\n"


def shown() -> list[str]:
    """The floors that the pages of the book show, with their repetitions."""
    pages = (path.read_text(encoding="utf-8") for path in PAGES.glob("*.md"))
    return [floor for text in pages for found in _DIRECTIVE.findall(text) for floor in found.split()]


def texts(built: Built) -> list[str]:
    """The pages of the built reference."""
    return [path.read_text(encoding="utf-8") for path in sorted(built.site.glob("*.html"))]


def documented(built: Built) -> list[str]:
    """What has an entry on the pages, as often as it has one, page by page."""
    return [name for text in texts(built) for name in _ENTRY.findall(text)]


def read_again(built: Built) -> set[str]:
    """The pages that a build has read, but for the index, which a tiny book writes each time."""
    return set(re.findall(r"reading sources\.\.\. \[ *\d+%\] (\S+)", built.said)) - {"index"}


def summaries() -> Iterator[tuple[str, str]]:
    """The public modules, functions and classes, each with the first line of its docstring."""
    for module in itertools.chain.from_iterable(map(api.modules, api.floors())):
        found = importlib.import_module(module)
        things = {f"{module}.{name}": getattr(found, name) for name in api.names(module)}
        for name, thing in {module: found, **things}.items():
            if inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isroutine(thing):
                yield name, (inspect.getdoc(thing) or "").partition("\n")[0]


def is_sentence(line: str) -> bool:
    """Whether a summary stands alone in a table, with formulas in roles, in literals or in plain letters."""
    plain = re.sub(r"``.+?``|(?::\w+)+:`.+?`", "", line)
    return (
        line[:1].isupper() and line.endswith(".") and len(line.split()) > 2 and not re.search(r"[\\^${}]|\w_\w", plain)
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A book of nothing but the reference, one page a floor."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        book = Book(folder, patch)
        book.bibliography("")
        book.claims()
        for floor in api.floors():
            book.page(floor, page(floor))
        return book.build()


def test_every_floor_is_on_one_page_of_the_book() -> None:
    assert Counter(shown()) == Counter(api.floors())


def test_every_public_name_has_one_entry(whole: Built) -> None:
    modules = [module for floor in api.floors() for module in api.modules(floor)]
    wanted = {f"{module}.{name}" for module in modules for name in api.names(module)}
    assert len(wanted) > 100
    found = Counter(documented(whole))
    assert wanted - set(found) == set()
    assert [name for name, times in found.items() if times > 1] == []


def test_the_first_line_of_every_docstring_is_a_sentence() -> None:
    found = dict(summaries())
    assert len(found) > 200
    assert {name: line for name, line in found.items() if not is_sentence(line)} == {}


@pytest.mark.parametrize(
    "line",
    ["", "σ(logit).", "A mask", "the masks of a layer.", "``x`` with its mask.", "All 2^n masks.", "The weights W_ki."],
)
def test_what_is_no_sentence_is_found(line: str) -> None:
    assert not is_sentence(line)
    assert is_sentence("All :math:`2^n` masks of ``n_units`` units.")


def arguments_left_out() -> Iterator[str]:
    """The arguments of public functions and classes that neither the docstring nor its module describes."""
    for module in itertools.chain.from_iterable(api.modules(floor) for floor in api.floors() if floor not in IN_PROSE):
        for name in api.names(module):
            thing = getattr(importlib.import_module(module), name)
            # A record says beside each of its fields what it holds, and a list takes whatever a list takes.
            if not (inspect.isclass(thing) or inspect.isroutine(thing)) or dataclasses.is_dataclass(thing):
                continue
            said = inspect.getdoc(thing) or ""
            common = {
                word
                for place in docstrings.offering(f"{module}.{name}", thing)
                for word in docstrings.common_arguments(place)
            }
            for word, parameter in docstrings.parameters(thing).items():
                is_own = parameter.kind is not inspect.Parameter.POSITIONAL_ONLY and word not in ("args", "kwargs")
                if is_own and word not in common and not re.search(rf"^    {word}: |``{word}``", said, re.MULTILINE):
                    yield f"{module}.{name}({word})"


def test_every_argument_is_described() -> None:
    assert list(arguments_left_out()) == []


def test_every_reference_in_a_docstring_leads_somewhere(whole: Built) -> None:
    assert not whole.warnings, whole.warnings
    assert (whole.error, whole.status) == (None, 0)


def test_signatures_are_python_as_one_would_write_it(whole: Built) -> None:
    # <function f at 0x7f…> depends on the run; what autodoc cannot parse, it shows with the marks of its own shorthand.
    signatures = [signature for text in texts(whole) for signature in _SIGNATURE.findall(text)]
    assert len(signatures) > 100
    assert [signature for signature in signatures if re.search("&lt;|0x|~", signature)] == []
    plain = [re.sub("<[^>]+>", "", signature) for signature in signatures]
    assert [signature for signature in plain if "*args, **kwargs" in signature] == []


def test_the_headings_of_a_page_are_its_modules(whole: Built) -> None:
    headings = [heading for text in texts(whole) for heading in re.findall(r'<h[2-6]>(.*?)<a class="headerlink"', text)]
    modules = [module.removeprefix("dropout_lab.") for floor in api.floors() for module in api.modules(floor)]
    assert sorted(re.sub("<.*?>", "", heading) for heading in headings) == sorted(modules)


def test_no_constant_says_what_its_type_says_of_itself(whole: Built) -> None:
    # Without a comment of its own, a text would be introduced by how Python makes texts.
    assert [found for text in texts(whole) for found in re.findall(r".*bytes_or_buffer.*", text)] == []


def test_an_underlined_heading_is_read_as_the_section_that_it_is() -> None:
    lines = ["Draw.", "", "Parameters", "----------", "size:", "    How many.", "", "Raises ValueError for none.", ""]
    lines += ["Example", "-------", ">>> draw(1)"]
    found = [line for line in docstrings.labelled(lines) if line]
    assert docstrings.labelled([]) == []
    assert found == ["Draw.", ":param size: How many.", ":Raises: ValueError for none.", ">>> draw(1)"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a floor that lists its names, one that does not, a folder of modules, and what is private."""
    # Python and Sphinx remember what they have imported, so each test has a package of its own.
    name = f"package_of_{tmp_path.name}"
    files = {
        "__init__.py": "",
        "_hidden.py": "def secret(): 'Nobody calls this.'\n",
        "book/__init__.py": "def page(): 'Not for callers.'\n",
        "pinned.py": "def trick(): 'Not for callers.'\n",
        "ground.py": "from math import sqrt\nLIMIT = 3\ndef draw(): 'Draw.'\ndef _help(): 'Help.'\n",
        "listed/__init__.py": (
            f"from {name}.listed.inner import deep\nfrom {name}.ground import draw\nfrom {name}.listed import told\n"
            "#: How deep.\nDEPTH = 2\n__all__ = ['DEPTH', 'deep', 'draw', 'told']\n"
        ),
        "listed/told.py": "def tell(): 'Tell.'\n",
        "listed/inner.py": "def deep(x=len, y=list): 'Deep.'\ndef unlisted(): 'Not offered.'\n",
        "folder/__init__.py": "'Modules.'\n",
        "folder/one.py": "class One:\n    'The first.'\n    def run(self): 'See :func:`draw_nothing`.'\n",
        "folder/_two.py": "def two(): 'Private.'\n",
    }
    for path, text in files.items():
        target = tmp_path / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(api, "PACKAGE", name)
    return name


def test_what_is_public_follows_from_the_code(package: str) -> None:
    assert api.floors() == ["folder", "ground", "listed"]
    assert api.modules("folder") == [f"{package}.folder", f"{package}.folder.one"]
    assert api.modules("listed") == [f"{package}.listed", f"{package}.listed.told"]
    assert api.names(f"{package}.ground") == ["draw"]
    assert api.names(f"{package}.folder.one") == ["One"]
    assert api.names(f"{package}.listed") == ["DEPTH", "deep"], "draw is offered by the floor that defines it"


def test_a_reference_to_nothing_stops_the_build(book: Book, package: str) -> None:
    book.claims()
    book.page("reference", page("folder", "listed"))
    built = book.build()
    assert built.status == 1
    assert "draw_nothing" in built.warnings
    one, listed = f"{package}.folder.one.One", f"{package}.listed"
    assert documented(built) == [one, f"{one}.run", f"{listed}.DEPTH", f"{listed}.deep", f"{listed}.told.tell"]


def test_a_page_is_made_anew_where_a_module_comes_or_a_source_changes(book: Book, package: str, tmp_path: Path) -> None:
    book.claims()
    book.page("reference", page("folder"))
    book.page("other", page("ground"))
    source = tmp_path / package / "folder" / "one.py"
    source.write_text("class One:\n    'The first.'\n", encoding="utf-8")
    assert book.build().status == 0
    assert read_again(book.build()) == set()
    (tmp_path / package / "folder" / "three.py").write_text("def three(): 'New.'\n", encoding="utf-8")
    importlib.invalidate_caches()
    built = book.build()
    assert read_again(built) == {"reference"}
    assert documented(built) == [f"{package}.ground.draw", f"{package}.folder.one.One", f"{package}.folder.three.three"]
    source.write_text("class One:\n    'The first, in other words.'\n", encoding="utf-8")
    assert read_again(book.build()) == {"reference"}


def test_an_unknown_floor_is_named_with_those_that_exist(book: Book, package: str) -> None:
    book.claims()
    book.page("reference", page("ground", "cellar"))
    built = book.build()
    assert built.status == 1
    assert "no floor of the package is called cellar; folder, ground, listed are" in built.warnings


LABELLED = '''\
"""Drawing.

Arguments that mean the same everywhere:

- ``size``: how many there are,
  all in all.
"""

from typing import Any


class _Base:
    def count(self):
        "Count them."


class Kept(_Base):
    "Keep some of them."

    held = dict

    @property
    def form(self):
        "Shape: that of the input (N, D)."


class Handing:
    "Hand everything on."

    def __init__(self, *args: Any, **kwargs: Any): ...


def draw(size, level=0):
    """Draw some of them.

    Args:
        level: how high they are.

    Raises ValueError for none. Source: Somebody 2013.

    Example
    -------
    >>> draw(1)
    """
'''


def test_an_entry_has_labels_and_nothing_that_says_nothing(book: Book, package: str, tmp_path: Path) -> None:
    (tmp_path / package / "ground.py").write_text(LABELLED, encoding="utf-8")
    book.claims()
    book.page("reference", page("ground"))
    built = book.build()
    assert (built.status, built.warnings) == (0, "")
    ground = f"{package}.ground"
    shown = ("Kept", "Kept.form", "Kept.count", "Handing", "draw")
    assert documented(built) == [f"{ground}.{name}" for name in shown], "what a private base class gives, and no more"
    (text,) = (text for text in texts(built) if "Draw some" in text)
    found = re.sub("[ \n]+", " ", re.sub("<.*?>", " ", text[text.index("<dt") :]))
    assert "class Handing ¶ Hand everything on." in found, "its signature would hold for any class"
    assert "Shape: that of the input (N,\N{NO-BREAK SPACE}D)." in found, (
        "a colon in a sentence makes no type of what stands before it"
    )
    fields = ("Parameters :", "level – how high they are.", "size – how many there are, all in all.")
    fields += ("Raises :", "ValueError for none.", "Source :", "Somebody 2013.", "&gt;&gt;&gt; draw ( 1 )")
    places = [found.index(field) for field in fields]
    assert places == sorted(places)
    assert "Example" not in found
