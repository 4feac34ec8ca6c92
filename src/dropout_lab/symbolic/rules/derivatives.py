"""Rules about derivatives and limits: carried out, inside sums, of a function of which only properties are known."""

from __future__ import annotations

import sympy as sp

from dropout_lab.symbolic.binding import bound_symbols, put
from dropout_lab.symbolic.letters import Named, Unknown
from dropout_lab.symbolic.operators import Operator, SumOverMasks, Weight, mentions
from dropout_lab.symbolic.parts import walk
from dropout_lab.symbolic.rules.base import Context, rule

_x = sp.Symbol("x", positive=True)
_t = sp.Symbol("t", real=True)
_i, _k = sp.symbols("i k", integer=True, positive=True)
_n = sp.Symbol("n", integer=True, positive=True)
_a = sp.IndexedBase("a")
_plain = Context()


def _derivative_example() -> tuple[sp.Expr, Context]:
    return sp.Derivative(sp.Sum(_a[_i] ** 2, (_i, 1, _n)), _a[_k]), _plain


@rule(
    "derivative",
    r"The rules of differentiation: sum, product, chain rule and the derivatives of elementary functions; "
    r"$\partial a_i / \partial a_k = \delta_{ik}$.",
    example=_derivative_example,
)
def derivative(expression: sp.Expr, context: Context) -> sp.Expr:
    """Carry out derivatives, but not through a mean: that takes a rule of its own."""

    def change(part: sp.Basic) -> sp.Basic:
        if isinstance(part, sp.Subs):
            return _put_in(part, context)
        if not isinstance(part, sp.Derivative) or context.unknown(part.expr):
            return part
        if context.is_inert(part.expr, part.variables):
            return part
        return _differentiated(part)

    return walk(expression, change)


def _put_in(part: sp.Subs, context: Context) -> sp.Expr:
    """The value of a derivative at a point, once it is carried out; what a letter means is left alone."""
    inert = part.expr.atoms(Operator, Named, sp.Derivative, sp.Integral, sp.Limit)
    if any(context.varies(one, variable) for one in inert for variable in part.variables):
        return part
    return put(part.expr, dict(zip(part.variables, part.point, strict=True)))


def _differentiated(part: sp.Derivative) -> sp.Expr:
    value = part.expr
    for variable, count in part.variable_count:
        _check_index(variable, value)
        if any(sp.oo in limit for total in value.atoms(sp.Sum, sp.Product) for limit in total.limits):
            return part
        value = sp.diff(value, variable, count)
    return value


def _check_index(variable: sp.Expr, value: sp.Expr) -> None:
    if bound_symbols(value) & variable.free_symbols:
        raise ValueError(f"{variable} has the index of a sum in {value}; take a letter that is not summed over")


def _exchange_example() -> tuple[sp.Expr, Context]:
    return sp.Derivative(SumOverMasks(Weight() * _x**2), _x, evaluate=False), _plain


@rule(
    "linearity of the derivative",
    r"$\nabla \sum_r \pi_r f_r = \sum_r \pi_r \nabla f_r$: the derivative of a finite sum is the sum of the "
    r"derivatives, as long as the weights $\pi_r$ do not depend on what is differentiated by.",
    assumes=("fixed-rates",),
    example=_exchange_example,
)
def derivative_of_sum(expression: sp.Expr, context: Context) -> sp.Expr:
    """Take a derivative inside sums over indices and over masks; constant factors come out."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative):
            return part
        for variable in part.variables:
            _check_index(variable, part.expr)
            # The keep probability itself: the weights of the masks would have to be differentiated, too.
            if part.expr.has(Operator) and context.varies(Weight(), variable):
                return part
        return _inside(part.expr, part.variable_count)

    return walk(expression, change)


def _inside(expression: sp.Expr, variables: sp.Tuple) -> sp.Expr:
    def moves(part: sp.Basic) -> bool:
        return any(mentions(part, variable) for variable, _ in variables)

    if not moves(expression):
        return sp.Integer(0)
    if isinstance(expression, sp.Add):
        return sp.Add(*(_inside(part, variables) for part in expression.args))
    if isinstance(expression, SumOverMasks):
        return SumOverMasks(_inside(expression.args[0], variables))
    if isinstance(expression, sp.Sum) and not any(moves(limit) or sp.oo in limit for limit in expression.limits):
        return sp.Sum(_inside(expression.function, variables), *expression.limits)
    if isinstance(expression, sp.Mul):
        constant = [part for part in expression.args if not moves(part)]
        if constant:
            rest = sp.Mul(*(part for part in expression.args if moves(part)))
            return sp.Mul(*constant) * _inside(rest, variables)
    return sp.Derivative(expression, *variables, evaluate=False)


def _chain_example() -> tuple[sp.Expr, Context]:
    loss = Unknown("L", lambda x: x**3, properties=("differentiable",))
    return sp.Derivative(loss(_x**2), _x, evaluate=False), Context(unknowns=(loss,))


@rule(
    "chain rule",
    r"$\partial f(u)/\partial x = f'(u)\,\partial u/\partial x$ for a function $f$ that has a derivative; a constant "
    r"factor stays.",
    example=_chain_example,
)
def chain_rule(expression: sp.Expr, context: Context) -> sp.Expr:
    """Write the derivative of an unknown function as its slope, times the derivative of what stands in it."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Derivative):
            return part
        (variable, order), *more = part.variable_count
        if more or order != 1:
            return part
        factors = sp.Mul.make_args(part.expr)
        moving = [factor for factor in factors if context.varies(factor, variable)]
        outer = context.unknown(moving[0]) if len(moving) == 1 else None
        if outer is None or "differentiable" not in outer.properties or len(moving[0].args) != 1:
            return part
        constant, inside = sp.Mul(*(factor for factor in factors if factor is not moving[0])), moving[0].args[0]
        # As far as it goes, through functions of functions, so that both sides of a line are treated alike.
        return constant * outer.slope(inside) * change(sp.Derivative(inside, variable, evaluate=False))

    return walk(expression, change)


@rule(
    "limit",
    r"A limit carried out: the number that an expression comes as near to as one likes.",
    example=lambda: (sp.Limit(sp.sin(_x * _t) / _t, _t, 0), _plain),
)
def limit(expression: sp.Expr, context: Context) -> sp.Expr:
    """Carry out the limits that SymPy can evaluate."""

    def change(part: sp.Basic) -> sp.Basic:
        if not isinstance(part, sp.Limit) or context.is_inert(part.args[0], part.args[1:2]):
            return part
        done = part.doit()
        return part if done.has(sp.Limit) else done

    return walk(expression, change)
