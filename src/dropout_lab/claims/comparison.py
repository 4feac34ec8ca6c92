"""Numbers that evidence rests on: what counts as one, how far two of them are apart, and how they are written.

A number here is finite. A NaN, an infinity or a text is refused wherever it stands and whatever its type: Python's
numbers, NumPy's, SymPy's, :class:`decimal.Decimal`, and the scalars and tensors of torch, which is never imported.
"""

from __future__ import annotations

import math
import operator
import re
from decimal import Decimal
from fractions import Fraction
from numbers import Complex, Rational, Real
from typing import NoReturn, Protocol, TypeAlias, runtime_checkable

import mpmath
import numpy as np
import sympy
from sympy.logic.boolalg import BooleanAtom

#: A number that can be compared: exact (a fraction, a SymPy expression) or rounded (a float, a complex number).
Number: TypeAlias = "Fraction | float | complex | sympy.Expr"

#: Two numbers closer than this, relative to the larger one if that is above 1, are the same to a refutation that is not
#: exact.
SAME = 1e-9
#: Decimal digits in which two irrational numbers are compared, and what is nothing but their rounding.
_DIGITS, _NOTHING = 50, 1e-30
#: SymPy's values and ranges that are no number.
_NO_NUMBERS = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)


class NotANumber(ValueError):
    """A value that has to be a finite number is a NaN or infinite."""


@runtime_checkable
class _Listed(Protocol):
    def tolist(self) -> object: ...


@runtime_checkable
class _Scalar(Protocol):
    def item(self) -> object: ...


def number(value: object) -> Number:
    """The number that a value is: exact if its type is, else a float or a complex number.

    Raises :class:`TypeError` for what is no number, and :class:`NotANumber` for a NaN or an infinite one.

    Example
    -------
    >>> number(Decimal("0.5")), number(np.float32(0.5)), number(True)
    (Fraction(1, 2), 0.5, Fraction(1, 1))
    >>> number(sympy.nan)
    Traceback (most recent call last):
    ...
    dropout_lab.claims.comparison.NotANumber: nan is NaN or infinite; expected a finite number
    """
    if isinstance(value, (bool, np.bool_, BooleanAtom)):
        return Fraction(int(bool(value)))
    if isinstance(value, sympy.Expr):
        return _symbolic(value)
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else _refuse(value)
    if isinstance(value, Real):
        return _real(value)
    if isinstance(value, Complex):
        return complex(value) if np.isfinite(complex(value)) else _refuse(value)
    if isinstance(value, _Scalar):
        try:
            return number(value.item())
        except (RuntimeError, ValueError) as error:
            if isinstance(error, NotANumber):
                raise
            raise TypeError(f"{value!r} is not one number") from None
    if isinstance(value, (mpmath.mpf, mpmath.mpc)):
        return number(sympy.sympify(value))
    raise TypeError(f"{value!r} is not a number but of type {type(value).__name__}")


def real(value: object, name: str) -> float:
    """A finite real number as a float; ``name`` says in errors what it is, and a truth value is none."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is a number, got the truth value {value!r}")
    try:
        found = number(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except NotANumber as error:
        raise NotANumber(f"{name}: {error}") from None
    if isinstance(found, complex) or (isinstance(found, sympy.Expr) and not found.is_extended_real):
        raise TypeError(f"{name} is a real number, got {value!r}")
    as_float = _as_float(found)
    if not math.isfinite(as_float):
        raise NotANumber(f"{name}: {value} is beyond the range of a float")
    return as_float


def count(value: object, name: str, least: int = 1) -> int:
    """A whole number of things, at least ``least``; a truth value or a float is none."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is a whole number, got the truth value {value!r}")
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is a whole number, got {value!r} of type {type(value).__name__}") from None
    if found < least:
        raise ValueError(f"{name} is at least {least}, got {value!r}")
    return int(found)


def largest_difference(one: object, other: object) -> float:
    """The largest difference of two numbers, or of two arrays of one shape, entry by entry.

    Exact numbers are subtracted exactly: the result is 0 only if they are all equal. Raises ValueError for shapes that
    differ and for empty arrays, and what :func:`number` raises.

    Example
    -------
    >>> largest_difference([Fraction(1, 3), 0.5], [sympy.Rational(1, 3), sympy.Rational(1, 2)])
    0.0
    """
    gaps = [_gap(a, b) for a, b in _pairs(one, other)]
    return max(map(_as_float, gaps))


def differ(one: object, other: object) -> bool:
    """Whether two numbers or arrays differ somewhere: exactly, or by more than rounding where one of them is rounded.

    Raises as :func:`largest_difference` does.
    """
    return any(_differs(a, b) for a, b in _pairs(one, other))


def written(value: object, digits: int = 4) -> str:
    """A number or an array as text: exact ones as they are, others with this many decimal places.

    Example
    -------
    >>> written(Fraction(1, 4)), written([3, -2]), written(0.64181)
    ('1/4', '[ 3, -2]', '0.6418')
    """
    if isinstance(value, (sympy.Expr, Rational)) and not isinstance(value, bool):
        return str(value)
    floats = np.array([complex(number(entry)) for entry in _array(value).flat]).reshape(_array(value).shape)
    shown = floats.real if not floats.imag.any() else floats
    text = np.array2string(shown, precision=digits, separator=", ", suppress_small=True)
    return re.sub(r"(?<=\d)\.(?!\d)", "", text)


def _pairs(one: object, other: object) -> list[tuple[Number, Number]]:
    first, second = _array(one), _array(other)
    if first.shape != second.shape:
        raise ValueError(f"the two sides have shapes {first.shape} and {second.shape}; expected one shape")
    if first.size == 0:
        raise ValueError("there is nothing to compare, the arrays are empty")
    return [(number(a), number(b)) for a, b in zip(first.flat, second.flat, strict=True)]


def _array(value: object) -> np.ndarray:
    """The entries of a number, an array, a tensor or a nested list, each as an object of its own type."""
    return np.asarray(_listed(value), dtype=object)


def _listed(value: object) -> object:
    if isinstance(value, _Listed):
        return value.tolist()
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _real(value: Real) -> Number:
    ratio = getattr(value, "as_integer_ratio", None)
    try:
        exact = Fraction(*map(int, ratio())) if ratio else Fraction(float(value))
    except (ValueError, OverflowError):
        _refuse(value)
    # NumPy's long double holds more than a float.
    return float(value) if float(value) == exact else exact


def _symbolic(value: sympy.Expr) -> Number:
    if not value.is_number:
        unknown = value.free_symbols or "what is not evaluated"
        raise TypeError(f"{value} is not a number; substitute values for {unknown}")
    if value.is_Rational:
        return Fraction(int(value.p), int(value.q))
    try:
        approximate = value.evalf(_DIGITS)
    except (ValueError, ArithmeticError) as error:
        raise NotANumber(f"SymPy finds no finite value of {value}: {error}") from error
    if approximate.has(*_NO_NUMBERS):
        _refuse(value)
    if not all(part.is_Float or part.is_Rational for part in approximate.as_real_imag()):
        raise TypeError(f"SymPy finds no numerical value of {value}")
    return value


def _refuse(value: object) -> NoReturn:
    raise NotANumber(f"{value} is NaN or infinite; expected a finite number")


def _as_float(value: Fraction | float | sympy.Expr) -> float:
    """The nearest float, but for what a float cannot hold: too large is infinite, and too small is not zero."""
    try:
        rounded = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return rounded if rounded or value == 0 else math.copysign(float(np.finfo(float).tiny), 1 if value > 0 else -1)


def _exact(value: Number) -> bool:
    return isinstance(value, Fraction) or (isinstance(value, sympy.Expr) and not value.has(sympy.Float))


def _gap(one: Number, other: Number) -> Fraction | float:
    if isinstance(one, (Fraction, float)) and isinstance(other, (Fraction, float)):
        if isinstance(one, float) and isinstance(other, float):
            return abs(one - other)
        return abs(Fraction(one) - Fraction(other))
    if isinstance(one, sympy.Expr) or isinstance(other, sympy.Expr):
        return _symbolic_gap(_as_expression(one), _as_expression(other))
    return abs(complex(one) - complex(other))


def _symbolic_gap(one: sympy.Expr, other: sympy.Expr) -> float:
    difference = one - other
    if difference == 0:
        return 0.0
    size = abs(complex(difference.evalf(_DIGITS)))
    if size > _NOTHING or not (_exact(one) and _exact(other)):
        return size
    return 0.0 if sympy.simplify(difference) == 0 else max(size, float(np.finfo(float).tiny))


def _as_expression(value: Number) -> sympy.Expr:
    if isinstance(value, complex):
        return _as_expression(value.real) + sympy.I * _as_expression(value.imag)
    if isinstance(value, (Fraction, float)):
        fraction = Fraction(value)
        return sympy.Rational(fraction.numerator, fraction.denominator)
    return value


def _differs(one: Number, other: Number) -> bool:
    gap = _gap(one, other)
    if _exact(one) and _exact(other):
        return gap > (0 if isinstance(gap, Fraction) else _NOTHING)
    return gap > SAME * max(1.0, abs(complex(one)), abs(complex(other)))
