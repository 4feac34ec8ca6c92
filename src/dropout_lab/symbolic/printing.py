"""LaTeX of the formulas of a chain."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter


class _Printer(LatexPrinter):
    """SymPy's printer, but for sums over different indices and nested sums over one range."""

    def _print_Sum(self, expression: sp.Sum) -> str:
        function, limits = expression.function, list(expression.limits)
        unequal = [factor for factor in sp.Mul.make_args(function) if _is_unequal(factor)]
        conditions = []
        for factor in unequal:
            i, j = _pair(factor)
            ends = [limit for limit in limits if limit[0] in (i, j)]
            if len(ends) == 2 and ends[0][1:] == ends[1][1:]:
                conditions.append(rf"{self._print(ends[0][0])} \ne {self._print(ends[1][0])}")
                function = sp.Mul(*(other for other in sp.Mul.make_args(function) if other != factor))
                limits = [limit for limit in limits if limit not in ends]
        signs = [rf"\sum_{{{condition}}}" for condition in conditions]
        for ends in _by_range(limits):
            letters = ", ".join(self._print(limit[0]) for limit in ends)
            low, high = self._print(ends[0][1]), self._print(ends[0][2])
            signs.insert(0, rf"\sum_{{{letters}={low}}}^{{{high}}}")
        body = self._print(function)
        if isinstance(function, sp.Add):
            body = rf"\left({body}\right)"
        return " ".join([*signs, body])

    def _print_Indexed(self, expression: sp.Indexed) -> str:
        base = self._print(expression.base)
        indices = [self._print(index) for index in expression.indices]
        joined = "".join(indices) if all(index.is_Symbol and len(index.name) == 1 for index in expression.indices) else ","
        return f"{base}_{{{joined if joined != ',' else ','.join(indices)}}}"

    def _print_exp(self, expression: sp.exp) -> str:
        inside = expression.args[0]
        if inside.has(sp.Sum):
            return rf"\exp\left({self._print(inside)}\right)"
        return rf"e^{{{self._print(inside)}}}"


def _is_unequal(factor: sp.Expr) -> bool:
    return isinstance(factor, sp.Add) and factor == 1 - next(iter(factor.atoms(sp.KroneckerDelta)), sp.nan)


def _pair(factor: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    delta = next(iter(factor.atoms(sp.KroneckerDelta)))
    return delta.args[0], delta.args[1]


def _by_range(limits: list[Any]) -> list[list[Any]]:
    groups: dict[tuple, list[Any]] = {}
    for limit in limits:
        groups.setdefault(tuple(limit[1:]), []).append(limit)
    return list(groups.values())


def printed(expression: sp.Basic) -> str:
    """LaTeX of a formula."""
    return _Printer({"fold_short_frac": False, "order": "none"}).doprint(expression)
