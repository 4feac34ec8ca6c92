"""Every example in a docstring is run, and every public name has one.

The examples are found in the text of the sources, so that none is passed over: Python's own finder does not see a
function behind ``torch.no_grad()``. An example knows the names of its module.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import torch

from dropout_lab.book import api

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "dropout_lab"
_PARSER = doctest.DocTestParser()
_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

#: Floors whose public functions and classes need no example yet: this one is about to be written anew.
LATER = ("symbolic",)


def docstrings(path: Path) -> Iterator[tuple[str, ast.AST, str]]:
    """The name within its module, the node and the docstring of all that a source documents."""
    module = ast.parse(path.read_text(encoding="utf-8"))

    def visit(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
                inner = f"{name}.{child.name}".lstrip(".")
                if text := ast.get_docstring(child):
                    yield inner, child, text
                yield from visit(child, inner)
            else:
                yield from visit(child, name)

    if text := ast.get_docstring(module):
        yield "", module, text
    yield from visit(module, "")


def module_name(path: Path) -> str:
    """The name under which a source is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def examples() -> list[doctest.DocTest]:
    """The examples of all docstrings; the names that they know are filled in when they are run."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if ">>>" not in text:
            continue
        for name, node, docstring in docstrings(path):
            line = node.body[0].lineno - 1 if name else 0
            test = _PARSER.get_doctest(docstring, {}, f"{module_name(path)}:{name}", str(path), line)
            if test.examples:
                found.append(test)
    return found


EXAMPLES = examples()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch with one thread, as everywhere in the book: the last digits depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(test: doctest.DocTest) -> str:
    """What is wrong with an example; nothing if it holds."""
    said: list[str] = []
    doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=said.append)
    return "".join(said)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_an_example_gives_what_it_says(test: doctest.DocTest) -> None:
    test.globs = dict(vars(importlib.import_module(test.name.partition(":")[0])))
    assert not (said := run(test)), said


def test_a_false_example_is_found(tmp_path: Path) -> None:
    test = _PARSER.get_doctest(">>> 1 + 1\n3\n", {}, "false", str(tmp_path), 0)
    assert "Expected:\n    3\nGot:\n    2" in run(test)


def needing_one() -> Iterator[tuple[str, str]]:
    """The public functions and classes, and where each is defined.

    An exception is shown by what raises it, a protocol by what takes it.
    """
    for module in itertools.chain.from_iterable(api.modules(floor) for floor in api.floors() if floor not in LATER):
        for name in api.names(module):
            thing = getattr(importlib.import_module(module), name)
            if inspect.isclass(thing):
                wanted = not issubclass(thing, Exception) and Protocol not in thing.__bases__
            else:
                wanted = inspect.isroutine(thing)
            if wanted:
                yield f"{module}.{name}", f"{thing.__module__}:{thing.__qualname__}"


def test_every_public_name_has_an_example() -> None:
    shown = {test.name for test in EXAMPLES}
    # A class may show what it does in the docstring of one of its methods.
    missing = {name for name, place in needing_one() if not any(f"{found}.".startswith(f"{place}.") for found in shown)}
    assert not missing, "a public name needs an example in its docstring:\n" + "\n".join(sorted(missing))
