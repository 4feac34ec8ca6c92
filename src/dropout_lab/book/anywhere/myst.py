"""Where directives and roles stand in a text of MyST Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_OPEN = re.compile(
    r"(?P<indent> *)(?P<fence>`{3,}|:{3,}|~{3,})\s*(?:\{(?P<name>[^}\s]+)\}(?P<argument>.*)|(?P<other>.*))"
)
_OPTION = re.compile(r":([\w-]+):(?:\s+(.*))?$")
#: A role, or a span of code, in which nothing is a role.
_INLINE = re.compile(
    r"\{(?P<role>[a-z][\w:+.-]*)\}(?P<ticks>`+)(?P<text>.+?)(?P=ticks)(?!`)|(?<!`)(?P<code>`+)(?!`).+?(?<!`)(?P=code)(?!`)",
    re.S,
)
_TITLED = re.compile(r"(?P<title>.*?)\s*<(?P<target>[^<>]+)>", re.S)


@dataclass(frozen=True)
class Directive:
    """A directive as it is written: its name, what stands behind it, its options, and the text inside."""

    name: str
    argument: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    indent: str = ""


def pieces(text: str) -> Iterator[str | Directive]:
    """The text between directives, and the directives, in their order; fenced code is text.

    >>> list(pieces("Before.\\n```{note}\\nInside.\\n```\\nAfter."))[1]
    Directive(name='note', argument='', options={}, body='Inside.', indent='')
    """
    lines = text.split("\n")
    plain: list[str] = []
    at = 0
    while at < len(lines):
        found = _OPEN.fullmatch(lines[at])
        # A line of backticks alone, or with the name of a language, opens code; one of colons without a name is text.
        if found is None or (found["name"] is None and (found["fence"][0] == ":" or "`" in found["other"])):
            plain.append(lines[at])
            at += 1
            continue
        end = _closing(lines, at + 1, found["fence"])
        if found["name"] is None:
            plain.extend(lines[at : end + 1])
        else:
            if plain:
                yield "\n".join(plain)
                plain = []
            yield _directive(found, lines[at + 1 : end])
        at = end + 1
    if plain:
        yield "\n".join(plain)


def with_roles(text: str, say: Callable[[str, str, str], str]) -> str:
    """The text with each role replaced by what ``say`` gives for its name, its title and its target; code stays.

    The title is empty where the role has none of its own.

    >>> with_roles("See {term}`masks <mask>`, not `{term}`.", lambda role, title, target: f"{title} ({target})")
    'See masks (mask), not `{term}`.'
    """

    def replaced(found: re.Match[str]) -> str:
        if found["role"] is None:
            return found[0]
        inside = re.sub(r"\s+", " ", found["text"]).strip()
        titled = _TITLED.fullmatch(inside)
        return say(found["role"], titled["title"], titled["target"]) if titled else say(found["role"], "", inside)

    return _INLINE.sub(replaced, text)


def leftovers(markdown: str) -> list[str]:
    """What of MyST is left in Markdown: directives, roles, targets and comments; empty if it is plain.

    >>> leftovers("Plain, with `{code}`."), leftovers("A {term}`mask`.")
    ([], ['{term}`mask`'])
    """
    found: list[str] = []
    for piece in pieces(markdown):
        if isinstance(piece, Directive):
            found.append(f"{{{piece.name}}}")
            continue
        outside = _without_code(piece)
        found += [match[0] for match in _INLINE.finditer(outside) if match["role"]]
        found += re.findall(r"^(?:\([\w.:-]+\)=|%.*|\+\+\+.*|:{3,}.*)$", outside, re.M)
    return found


def _closing(lines: list[str], start: int, fence: str) -> int:
    """The line that closes a fence; the text's end if none does."""
    for at in range(start, len(lines)):
        line = lines[at].strip()
        if line and set(line) == {fence[0]} and len(line) >= len(fence):
            return at
    return len(lines)


def _directive(opened: re.Match[str], inside: list[str]) -> Directive:
    indent = opened["indent"]
    inside = [line.removeprefix(indent) for line in inside]
    options: dict[str, Any] = {}
    if inside and inside[0].strip() == "---" and "---" in [line.strip() for line in inside[1:]]:
        end = 1 + [line.strip() for line in inside[1:]].index("---")
        options = yaml.safe_load("\n".join(inside[1:end])) or {}
        inside = inside[end + 1 :]
    else:
        while inside and (found := _OPTION.fullmatch(inside[0])):
            options[found[1]] = _value(found[2] or "")
            inside = inside[1:]
    body = "\n".join(inside).strip("\n")
    return Directive(opened["name"], opened["argument"].strip(), options, body, indent)


def _value(written: str) -> Any:
    """An option of one line: a mapping or a list in YAML's short form, or a text."""
    return yaml.safe_load(written) if written.startswith(("{", "[")) else written


def _without_code(text: str) -> str:
    """The text without its fenced code."""
    kept: list[str] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        found = _OPEN.fullmatch(lines[at])
        if found and found["name"] is None and found["fence"][0] != ":" and "`" not in found["other"]:
            at = _closing(lines, at + 1, found["fence"])
        else:
            kept.append(lines[at])
        at += 1
    return "\n".join(kept)
