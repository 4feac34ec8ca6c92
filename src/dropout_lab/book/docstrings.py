"""How a docstring becomes an entry of the reference: its parts get labels, and common arguments their descriptions.

A docstring is written to be read in a terminal. Its arguments stand below ``Args:``, and what a record holds below
``Attributes:``. Sentences that begin with "Raises" or "Source:" become labelled fields. What a module says of an
argument once, in a list, is said again in the entry of everything that takes it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

_SECTIONS: Any = Config(napoleon_use_rtype=False, napoleon_custom_sections=[("Attributes", "params_style")])
#: What the reference labels: a sentence that begins so, and the label of its field.
_LABELS = {"Raises ": "Raises", "Source: ": "Source", "Sources: ": "Sources"}
_LABELLED = re.compile(rf"(?:^|(?<=[.)] ))(?={'|'.join(_LABELS)})")
#: A short formula or shape in parentheses, such as (1 − p) or (N, T, D).
_GROUP = re.compile(r"\((?:\S{1,12}(?:,| [−+·=⊙/]) ){1,4}\S{1,12}?\)")
_LITERAL = re.compile(r"(``.+?``|`.+?`)")
#: The beginnings of lines that are no prose: what is indented, items, fields, examples and directives.
_NO_PROSE = (" ", "- ", "* ", ":", ">>>", "..")
#: The sections that a heading over a line of dashes begins.
_HEADINGS = {"Parameters": "Args:", "Attributes": "Attributes:"}
#: What stands below a heading.
_UNDERLINE = re.compile(r"-{3,}$")
#: An item of a module's list of arguments.
_ITEM = re.compile(r"^- ``(\w+)``: (.*)$")
#: Where the arguments of an entry end: with another field or with the example.
_AFTER_ARGUMENTS = re.compile(r":(?!param )\w+.*:|>>> ")


def setup(app: Sphinx) -> None:
    """Have autodoc show docstrings in this way."""
    app.connect("autodoc-process-docstring", _show)


def common_arguments(module: str) -> dict[str, str]:
    """What the docstring of a module says of arguments, by their names, in items of the form "- ``name``: text".

    >>> common_arguments("dropout_lab.functional")["keep_prob"]
    'the probability p of keeping, between 0 and 1.'
    """
    found: dict[str, str] = {}
    name = None
    for line in (inspect.getdoc(import_module(module)) or "").splitlines():
        if item := _ITEM.match(line):
            name, found[item[1]] = item.groups()
        elif name and line.startswith("  "):
            found[name] += f" {line.strip()}"
        else:
            name = None
    return found


def labelled(lines: list[str]) -> list[str]:
    """The lines of a docstring, with its sections and its sentences about errors and sources as fields.

    >>> labelled(["Draw a mask. Raises ValueError for none.", "", "Source: Wan et al. 2013."])
    ['Draw a mask.', '', ':Raises: ValueError for none.', '', ':Source: Wan et al. 2013.']
    """
    lines = GoogleDocstring(_without_headings(lines), _SECTIONS, what="function").lines()
    found: list[str] = []
    for is_empty, group in groupby(lines, key=lambda line: not line.strip()):
        block = list(group)
        is_example = block[0].lstrip().startswith(">>>")
        found += block if is_empty or is_example else map(_unbroken, _fields(block))
    return found


def offering(name: str, thing: Any) -> list[str]:
    """The modules that offer a thing: the one on whose page it stands comes last, and ``nn`` may have it too.

    >>> from dropout_lab import recurrent
    >>> offering("dropout_lab.recurrent.VariationalGRU", recurrent.VariationalGRU)
    ['dropout_lab.nn', 'dropout_lab.recurrent']
    """
    module, _, word = name.rpartition(".")
    layers = f"{module.partition('.')[0]}.nn"
    is_layer = find_spec(layers) is not None and getattr(import_module(layers), word, None) is thing
    return [layers, module] if is_layer else [module]


def parameters(thing: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function or of a class's constructor; none where Python does not know them.

    >>> list(parameters(labelled))
    ['lines']
    """
    try:
        return inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return {}


def _show(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = labelled(lines)
    if what in ("function", "class") and "." not in thing.__qualname__:
        lines[:] = _with_common(name, thing, lines)


def _without_headings(lines: list[str]) -> list[str]:
    """The lines with underlined headings of arguments and attributes as sections, and none over the example."""
    found, indent = [], ""
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        if _UNDERLINE.match(below):
            indent = "    " if line in _HEADINGS else ""
            found += [_HEADINGS[line]] if indent else []
        elif not _UNDERLINE.match(line):
            indent = indent if line else ""
            found.append(indent + line)
    return found


def _fields(block: list[str]) -> Iterator[str]:
    """The lines of a paragraph, which is cut where a label is due."""
    parts = [part.strip() for part in _LABELLED.split(" ".join(block)) if part]
    is_prose = not any(line.startswith(_NO_PROSE) for line in block)
    if not (is_prose and any(part.startswith(tuple(_LABELS)) for part in parts)):
        yield from block
        return
    for number, part in enumerate(parts):
        if number:
            yield ""
        label = next((label for label in _LABELS if part.startswith(label)), "")
        text = part.removeprefix(label)
        yield f":{_LABELS[label]}: {text[:1].upper()}{text[1:]}" if label else part


def _unbroken(line: str) -> str:
    """The line, in which no short formula and no shape is broken over two; literals and roles are left alone."""
    parts = _LITERAL.split(line)
    parts[::2] = [_GROUP.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), part) for part in parts[::2]]
    return "".join(parts)


def _with_common(name: str, thing: Any, lines: list[str]) -> list[str]:
    """The lines with what the module says of those arguments that the docstring leaves out."""
    described = {found[1] for line in lines if (found := re.match(r":param (\w+):", line))}
    common = {word: text for module in offering(name, thing) for word, text in common_arguments(module).items()}
    added = [f":param {word}: {common[word]}" for word in parameters(thing) if word in common.keys() - described]
    if not added:
        return lines
    place = next((number for number, line in enumerate(lines) if _AFTER_ARGUMENTS.match(line)), len(lines))
    return [*lines[:place], *added, "", *lines[place:]]
