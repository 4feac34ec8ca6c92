"""Exact averages over a finite joint distribution of the masks at given numbers: for counterexamples and falsifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import sympy as sp

from dropout_lab.symbolic.masks import Masks, as_families, mask_assignments
from dropout_lab.symbolic.sums import evaluated


def enumerated(
    expression: sp.Expr,
    masks: Masks | tuple[Masks, ...],
    values: Mapping[sp.Basic, Any],
    *,
    joint: Mapping[tuple[int, ...], Any] | None = None,
) -> sp.Expr:
    """Average an expression over all masks at given numbers, exactly.

    The expression need not be a polynomial in the masks, and the masks need not be independent.

    Parameters
    ----------
    masks:
        One family of masks or a tuple of them, each of symbolic or integer size.
    values:
        A number for each free symbol, the sizes too, and for each :class:`sympy.IndexedBase` a sequence, whose first
        entry has the index 1 (a sequence of rows for two indices). Exact numbers (integers, SymPy rationals) keep the
        result exact.
    joint:
        The joint law of the masks: a map from outcomes to probabilities. An outcome is a tuple of zeros and ones in the
        order of the index (row by row for masks with two indices, one family after the other). Outcomes left out have
        probability 0. Without it, the masks are independent with the keep probabilities of their family.

    Raises :class:`ValueError` for a missing value, a sequence that is too short, or a joint law whose probabilities are
    negative or do not sum to 1.

    >>> r = Masks(size=2, keep_prob=sp.Rational(1, 2))
    >>> enumerated(r[1] * r[2], r, {})
    1/4
    >>> enumerated(r[1] * r[2], r, {}, joint={(1, 1): sp.Rational(1, 2), (0, 0): sp.Rational(1, 2)})
    1/2
    """
    families = as_families(masks)
    substitute = _Values(values)
    single = [mask for family in families for mask in _single_masks(family, substitute)]
    concrete = substitute(expression, keep={family.base for family in families})
    outcomes: Iterable[tuple[sp.Expr, dict]]
    if joint is None:
        used = sorted(concrete.atoms(sp.Indexed), key=str)
        _check_known(used, single)
        outcomes = mask_assignments(used, families, substitute)
    else:
        _check_known(concrete.atoms(sp.Indexed), single)
        outcomes = _joint_outcomes(single, joint)
    return sp.Add(*[weight * sp.sympify(concrete.xreplace(outcome)).doit() for weight, outcome in outcomes])


class _Values:
    """The reader's numbers put in place of symbols and indexed values, with every sum written out."""

    def __init__(self, values: Mapping[sp.Basic, Any]):
        for name in values:
            if not isinstance(name, (sp.Symbol, sp.IndexedBase)):
                raise TypeError(f"values are given for symbols and IndexedBase, got one for {name!r}")
        self._indexed = {name: value for name, value in values.items() if isinstance(name, sp.IndexedBase)}
        self._scalars = {name: sp.sympify(value) for name, value in values.items() if isinstance(name, sp.Symbol)}

    def __call__(self, expression: sp.Expr, keep: frozenset | set = frozenset()) -> sp.Expr:
        expression = sp.sympify(expression)
        scalars = [symbol for symbol in expression.free_symbols if _is_scalar(symbol, expression)]
        missing = sorted(str(symbol) for symbol in scalars if symbol not in self._scalars)
        if missing:
            raise ValueError(f"no value for {', '.join(missing)} in {expression}")
        concrete = evaluated(expression.xreplace({symbol: self._scalars[symbol] for symbol in scalars}))
        parts = [part for part in concrete.atoms(sp.Indexed) if part.base not in keep]
        return sp.sympify(concrete.xreplace({part: self._entry(part) for part in parts}))

    def _entry(self, part: sp.Indexed) -> sp.Expr:
        if part.base not in self._indexed:
            raise ValueError(f"no values for {part.base}, which are needed for {part}")
        entry: Any = self._indexed[part.base]
        for index in part.indices:
            if not (isinstance(entry, Sequence) and index.is_Integer and 1 <= index <= len(entry)):
                raise ValueError(f"{part} is not among the values of {part.base}: {self._indexed[part.base]}")
            entry = entry[int(index) - 1]
        return sp.sympify(entry)


def _single_masks(family: Masks, substitute: _Values) -> list[sp.Indexed]:
    sizes = [substitute(extent) for extent in family.size]
    if not all(size.is_Integer and size > 0 for size in sizes):
        raise ValueError(f"the masks {family.base} have the size {sizes}; expected positive integers")
    return [family.base[index] for index in product(*[[sp.Integer(k + 1) for k in range(int(size))] for size in sizes])]


def _check_known(used: Iterable[sp.Indexed], single: list[sp.Indexed]) -> None:
    unknown = sorted(str(mask) for mask in set(used) - set(single))
    if unknown:
        raise ValueError(f"there are no masks {', '.join(unknown)}; the masks are {', '.join(map(str, single))}")


def _joint_outcomes(single: list[sp.Indexed], joint: Mapping[tuple[int, ...], Any]) -> list[tuple[sp.Expr, dict]]:
    outcomes = []
    for outcome, probability in joint.items():
        weight = sp.sympify(probability)
        if len(outcome) != len(single) or any(bit not in (0, 1) for bit in outcome):
            raise ValueError(f"an outcome is a tuple of {len(single)} zeros and ones, for {single}; got {outcome}")
        if not (weight.is_number and weight >= 0):
            raise ValueError(f"the outcome {outcome} has the probability {probability}; expected a number, 0 or more")
        outcomes.append((weight, dict(zip(single, map(sp.Integer, outcome), strict=True))))
    total = sp.Add(*[weight for weight, _ in outcomes])
    if sp.simplify(total - 1) != 0:
        raise ValueError(f"the probabilities of the joint law sum to {total}; expected 1")
    return outcomes


def _is_scalar(symbol: sp.Basic, expression: sp.Expr) -> bool:
    """Whether a free symbol of the expression stands for a number, and is not the letter of indexed values."""
    labels = {label for part in expression.atoms(sp.IndexedBase) for label in (part, part.label)}
    return isinstance(symbol, sp.Symbol) and symbol not in labels
