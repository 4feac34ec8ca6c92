"""What ``check`` says of right answers, of slips, and of things that are no answers at all."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch

from dropout_lab.exercises import EXERCISES, QUIZZES, Array, Choice, Formula, Function, Number, Proof, check, slips
from dropout_lab.exercises.verdict import MIME_TYPE

#: Declared without assumptions, as a reader would: letters count by their names.
p, n, k, i = sp.symbols("p n k i")
h = sp.IndexedBase("h")


def own_slips():
    """Each slip of each entry of the key that has slips of its own."""
    for name, entry in EXERCISES.items():
        for slip, wrong in getattr(entry.answer, "slips", {}).items():
            yield pytest.param(name, slip, wrong, id=f"{name}: {slip}")


def of_kind(kind):
    return [name for name, entry in EXERCISES.items() if isinstance(entry.answer, kind)]


@pytest.mark.parametrize("name", of_kind((Formula, Number)))
def test_the_computed_answer_is_right_and_slips_are_named(name):
    answer = EXERCISES[name].answer
    right = answer.right()
    assert check(name, right)
    assert str(check(name, right)) == "Right."
    assert str(check(name, -right)) == f"Not yet: {slips.SIGN}."
    # Each slip that the key can think of is refused, unless it is the right answer after all, as with p = 1/2.
    told = 0
    if isinstance(answer, Formula):
        for _, wrong in slips.of_expression(right):
            verdict = check(name, wrong)
            same = sp.simplify(wrong - right) == 0
            assert bool(verdict) == same, wrong
            told += not same
    else:
        for _, wrong in slips.of_number(float(right), answer.keep_prob):
            assert bool(check(name, wrong)) == math.isclose(wrong, float(right), rel_tol=1e-3), wrong
            told += 1
    assert told >= 5


@pytest.mark.parametrize("name", of_kind(Array))
def test_arrays_are_right_and_slips_are_named(name):
    answer = EXERCISES[name].answer
    right = answer.right(answer.keep_prob or 1.0)
    assert check(name, right) and check(name, right.numpy()) and check(name, right.tolist())
    assert slips.SIGN in str(check(name, -right))
    assert "the shape" in str(check(name, right[:-1]))
    assert "the shape" in str(check(name, right[None]))
    wrong = right.clone()
    wrong[0] += 1
    assert f"1 of its {len(right)} entries" in str(check(name, wrong))


@pytest.mark.parametrize("name", of_kind(Function))
def test_functions_are_right_and_nothing_else_is(name):
    answer = EXERCISES[name].answer
    assert check(name, answer.right)
    assert slips.SIGN in str(check(name, lambda *call: -answer.right(*call)))
    assert "the shape" in str(check(name, lambda *call: answer.right(*call)[None]))
    assert "raises ZeroDivisionError" in str(check(name, lambda *call: 1 / 0))
    assert not check(name, lambda *call: answer.right(*call) + 0.01)
    assert not check(name, lambda *call: answer.right(*call) * math.nan)
    assert "a function is asked for" in str(check(name, 3))


@pytest.mark.parametrize(("name", "slip", "wrong"), list(own_slips()))
def test_the_slips_of_an_exercise_are_wrong_and_have_their_name(name, slip, wrong):
    answer = EXERCISES[name].answer
    verdict = check(name, wrong if isinstance(answer, Function) else wrong())
    assert verdict.wrong == slip


@pytest.mark.parametrize("name", QUIZZES)
def test_a_quiz_takes_its_right_value_and_no_other(name):
    right = QUIZZES[name].answer.right()
    assert check(name, str(right))
    assert not check(name, "something else")
    assert not check(name, "17")


#: Things that are no answer to any exercise.
ODD = [None, True, ..., "", 1j, 10**400, [], [[1, 2], [3]], {}, torch.ones(2, 2), np.array("a"), sp.zoo, sp.I, sp.oo]
ODD += [sp.Eq(p, 1), sp.Matrix([[1]]), 1 / (n - 3), sp.Function("f")(p), lambda: 1, lambda *call: None, int]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_nothing_that_a_reader_may_pass_raises(odd):
    for name in ("ch1-ex-momentum", "ch2-ex-equal", "ch2-ex-amplitude", "ch5-ex-inverted", "ch5-ex-chain"):
        assert check(name, odd).wrong
    assert check("ch2-quiz-energy", odd).wrong


def test_letters_count_by_name_and_formulas_by_value():
    assert check("ch2-ex-equal", sp.sqrt((1 - p) / (n * p)))
    assert check("ch2-ex-equal", sp.sqrt(n * p - n * p**2) / (n * p))
    assert slips.OPPOSITE in str(check("ch2-ex-equal", sp.sqrt(p / (n * (1 - p)))))
    assert slips.SQUARE in str(check("ch2-ex-equal", (1 - p) / (n * p)))
    assert "the letter q" in str(check("ch2-ex-equal", sp.Symbol("q")))
    assert "depend on n" in str(check("ch2-ex-equal", p + 7))


def test_what_is_no_answer_gets_a_reason():
    assert "a SymPy expression" in str(check("ch2-ex-equal", "p"))
    assert "a SymPy expression" in str(check("ch2-ex-equal", True))
    assert "a SymPy expression" in str(check("ch2-ex-equal", ...))
    assert "a number" in str(check("ch2-ex-amplitude", p))
    assert "a finite number" in str(check("ch2-ex-amplitude", math.nan))
    assert "an array" in str(check("ch1-ex-momentum", "no"))
    assert "an array" in str(check("ch1-ex-momentum", [1, [2, 3]]))
    assert "no value" in str(check("ch2-ex-twice", sp.Symbol("p") / 0))
    assert "a Chain" in str(check("ch2-ex-chain", p))


@pytest.mark.parametrize("given", [Fraction(1, 3), sp.Rational(1, 3), 1 / 3, np.float64(1 / 3), torch.tensor(1 / 3)])
def test_numbers_of_all_libraries_are_numbers(given):
    assert check("ch4-ex-pair", given)


def test_a_whole_number_is_right_exactly():
    assert check("ch3-ex-count", 340)
    assert slips.ONE in str(check("ch3-ex-count", 341))
    assert not check("ch3-ex-count", 340.2)
    assert "counts masks" in str(check("ch3-ex-count", 512))


def test_a_number_that_is_near_is_told_so():
    assert "near" in str(check("ch2-ex-amplitude", 2.62))


def test_a_function_must_not_change_its_input():
    def in_place(x, mask, keep_prob):
        return x.mul_(mask).div_(keep_prob)

    assert "in place" in str(check("ch5-ex-inverted", in_place))


def test_no_message_gives_the_answer_away():
    for name in of_kind((Formula, Number)):
        right = EXERCISES[name].answer.right()
        for wrong in (-right, right * 3 + 1, right + 5, 17):
            said = str(check(name, wrong))
            assert str(right) not in said or len(str(right)) < 3, (name, said)


def test_an_unknown_exercise_is_an_error_with_the_nearest():
    with pytest.raises(ValueError, match="no exercise 'ch2-ex-equals'; the nearest are ch2-ex-equal"):
        check("ch2-ex-equals", 1)
    with pytest.raises(TypeError, match="a text, got int"):
        check(2, "ch2-ex-equal")


def test_a_verdict_travels_with_the_cell():
    bundle = check("ch3-ex-count", 341)._repr_mimebundle_()
    assert bundle[MIME_TYPE] == {"exercise": "ch3-ex-count", "wrong": slips.ONE}
    assert bundle["text/plain"] == f"Not yet: {slips.ONE}."
    assert bool(check("ch3-ex-count", 341)) is False


def test_every_kind_of_answer_is_in_the_key():
    kinds = {type(entry.answer) for entry in EXERCISES.values()}
    assert kinds == {Array, Formula, Function, Number, Proof}
    assert {type(entry.answer) for entry in QUIZZES.values()} == {Choice}
