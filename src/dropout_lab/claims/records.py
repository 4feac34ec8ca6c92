"""Records of evidence: the form in which it travels in a cell's output, its validation, and its JSON schema.

A class that derives from :class:`Evidence` is all that a new kind of evidence needs. From it come the records and their
schema, the validation of both, the words of the ledger, the counts, and the faces in notebook and book.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from dropout_lab.claims.registry import HEAVIEST, Claim, Grade, Registry

#: What JSON can hold.
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

#: Every kind of evidence by its name in records, in the order in which the ledger lists them.
EVIDENCE: dict[str, type[Evidence]] = {}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One piece of evidence for one claim: the base of all kinds of evidence.

    A kind of evidence derives from this class, as a frozen dataclass whose fields are text, numbers, truth values or
    tuples of them. It gives the class attributes below, ``strength`` and ``details``, and in ``_check`` what its fields
    have to fulfil together.

    Fields are validated whether a piece is made by a cell or read from a notebook: texts are not blank (unless the
    field's metadata say ``blank``), numbers are finite and not below the ``minimum`` of the metadata. Raises TypeError
    for a value of another type and ValueError for one that cannot be.
    """

    #: What the piece says of the claim.
    verdict: Grade
    #: The result, in a sentence.
    says: str

    #: The name of the kind in records.
    kind: ClassVar[str]
    #: The name of the kind as a word.
    noun: ClassVar[str]
    #: The word for the kind at the head of a card.
    done: ClassVar[str]
    #: The verdicts that the kind can give.
    grades: ClassVar[frozenset[Grade]]
    #: The letters of the kinds of claims that it can settle. Beside other evidence it may illustrate any claim.
    settles: ClassVar[frozenset[str]]
    #: False for records which say that nothing settles the claim.
    is_evidence: ClassVar[bool] = True

    def __init_subclass__(
        cls, *, kind: str, noun: str, done: str, grades: str, settles: str, is_evidence: bool = True
    ) -> None:
        super().__init_subclass__()
        if kind in EVIDENCE:
            raise TypeError(f"the kind of evidence {kind!r} is {EVIDENCE[kind].__name__} already")
        cls.kind, cls.noun, cls.done, cls.is_evidence = kind, noun, done, is_evidence
        cls.grades = frozenset(Grade(grade) for grade in grades.split())
        cls.settles = frozenset(settles.split())
        EVIDENCE[kind] = cls

    def __post_init__(self) -> None:
        for own in fields(self):
            kept = _validated(self, own.name, own.metadata)
            object.__setattr__(self, own.name, kept)
        if self.verdict not in self.grades:
            expected = " or ".join(grade for grade in Grade if grade in self.grades)
            raise ValueError(f"the verdict of {_with_article(self.noun)} is {expected}, got {self.verdict}")
        self._check()

    def __reduce__(self) -> tuple[Callable[[object], Evidence], tuple[dict[str, Json]]]:
        # Pickled as its record, which is validated again wherever it is read.
        return from_json, (self.to_json(),)

    def _check(self) -> None:
        """Raise :class:`ValueError` if the fields contradict each other."""

    @property
    def strength(self) -> str:
        """What the evidence is worth, in words.

        So a derivation for ``any n`` is told from a measurement over ``30 seeds``.
        """
        return self.noun

    def details(self, registry: Registry) -> list[tuple[str, str]]:
        """Return the figures as (label, text) pairs, in the order in which a reader wants them."""
        return []

    @property
    def plain(self) -> str:
        """The text between the head and the figures in plain text; empty for most kinds."""
        return ""

    @property
    def equation(self) -> str:
        """The LaTeX of the equation that was established, or an empty string."""
        return ""

    @property
    def formula(self) -> str:
        """The LaTeX of the closed form that was checked, or an empty string."""
        return ""

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """What the piece cites: pairs of a key of the bibliography and a place in that source, which may be empty."""
        return ()

    def can_settle(self, claim: Claim) -> bool:
        """Tell whether the verdict on a claim of this kind may rest on this piece.

        If not, the piece may only illustrate the claim.
        """
        return bool(self.settles.intersection(claim.kinds))

    def misjudges(self, claim: Claim) -> str:
        """Return a sentence if this decides a claim of a kind that it cannot settle, else an empty text."""
        if self.verdict not in HEAVIEST or self.can_settle(claim):
            return ""
        by = _with_article(self.noun) if self.is_evidence else "a word"
        return f"claim {claim.id} ({claim.title}) is of kind {claim.kind_name}: {by} cannot call it {self.verdict}"

    def problems(self, claim: Claim, registry: Registry) -> list[str]:
        """Return a sentence for each fault of this piece as evidence for that claim of the registry."""
        return [sentence] if (sentence := self.misjudges(claim)) else []

    def to_json(self) -> dict[str, Json]:
        """Return the record as it travels in a cell's output and stands in the ledger's data.

        Example
        -------
        >>> from dropout_lab.claims import kinds
        >>> from_json({"says": "Nobody knows.", "verdict": "open", "kind": "none"}).to_json()
        {'kind': 'none', 'verdict': 'open', 'says': 'Nobody knows.'}
        """
        found: dict[str, Json] = {"kind": self.kind}
        for own in fields(self):
            value = getattr(self, own.name)
            found[own.name] = _as_json(value)
        return found

    @classmethod
    def from_json(cls, record: object) -> Self:
        """Return the piece of evidence that a record of this kind holds.

        Raises ValueError or TypeError for a record of another kind, or of none.
        """
        given = _object(record)
        names = [own.name for own in fields(cls)]
        if given.get("kind") != cls.kind:
            raise ValueError(f"the record is of kind {given.get('kind')!r}, expected {cls.kind!r}")
        if missing := [name for name in names if name not in given]:
            raise ValueError(f"the record of {_with_article(cls.noun)} lacks {missing[0]!r}")
        if unknown := [name for name in given if name not in (*names, "kind")]:
            raise ValueError(f"the record of {_with_article(cls.noun)} has {unknown[0]!r}; expected {', '.join(names)}")
        return cls(**{name: given[name] for name in names})  # type: ignore[arg-type]

    @classmethod
    def schema(cls) -> dict[str, Json]:
        """Return the JSON schema of the records of this kind."""
        hints = _hints(cls)
        properties: dict[str, Json] = {"kind": {"const": cls.kind}}
        for own in fields(cls):
            found = dict(_type_of(hints[own.name]).schema)
            if own.name == "verdict":
                found["enum"] = [str(grade) for grade in Grade if grade in cls.grades]
            if found.get("type") == "string" and own.name != "verdict" and not own.metadata.get("blank"):
                found["pattern"] = r"\S"
            if "minimum" in own.metadata:
                found["minimum"] = own.metadata["minimum"]
            properties[own.name] = found
        required: list[Json] = list(properties)
        return {
            "title": cls.noun,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }


def from_json(record: object) -> Evidence:
    """Return the piece of evidence that a record holds, of whatever kind the record says.

    Raises ValueError or TypeError, with the field concerned, for a record that no kind of evidence could have left.

    Example
    -------
    >>> from dropout_lab.claims import kinds
    >>> from_json({"kind": "none", "verdict": "open", "says": "Nobody knows."}).strength
    'open'
    """
    kind = _object(record).get("kind")
    if not isinstance(kind, str) or kind not in EVIDENCE:
        raise ValueError(f"there is no evidence of kind {kind!r}; expected one of {', '.join(EVIDENCE)}")
    return EVIDENCE[kind].from_json(record)


class Part:
    """A piece of a record with fields of its own, a frozen dataclass: a line of a derivation, a pair of counts.

    Its fields are of the types that the fields of evidence may have, and validated as they are.
    """

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            try:
                object.__setattr__(self, name, _type_of(hint).take(getattr(self, name)))
            except TypeError:
                wanted = _type_of(hint).name
                raise TypeError(f"{name} of a {type(self).__name__} is {wanted}, got {getattr(self, name)!r}") from None

    def to_json(self) -> dict[str, Json]:
        """The part as an object of its record."""
        return {own.name: _as_json(getattr(self, own.name)) for own in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def schema(cls) -> dict[str, Json]:
        """The JSON schema of such a part."""
        found: dict[str, Json] = {name: dict(_type_of(hint).schema) for name, hint in _hints(cls).items()}
        required: list[Json] = list(found)
        return {"type": "object", "properties": found, "required": required, "additionalProperties": False}


def _as_json(value: Any) -> Json:
    if isinstance(value, Part):
        return value.to_json()
    if isinstance(value, tuple):
        return [_as_json(entry) for entry in value]
    return str(value) if isinstance(value, Grade) else value


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _object(record: object) -> Mapping[str, object]:
    if not isinstance(record, Mapping) or not all(isinstance(name, str) for name in record):
        raise TypeError(f"a record of evidence is an object with named fields, got {type(record).__name__}")
    return record


@dataclass(frozen=True)
class _Type:
    """A type that a field may have: its JSON schema, its name in errors, and what takes a value or raises TypeError."""

    schema: Mapping[str, Json]
    name: str
    take: Callable[[object], object]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _finite(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _finite_or_none(value: object) -> float | None:
    return None if value is None else _finite(value)


def _grade(value: object) -> Grade:
    if value not in list(Grade):
        raise TypeError
    return Grade(_text(value))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) and entry.strip() for entry in value):
        raise TypeError
    return tuple(value)


def _two(value: object) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise TypeError
    return _finite(value[0]), _finite(value[1])


_TYPES: dict[object, _Type] = {
    str: _Type({"type": "string"}, "text", _text),
    bool: _Type({"type": "boolean"}, "a truth value", _truth),
    int: _Type({"type": "integer"}, "a whole number", _whole),
    float: _Type({"type": "number"}, "a finite number", _finite),
    float | None: _Type({"type": ["number", "null"]}, "a finite number or null", _finite_or_none),
    Grade: _Type({"type": "string"}, f"one of {', '.join(Grade)}", _grade),
    tuple[str, ...]: _Type({"type": "array", "items": {"type": "string", "pattern": r"\S"}}, "a list of texts", _texts),
    tuple[float, float]: _Type(
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}, "two finite numbers", _two
    ),
}


_KNOWN_HINTS: dict[type, dict[str, Any]] = {}


@cache
def _type_of(hint: object) -> _Type:
    """The type that a hint names; raises KeyError if no record can hold it."""
    if isinstance(hint, type) and issubclass(hint, Part):
        return _Type(hint.schema(), f"a {hint.__name__}", lambda value: _part(hint, value))
    if get_origin(hint) is tuple and isinstance(kind := get_args(hint)[0], type) and issubclass(kind, Part):
        return _Type(
            {"type": "array", "items": kind.schema()}, f"a list of {kind.__name__}", lambda value: _parts(kind, value)
        )
    return _TYPES[hint]


def _part(kind: type[Part], value: object) -> Part:
    if isinstance(value, kind):
        return value
    given = _object(value)
    if set(given) != {own.name for own in fields(kind)}:  # type: ignore[arg-type]
        raise TypeError
    return kind(**given)


def _parts(kind: type[Part], value: object) -> tuple[Part, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError
    return tuple(_part(kind, entry) for entry in value)


def _is_known(hint: object) -> bool:
    try:
        _type_of(hint)
    except (KeyError, TypeError):
        return False
    return True


def _hints(kind: type[Evidence] | type[Part]) -> dict[str, Any]:
    """The types of a class's fields, looked up once; raises TypeError for one that no record can hold."""
    if kind not in _KNOWN_HINTS:
        found = get_type_hints(kind)
        if odd := [own.name for own in fields(kind) if not _is_known(found[own.name])]:  # type: ignore[arg-type]
            possible = ", ".join(kept.name for kept in _TYPES.values())
            raise TypeError(f"{kind.__name__}.{odd[0]} is of a type that no record can hold; use {possible}")
        _KNOWN_HINTS[kind] = found
    return _KNOWN_HINTS[kind]


def _validated(piece: Evidence, name: str, metadata: Mapping[str, object]) -> object:
    value, kind = getattr(piece, name), _type_of(_hints(type(piece))[name])
    where = f"{name} of {_with_article(piece.noun)}"
    try:
        kept = kind.take(value)
    except TypeError:
        error = ValueError if isinstance(value, float) or name == "verdict" else TypeError
        raise error(f"{where} is {kind.name}, got {value!r}") from None
    if isinstance(kept, str) and not kept.strip() and not metadata.get("blank"):
        raise ValueError(f"{where} is blank; say it in words")
    minimum = metadata.get("minimum")
    if isinstance(minimum, int) and isinstance(kept, (int, float)) and kept < minimum:
        raise ValueError(f"{where} is at least {minimum}, got {value!r}")
    return kept
