"""Letters for lines that follow or do not, and the question whether rules lead from one to the other."""

import sympy as sp

from dropout_lab.symbolic import (
    Chain,
    Definition,
    Masks,
    Mean,
    Unknown,
)

E, Sum = Mean, sp.Sum
n, m, N, K = sp.symbols("n m N K", integer=True, positive=True)
i, j, k, l_ = sp.symbols("i j k l", integer=True, positive=True)
p = sp.Symbol("p", positive=True)
x, y, t, s = sp.symbols("x y t s", real=True)
u = sp.Symbol("u", positive=True)
a, b, c, w = (sp.IndexedBase(letter) for letter in "abcw")
A = sp.IndexedBase("A")
r, R, half = Masks(n, p), Masks((n, m), p, "R"), Masks(n, sp.Rational(1, 2))
S = Definition("S", Sum(w[i] * r[i], (i, 1, n)))
z = Definition("z_{{0}}", r[i] * a[i] + 1, (i,))
square = Unknown("f", lambda z: z**2, properties=("convex",))
plain = Unknown("g", lambda z: z)


def accepted(before, after, *rules, relation="=", masks=r, distinct=(), unknowns=(square, plain), definitions=(S,)):
    """Whether the rules lead from one expression to the other; a rule may also say why it can't."""
    chain = Chain(sp.Symbol("start"), masks=masks, distinct=distinct, unknowns=unknowns, definitions=definitions)
    try:
        return chain.follows(sp.sympify(before), sp.sympify(after), rules, relation)
    except ValueError:
        return False


def der(f, by):
    return sp.Derivative(f, by, evaluate=False)
