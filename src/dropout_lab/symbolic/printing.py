"""The formulas of a chain in print, and words with formulas between them: LaTeX, and plain text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from dropout_lab.symbolic.letters import Named, plain
from dropout_lab.symbolic.operators import ImaginaryPart, Operator, ProductOverMasks, SumOverMasks


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

    def _print_Add(self, expression: sp.Add, order: Any = None) -> str:
        # What is added comes first, so that no line begins with a minus; SymPy's own order, otherwise.
        terms = self._as_ordered_terms(expression, order=order)
        terms.sort(key=lambda term: (_is_large(term), _is_negative(term)))
        if _is_negative(terms[0]):
            terms.sort(key=_is_negative)
        shown = ""
        for place, term in enumerate(terms):
            sign = ""
            if _is_negative(term):
                sign, term = ("- " if not place else " - "), -term
            elif place:
                sign = " + "
            text = self._print(term)
            shown += sign + (rf"\left({text}\right)" if isinstance(term, sp.Add) else text)
        return shown

    def _print_Mul(self, expression: sp.Mul) -> str:
        # SymPy prints 1/x as a product, too.
        if not isinstance(expression, sp.Mul):
            return str(super()._print_Mul(expression))
        if _is_negative(expression):
            return "- " + self._print_factor(-expression)
        large = [factor for factor in expression.args if _is_large(factor)]
        small = [factor for factor in expression.args if not _is_large(factor)]
        if not large or (not small and not any(isinstance(factor, sp.Derivative) for factor in large)):
            return super()._print_Mul(expression)
        *before, last = sorted(large, key=lambda part: (isinstance(part, sp.Derivative), isinstance(part, _LAST)))
        front = [] if not small else [self._print(sp.Mul(*small)) if len(small) > 1 else self._print_factor(small[0])]
        return " ".join([*front, *map(self._print_inside, before), self._print_factor(last)])

    def _needs_mul_brackets(self, expr: sp.Basic, first: bool = False, last: bool = False) -> bool:
        # What a letter stands for is not in print, and these have brackets of their own.
        if isinstance(expr, (Named, Operator, ImaginaryPart)):
            return False
        # A logarithm of one letter has no brackets of its own: what follows would be read as under it.
        if isinstance(expr, sp.log) and not last:
            return True
        return bool(super()._needs_mul_brackets(expr, first, last))

    def parenthesize(self, item: sp.Basic, level: int, is_neg: bool = False, strict: bool = False) -> str:
        """SymPy's brackets; a letter with a prime of its own is braced, or its power would be a second superscript."""
        shown = str(super().parenthesize(item, level, is_neg, strict))
        return f"{{{shown}}}" if isinstance(item, Named) and ("'" in shown or "^" in shown) else shown

    def _print_inside(self, factor: sp.Expr) -> str:
        """A factor that others follow: a derivative of what follows, too, would be another one."""
        text = self._print_factor(factor)
        return rf"\left({text}\right)" if isinstance(factor, sp.Derivative) else text

    def _print_factor(self, factor: sp.Expr) -> str:
        text = self._print(factor)
        return rf"\left({text}\right)" if isinstance(factor, sp.Add) else text

    def _print_Indexed(self, expression: sp.Indexed) -> str:
        base = self._print(expression.base)
        indices = [self._print(index) for index in expression.indices]
        joined = (
            "".join(indices) if all(index.is_Symbol and len(index.name) == 1 for index in expression.indices) else ","
        )
        return f"{base}_{{{joined if joined != ',' else ','.join(indices)}}}"

    def _print_log(self, expression: sp.log, exp: Any = None) -> str:
        inside = expression.args[0]
        simple = isinstance(inside, (sp.Symbol, sp.Indexed, Named))
        shown = self._print(inside) if simple else rf"\left({self._print(inside)}\right)"
        return rf"\log^{{{exp}}} {shown}" if exp else rf"\log {shown}"

    def _print_exp(self, expression: sp.exp) -> str:
        inside = expression.args[0]
        if _shows(inside, (sp.Sum,)):
            return rf"\exp\left({self._print(inside)}\right)"
        return rf"e^{{{self._print(inside)}}}"


#: What stretches to the right as far as it can stands last in a product.
_LAST = (sp.Sum, sp.Product, sp.Integral, SumOverMasks, ProductOverMasks)


def _is_large(factor: sp.Expr) -> bool:
    """Whether a factor is no part of a fraction in print: a sum, a mean, a derivative, a function of a sum."""
    return _shows(factor, (sp.Sum, sp.Integral, sp.Derivative, Operator)) and not (
        isinstance(factor, sp.Pow) and factor.exp.is_negative
    )


def _shows(expression: sp.Basic, kinds: tuple[type, ...]) -> bool:
    """Whether a part of one of these kinds is in print: not only in what a letter stands for."""
    parts = sp.preorder_traversal(expression)
    for part in parts:
        if isinstance(part, kinds):
            return True
        if isinstance(part, Named):
            parts.skip()
    return False


def _is_negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


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
    r"""LaTeX of a formula; the Greek letter epsilon is the same everywhere.

    >>> print(printed(sp.Symbol("epsilon")))
    \varepsilon
    """
    return re.sub(r"\\epsilon(?![a-zA-Z])", r"\\varepsilon", _Printer({"fold_short_frac": False}).doprint(expression))


def in_text(formula: sp.Basic) -> str:
    """A formula as plain text; an equation with its sign.

    >>> in_text(sp.Eq(sp.Symbol("v"), 2))
    'v = 2'
    """
    return " = ".join(map(sp.sstr, formula.args)) if isinstance(formula, sp.Eq) else sp.sstr(formula)


#: What LaTeX of a short formula becomes in plain text, one after the other; letters are left to :func:`plain`.
_AS_TEXT = (
    (r"\\(?:left|right)(?![a-z])", ""),
    (r"\\math\w+\{(\w+)\}|\\operatorname\{(\w+)\}", r"\1\2"),
    (r"\\tfrac\s*(\d)\s*(\d)", r"\1/\2"),
    (r"\^\{?2\}?(?!\w)", "²"),
    (r"\^\{?3\}?(?!\w)", "³"),
    (r"_\{(\w+)\}", r"_\1"),
    (r"_\{([^{}]* [^{}]*)\}", r"_(\1)"),
    (r"\\d?frac\{([^{} ]*)\}\{([^{} ]*)\}", r"\1/\2"),
    (r"\\d?frac\{([^{} ]*)\}\{([^{}]*)\}", r"\1/(\2)"),
    (r"\\d?frac\{([^{}]*)\}\{([^{} ]*)\}", r"(\1)/\2"),
    (r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)"),
    (r"\\infty", "∞"),
    (r"\\Vert|\\\|", "‖"),
    (r"\\log", "log "),
    (r"\\[,;: ]", " "),
    ("[{}]", ""),
    (" +", " "),
    ("-", "−"),
)


@lru_cache(maxsize=1 << 10)
def in_words(title: str) -> str:
    r"""A title with formulas between dollars as plain text.

    >>> print(in_words(r"substitution $s = \frac{1}{2 t^{2}} - \frac{1}{2}$"))
    substitution s = 1/(2 t²) − 1/2
    >>> print(in_words(r"the mask $r_{1}$ is 1 or 0"))
    the mask r_1 is 1 or 0
    """
    return re.sub(r"\$([^$]+)\$", lambda found: _formula_in_words(found[1]), title)


def _formula_in_words(latex: str) -> str:
    for pattern, shown in _AS_TEXT:
        latex = re.sub(pattern, shown, latex)
    return plain(latex).strip()
