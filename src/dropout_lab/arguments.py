"""The checks of arguments by the names that the caller knows: numbers, flags, tensors and models.

Numbers are Python's and NumPy's. A 0-d array or tensor is no number: ``.item()`` says what is meant.
"""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def real(name: str, value: Any) -> float:
    """``value`` as a float. Raises TypeError for what is not a real number (bool included).

    >>> import numpy as np
    >>> real("bound", np.float32(0.5))
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """``value`` as a float above 0. Raises as :func:`real` does, and ValueError for another number, inf and NaN.

    >>> positive("bound", 0)
    Traceback (most recent call last):
    ValueError: bound must be positive and finite, got 0
    """
    number = real(name, value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return number


def integer(name: str, value: Any, least: int | None = None) -> int:
    """``value`` as an int. Raises TypeError for what is no integer (bool included), ValueError below ``least``.

    >>> integer("samples", 1, least=2)
    Traceback (most recent call last):
    ValueError: samples must be at least 2, got 1
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return operator.index(value)


def flag(name: str, value: Any) -> bool:
    """``value``, if it is True or False; else TypeError.

    >>> flag("batched", True)
    True
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def complement(probability: float) -> float:
    """1 − ``probability``, as one would write it: 0.9 of 0.1, and 0.1 of 0.9, so that it is its own inverse.

    >>> 1 - 0.9, complement(0.9)
    (0.09999999999999998, 0.1)
    """
    return float(1 - Decimal(repr(float(probability))))


def floating(name: str, value: Any) -> Tensor:
    """``value``, if it is a floating point tensor; else TypeError.

    >>> floating("weight", [1.0])
    Traceback (most recent call last):
    TypeError: weight must be a floating point tensor, got list
    """
    from torch import Tensor

    if not isinstance(value, Tensor) or not value.is_floating_point():
        found = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating point tensor, got {found}")
    return value


def module(name: str, value: Any) -> Module:
    """``value``, if it is a ``torch.nn.Module``; else TypeError.

    >>> module("model", None)
    Traceback (most recent call last):
    TypeError: model must be a torch.nn.Module, got NoneType
    """
    from torch.nn import Module

    if not isinstance(value, Module):
        raise TypeError(f"{name} must be a torch.nn.Module, got {type(value).__name__}")
    return value
