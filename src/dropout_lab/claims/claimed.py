"""What a claim gives in a counterexample: a formula of the source's words, evaluated at the case.

A number that somebody typed in claims nothing, and neither does a formula that gives one number whatever its symbols
are. So a formula here has free symbols on which it depends, and it says how they make the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import sympy as sp
from sympy.matrices.matrixbase import MatrixBase

from dropout_lab.claims.comparison import NotANumber, differ, number
from dropout_lab.symbolic.enumeration import enumerated
from dropout_lab.symbolic.masks import Masks
from dropout_lab.symbolic.printing import printed

#: A formula of the source holds no masks; this stands for them in its evaluation.
_NO_MASKS = Masks(size=1, keep_prob=sp.Rational(1, 2), name="no_masks")
#: So much is added to a value to see whether a formula depends on it; the large steps cross kinks.
_STEPS = (1, -1, 10, -10)
#: More values than this are not written out in print.
_SHOWN = 6
_HOW = "give what the source says as a formula of free symbols, and the symbols' values in at"


@dataclass(frozen=True)
class Claimed:
    """A formula at a case: its ``value``, a number or nested lists of numbers, and the LaTeX of both."""

    value: object
    formula: str
    at: str


def claimed_at(formula: object, at: Mapping[Any, Any]) -> Claimed:
    """Evaluate a formula, or nested lists or a matrix of formulas, with the values ``at`` the case.

    ``at`` has a number for each free symbol and a sequence for each :class:`sympy.IndexedBase`, whose first entry has
    the index 1. Raises :class:`ValueError` for an entry that is a literal, gives one number whatever its symbols are,
    or is nothing but a symbol (with or without a number as factor or summand); for values that are missing or not
    needed; TypeError for what is no formula.

    Example
    -------
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> claimed_at(2**n, {n: 8})
    Claimed(value=256, formula='2^{n}', at='n = 8')
    >>> claimed_at(sp.Integer(256), {})
    Traceback (most recent call last):
    ...
    ValueError: claimed is the literal 256; give what the source says as a formula of free symbols, and the symbols' \
values in at
    """
    if not isinstance(at, Mapping):
        raise TypeError(f"at is a mapping of symbols to values, got {at!r}")
    if odd := [name for name in at if not isinstance(name, (sp.Symbol, sp.IndexedBase))]:
        raise TypeError(f"at gives values for symbols and IndexedBase, got one for {odd[0]!r}")
    listed = _listed(formula)
    values = {name: _mapped(_listed(value), lambda entry: sp.sympify(number(entry))) for name, value in at.items()}
    entries = list(_leaves(listed))
    if not entries:
        raise ValueError(f"claimed is empty; {_HOW}")
    for entry in entries:
        _check_kind(entry)
    used = set().union(*(entry.free_symbols | entry.atoms(sp.IndexedBase) for entry in entries))
    if needless := [str(name) for name in values if name not in used]:
        raise ValueError(f"claimed does not depend on {', '.join(needless)}, for which at has a value")
    found = _mapped(listed, lambda entry: _checked_value(entry, values))
    shown = ", ".join(
        f"{printed(getattr(name, 'label', name))} = {_print_value(value)}" for name, value in values.items()
    )
    return Claimed(found, _print(listed), shown)


def _check_kind(entry: object) -> None:
    if not isinstance(entry, sp.Expr):
        try:
            number(entry)
        except NotANumber:
            raise
        except TypeError:
            raise TypeError(f"claimed is no formula but {entry!r} of type {type(entry).__name__}; {_HOW}") from None
        raise ValueError(f"claimed is the literal {entry}; {_HOW}")
    if not entry.free_symbols:
        raise ValueError(f"claimed is the literal {entry}; {_HOW}")
    if _is_one_symbol(entry):
        raise ValueError(f"claimed is {entry}, a number by another name; {_HOW}")


def _is_one_symbol(entry: sp.Expr) -> bool:
    """Whether an expression is a symbol or one indexed value, times a number, plus a number."""
    summand = entry.as_independent(*entry.free_symbols, as_Add=True)[1]
    factor = summand.as_independent(*summand.free_symbols, as_Add=False)[1]
    return isinstance(factor, (sp.Symbol, sp.Indexed))


def _checked_value(entry: sp.Expr, values: Mapping[Any, Any]) -> sp.Expr | float:
    value = _value(entry, values)
    if not any(_changes(entry, value, other) for other in _elsewhere(values)):
        raise ValueError(f"claimed is {value} whatever the symbols of {entry} are, so it is a literal; {_HOW}")
    return float(value) if value.has(sp.Float) and value.is_real else value


def _value(entry: sp.Expr, values: Mapping[Any, Any]) -> sp.Expr:
    found = enumerated(entry, _NO_MASKS, values)
    number(found)
    return found


def _changes(entry: sp.Expr, value: sp.Expr, other: Mapping[Any, Any]) -> bool:
    try:
        return differ(value, _value(entry, other))
    except (ValueError, TypeError, ArithmeticError):
        return False


def _elsewhere(values: Mapping[Any, Any]) -> Iterator[dict[Any, Any]]:
    """The values with one of them changed, be it a number or an entry of a sequence."""
    for name, value in values.items():
        for place in range(len(list(_leaves(value)))):
            yield from ({**values, name: _shifted(value, place, step)} for step in _STEPS)


def _shifted(value: Any, place: int, step: int) -> Any:
    """A number, or nested lists with one entry, counted through all of them, that is larger by a step."""
    numbered = count()
    return _mapped(value, lambda entry: entry + step if next(numbered) == place else entry)


def _listed(value: Any) -> Any:
    if isinstance(value, (sp.Basic, str)) and not isinstance(value, MatrixBase):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _leaves(value: Any) -> Iterator[Any]:
    return chain.from_iterable(map(_leaves, value)) if isinstance(value, list) else iter([value])


def _mapped(value: Any, function: Any) -> Any:
    return [_mapped(entry, function) for entry in value] if isinstance(value, list) else function(value)


def _print(value: Any) -> str:
    if isinstance(value, list):
        return rf"\left({', '.join(map(_print, value))}\right)"
    return printed(value)


def _print_value(value: Any) -> str:
    if not isinstance(value, list):
        return f"{float(value):.4g}" if isinstance(value, sp.Float) else printed(value)
    shown = [_print_value(entry) for entry in value]
    if len(shown) > _SHOWN:
        shown[3:-1] = [r"\dots"]
    return rf"\left({', '.join(shown)}\right)"
