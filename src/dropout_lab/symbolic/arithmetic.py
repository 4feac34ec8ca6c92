"""Numbers of three kinds in which lines are evaluated: exact fractions, floating point, and 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

#: Decimal digits of everything that has no exact value.
DIGITS = 50


class NotExact(ArithmeticError):
    """A line has no value in exact fractions."""


class Arithmetic:
    """Numbers of one kind: how constants become such numbers, and the functions that exist for them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def number(self, value: sp.Expr | Fraction) -> Any:
        """A constant as a number of this kind."""
        if isinstance(value, Fraction):
            rational = value
        elif value in (sp.oo, -sp.oo):
            return mpmath.inf if value > 0 else -mpmath.inf
        elif value.is_Rational:
            rational = Fraction(int(value.p), int(value.q))
        elif self.name == "exact":
            raise NotExact(f"{value} is no fraction")
        elif self.name == "float":
            constant = complex(value)
            return constant.real if constant.imag == 0 else constant
        else:
            return mpmath.mpmathify(sp.N(value, DIGITS + 10))
        if self.name == "exact":
            return rational
        if self.name == "float":
            return rational.numerator / rational.denominator
        return mpmath.mpf(rational.numerator) / rational.denominator

    def function(self, name: str) -> Callable[..., Any]:
        """An elementary function."""
        if name in _PIECEWISE:
            return _PIECEWISE[name]
        if self.name == "exact":
            raise NotExact(f"{name} has no exact values")
        found = getattr(mpmath, name, None)
        if found is None:
            raise NotImplementedError(f"there is no way to compute {name}")
        if self.name == "float" and hasattr(math, name):
            plain = getattr(math, name)

            def quick(*arguments: Any) -> Any:
                # Under an integral, where values may be too large for floating point.
                if any(isinstance(argument, (mpmath.mpf, mpmath.mpc)) for argument in arguments):
                    return found(*arguments)
                if any(isinstance(argument, complex) for argument in arguments):
                    return complex(found(*arguments))
                try:
                    return plain(*arguments)
                except (ValueError, OverflowError):
                    return _as_python(found(*arguments))

            return quick
        if self.name == "float":
            return lambda *arguments: _as_python(found(*arguments))
        return found

    def power(self, base: Any, exponent: Any) -> Any:
        """A power; exact for integer exponents only."""
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            exponent = exponent.numerator
        if isinstance(exponent, int):
            return base**exponent
        if self.name == "exact":
            raise NotExact("a root or a power of fractions is no fraction")
        if self.name == "float":
            if (isinstance(base, float) and base < 0) or isinstance(base, complex) or isinstance(exponent, complex):
                return complex(base) ** exponent
            return base**exponent
        return mpmath.power(base, exponent)


def _as_python(value: Any) -> Any:
    return complex(value) if isinstance(value, mpmath.mpc) else float(value)


_PIECEWISE: dict[str, Callable[..., Any]] = {
    "Abs": abs,
    "Max": max,
    "Min": min,
    "sign": lambda value: (value > 0) - (value < 0),
    "Heaviside": lambda value, *at_zero: 1 if value > 0 else (Fraction(1, 2) if value == 0 else 0),
    "re": lambda value: value.real if isinstance(value, (complex, mpmath.mpc)) else value,
    "im": lambda value: value.imag if isinstance(value, (complex, mpmath.mpc)) else 0,
}
EXACT, FLOAT, PRECISE = (Arithmetic(name) for name in ("exact", "float", "precise"))


def pretty(value: Any) -> str:
    """A value for the page: a fraction as it is, anything else with eight digits."""
    if isinstance(value, (int, Fraction)):
        return str(value)
    return mpmath.nstr(mpmath.mpmathify(value), 8)


def closeness(one: Any, other: Any) -> float:
    """The difference of two values relative to the larger one (to 1 for small ones)."""
    with mpmath.workdps(DIGITS):
        first, second = inexact(one), inexact(other)
        return float(abs(first - second) / max(1, abs(first), abs(second)))


def difference(one: Any, other: Any) -> Any:
    """``one`` − ``other``, exact for two fractions."""
    if isinstance(one, (int, Fraction)) and isinstance(other, (int, Fraction)):
        return one - other
    with mpmath.workdps(DIGITS):
        return inexact(one) - inexact(other)


def inexact(value: Any) -> Any:
    """A value with 50 digits."""
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / value.denominator
    return mpmath.mpmathify(value)
