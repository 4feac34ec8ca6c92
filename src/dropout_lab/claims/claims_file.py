"""Reads the claims file, strictly: what YAML would guess, drop or overwrite is an error here.

The file is ``claims.yaml`` beside this module; the environment variable ``DROPOUT_LAB_CLAIMS`` names another one. A
file that has changed on the disk is read again.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import MISSING, fields
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import yaml

from dropout_lab.claims.registry import DEFAULT_PATH, Assumption, Claim, ClaimsFileError, Registry

_TEXT = "tag:yaml.org,2002:str"
_CONTENTS = ("assumptions", "claims")
#: The fields that hold a list of texts.
_LISTS = ("readings", "uses")
#: PyYAML's safe loader, in C where it was compiled.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_Kind = TypeVar("_Kind", Claim, Assumption)


def claims_path() -> Path:
    """The claims file that :func:`load` reads when it is given none."""
    return Path(os.environ.get("DROPOUT_LAB_CLAIMS") or DEFAULT_PATH)


def load(path: str | Path | None = None) -> Registry:
    """Read and validate a claims file.

    ``path`` names the file; without it, that is the one which the environment variable ``DROPOUT_LAB_CLAIMS`` names,
    else the package's own. The file holds two lists, ``assumptions`` and ``claims``, whose entries have the fields of
    :class:`Assumption` and :class:`Claim`; every value is text, ``readings`` and ``uses`` are lists of texts. A claim
    of the source has a reading, and two if it is imprecise; it has a change if there is something to correct. Raises
    :class:`ClaimsFileError`, which names the file and the entry, for anything else: a file that cannot be read or is
    empty, a key or an id that stands twice, a field that is unknown, missing or blank, a value that YAML takes for a
    number, a truth value, a date or nothing, anchors, aliases, tags and merges, and control characters.

    Example
    -------
    >>> load()["2.2"].kind_name
    'identity'
    """
    if path is not None and not isinstance(path, (str, Path)):
        raise TypeError(f"path is a path or a text, got {type(path).__name__}")
    path = Path(path or claims_path())
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClaimsFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return _read(path, content)


# Keyed on the content, and not on times of the disk: two versions may carry the same one.
@lru_cache(maxsize=8)
def _read(path: Path, content: bytes) -> Registry:
    try:
        text = content.decode("utf-8")
        _refuse_references(text)
        return _registry(yaml.compose(text, Loader=_Loader))
    except (ClaimsFileError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClaimsFileError(f"{path}: {error}") from error


def _refuse_references(text: str) -> None:
    """Anchors, aliases and tags make an entry mean something else than what stands there."""
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise ClaimsFileError(f"line {line} holds the alias *{event.anchor}; write out what it stands for")
        for what in ("anchor", "tag"):
            if given := getattr(event, what, None):
                raise ClaimsFileError(f"line {line} holds the {what} {given}; the file takes none")


def _registry(document: yaml.Node | None) -> Registry:
    if document is None:
        raise ClaimsFileError("the file is empty; expected the lists assumptions and claims")
    lists = _mapping(document, "the file")
    if unknown := [key for key in lists if key not in _CONTENTS]:
        raise ClaimsFileError(f"the file has the key {unknown[0]!r}; expected only {' and '.join(_CONTENTS)}")
    if missing := [key for key in _CONTENTS if key not in lists]:
        raise ClaimsFileError(f"the file lacks the key {missing[0]!r}")
    claims, assumptions = (_sequence(lists[key], f"the key {key!r}") for key in ("claims", "assumptions"))
    registry = Registry(
        [_entry(Claim, node, "claim") for node in claims],
        [_entry(Assumption, node, "assumption") for node in assumptions],
    )
    if unread := [claim.id for claim in registry.values() if claim.of_source and not claim.readings]:
        raise ClaimsFileError(f"claim {unread[0]} is one of the source's and lacks the reading that is judged")
    if odd := [claim for claim in registry.values() if claim.is_corrected != bool(claim.change)]:
        lacks = "lacks a change of its sentence" if odd[0].is_corrected else "has a change of its sentence"
        raise ClaimsFileError(f"claim {odd[0].id} is {odd[0].expected} and {lacks}")
    single = [claim.id for claim in registry.values() if claim.expected == "imprecise" and len(claim.readings) == 1]
    if single:
        raise ClaimsFileError(
            f"claim {single[0]} is imprecise and has one reading; expected the one that holds and the one that misleads"
        )
    return registry


def _entry(kind: type[_Kind], node: yaml.Node, what: str) -> _Kind:
    nameless = f"the {what} in line {node.start_mark.line + 1}"
    given = _mapping(node, nameless)
    if "id" not in given:
        raise ClaimsFileError(f"{nameless} has no id")
    where = f"{what} {_text(given['id'], f'the id of {nameless}')}"
    known = {field.name: field for field in fields(kind)}
    if unknown := [name for name in given if name not in known]:
        raise ClaimsFileError(f"{where} has the field {unknown[0]!r}; expected only {', '.join(known)}")
    if missing := [name for name, field in known.items() if field.default is MISSING and name not in given]:
        raise ClaimsFileError(f"{where} lacks the field {missing[0]!r}")
    values: dict[str, str | tuple[str, ...]] = {}
    for name, value in given.items():
        place = f"the field {name!r} of {where}"
        values[name] = (
            tuple(_text(part, place) for part in _sequence(value, place)) if name in _LISTS else _text(value, place)
        )
    return kind(**values)  # type: ignore[arg-type]


def _mapping(node: yaml.Node, where: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise ClaimsFileError(f"{where} is {_described(node)}; expected a mapping of names to values")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _text(key, f"a key of {where} in line {key.start_mark.line + 1}")
        if name in found:
            line = key.start_mark.line + 1
            raise ClaimsFileError(f"{where} has the key {name!r} twice, the second time in line {line}")
        found[name] = value
    return found


def _sequence(node: yaml.Node, where: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise ClaimsFileError(f"{where} is {_described(node)}; expected a list")
    return list(node.value)


def _text(node: yaml.Node, where: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag != _TEXT:
        raise ClaimsFileError(f"{where} is {_described(node)}; expected text, in quotes where YAML takes it for more")
    if not node.value.strip():
        raise ClaimsFileError(f"{where} is blank; expected text")
    if node.value != node.value.strip():
        raise ClaimsFileError(f"{where} begins or ends with white space: {node.value!r}")
    if hidden := [sign for sign in node.value if unicodedata.category(sign).startswith("C")]:
        raise ClaimsFileError(f"{where} holds the character {hidden[0]!r}, which does not show")
    return str(node.value)


def _described(node: yaml.Node) -> str:
    """What YAML makes of a value, in words."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == _TEXT:
        return f"text ({node.value!r})"
    kind = {"bool": "a truth value", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date"}
    name = node.tag.rpartition(":")[2]
    return (
        f"{kind.get(name, f'of YAML type {name}')} ({node.value!r})" if node.tag != _TEXT else f"text ({node.value!r})"
    )
